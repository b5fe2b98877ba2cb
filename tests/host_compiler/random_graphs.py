"""Small random graphs of every kind of node, for tests of whole programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from host_compiler.ir import (
    AddTerm,
    Concat,
    Conv,
    ConvTranspose,
    CpuOp,
    Graph,
    MaxPool,
    Node,
    Pad,
    PoolStage,
    Quant,
    Requant,
    Reshape,
    ResizeNearest,
    SumPool,
    Value,
    WeightedSum,
)
from host_compiler.ir.nodes import pooled_size

MAX_ELEMENTS = 6000


class GraphMaker:
    """Grows one graph; every method appends nodes and returns the name of the new value."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.inputs: list[str] = []
        self.batch = int(self.random.choice([1, 1, 1, 2, 3]))
        self.made: list[str] = []

    # ---- parts ---------------------------------------------------------------------------

    def value(self, shape: tuple[int, ...], dtype: str = "int8", quant: Quant | None = None) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = Value(name, shape, dtype, quant)
        return name

    def shape(self, name: str) -> tuple[int, ...]:
        return self.values[name].shape

    def integer(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def requant(self, channels: int, bits: int = 8) -> Requant:
        shifts: Any = self.integer(bits - 2, bits + 2)
        if self.chance(0.4):
            shifts = self.random.integers(bits - 2, bits + 3, channels)
        multiplier = 2.0 ** -np.asarray(shifts, np.float64)
        leak = multiplier / 4 if self.chance(0.2) else None
        low, high = sorted(self.integer(-128, 127) for _ in range(2))
        if self.chance(0.6) or low == high:
            low, high = -128, 127
        zero_point = self.integer(-20, 20) if self.chance(0.5) else 0
        return Requant(multiplier, zero_point, low, high, "half_up", leak)

    def weight(self, *shape: int) -> np.ndarray:
        low, high = (-255, 255) if self.chance(0.1) else (-128, 127)
        return self.random.integers(low, high + 1, shape)

    def bias(self, channels: int) -> np.ndarray | None:
        if self.chance(0.3):
            return None
        return self.random.integers(-30000, 30000, channels).astype(np.int32)

    def add_input(self) -> str:
        channels = int(self.random.choice([1, 3, 8, 16, 20, 33]))
        shape = (self.batch, channels, self.integer(1, 9), self.integer(1, 9))
        kind = self.random.choice(["int8", "uint8", "float32"])
        name = self.value(shape, str(kind))
        self.inputs.append(name)
        if kind == "int8":
            return name
        out = self.value(shape)
        if kind == "uint8":
            attributes: dict[str, Any] = {"offset": -128, "dtype": "int8"}
            self.nodes.append(CpuOp(out, (name,), (out,), op="offset", attributes=attributes))
        else:
            attributes = {"scale": 0.05, "zero_point": self.integer(-9, 9), "dtype": "int8"}
            self.nodes.append(CpuOp(out, (name,), (out,), op="quantize", attributes=attributes))
        return out

    # ---- nodes ---------------------------------------------------------------------------

    def window(self, shape: tuple[int, ...], most: int = 3) -> dict[str, Any] | None:
        kernel = self.integer(1, most), self.integer(1, most)
        strides = self.integer(1, 2), self.integer(1, 2)
        dilations = self.integer(1, 2), self.integer(1, 2)
        pads = tuple(
            self.integer(0, kernel[i % 2] - 1) if self.chance(0.6) else 0 for i in range(4)
        )
        out = [
            pooled_size(shape[2 + i], kernel[i], strides[i], pads[i] + pads[i + 2], dilations[i])
            for i in range(2)
        ]
        if min(out) < 1:
            return None
        return {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations,
                "out": out}  # fmt: skip

    def conv(self, x: str) -> str | None:
        shape = self.shape(x)
        window = self.window(shape)
        if window is None:
            return None
        channels = shape[1]
        group = channels if self.chance(0.25) else 1
        outs = channels if group > 1 else int(self.random.choice([1, 8, 16, 24, 40]))
        out_shape = (shape[0], outs, *window["out"])
        weight = self.weight(outs, channels // group, *window["kernel"])
        shared = {
            "weight": weight, "bias": self.bias(outs), "group": group,
            "x_zero_point": self.integer(-128, 127) if self.chance(0.4) else 0,
            "strides": window["strides"], "pads": window["pads"],
            "dilations": window["dilations"],
        }  # fmt: skip
        if self.chance(0.15):  # raw sums, rescaled by the processor
            raw, out = self.value(out_shape, "int32"), self.value(out_shape)
            self.nodes.append(Conv(raw, (x,), (raw,), **shared))
            attributes = {"scale": 0.0037, "zero_point": 3, "dtype": "int8", "qmin": -100,
                          "qmax": 127}  # fmt: skip
            self.nodes.append(CpuOp(out, (raw,), (out,), op="requantize", attributes=attributes))
            return out
        stages: list[Any] = [self.requant(outs, 10)]
        inputs = [x]
        same = [v for v in self.made if self.shape(v) == out_shape]
        if same and self.chance(0.8):
            z = str(self.random.choice(same))
            inputs.append(z)
            if self.chance(0.5):
                stages.insert(0, AddTerm(z, self.integer(1, 900), self.integer(-5, 5)))
            else:
                stages.append(AddTerm(z, self.integer(1, 30), self.integer(-9, 9), 2, 4))
                stages.append(self.requant(outs, 3))
        elif self.chance(0.2) and min(window["out"]) >= 2:
            stages.append(PoolStage((2, 2), (2, 2)))
            out_shape = (*out_shape[:2], *(n // 2 for n in window["out"]))
        out = self.value(out_shape)
        self.nodes.append(Conv(out, tuple(inputs), (out,), stages=tuple(stages), **shared))
        return out

    def transpose_conv(self, x: str) -> str | None:
        n, channels, height, width = self.shape(x)
        kernel = self.integer(1, 3), self.integer(1, 4)
        strides = self.integer(1, 2), self.integer(1, 3)
        padding = strides[0] - 1, 0
        outs = int(self.random.choice([8, 12, 16]))
        size = [strides[i] * (s - 1) + padding[i] + kernel[i]
                for i, s in enumerate((height, width))]  # fmt: skip
        out = self.value((n, outs, *size))
        self.nodes.append(
            ConvTranspose(
                out, (x,), (out,), weight=self.weight(channels, outs, *kernel),
                bias=self.bias(outs), strides=strides, output_padding=padding,
                x_zero_point=self.integer(-9, 9), stages=(self.requant(outs, 9),),
            )
        )  # fmt: skip
        return out

    def weighted_sum(self, x: str) -> str:
        same = [v for v in self.made if self.shape(v) == self.shape(x)]
        names = (x, str(self.random.choice(same)))
        if names[0] == names[1]:
            names = names[:1]
        out = self.value(self.shape(x))
        coefficients = tuple(self.integer(-300, 300) or 1 for _ in names)
        zeros = tuple(self.integer(-9, 9) for _ in names)
        stages = (self.requant(self.shape(x)[1], 8),)
        self.nodes.append(
            WeightedSum(out, names, (out,), coefficients=coefficients, zero_points=zeros,
                        stages=stages)
        )  # fmt: skip
        return out

    def pool(self, x: str) -> str | None:
        window = self.window(self.shape(x))
        if window is None:
            return None
        size = window.pop("out")
        out = self.value((*self.shape(x)[:2], *size))
        if self.chance(0.5):
            self.nodes.append(MaxPool(out, (x,), (out,), **window))
        else:
            count = window["kernel"][0] * window["kernel"][1]
            stage = Requant(np.array(1 / count), 0, -128, 127, "half_up")
            zero = self.integer(-20, 20)
            self.nodes.append(
                SumPool(out, (x,), (out,), x_zero_point=zero, stages=(stage,), **window)
            )
        return out

    def concat(self, x: str) -> str:
        fits = [v for v in self.made if self.shape(v)[::2] == self.shape(x)[::2]
                and self.shape(v)[3] == self.shape(x)[3]]  # fmt: skip
        names = tuple(str(self.random.choice(fits)) for _ in range(self.integer(1, 2)))
        parts = tuple(dict.fromkeys((x, *names)))
        channels = sum(self.shape(v)[1] for v in parts)
        out = self.value((self.batch, channels, *self.shape(x)[2:]))
        self.nodes.append(Concat(out, parts, (out,)))
        return out

    def move(self, x: str) -> str | None:
        n, c, h, w = self.shape(x)
        if self.chance(0.5):
            factors = self.integer(1, 2), self.integer(1, 3)
            out = self.value((n, c, h * factors[0], w * factors[1]))
            self.nodes.append(ResizeNearest(out, (x,), (out,), factors=factors))
            return out
        pads = tuple(self.integer(-1, 2) for _ in range(4))
        size = h + pads[0] + pads[2], w + pads[1] + pads[3]
        if min(size) < 1:
            return None
        out = self.value((n, c, *size))
        self.nodes.append(Pad(out, (x,), (out,), pads=pads, value=self.integer(-128, 127)))
        return out

    def flat(self, x: str) -> str:
        """To a matrix and back; free where H = W = 1, else through plain memory."""
        n, c, h, w = self.shape(x)
        rows = self.value((n, c * h * w))
        self.nodes.append(Reshape(rows, (x,), (rows,)))
        out = self.value((n, c * h * w, 1, 1))
        self.nodes.append(Reshape(out, (rows,), (out,)))
        return out

    def processor(self, x: str) -> str:
        shape = self.shape(x)
        real, worked = self.value(shape, "float32"), self.value(shape, "float32")
        out = self.value(shape)
        for op, source, result, attributes in (
            ("dequantize", x, real, {"scale": 0.1, "zero_point": 2}),
            ("relu", real, worked, {}),
            ("quantize", worked, out, {"scale": 0.07, "zero_point": -4, "dtype": "int8"}),
        ):
            self.nodes.append(CpuOp(result, (source,), (result,), op=op, attributes=attributes))
        return out

    # ---- whole graphs --------------------------------------------------------------------

    def grow(self, nodes: int) -> Graph:
        self.made = [self.add_input() for _ in range(self.integer(1, 2))]
        kinds: list[Callable[[str], str | None]] = [
            self.conv, self.conv, self.conv, self.transpose_conv, self.weighted_sum, self.pool,
            self.concat, self.move, self.flat, self.processor,
        ]  # fmt: skip
        while len(self.nodes) < nodes:
            x = str(self.random.choice(self.made[-4:]))
            known = set(self.values)
            made = kinds[self.integer(0, len(kinds) - 1)](x)
            if made is None:
                continue
            if int(np.prod(self.shape(made))) > MAX_ELEMENTS:
                for name in set(self.values) - known:
                    del self.values[name]
                self.nodes = [n for n in self.nodes if set(n.outputs) <= set(self.values)]
                continue
            self.made.append(made)
        read = {name for node in self.nodes for name in node.inputs}
        outputs = [v for v in self.values if v not in read]
        others = [v for v in self.made if v in read and v not in self.inputs]
        if others and self.chance(0.5):
            outputs.append(str(self.random.choice(others)))
        if self.chance(0.5):  # one output as real numbers, another in user's unsigned bytes
            outputs[0] = self._real(outputs[0])
        graph = Graph("random", self.values.values(), self.nodes, self.inputs, outputs)
        graph.verify()
        return graph

    def _real(self, x: str) -> str:
        if self.chance(0.5):
            out = self.value(self.shape(x), "float32")
            attributes: dict[str, Any] = {"scale": 0.25, "zero_point": 1}
            self.nodes.append(CpuOp(out, (x,), (out,), op="dequantize", attributes=attributes))
        else:
            out = self.value(self.shape(x), "uint8")
            attributes = {"offset": 128, "dtype": "uint8"}
            self.nodes.append(CpuOp(out, (x,), (out,), op="offset", attributes=attributes))
        return out


def random_graph(seed: int, nodes: int = 8) -> Graph:
    """A verified graph with at least `nodes` nodes; the same for the same seed."""
    return GraphMaker(seed).grow(nodes)


def random_inputs(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    """Arrays for every input of a graph."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name in graph.inputs:
        value = graph.values[name]
        if value.dtype == "float32":
            arrays[name] = random.normal(0, 3, value.shape).astype(np.float32)
        else:
            info = np.iinfo(value.dtype)
            arrays[name] = random.integers(info.min, info.max + 1, value.shape).astype(value.dtype)
    return arrays
