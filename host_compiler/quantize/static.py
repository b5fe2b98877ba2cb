"""Static quantisation: onnxruntime's calibration and graph rewriting, our scales."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import tqdm
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from host_compiler.importer.limits import check_ends
from host_compiler.importer.source import read_onnx
from host_compiler.quantize.data import Samples, batches, check_labels, check_samples
from host_compiler.quantize.dequantised import dequantised
from host_compiler.quantize.pairs import drop_inner_pairs
from host_compiler.quantize.powers import best_power, snap_scales
from host_compiler.quantize.report import QuantReport, make_report
from host_compiler.quantize.ties import break_ties
from vta_pynq.errors import CompileError
from vta_pynq.whole_file import whole_file

__all__ = ["CalibrationName", "QuantizedModel", "model_inputs", "quantize_model"]

Array = npt.NDArray[Any]

CalibrationName = Literal["minmax", "entropy", "percentile"]

_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}
_STATISTICS_BATCHES = 16
"""Batches from which the power-of-two scales and the report are measured."""

_OUTPUT_SUFFIX = "_QuantizeLinear_Input"
"""What onnxruntime appends to the name of a graph output that it quantises."""


@dataclasses.dataclass(frozen=True)
class QuantizedModel:
    """The quantised model and what quantising cost."""

    model: onnx.ModelProto
    report: QuantReport

    def save(self, path: str | Path) -> None:
        """Write the model; the file appears only when it is complete."""
        target = Path(path)
        data = self.model.SerializeToString(deterministic=True)
        try:
            with whole_file(target) as file:
                file.write(data)
        except OSError as error:
            raise CompileError(f"model {target}: must be writable: {error.strerror}") from None


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, samples: Samples, batch: int) -> None:
        total = max(len(next(iter(samples.values()))) // batch, 1)
        # disable=None: a bar on a terminal, nothing in a log file.
        self._batches = iter(
            tqdm.tqdm(batches(samples, batch), "calibrate", total, leave=False, disable=None)
        )

    def get_next(self) -> dict[str, Array] | None:
        return next(self._batches, None)


def quantize_model(
    model: str | Path | bytes | onnx.ModelProto,
    data: Samples | Array,
    *,
    method: CalibrationName = "minmax",
    per_channel: bool = False,
    power_of_two: bool = True,
    labels: Array | None = None,
    requantize: bool = False,
) -> QuantizedModel:
    """Quantise a float model to int8, symmetric, with power-of-two scales.

    Parameters
    ----------
    model
        A float ONNX model of opset 13 or later.
    data
        Calibration samples: an array for the only input, or one for each input by name; float,
        prepared as the model takes them, first axis = samples.
    method
        How onnxruntime finds the range of each tensor.
    per_channel
        One weight scale for each output channel.
    power_of_two
        Move every scale to the power of two with the least squared error on the data, and sum
        residuals before rounding. Without it the scales stay as onnxruntime chose them.
    labels
        Class of each sample: the report then has the accuracy before and after.
    requantize
        Take a model that is quantised already and quantise it anew from its dequantised weights;
        "float" in the report then means those. Without it such a model is refused.

    Raises
    ------
    CompileError
        The model is unreadable or already quantised, or the data do not fit it.
    """
    if method not in _METHODS:
        raise CompileError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = _prepare(model, Path(folder), requantize)
        session = _session(prepared)
        shapes = {i.name: tuple(i.shape) for i in session.get_inputs()}
        samples = data if not isinstance(data, np.ndarray) else {next(iter(shapes)): data}
        count = check_samples(samples, shapes)
        if labels is not None:
            check_labels(labels, count)
        batch = _batch(shapes)
        quantised = _quantise(prepared, samples, batch, method, per_channel, Path(folder))
        if power_of_two:
            ranges = _ranges(quantised)
            chosen = _choose(prepared, samples, batch, ranges, method)
            floats = {t.name: numpy_helper.to_array(t) for t in prepared.graph.initializer}
            snap_scales(quantised, chosen, floats)
            drop_inner_pairs(quantised)
            break_ties(quantised)
        _tidy(quantised)
        report = make_report(prepared, quantised, samples, batch, labels)
    return QuantizedModel(quantised, report)


def model_inputs(model: str | Path | bytes | onnx.ModelProto) -> list[str]:
    """Names of a model's inputs, initialisers left out."""
    graph = read_onnx(model).graph
    constants = {tensor.name for tensor in graph.initializer}
    return [value.name for value in graph.input if value.name not in constants]


