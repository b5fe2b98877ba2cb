"""Imported digits networks compute what onnxruntime computes, counted element by element."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.importer import import_model
from host_compiler.passes import prepare
from host_compiler.quantize import quantize_model
from host_compiler.reference import run
from tests.host_compiler.models import (
    DIGITS,
    INT8,
    UINT8,
    digits_images,
    ort_quantised,
    ort_run,
)

_IMAGES = 100


class Shifts:
    multiplies = False


class Multiplies:
    multiplies = True


def steps_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Differences of dequantised outputs in units of their common step."""
    step = np.diff(np.unique(b)).min()
    return np.abs(np.rint((a - b) / step).astype(int))


@pytest.mark.parametrize("net", ["residual", "depthwise"])
@pytest.mark.parametrize("qdq", [True, False])
@pytest.mark.parametrize("activations", [UINT8, INT8])
@pytest.mark.parametrize("per_channel", [False, True])
def test_import_digits_any_form_equals_onnxruntime(net, qdq, activations, per_channel, tmp_path):
    model = ort_quantised(
        DIGITS / f"digits_{net}.onnx",
        "image",
        digits_images("calibration")[:8],
        tmp_path,
        qdq=qdq,
        activations=activations,
        per_channel=per_channel,
    )
    x = digits_images("test")[:_IMAGES]
    graph = import_model(model, {"batch": _IMAGES})
    # Optimised: node by node, AveragePool in float32 rounds ties by the last bit of its noise.
    wanted = ort_run(model, {"image": x}, optimised=True)[0]
    found = next(iter(run(graph, {"image": x}).values()))
    apart = steps_apart(found, wanted)
    assert apart.max() <= 1
    assert (apart > 0).sum() <= 4, f"{(apart > 0).sum()} of {apart.size} elements differ"


@pytest.mark.parametrize("net", ["residual", "depthwise"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("optimised", [False, True])
def test_prepare_digits_with_powers_of_two_equals_onnxruntime_everywhere(
    net, per_channel, optimised
):
    calibration = digits_images("calibration")
    model = quantize_model(
        DIGITS / f"digits_{net}.onnx", calibration, per_channel=per_channel
    ).model
    x = digits_images("test")
    graph = prepare(import_model(model, {"batch": len(x)}), Shifts())
    assert not any(getattr(node, "op", "") in ("requantize", "add") for node in graph.nodes)
    wanted = ort_run(model, {"image": x}, optimised)[0]
    found = next(iter(run(graph, {"image": x}).values()))
    assert (steps_apart(found, wanted) > 0).sum() == 0


@pytest.mark.parametrize("target", [Shifts(), Multiplies()])
@pytest.mark.parametrize("net", ["residual", "depthwise"])
def test_prepare_digits_with_any_scales_is_exact_or_within_one_a_layer(net, target, tmp_path):
    model = ort_quantised(
        DIGITS / f"digits_{net}.onnx", "image", digits_images("calibration")[:8], tmp_path
    )
    x = digits_images("test")[:_IMAGES]
    graph = prepare(import_model(model, {"batch": _IMAGES}), target)
    on_processor = [n for n in graph.nodes if getattr(n, "op", "") == "requantize"]
    assert bool(on_processor) != target.multiplies
    wanted = ort_run(model, {"image": x}, optimised=True)[0]
    apart = steps_apart(next(iter(run(graph, {"image": x}).values())), wanted)
    if target.multiplies:
        assert (apart > 1).mean() < 0.01  # rounding differences of several layers add up
    else:
        assert (apart > 0).mean() <= 0.01
