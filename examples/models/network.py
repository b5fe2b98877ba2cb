"""A small writer of float ONNX networks with seeded random weights.

The weights are drawn so that activations keep their size from layer to layer (variance 2 / fan
in before a rectifier), which is what quantisation and performance figures need; the networks
classify nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


class Network:
    """Collects nodes and weights; every method returns the name of the value it computes."""

    def __init__(self, name: str, seed: int, input_shape: Sequence[int]) -> None:
        self.name = name
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._channels = {"image": input_shape[1]}
        self._input_shape = list(input_shape)

    def node(self, op: str, inputs: Sequence[str], channels: int, **attributes: Any) -> str:
        """Append any operator whose output has `channels` channels."""
        name = f"{op.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        self._channels[name] = channels
        return name

    def constant(self, array: np.ndarray, what: str) -> str:
        """Store an initialiser."""
        name = f"{what}_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(array, name))
        return name

    def channels(self, value: str) -> int:
        """Channels of a value."""
        return self._channels[value]

    def conv(
        self,
        x: str,
        channels: int,
        kernel: int,
        stride: int = 1,
        *,
        group: int = 1,
        gain: float = 2.0,
        norm: bool = True,
    ) -> str:
        """A convolution that keeps the size (divided by `stride`), with batch norm after it."""
        per_group = self.channels(x) // group
        deviation = math.sqrt(gain / (per_group * kernel * kernel))
        shape = (channels, per_group, kernel, kernel)
        weight = self._random.normal(0, deviation, shape).astype(np.float32)
        inputs = [x, self.constant(weight, "weight")]
        if not norm:
            inputs.append(self.constant(np.zeros(channels, np.float32), "bias"))
        y = self.node(
            "Conv",
            inputs,
            channels,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
            group=group,
        )
        return self.norm(y) if norm else y

    def norm(self, x: str) -> str:
        """Batch norm near the identity."""
        n = self.channels(x)
        arrays = {
            "scale": self._random.uniform(0.9, 1.1, n),
            "shift": self._random.normal(0, 0.05, n),
            "mean": self._random.normal(0, 0.05, n),
            "variance": self._random.uniform(0.9, 1.1, n),
        }
        names = [self.constant(a.astype(np.float32), what) for what, a in arrays.items()]
        return self.node("BatchNormalization", [x, *names], n)

    def relu(self, x: str) -> str:
        """Rectifier."""
        return self.node("Relu", [x], self.channels(x))

    def relu6(self, x: str) -> str:
        """Rectifier that saturates at 6."""
        bounds = [self.constant(np.array(v, np.float32), "bound") for v in (0.0, 6.0)]
        return self.node("Clip", [x, *bounds], self.channels(x))

    def leaky_relu(self, x: str, alpha: float) -> str:
        """Leaky rectifier."""
        return self.node("LeakyRelu", [x], self.channels(x), alpha=alpha)

    def add(self, a: str, b: str) -> str:
        """Sum of two values of one shape."""
        return self.node("Add", [a, b], self.channels(a))

    def concat(self, values: Sequence[str]) -> str:
        """Join along channels."""
        return self.node("Concat", values, sum(map(self.channels, values)), axis=1)

    def max_pool(self, x: str, kernel: int, stride: int, pads: Sequence[int] = (0, 0, 0, 0)) -> str:
        """Maximum over windows."""
        return self.node(
            "MaxPool",
            [x],
            self.channels(x),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=list(pads),
        )

    def upsample(self, x: str, factor: int) -> str:
        """Repeat each pixel."""
        scales = self.constant(np.array([1, 1, factor, factor], np.float32), "scales")
        return self.node(
            "Resize",
            [x, "", scales],
            self.channels(x),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def classifier(self, x: str, classes: int) -> str:
        """Global average pooling and a fully connected layer."""
        n = self.channels(x)
        pooled = self.node("GlobalAveragePool", [x], n)
        flat = self.node("Flatten", [pooled], n, axis=1)
        weight = self._random.normal(0, math.sqrt(1 / n), (classes, n)).astype(np.float32)
        bias = self._random.normal(0, 0.05, classes).astype(np.float32)
        inputs = [flat, self.constant(weight, "weight"), self.constant(bias, "bias")]
        return self.node("Gemm", inputs, classes, transB=1)

    def model(self, outputs: dict[str, Sequence[int]]) -> onnx.ModelProto:
        """The checked model; `outputs` maps values to their shapes."""
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, self._input_shape)],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
                for name, shape in outputs.items()
            ],
            self._weights,
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, producer_name="vta_pynq examples")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model