def _prepare(
    model: str | Path | bytes | onnx.ModelProto, folder: Path, requantize: bool
) -> onnx.ModelProto:
    """The float model with batch norms folded and shapes inferred."""
    proto = read_onnx(model)
    if any("Quantize" in n.op_type or n.op_type.startswith("Q") for n in proto.graph.node):
        if not requantize:
            raise CompileError(
                "model: must be float, not quantised already; add --requantize to quantise it again"
            )
        proto = dequantised(proto)
    check_ends(proto)
    _check_weights(proto)
    source, target = folder / "float.onnx", folder / "prepared.onnx"
    try:
        if not all(value.type.tensor_type.HasField("shape") for value in proto.graph.output):
            proto = onnx.shape_inference.infer_shapes(proto)  # the checker asks for their rank
        onnx.checker.check_model(proto)
        onnx.save(proto, source)
        quant_pre_process(source, target, skip_symbolic_shape=True)
        return onnx.load(target)
    except Exception as error:  # onnx and onnxruntime raise their own, without a common base
        text = " ".join(str(error).split())
        raise CompileError(f"model: must be valid ONNX: {text[:300]}") from None


def _check_weights(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CompileError(
                f"initialiser {tensor.name}: values must be finite, not NaN or infinite; train or "
                "export the model again"
            )


@contextlib.contextmanager
def _running() -> Iterator[None]:
    """Errors of onnxruntime as ours: it raises its own, without a common base."""
    try:
        yield
    except CompileError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise CompileError(f"model: must run in onnxruntime, which says: {text[:300]}") from error


def _quantise(
    prepared: onnx.ModelProto,
    samples: Samples,
    batch: int,
    method: str,
    per_channel: bool,
    folder: Path,
) -> onnx.ModelProto:
    out = folder / "quantised.onnx"
    scratch = onnx.ModelProto()
    scratch.CopyFrom(prepared)  # onnxruntime moves the weights of what it is given to a file
    with _running():
        quantize_static(
            scratch,
            out,
            _Reader(samples, batch),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            calibrate_method=_METHODS[method],
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
    return onnx.load(out)


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    with _running():
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )


def _batch(shapes: dict[str, tuple[Any, ...]]) -> int:
    first = next(iter(shapes.values()))[0]
    return first if isinstance(first, int) else 1


def _ranges(model: onnx.ModelProto) -> dict[str, float]:
    """What onnxruntime's calibration found: scale of each float tensor that is quantised."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return {
        node.input[0]: float(constants[node.input[1]].reshape(-1)[0])
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    }


def _choose(
    prepared: onnx.ModelProto,
    samples: Samples,
    batch: int,
    ranges: dict[str, float],
    method: str,
) -> dict[str, float]:
    """A power of two for each tensor: least squared error inside the calibrated range."""
    watched = onnx.ModelProto()
    watched.CopyFrom(prepared)
    known = {value.name for value in watched.graph.output}
    inputs = {value.name for value in watched.graph.input}
    originals = {name: name.removesuffix(_OUTPUT_SUFFIX) for name in ranges}
    for name in originals.values():
        if name not in inputs | known:
            watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = _session(watched)
    names = [value.name for value in session.get_outputs()]
    kept: dict[str, list[Array]] = {name: [] for name in ranges}
    for index, feed in enumerate(batches(samples, batch)):
        if index == _STATISTICS_BATCHES:
            break
        found = dict(zip(names, session.run(names, feed), strict=True))
        for name, original in originals.items():
            array = feed[original] if original in inputs else found[original]
            limit = 127 * ranges[name]
            kept[name].append(np.clip(array, -limit, limit).reshape(-1))
    return {name: best_power(np.concatenate(parts)) for name, parts in kept.items()}


def _tidy(model: onnx.ModelProto) -> None:
    """Drop initialisers that nothing reads any more."""
    read = {name for node in model.graph.node for name in node.input}
    unread = [t for t in model.graph.initializer if t.name not in read]
    for tensor in unread:
        model.graph.initializer.remove(tensor)
    onnx.checker.check_model(model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what onnxruntime logs and prints out of the user's way while it works."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)  # its errors become ours
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
