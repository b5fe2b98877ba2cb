"""The nodes: each computes integers exactly, as `host_compiler.reference` spells out.

Activations on the accelerator's side are int8 (an unsigned tensor is represented by its value
minus 128, its zero point likewise), in logical NCHW. `(top, left, bottom, right)` is the order
of four-sided pads, `(height, width)` that of pairs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.ir.graph import Graph, GraphError, Value
from host_compiler.ir.stages import AddTerm, FixedPoint, PoolStage, Requant, Stage

__all__ = [
    "Accumulate",
    "Concat",
    "Conv",
    "ConvTranspose",
    "CpuOp",
    "MaxPool",
    "Node",
    "Pad",
    "Reshape",
    "ResizeNearest",
    "SumPool",
    "WeightedSum",
    "pooled_size",
    "window_shape",
]


def pooled_size(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """Output length of a window that slides over `size` elements plus `pad` in all."""
    return (size + pad - dilation * (kernel - 1) - 1) // stride + 1


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One operation. `source` names the ONNX nodes that it came from."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)

    def verify(self, graph: Graph) -> None:
        """Check this node's types and shapes.

        Raises
        ------
        GraphError
            A rule is broken.
        """

    def _refuse(self, what: str) -> None:
        raise GraphError(f"node {self.name} ({type(self).__name__}): {what}")

    def _expect(self, value: Value, shape: tuple[int, ...], dtype: str = "int8") -> None:
        if value.shape != shape or value.dtype != dtype:
            self._refuse(
                f"{value.name} must be {dtype}{list(shape)}, not {value.dtype}{list(value.shape)}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Accumulate(Node):
    """Base of what ends in accumulators: a sum, then `stages`, then a store.

    `inputs[0]` (and more, for WeightedSum) feed the sum; each AddTerm's value follows in the
    order of the stages. The result is int8 where the last stage but for pooling is a Requant or
    FixedPoint, and the accumulators themselves, int32, otherwise.
    """

    stages: tuple[Stage, ...] = dataclasses.field(default=(), kw_only=True)

    def sum_shape(self, graph: Graph) -> tuple[int, ...]:
        """Shape (N, C, H, W) of the sum before the stages."""
        raise NotImplementedError

    @property
    def result_dtype(self) -> str:
        """int8, or int32 where the accumulators are the result."""
        last = [stage for stage in self.stages if not isinstance(stage, PoolStage)][-1:]
        return "int8" if last and isinstance(last[0], Requant | FixedPoint) else "int32"

    def verify(self, graph: Graph) -> None:
        """Check the sum's and the stages' shapes."""
        shape = self.sum_shape(graph)
        addends = [stage.value for stage in self.stages if isinstance(stage, AddTerm)]
        if addends and list(self.inputs[-len(addends) :]) != addends:
            self._refuse(f"inputs must end with the stages' values {addends}")
        for stage in self.stages:
            if isinstance(stage, AddTerm):
                self._expect(graph.values[stage.value], shape)
            elif isinstance(stage, PoolStage):
                shape = shape[:2] + window_shape(shape, stage)
            else:
                factors = stage.multiplier if isinstance(stage, Requant) else stage.factors
                if factors.shape not in ((), (shape[1],)):
                    self._refuse(f"multiplier must have shape () or ({shape[1]},)")
        self._expect(graph.values[self.outputs[0]], shape, self.result_dtype)


def window_shape(shape: tuple[int, ...], window: PoolStage | MaxPool | SumPool) -> tuple[int, int]:
    """(height, width) of what a window yields that slides over (N, C, H, W)."""
    pads = (window.pads[0] + window.pads[2], window.pads[1] + window.pads[3])
    height, width = (
        pooled_size(shape[2 + i], window.kernel[i], window.strides[i], pads[i], window.dilations[i])
        for i in range(2)
    )
    return height, width


@dataclasses.dataclass(frozen=True, eq=False)
class Conv(Accumulate):
    """sum = bias + convolution of (x - x_zero_point) with `weight`; padding counts as zero.

    `weight` is an integer array (out channels, in channels / group, height, width) with any
    weight zero point already subtracted, so it may need 9 bits; `bias` is int32 (out channels,).
    """

    weight: npt.NDArray[Any] = dataclasses.field(kw_only=True)
    bias: npt.NDArray[np.int32] | None = dataclasses.field(default=None, kw_only=True)
    x_zero_point: int = dataclasses.field(default=0, kw_only=True)
    strides: tuple[int, int] = dataclasses.field(default=(1, 1), kw_only=True)
    pads: tuple[int, int, int, int] = dataclasses.field(default=(0, 0, 0, 0), kw_only=True)
    dilations: tuple[int, int] = dataclasses.field(default=(1, 1), kw_only=True)
    group: int = dataclasses.field(default=1, kw_only=True)

    @property
    def kernel(self) -> tuple[int, int]:
        """Kernel height and width."""
        return self.weight.shape[2], self.weight.shape[3]

    def sum_shape(self, graph: Graph) -> tuple[int, ...]:
        """Shape of the convolution."""
        x = graph.values[self.inputs[0]].shape
        if len(x) != 4 or x[1] != self.weight.shape[1] * self.group:
            self._refuse(f"weight {self.weight.shape} and group {self.group} must fit input {x}")
        window = PoolStage(self.kernel, self.strides, self.pads, self.dilations)
        return (x[0], self.weight.shape[0], *window_shape(x, window))


@dataclasses.dataclass(frozen=True, eq=False)
class ConvTranspose(Accumulate):
    """The transposed convolution; `weight` is (in channels, out channels / group, h, w)."""

    weight: npt.NDArray[Any] = dataclasses.field(kw_only=True)
    bias: npt.NDArray[np.int32] | None = dataclasses.field(default=None, kw_only=True)
    x_zero_point: int = dataclasses.field(default=0, kw_only=True)
    strides: tuple[int, int] = dataclasses.field(default=(1, 1), kw_only=True)
    pads: tuple[int, int, int, int] = dataclasses.field(default=(0, 0, 0, 0), kw_only=True)
    dilations: tuple[int, int] = dataclasses.field(default=(1, 1), kw_only=True)
    output_padding: tuple[int, int] = dataclasses.field(default=(0, 0), kw_only=True)
    group: int = dataclasses.field(default=1, kw_only=True)

    def sum_shape(self, graph: Graph) -> tuple[int, ...]:
        """Shape of the transposed convolution."""
        x = graph.values[self.inputs[0]].shape
        if len(x) != 4 or x[1] != self.weight.shape[0]:
            self._refuse(f"weight {self.weight.shape} must fit input {x}")
        spatial = tuple(
            self.strides[i] * (x[2 + i] - 1)
            + self.output_padding[i]
            + self.dilations[i] * (self.weight.shape[2 + i] - 1)
            + 1
            - self.pads[i]
            - self.pads[2 + i]
            for i in range(2)
        )
        return (x[0], self.weight.shape[1] * self.group, *spatial)


@dataclasses.dataclass(frozen=True, eq=False)
class WeightedSum(Accumulate):
    """sum = Σ coefficient_i * (x_i - zero_point_i): Add, Sub, and a rescale of one input."""

    coefficients: tuple[int, ...] = dataclasses.field(kw_only=True)
    zero_points: tuple[int, ...] = dataclasses.field(kw_only=True)

    def sum_shape(self, graph: Graph) -> tuple[int, ...]:
        """Shape of the inputs, which must be alike."""
        shape = graph.values[self.inputs[0]].shape
        if len(self.coefficients) != len(self.zero_points):
            self._refuse("there must be as many zero points as coefficients")
        for name in self.inputs[: len(self.coefficients)]:
            self._expect(graph.values[name], shape)
        return shape


@dataclasses.dataclass(frozen=True, eq=False)
class SumPool(Accumulate):
    """sum over windows of (x - x_zero_point); AveragePool divides in its Requant.

    Where windows at the border hold fewer elements and padding is not counted, the importer
    gives `divisors`, an int array (height, width) by which each sum is divided before the
    Requant's rounding; None where the Requant's multiplier holds the constant divisor.
    """

    kernel: tuple[int, int] = dataclasses.field(kw_only=True)
    x_zero_point: int = dataclasses.field(default=0, kw_only=True)
    strides: tuple[int, int] = dataclasses.field(default=(1, 1), kw_only=True)
    pads: tuple[int, int, int, int] = dataclasses.field(default=(0, 0, 0, 0), kw_only=True)
    dilations: tuple[int, int] = dataclasses.field(default=(1, 1), kw_only=True)
    divisors: npt.NDArray[np.int64] | None = dataclasses.field(default=None, kw_only=True)

    def sum_shape(self, graph: Graph) -> tuple[int, ...]:
        """Shape of the pooled sums."""
        x = graph.values[self.inputs[0]].shape
        shape = x[:2] + window_shape(x, self)
        if self.divisors is not None and self.divisors.shape != shape[2:]:
            self._refuse(f"divisors must have shape {shape[2:]}, not {self.divisors.shape}")
        return shape


@dataclasses.dataclass(frozen=True, eq=False)
class MaxPool(Node):
    """Maximum over windows of int8; padding takes no part."""

    kernel: tuple[int, int] = dataclasses.field(kw_only=True)
    strides: tuple[int, int] = dataclasses.field(default=(1, 1), kw_only=True)
    pads: tuple[int, int, int, int] = dataclasses.field(default=(0, 0, 0, 0), kw_only=True)
    dilations: tuple[int, int] = dataclasses.field(default=(1, 1), kw_only=True)

    def verify(self, graph: Graph) -> None:
        """Check the output's shape."""
        x = graph.values[self.inputs[0]]
        self._expect(graph.values[self.outputs[0]], x.shape[:2] + window_shape(x.shape, self))


