"""Packing against the layouts of program files, and against its definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.cpu_ops.test_paths import integers, planes_of, rng_of, shape_of
from vta_pynq import cpu_ops
from vta_pynq.errors import ProgramError, ShapeError
from vta_pynq.program.layout import Layout

LAYOUTS = ["NCHW1n16c", "NCHW2n16c", "NCHW4n8c", "NCHW1n32c", "NCHW3n5c"]


def run(op, inputs, **attributes):
    return cpu_ops.run(op, inputs, attributes)[0]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(6))
def test_pack_is_the_layout_of_program_files(layout, seed):
    rng = rng_of(seed)
    x = integers(rng, np.int8, *shape_of(rng, 5, 40, 7, 9))
    packed = run("pack", [x], layout=layout)
    np.testing.assert_array_equal(packed, Layout.parse(layout).pack(x))
    np.testing.assert_array_equal(run("unpack", [packed], layout=layout, shape=x.shape), x)


def test_pack_of_a_matrix_takes_its_layout():
    x = integers(rng_of(1), np.int8, 3, 37)
    packed = run("pack", [x], layout="NC1n16c")
    assert packed.shape == (3, 3, 1, 16)
    np.testing.assert_array_equal(packed, Layout.parse("NC1n16c").pack(x))
    image = run("pack", [x], layout="NCHW1n16c", shape=[3, 37, 1, 1])
    np.testing.assert_array_equal(image.reshape(packed.shape), packed)


def test_pack_with_a_scale_is_quantize_then_pack():
    x = rng_of(2).normal(size=(2, 19, 5, 3)).astype(np.float32)
    rule = {"scale": 0.0371, "zero_point": -7}
    whole = run("pack", [x], layout="NCHW1n16c", **rule)
    parts = run("pack", [run("quantize", [x], **rule)], layout="NCHW1n16c", fill=-7)
    np.testing.assert_array_equal(whole, parts)
    assert np.all(whole[:, 1, :, :, :, 3:] == -7)


def test_pack_of_uint8_with_an_offset_subtracts_128():
    x = integers(rng_of(3), np.uint8, 2, 3, 4, 5)
    packed = run("pack", [x], layout="NCHW1n16c", offset=-128, fill=-128)
    wanted = (x.astype(np.int16) - 128).astype(np.int8)
    np.testing.assert_array_equal(packed[:, 0, :, :, 0, :3], wanted.transpose(0, 2, 3, 1))
    assert np.all(packed[..., 3:] == -128)
    back = run("unpack", [packed], layout="NCHW1n16c", shape=x.shape, offset=128, dtype="uint8")
    np.testing.assert_array_equal(back, x)


def test_unpack_with_a_scale_is_dequantize_after_unpack():
    x = integers(rng_of(4), np.int8, 2, 19, 5, 3)
    packed = run("pack", [x], layout="NCHW1n16c")
    real = run("unpack", [packed], layout="NCHW1n16c", shape=x.shape, scale=0.5, zero_point=3)
    np.testing.assert_array_equal(real, run("dequantize", [x], scale=0.5, zero_point=3))


def test_unpack_of_planes_gives_accumulators():
    rng = rng_of(5)
    acc = integers(rng, np.int32, 2, 19, 5, 3)
    stored = Layout.parse("NCHW1n16c").pack(acc)
    rule = {"layout": "NCHW1n16c", "shape": acc.shape}
    for operands in ([stored], planes_of(stored)):
        np.testing.assert_array_equal(run("unpack", operands, **rule), acc)
        scale = rng.uniform(0.1, 1, 19).tolist()
        real = run("unpack", operands, **rule, scale=scale, axis=1)
        np.testing.assert_array_equal(real, run("dequantize", [acc], scale=scale, axis=1))
    np.testing.assert_array_equal(run("join_planes", planes_of(acc)), acc)


def test_requantize_of_blocks_is_that_of_the_tensor():
    rng = rng_of(6)
    acc = integers(rng, np.int32, 2, 19, 5, 3) >> 12
    rule = {"scale": rng.uniform(1e-4, 1e-2, 19).tolist(), "zero_point": 5}
    plain = run("requantize", [acc], **rule, axis=1)
    stored = run("requantize", [Layout.parse("NCHW2n16c").pack(acc)], **rule, layout="NCHW2n16c")
    np.testing.assert_array_equal(
        run("unpack", [stored], layout="NCHW2n16c", shape=acc.shape), plain
    )
    assert np.all(stored[:, 1, ..., 3:] == 5)  # padding channels hold the zero point


def test_pack_first_is_its_definition():
    rng = rng_of(7)
    x = integers(rng, np.uint8, 3, 2, 6, 7)
    lanes = rng.integers((-1, -4, -4), (2, 5, 5), (8, 3))
    packed = run(
        "pack_first", [x], channels=lanes[:, 0].tolist(), dy=lanes[:, 1].tolist(),
        dx=lanes[:, 2].tolist(), strides=[2, 1], extent=[4, 6], batch=2, block=4,
        offset=-128, fill=11,
    )  # fmt: skip
    assert packed.shape == (2, 2, 4, 6, 2, 4)
    for n, lane, row, column in itertools.product(range(4), range(8), range(4), range(6)):
        channel, dy, dx = lanes[lane]
        at = (2 * row + dy, column + dx)
        wanted = 11
        if n < 3 and channel >= 0 and 0 <= at[0] < 6 and 0 <= at[1] < 7:
            wanted = int(x[n, channel, at[0], at[1]]) - 128
        assert packed[n // 2, lane // 4, row, column, n % 2, lane % 4] == wanted


def test_pack_first_feeds_a_convolution_as_a_pointwise_one():
    # A 3x3 convolution of stride 2 on 3 channels, with its 27 taps in 32 lanes.
    rng = rng_of(8)
    x, weight = integers(rng, np.int8, 2, 3, 13, 11), integers(rng, np.int8, 8, 3, 3, 3)
    taps = list(itertools.product(range(3), range(3), range(3)))
    lanes = [(c, ky - 1, kx - 1) for c, ky, kx in taps] + [(-1, 0, 0)] * 5
    channels, dy, dx = (list(part) for part in zip(*lanes, strict=True))
    packed = run(
        "pack_first", [x], channels=channels, dy=dy, dx=dx, strides=[2, 2], extent=[7, 6], fill=0
    )
    rows = run("unpack", [packed], layout="NCHW1n16c", shape=[2, 32, 7, 6])
    flat = np.zeros((8, 32, 1, 1), np.int8)
    flat[:, :27, 0, 0] = weight.reshape(8, 27)
    wanted = run("conv", [x, weight], strides=[2, 2], pads=[1, 1, 1, 1])
    np.testing.assert_array_equal(run("conv", [rows, flat]), wanted)


ERRORS = [
    ("pack", (2, 3, 4, 4), "int8", {"layout": "NCHW"}, ProgramError,
     "operator pack: layout must block the first two axes as NCHW1n16c does, not NCHW; "
     "compile the model again"),
    ("pack", (2, 3, 4, 4), "float32", {"layout": "NCHW1n16c"}, ShapeError,
     "operator pack: input must be int8, uint8, or float32 with a scale, not float32; "
     "compile the model again"),
    ("pack", (2, 3, 4), "int8", {"layout": "NCHW1n16c"}, ShapeError,
     "operator pack: layout NCHW1n16c: shape must have 4 dimensions, not 3"),
    ("pack", (2, 3, 4, 4), "int8", {"layout": "NCHW1n16c", "fill": 128}, ProgramError,
     "operator pack: fill must be in -128..127 (int8), not 128; compile the model again"),
    ("unpack", (2, 1, 4, 4, 1, 16), "int8", {"layout": "NCHW1n16c", "shape": [2, 17, 4, 4]},
     ShapeError,
     "operator unpack: input must have 1024 elements for [2, 17, 4, 4], not 512; "
     "compile the model again"),
    ("requantize", (2, 1, 4, 4, 1, 16), "int32", {"layout": "NCHW1n16c", "scale": [0.5] * 17},
     ShapeError,
     "operator requantize: scales must be 1 to 16 for 16 channels, not 17; "
     "compile the model again"),
    ("pack_first", (1, 3, 4, 4), "int8",
     {"channels": [3] * 16, "dy": [0] * 16, "dx": [0] * 16, "strides": [1, 1], "extent": [4, 4]},
     ShapeError,
     "operator pack_first: channels must be below the input's 3, not 3; compile the model again"),
    ("pack_first", (1, 3, 4, 4), "int8",
     {"channels": [0] * 9, "dy": [0] * 9, "dx": [0] * 9, "strides": [1, 1], "extent": [4, 4]},
     ProgramError,
     "operator pack_first: lanes must fill blocks of 16 and strides and extent be two, not 9, "
     "[1, 1] and [4, 4]; compile the model again"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "shape", "dtype", "attributes", "kind", "message"), ERRORS)
def test_wrong_operands_are_refused(op, shape, dtype, attributes, kind, message):
    with pytest.raises(kind) as caught:
        cpu_ops.run(op, [np.zeros(shape, dtype)], attributes)
    assert str(caught.value) == message
