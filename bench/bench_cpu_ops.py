"""Operators of the processor: elements a second on one core, beside numpy."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from vta_pynq import cpu_ops
from vta_pynq.profile.figures import Row, median_s

NAME = "cpu_ops"
SEED = 7

Case = tuple[str, str, list[Any], dict[str, Any]]


def _first_layer(rows: int) -> dict[str, Any]:
    """Lanes of a 7x7 convolution of stride 2 whose kernel columns are packed."""
    lanes = [(channel, dy - 3, -3) for dy in range(7) for channel in range(3)]
    lanes += [(-1, 0, 0)] * (32 - len(lanes))
    return {
        "channels": [c for c, _, _ in lanes],
        "dy": [dy for _, dy, _ in lanes],
        "dx": [dx for _, _, dx in lanes],
        "strides": [2, 1],
        "extent": [rows // 2, rows + 6],
    }


def _cases(side: int) -> list[Case]:
    rng = np.random.default_rng(SEED)
    image = rng.normal(size=(1, 3, side, side)).astype(np.float32)
    real = rng.normal(size=(1, 64, side // 4, side // 4)).astype(np.float32)
    integers = rng.integers(-128, 128, real.shape, np.int8)
    layout = {"layout": "NCHW1n16c"}
    packed = cpu_ops.run("pack", [integers], layout)[0]
    planes = [rng.integers(-128, 128, packed.shape, np.int8) for _ in range(4)]
    scales = rng.uniform(1e-4, 1e-3, 64).tolist()
    shape = {"shape": list(real.shape)}
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    twice = {"mode": "linear", "scales": [1.0, 1.0, 2.0, 2.0]}
    table = {"in_scale": 0.1, "out_scale": 1 / 256, "out_zero_point": -128}
    return [
        ("quantize, power of two", "quantize", [real], {"scale": 0.03125}),
        ("quantize, any scale", "quantize", [real], {"scale": 0.0371}),
        ("dequantize", "dequantize", [integers], {"scale": 0.0371}),
        ("requantize, four planes", "requantize", planes, {"scale": scales, **layout}),
        ("pack", "pack", [integers], layout),
        ("pack of real values", "pack", [real], {**layout, "scale": 0.03125}),
        ("pack_first, 7x7 of real", "pack_first", [image], {**_first_layer(side), "scale": 0.0625}),
        ("unpack", "unpack", [packed], {**layout, **shape}),
        ("unpack to real values", "unpack", [packed], {**layout, **shape, "scale": 0.5}),
        ("max_pool 3x3 int8", "max_pool", [integers], window),
        ("average_pool 3x3", "average_pool", [real], window),
        ("resize linear", "resize", [real], twice),
        ("softmax", "softmax", [real], {"axis": 1}),
        ("sigmoid int8", "sigmoid", [integers], table),
        ("transpose", "transpose", [real], {"perm": [0, 2, 3, 1]}),
    ]


def run(quick: bool) -> list[Row]:
    """Speeds by elements of the larger of operand and result, with numpy's in the note."""
    best = cpu_ops.use_path()
    rows = []
    try:
        for metric, op, inputs, attributes in _cases(112 if quick else 224):
            results = {}
            for path in ("numpy", best):
                cpu_ops.use_path(path)
                call = functools.partial(cpu_ops.run, op, inputs, attributes)
                results[path] = median_s(call, 3 if quick else 9)
            result = cpu_ops.run(op, inputs, attributes)[0]
            amount = max(inputs[0].size, result.size)
            (slow, _), (seconds, spread) = results["numpy"], results[best]
            note = f"{amount:,} elements; {best} path, numpy {slow / amount * 1e9:.2f} ns"
            rows.append(Row(metric, seconds / amount * 1e9, "ns/element", None, note, spread))
    finally:
        cpu_ops.use_path()
    return rows
