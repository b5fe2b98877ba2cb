"""`quantize_model`: accuracy, powers of two, the report, bad calibration data."""

from __future__ import annotations

import argparse

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from host_compiler.cli import quantize as command
from host_compiler.importer import import_model
from host_compiler.ir import Accumulate, CpuOp, Requant
from host_compiler.quantize import load_samples, quantize_model
from host_compiler.quantize.powers import best_power
from tests.host_compiler.models import (
    DIGITS,
    digits_images,
    digits_labels,
    make_model,
    ort_quantised,
    ort_run,
)
from vta_pynq.errors import CompileError

NETS = ["residual", "depthwise"]


def path_of(net: str):
    return DIGITS / f"digits_{net}.onnx"


def accuracy(model: onnx.ModelProto) -> float:
    scores = ort_run(model, {"image": digits_images("test")})[0]
    return float((scores.argmax(1) == digits_labels()).mean())


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_quantize_model_digits_loses_less_than_a_point(net, method, per_channel):
    quantised = quantize_model(
        path_of(net), digits_images("calibration"), method=method, per_channel=per_channel
    ).model
    lost = accuracy(onnx.load(path_of(net))) - accuracy(quantised)
    assert lost <= 0.01


@pytest.mark.parametrize("net", NETS)
def test_quantize_model_every_scale_is_a_power_of_two_and_symmetric(net):
    model = quantize_model(path_of(net), digits_images("calibration"), per_channel=True).model
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    pairs = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert pairs
    for node in pairs:
        assert (np.frexp(constants[node.input[1]])[0] == 0.5).all(), node.name
        assert not constants[node.input[2]].any(), node.name


@pytest.mark.parametrize("net", NETS)
def test_quantize_model_leaves_one_rounding_a_layer_and_no_processor_step(net):
    model = quantize_model(path_of(net), digits_images("calibration")).model
    graph = import_model(model, {"batch": 1})
    inner = [n.op for n in graph.nodes if isinstance(n, CpuOp)]
    assert inner == ["quantize", "dequantize"]
    for node in graph.nodes:
        if isinstance(node, Accumulate):
            assert sum(isinstance(stage, Requant) for stage in node.stages) == 1


def test_quantize_model_report_names_layers_and_accuracy():
    report = quantize_model(
        path_of("residual"), digits_images("test"), labels=digits_labels()
    ).report
    assert report.samples == 540
    assert report.accuracy_float == pytest.approx(0.9889, abs=1e-3)
    assert report.accuracy_int8 >= report.accuracy_float - 0.01
    names = [layer.node for layer in report.layers]
    assert "/0/Conv" in names and len(names) == len(set(names))
    assert all(10 < layer.sqnr_db < 60 for layer in report.layers)
    assert "accuracy on 540 samples: float 98.89 %" in str(report)


def test_quantize_model_report_measures_noise():
    weight = np.full((1, 1, 1, 1), 0.75, "f4")
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
             helper.make_node("Relu", ["c"], ["y"], "relu")]  # fmt: skip
    model = make_model(nodes, {"x": ("f", (1, 1, 4, 4))}, {"y": "f"}, {"w": weight})
    samples = np.random.default_rng(1).uniform(0, 1, (8, 1, 4, 4)).astype("f4")
    result = quantize_model(model, samples)
    exact = np.concatenate([ort_run(model, {"x": s[None]})[0] for s in samples])
    found = np.concatenate([ort_run(result.model, {"x": s[None]})[0] for s in samples])
    wanted = 10 * np.log10((exact**2).sum() / ((exact - found) ** 2).sum())
    last = next(layer for layer in result.report.layers if layer.tensor == "y")
    assert last.sqnr_db == pytest.approx(wanted, rel=1e-3)