@dataclasses.dataclass(frozen=True, eq=False)
class Concat(Node):
    """Join int8 tensors of one quantisation along `axis`."""

    axis: int = dataclasses.field(default=1, kw_only=True)

    def verify(self, graph: Graph) -> None:
        """Check that all other extents agree."""
        shapes = [graph.values[name].shape for name in self.inputs]
        joined = list(shapes[0])
        joined[self.axis] = sum(shape[self.axis] for shape in shapes)
        self._expect(graph.values[self.outputs[0]], tuple(joined))


@dataclasses.dataclass(frozen=True, eq=False)
class ResizeNearest(Node):
    """Repeat each pixel `factors` = (height, width) times (asymmetric, floor)."""

    factors: tuple[int, int] = dataclasses.field(kw_only=True)

    def verify(self, graph: Graph) -> None:
        """Check the output's shape."""
        n, c, h, w = graph.values[self.inputs[0]].shape
        shape = (n, c, h * self.factors[0], w * self.factors[1])
        self._expect(graph.values[self.outputs[0]], shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Pad(Node):
    """Surround with the constant integer `value`; negative pads crop."""

    pads: tuple[int, int, int, int] = dataclasses.field(kw_only=True)
    value: int = dataclasses.field(default=0, kw_only=True)

    def verify(self, graph: Graph) -> None:
        """Check the output's shape."""
        n, c, h, w = graph.values[self.inputs[0]].shape
        shape = (n, c, h + self.pads[0] + self.pads[2], w + self.pads[1] + self.pads[3])
        self._expect(graph.values[self.outputs[0]], shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Reshape(Node):
    """Give the same elements, in the same order, another shape."""

    def verify(self, graph: Graph) -> None:
        """Check that no element is gained or lost."""
        x, y = graph.values[self.inputs[0]], graph.values[self.outputs[0]]
        if int(np.prod(x.shape)) != int(np.prod(y.shape)) or x.dtype != y.dtype:
            self._refuse(f"{y.dtype}{list(y.shape)} must hold {x.dtype}{list(x.shape)}")


@dataclasses.dataclass(frozen=True, eq=False)
class CpuOp(Node):
    """An operator of the on-device `cpu_ops`, by its name there, with JSON-safe attributes.

    Constant operands (float weights, tables) are in `constants`, appended to the inputs when
    the operator is called.
    """

    op: str = dataclasses.field(kw_only=True)
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict, kw_only=True)
    constants: tuple[npt.NDArray[Any], ...] = dataclasses.field(default=(), kw_only=True)
