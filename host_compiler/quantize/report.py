"""What quantising cost: signal to noise for each tensor, accuracy before and after."""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from host_compiler.onnx_session import exact_session
from host_compiler.quantize.data import Samples, batches

__all__ = ["LayerNoise", "QuantReport", "make_report"]

_REPORT_BATCHES = 16


@dataclasses.dataclass(frozen=True)
class LayerNoise:
    """Signal-to-quantisation-noise ratio of one float tensor, in decibels."""

    node: str
    tensor: str
    sqnr_db: float


@dataclasses.dataclass(frozen=True)
class QuantReport:
    """The measured cost; accuracies are None without labels."""

    samples: int
    layers: tuple[LayerNoise, ...]
    accuracy_float: float | None
    accuracy_int8: float | None

    def facts(self) -> dict[str, Any]:
        """The report for JSON, which knows no infinity: there a ratio is None."""
        facts = dataclasses.asdict(self)
        for layer in facts["layers"]:
            if math.isinf(layer["sqnr_db"]):
                layer["sqnr_db"] = None
        return facts

    def __str__(self) -> str:
        width = max((len(layer.node) for layer in self.layers), default=4)
        lines = [f"{'node':{width}}  SQNR dB"]
        lines += [f"{layer.node:{width}}  {layer.sqnr_db:7.1f}" for layer in self.layers]
        if self.accuracy_float is not None and self.accuracy_int8 is not None:
            lines.append(
                f"accuracy on {self.samples} samples: float {100 * self.accuracy_float:.2f} %, "
                f"int8 {100 * self.accuracy_int8:.2f} %"
            )
        return "\n".join(lines)


def _session(model: onnx.ModelProto, extra: list[str]) -> onnxruntime.InferenceSession:
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {value.name for value in watched.graph.output}
    for name in extra:
        if name not in known:
            watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    # Fused kernels would hide the values between the nodes.
    return exact_session(watched, optimised=False)


def make_report(
    model: onnx.ModelProto,
    quantised: onnx.ModelProto,
    samples: Samples,
    batch: int,
    labels: npt.NDArray[Any] | None,
) -> QuantReport:
    """Run both models on the samples and compare the values that they share by name."""
    shared = _shared_tensors(model, quantised)
    sessions = [_session(m, list(shared)) for m in (model, quantised)]
    signal = dict.fromkeys(shared, 0.0)
    noise = dict.fromkeys(shared, 0.0)
    hits: npt.NDArray[np.int64] = np.zeros(2, np.int64)
    count = 0
    output = quantised.graph.output[0].name
    for index, feed in enumerate(batches(samples, batch)):
        if labels is None and index == _REPORT_BATCHES:
            break
        names = [*shared, output] if index < _REPORT_BATCHES else [output]
        results = [dict(zip(names, s.run(names, feed), strict=True)) for s in sessions]
        for name in names[:-1]:
            exact = results[0][name].astype(np.float64)
            signal[name] += float(np.square(exact).sum())
            noise[name] += float(np.square(exact - results[1][name]).sum())
        if labels is not None:
            truth = labels[count : count + batch]
            rows = [r[output].reshape(len(truth), -1).argmax(1) for r in results]
            hits += np.array([int((row == truth).sum()) for row in rows])
        count += batch
    layers = tuple(
        LayerNoise(node, name, _decibels(signal[name], noise[name]))
        for name, node in shared.items()
    )
    scores = [int(hit) / max(count, 1) for hit in hits]
    if labels is None:
        return QuantReport(count, layers, None, None)
    return QuantReport(count, layers, scores[0], scores[1])


def _decibels(signal: float, noise: float) -> float:
    if noise == 0.0:
        return float("inf")
    return 10 * math.log10(max(signal, sys.float_info.min) / noise)


def _shared_tensors(model: onnx.ModelProto, quantised: onnx.ModelProto) -> dict[str, str]:
    """Float tensors that both models compute under one name: name to node name."""
    ours = {name for node in quantised.graph.node for name in node.output}
    return {
        node.output[0]: node.name or node.op_type
        for node in model.graph.node
        if node.output and node.output[0] in ours
    }