def test_quantize_model_is_deterministic():
    data = digits_images("calibration")[:8]
    first, second = (
        quantize_model(path_of("residual"), data).model.SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("qdq", [True, False])
def test_quantize_model_again_from_other_scales_keeps_accuracy(net, qdq, tmp_path):
    data = digits_images("calibration")
    model = ort_quantised(path_of(net), "image", data, tmp_path, qdq=qdq)
    with pytest.raises(CompileError, match="must be float, not quantised already"):
        quantize_model(model, data)
    again = quantize_model(model, data, requantize=True).model
    assert accuracy(model) - accuracy(again) <= 0.01
    for node in import_model(again, {"batch": 1}).nodes:
        assert not isinstance(node, Accumulate) or all(
            s.rounding == "half_up" for s in node.stages if isinstance(s, Requant)
        )


def test_best_power_minimises_squared_error():
    random = np.random.default_rng(5)
    for spread in (0.01, 1.0, 300.0):
        values = random.normal(0, spread, 2000)
        errors = {}
        for exponent in range(-16, 6):
            scale = 2.0**exponent
            rounded = np.clip(np.rint(values / scale), -128, 127) * scale
            errors[scale] = ((rounded - values) ** 2).sum()
        assert best_power(values) == min(errors, key=errors.get)


def bad(data, **more) -> str:
    with pytest.raises(CompileError) as caught:
        quantize_model(path_of("residual"), data, **more)
    return str(caught.value)


def test_quantize_model_bad_data_refused():
    good = digits_images("calibration")[:4]
    shape = "(samples, 1, 8, 8)"
    nan = good.copy()
    nan[1, 0, 2, 3] = np.nan
    assert bad(nan) == "calibration data: input 'image' must be finite, not NaN or inf"
    assert bad(good[:, :, :4]) == (
        f"calibration data: input 'image' must have shape {shape}, not (4, 1, 4, 8)"
    )
    assert bad(good[0]) == f"calibration data: input 'image' must have shape {shape}, not (1, 8, 8)"
    assert bad(good[:0]) == (
        "calibration data: inputs must have the same number of samples, at least one, not [0]"
    )
    assert bad(good.astype("u1")) == (
        "calibration data: input 'image' must be float, prepared as the model takes it, not uint8"
    )
    assert bad({"picture": good}) == "calibration data: input 'image' must be given"
    assert bad(good, method="mean") == (
        "method must be one of minmax, entropy, percentile, not 'mean'"
    )
    assert bad(good, labels=np.zeros(3, int)) == (
        "labels: must be 4 integers, one for each sample, not int64[3]"
    )


def test_quantize_model_bad_model_refused(tmp_path):
    data = digits_images("calibration")[:4]
    with pytest.raises(CompileError, match="must be an ONNX file"):
        quantize_model(path_of("residual").read_bytes()[:999], data)
    with pytest.raises(CompileError, match="must be readable: No such file"):
        quantize_model(tmp_path / "none.onnx", data)
    old = onnx.load(path_of("residual"))
    old.opset_import[0].version = 11
    with pytest.raises(CompileError, match="opset must be at least 13, not 11"):
        quantize_model(old, data)


def test_load_samples_damaged_files_refused(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, image=np.zeros((2, 3), "f4"))
    data = path.read_bytes()
    for damaged in (b"", data[:20], data[:-30], b"PK" + bytes(50), data[:60] + bytes(20)):
        path.write_bytes(damaged)
        with pytest.raises(CompileError, match="must be .npz or .npy"):
            load_samples(path, ["image"])
    with pytest.raises(CompileError, match="must be readable"):
        load_samples(tmp_path / "none.npz", ["image"])
    np.savez(path, a=np.zeros(1), b=np.zeros(1))
    with pytest.raises(CompileError, match="array named 'image', not only a, b"):
        load_samples(path, ["image"])
    np.savez(path, image=np.array([{}], object))
    with pytest.raises(CompileError, match="must be .npz or .npy"):
        load_samples(path, ["image"])


def call(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(list(words)))


def test_command_writes_model_and_prints_report(tmp_path, capsys):
    data, out = tmp_path / "data.npz", tmp_path / "int8.onnx"
    np.savez(data, image=digits_images("test"), labels=digits_labels())
    words = [str(path_of("depthwise")), "--data", str(data), "-o", str(out)]
    assert call(*words, "--labels", "labels", "--method", "entropy") == 0
    text = capsys.readouterr().out
    assert text.startswith("node") and "int8 98." in text and f"wrote {out}" in text
    assert accuracy(onnx.load(out)) > 0.97
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.npz", "int8.onnx"]


def test_command_writes_nothing_when_it_fails(tmp_path):
    data, out = tmp_path / "data.npz", tmp_path / "int8.onnx"
    np.savez(data, image=np.full((2, 1, 8, 8), np.nan, "f4"))
    out.write_bytes(b"old")
    with pytest.raises(CompileError, match="must be finite"):
        call(str(path_of("residual")), "--data", str(data), "-o", str(out))
    assert out.read_bytes() == b"old"
    with pytest.raises(CompileError, match="folder must exist"):
        call(str(path_of("residual")), "--data", str(data), "-o", str(tmp_path / "no" / "x.onnx"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.npz", "int8.onnx"]
