"""Small ONNX models, and onnxruntime to run them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from host_compiler.onnx_session import exact_session

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
ONNX_TYPES = {"f": TensorProto.FLOAT, "b": TensorProto.INT8, "B": TensorProto.UINT8}
UINT8, INT8 = QuantType.QUInt8, QuantType.QInt8


def digits_images(name: str) -> np.ndarray:
    """Images of examples/digits as the networks take them."""
    pixels: np.ndarray = np.load(DIGITS / f"{name}_images.npz")["images"]
    return pixels.astype(np.float32) / 8 - 1


def digits_labels() -> np.ndarray:
    labels: np.ndarray = np.load(DIGITS / "test_images.npz")["labels"]
    return labels


def make_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[str, Sequence[int | str]]],
    outputs: Mapping[str, str],
    constants: Mapping[str, np.ndarray],
    opset: int = 17,
) -> onnx.ModelProto:
    """A checked model; types are numpy type characters."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(n, ONNX_TYPES[t], s) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, ONNX_TYPES[t], None) for n, t in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    return model


def ort_run(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], optimised: bool = False
) -> list[np.ndarray]:
    """Run a model with onnxruntime, by default node by node as it is written."""
    return exact_session(model, optimised=optimised).run(None, dict(feeds))


class Reader(CalibrationDataReader):
    def __init__(self, name: str, samples: np.ndarray) -> None:
        self._feeds = iter([{name: samples[i : i + 1]} for i in range(len(samples))])

    def get_next(self):
        return next(self._feeds, None)


def ort_quantised(
    model: onnx.ModelProto | Path,
    name: str,
    samples: np.ndarray,
    folder: Path,
    *,
    qdq: bool = True,
    activations: QuantType = UINT8,
    weights: QuantType = INT8,
    per_channel: bool = False,
    **options,
) -> onnx.ModelProto:
    """What onnxruntime's static quantisation makes of a float model."""
    source, out = folder / "float.onnx", folder / "quantised.onnx"
    loaded = onnx.load(model) if isinstance(model, Path) else model
    onnx.save(loaded, source)
    logging.disable(logging.WARNING)
    try:
        quantize_static(
            source,
            out,
            Reader(name, samples),
            quant_format=QuantFormat.QDQ if qdq else QuantFormat.QOperator,
            activation_type=activations,
            weight_type=weights,
            per_channel=per_channel,
            extra_options=options,
        )
    finally:
        logging.disable(logging.NOTSET)
    return onnx.load(out)
