"""The graph under construction and the carriers of all ONNX values seen so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.importer.carriers import (
    Carrier,
    Const,
    Pending,
    PendingConcat,
    Plain,
    QuantConst,
    Quantised,
)
from host_compiler.importer.fraction import with_bias_fraction
from host_compiler.importer.source import OnnxModel, OnnxNode
from host_compiler.ir import (
    DTYPES,
    Concat,
    CpuOp,
    Graph,
    Node,
    Quant,
    Requant,
    Reshape,
    Stage,
    Value,
    WeightedSum,
)
from vta_pynq.errors import CompileError

__all__ = ["GraphBuilder", "refuse"]

_INT8_MIN, _INT8_MAX = -128, 127


def refuse(node: OnnxNode, reason: str) -> CompileError:
    """The error for a node that the compiler does not take."""
    return CompileError(f"node {node.name} ({node.op}): {reason}")


class GraphBuilder:
    """Appends nodes and values; knows what each ONNX value is."""

    def __init__(self, model: OnnxModel) -> None:
        self.model = model
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.current: OnnxNode | None = None
        """The ONNX node that is being imported."""
        self.carriers: dict[str, Carrier] = {
            name: Const(array) for name, array in model.constants.items()
        }
        self._uses: dict[str, int] = dict.fromkeys(model.outputs, 1)
        for node in model.nodes:
            for name in node.inputs:
                self._uses[name] = self._uses.get(name, 0) + 1

    # ---- looking up ----------------------------------------------------------------------

    def carrier(self, node: OnnxNode, index: int) -> Carrier:
        """What the node's input at `index` is."""
        name = node.input(index)
        if name not in self.carriers:
            raise refuse(node, f"input {index} must be given")
        return self.carriers[name]

    def const(self, node: OnnxNode, index: int, default: Any = None) -> npt.NDArray[Any]:
        """A constant input; `default` where it is absent."""
        if not node.input(index) and default is not None:
            return np.asarray(default)
        found = self.carrier(node, index)
        if isinstance(found, Const):
            return found.array
        if isinstance(found, QuantConst):
            return found.to_real() if found.real else found.integers
        raise refuse(node, f"input {node.input(index)!r} must be constant")

    def uses(self, name: str) -> int:
        """How many nodes and graph outputs read an ONNX value."""
        return self._uses.get(name, 0)

    def shape(self, name: str) -> tuple[int, ...]:
        """The fixed shape of an ONNX value."""
        if name not in self.model.shapes:
            raise self._wrong(f"shape of {name!r} must follow from the input shapes")
        return self.model.shapes[name]

    def _wrong(self, reason: str) -> CompileError:
        """The error for the node that is being imported, or for the model's ends."""
        if self.current is None:
            return CompileError(f"model: {reason}")
        return refuse(self.current, reason)

    # ---- appending -----------------------------------------------------------------------

    def value(self, base: str, shape: Sequence[int], dtype: str, quant: Quant | None = None) -> str:
        """Declare a value with a name that is not taken."""
        if dtype not in DTYPES:
            raise self._wrong(f"elements of {base!r} must be {', '.join(DTYPES)}, not {dtype}")
        name, number = base, 1
        while name in self.values:
            number += 1
            name = f"{base}.{number}"
        self.values[name] = Value(name, tuple(int(n) for n in shape), dtype, quant)
        return name

    def append(self, node: Node) -> None:
        """Append a node and check it."""
        graph = Graph(self.model.name, self.values.values(), (), (), ())
        node.verify(graph)
        self.nodes.append(node)

    def cpu(
        self,
        op: str,
        inputs: Sequence[str],
        base: str,
        shape: Sequence[int],
        dtype: str,
        attributes: Mapping[str, Any] | None = None,
        source: Sequence[str] = (),
        constants: Sequence[npt.NDArray[Any]] = (),
        quant: Quant | None = None,
    ) -> str:
        """Append a processor operator; returns its output value."""
        for array in constants:
            if array.dtype.name not in DTYPES:
                found = "string" if array.dtype.kind in "OSU" else array.dtype.name
                raise self._wrong(f"constants must be {', '.join(DTYPES)}, not {found}")
            if not array.size:
                raise self._wrong(f"constants must have elements, not shape {list(array.shape)}")
        out = self.value(base, shape, dtype, quant)
        self.append(
            CpuOp(
                f"{op}:{out}",
                tuple(inputs),
                (out,),
                op=op,
                attributes=dict(attributes or {}),
                constants=tuple(constants),
                source=tuple(source),
            )
        )
        return out

    def int8_value(self, base: str, shape: Sequence[int], scale: float, zero_point: int) -> str:
        """Declare an int8 value with its quantisation."""
        return self.value(base, shape, "int8", Quant((scale,), (zero_point,)))

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """A value with another shape: itself where it has it already."""
        old = self.values[value]
        if old.shape == tuple(shape):
            return value
        out = self.value(f"{value}.reshaped", shape, old.dtype, old.quant)
        self.append(Reshape(f"reshape:{out}", (value,), (out,)))
        return out

    # ---- turning one carrier into another --------------------------------------------------

    def lift(self, found: Quantised, shape: Sequence[int], source: tuple[str, ...]) -> Pending:
        """A dequantised tensor as a sum of one term."""
        return Pending(
            WeightedSum,
            (self._as_nchw(found.value),),
            {"coefficients": (1,), "zero_points": (found.zero_point,)},
            np.array(found.scale),
            tuple(shape),
            source,
        )

    def _as_nchw(self, value: str) -> str:
        shape = self.values[value].shape
        return value if len(shape) == 4 else self.reshape(value, nchw_of(shape))

    def quantise(
        self,
        pending: Pending,
        name: str,
        scale: float,
        zero_point: int,
        dtype: str,
        source: tuple[str, ...],
    ) -> Quantised:
        """Append the accumulator node that ends in this quantisation."""

        def integer(real: float) -> int:
            limited = np.clip(real / scale, -1e9, 1e9)
            return int(np.clip(np.rint(limited) + zero_point, _INT8_MIN, _INT8_MAX))

        multiplier = pending.scale / scale
        final = Requant(
            multiplier,
            zero_point,
            integer(pending.low),
            integer(pending.high),
            "half_even",
            None if pending.leak is None else multiplier * pending.leak,
        )
        pending, rounding = with_bias_fraction(pending, final)
        final = dataclasses.replace(final, rounding=rounding)
        out = self._accumulate(
            pending, name, (*pending.stages, final), "int8", source, Quant((scale,), (zero_point,))
        )
        return Quantised(self.reshape(out, pending.shape), scale, zero_point, dtype)

    def _accumulate(
        self,
        pending: Pending,
        name: str,
        stages: tuple[Stage, ...],
        dtype: str,
        source: tuple[str, ...],
        quant: Quant | None,
    ) -> str:
        probe = pending.kind(
            name,
            pending.inputs,
            (name,),
            stages=stages,
            source=(*pending.source, *source),
            **pending.fields,
        )
        graph = Graph(self.model.name, self.values.values(), (), (), ())
        out = self.value(name, probe.sum_shape(graph), dtype, quant)
        self.append(dataclasses.replace(probe, name=out, outputs=(out,)))
        return out

    def real_value(self, name: str, found: Carrier) -> str:
        """The float32 graph value of an ONNX value, appending what computes it."""
        if isinstance(found, Plain):
            return found.value
        if isinstance(found, Quantised):
            return self.cpu(
                "dequantize",
                [found.value],
                f"{name}.real",
                self.values[found.value].shape,
                "float32",
                {"scale": found.scale, "zero_point": found.zero_point},
            )
        if isinstance(found, Pending):
            return self._real_sum(name, found)
        if isinstance(found, PendingConcat):
            parts = [self.real_value(f"{name}.part", part) for part in found.parts]
            shape = list(self.values[parts[0]].shape)
            shape[found.axis] = sum(self.values[p].shape[found.axis] for p in parts)
            return self.cpu("concat", parts, name, shape, "float32", {"axis": found.axis})
        array = found.array if isinstance(found, Const) else found.to_real()
        return self.cpu(
            "identity",
            [],
            f"{name}.constant",
            array.shape,
            array.dtype.name,
            {},
            constants=[np.ascontiguousarray(array)],
        )

    def _real_sum(self, name: str, pending: Pending) -> str:
        out = self._accumulate(pending, f"{name}.sum", pending.stages, "int32", (), None)
        attributes: dict[str, Any] = {
            "scale": pending.scale.tolist() if pending.scale.ndim else float(pending.scale),
            "zero_point": 0,
        }
        if pending.scale.ndim:
            attributes["axis"] = 1
        shape = self.values[out].shape
        real = self.cpu("dequantize", [out], f"{name}.real", shape, "float32", attributes)
        if pending.fraction is not None:
            rest = np.asarray(pending.fraction * pending.scale, np.float32)
            rest = rest.reshape(1, -1, 1, 1) if rest.ndim else rest
            real = self.cpu("add", [real], f"{name}.bias", shape, "float32", constants=[rest])
        if pending.leak is not None:
            real = self.cpu(
                "leaky_relu", [real], f"{name}.leaky", shape, "float32", {"alpha": pending.leak}
            )
        if pending.low != -np.inf or pending.high != np.inf:
            bounds = {"min": float(pending.low), "max": float(pending.high)}
            bounds = {key: bound for key, bound in bounds.items() if np.isfinite(bound)}
            real = self.cpu("clip", [real], f"{name}.clip", shape, "float32", bounds)
        return self.reshape(real, pending.shape)

    def join(
        self,
        found: PendingConcat,
        name: str,
        scale: float,
        zero_point: int,
        dtype: str,
        source: tuple[str, ...],
    ) -> Quantised:
        """Append a concatenation whose parts are brought to one quantisation first."""
        parts = []
        for index, part in enumerate(found.parts):
            if (part.scale, part.zero_point) != (scale, zero_point):
                shape = self.values[part.value].shape
                part = self.quantise(
                    self.lift(part, shape, source),
                    f"{name}.part{index}",
                    scale,
                    zero_point,
                    dtype,
                    (),
                )
            parts.append(part)
        value = self.concat(parts, name, found.axis, (*found.source, *source))
        return Quantised(value, scale, zero_point, dtype)

    def concat(
        self, parts: Sequence[Quantised], name: str, axis: int, source: tuple[str, ...]
    ) -> str:
        """Append a concatenation of tensors of one quantisation.

        Along channels it is done on (N, C, H, W) whatever the rank, as the accelerator does it.
        """
        values = [part.value for part in parts]
        joined = list(self.values[values[0]].shape)
        joined[axis] = sum(self.values[value].shape[axis] for value in values)
        shape = tuple(joined)
        if axis == 1 and len(shape) != 4:
            values = [self._as_nchw(value) for value in values]
            shape = nchw_of(shape)
        out = self.int8_value(name, shape, parts[0].scale, parts[0].zero_point)
        self.append(Concat(out, tuple(values), (out,), axis=axis, source=source))
        return self.reshape(out, joined)


def nchw_of(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Four extents for a tensor of another rank: (N, C, H, W) with everything spatial in W."""
    if len(shape) < 2:
        return (1, int(np.prod(shape, dtype=int)), 1, 1)
    return (shape[0], shape[1], 1, int(np.prod(shape[2:], dtype=int)))
