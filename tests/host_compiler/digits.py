"""The digits networks of the examples, quantised; made once for all tests."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnx

from host_compiler.quantize import quantize_model

FOLDER = Path(__file__).parents[2] / "examples" / "digits"
NETWORKS = ("residual", "depthwise")


def images(name: str = "test_images") -> np.ndarray:
    """Images as the networks take them: float32 (N, 1, 8, 8), -1..1."""
    pixels: np.ndarray = np.load(FOLDER / f"{name}.npz")["images"]
    return pixels.astype(np.float32) / 8 - 1


@functools.cache
def quantised(network: str, per_channel: bool = True, power_of_two: bool = True) -> onnx.ModelProto:
    """The int8 model of a network."""
    path = FOLDER / f"digits_{network}.onnx"
    calibration = images("calibration_images")
    return quantize_model(
        path, calibration, per_channel=per_channel, power_of_two=power_of_two
    ).model
