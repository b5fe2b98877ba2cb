"""Every path of the kernels gives what numpy gives."""

from __future__ import annotations

import numpy as np
import pytest

from vta_pynq import cpu_ops
from vta_pynq.errors import VtaError

PATHS = [path for path in cpu_ops.available_paths() if path != "numpy"]
SEEDS = range(12)


@pytest.fixture(autouse=True)
def _best_path_afterwards():
    yield
    cpu_ops.use_path()


def rng_of(seed):
    print(f"seed {seed}")
    return np.random.default_rng(seed)


def agree(op, inputs, attributes, exact=True):
    """Run on numpy and on every other path; results must be equal. Returns numpy's."""
    cpu_ops.use_path("numpy")
    wanted = cpu_ops.run(op, inputs, attributes)
    for path in PATHS:
        cpu_ops.use_path(path)
        got = cpu_ops.run(op, inputs, attributes)
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape), path
            if exact:
                np.testing.assert_array_equal(a, b, err_msg=path)
            else:
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=path)
    return wanted


def real(rng, *shape):
    x = rng.normal(scale=3, size=shape).astype(np.float32)
    # Ties and what is no number at all.
    flat = x.reshape(-1)
    if flat.size > 8:
        flat[:8] = [0.5, 1.5, -0.5, -2.5, np.inf, -np.inf, np.nan, 1e-40]
    ties = rng.random(shape) < 0.3
    x[ties] = np.round(x[ties] * 4) / 4
    return x


def integers(rng, dtype, *shape):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def accumulators(rng, *shape):
    wide = integers(rng, np.int32, *shape)
    narrow = wide >> rng.integers(8, 24, shape, np.int32)
    return np.where(rng.random(shape) < 0.8, narrow, wide)


def shape_of(rng, *most):
    return tuple(int(rng.integers(1, n + 1)) for n in most)


def test_paths_of_this_machine_hold_the_compiled_ones():
    assert cpu_ops.available_paths()[:2] == ("numpy", "portable")
    assert cpu_ops.use_path() == cpu_ops.available_paths()[-1]


def test_use_path_unknown_is_refused():
    names = ", ".join(cpu_ops.available_paths())
    with pytest.raises(VtaError) as caught:
        cpu_ops.use_path("abacus")
    assert str(caught.value) == (
        f"cpu_ops: path must be one of {names} on this machine, not 'abacus'"
    )


def test_use_path_from_the_environment(monkeypatch):
    monkeypatch.setenv("VTA_CPU_PATH", "portable")
    assert cpu_ops.use_path() == "portable"
    monkeypatch.setenv("VTA_CPU_PATH", "none")
    with pytest.raises(VtaError, match=r"cpu_ops: VTA_CPU_PATH must be one of numpy, portable"):
        cpu_ops.use_path()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_quantize_agrees_on_every_path(seed, dtype):
    rng = rng_of(seed)
    x = real(rng, *shape_of(rng, 3, 40, 19, 23))
    offset = int(integers(rng, dtype))
    for scale in (0.25, 0.0371, 2.0**-70, 1.0, 3e-39):
        agree("quantize", [x], {"scale": scale, "zero_point": offset, "dtype": dtype})
    for axis in range(-4, 4):
        powers = (2.0 ** rng.integers(-6, 3, x.shape[axis])).tolist()
        for scale in (powers, rng.uniform(0.01, 1, x.shape[axis]).tolist()):
            agree("quantize", [x], {"scale": scale, "axis": axis, "dtype": dtype})


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32"])
def test_dequantize_agrees_on_every_path(seed, dtype):
    rng = rng_of(seed)
    x = integers(rng, dtype, *shape_of(rng, 3, 40, 9, 13))
    offset = int(integers(rng, dtype)) * (seed % 2)
    agree("dequantize", [x], {"scale": 0.0371, "zero_point": offset})
    scale = rng.uniform(0.01, 1, x.shape[1]).tolist()
    agree("dequantize", [x], {"scale": scale, "zero_point": offset, "axis": 1})


def planes_of(x):
    return [(x >> (8 * number)).astype(np.int8) for number in range(4)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("rounding", ["half_even", "half_up"])
def test_requantize_agrees_on_every_path(seed, precision, rounding):
    rng = rng_of(seed)
    batch, block = [(1, 16), (2, 8), (1, 32), (3, 5), (1, 1)][seed % 5]
    channels = int(rng.integers(1, 3 * block + 1))
    groups = -(-channels // block)
    blocked = accumulators(rng, 2, groups, *shape_of(rng, 30, 30), batch, block)
    plain = accumulators(rng, 2, channels, *shape_of(rng, 20, 20))
    scale = rng.uniform(1e-4, 1, channels).tolist()
    powers = (2.0 ** rng.integers(-10, 1, channels)).tolist()
    for factor in (scale, powers, 0.5, 0.00371):
        for leak in ({}, {"negative_scale": 0.125}, {"negative_scale": powers}):
            rule = {
                "scale": factor, "zero_point": int(rng.integers(-128, 128)),
                "qmin": -100, "qmax": 90, "precision": precision, "rounding": rounding, **leak,
            }  # fmt: skip
            layout = {"layout": f"NCHW{batch}n{block}c"}
            whole = agree("requantize", [blocked], {**rule, **layout})
            assert np.array_equal(
                whole[0], agree("requantize", planes_of(blocked), {**rule, **layout})[0]
            )
            agree("requantize", [plain], {**rule, "axis": 1})
            agree("requantize", planes_of(plain), {**rule, "axis": 1})


@pytest.mark.parametrize("seed", range(40))
def test_pack_and_unpack_agree_on_every_path(seed):
    rng = rng_of(seed)
    n, c, h, w = shape_of(rng, 4, 40, 20, 20)
    batch, block = int(rng.integers(1, 4)), int(rng.choice([1, 4, 8, 16, 16, 16, 24, 32]))
    layout = f"NCHW{batch}n{block}c"
    dtype = ["int8", "uint8"][seed % 2]
    x = integers(rng, dtype, n, c, h, w)
    offset = int(rng.choice([0, -128, 128, 7]))
    fill = int(integers(rng, np.int8))
    packed = agree("pack", [x], {"layout": layout, "offset": offset, "fill": fill})[0]
    agree("pack", [real(rng, n, c, h, w)], {"layout": layout, "scale": 0.125, "zero_point": 3})
    back = {"layout": layout, "shape": [n, c, h, w], "offset": -offset, "dtype": dtype}
    np.testing.assert_array_equal(agree("unpack", [packed], back)[0], x)
    agree("unpack", [packed], {**back, "scale": rng.uniform(0.1, 1, c).tolist(), "axis": 1})
    agree("unpack", [packed], {**back, "scale": 0.5, "zero_point": 3})


@pytest.mark.parametrize("seed", range(40))
def test_pack_first_agrees_on_every_path(seed):
    rng = rng_of(seed)
    n, c, h, w = shape_of(rng, 3, 4, 30, 300)
    batch, block = int(rng.integers(1, 4)), int(rng.choice([1, 4, 8, 16, 16, 32]))
    count = block * int(rng.integers(1, 4))
    attributes = {
        "channels": rng.integers(-1, c, count).tolist(),
        "dy": rng.integers(-6, 7, count).tolist(),
        "dx": rng.integers(-6, 7, count).tolist(),
        "strides": rng.integers(1, 4, 2).tolist(),
        "extent": [int(rng.integers(1, 20)), int(rng.integers(1, 290))],
        "batch": batch,
        "block": block,
        "fill": int(rng.integers(-128, 128)),
    }
    agree("pack_first", [integers(rng, np.uint8, n, c, h, w)], {**attributes, "offset": -128})
    agree("pack_first", [real(rng, n, c, h, w)], {**attributes, "scale": 0.25, "zero_point": -4})


def random_window(rng, ceil=True):
    kernel = rng.integers(1, 5, 2)
    dilations = rng.integers(1, 3, 2)
    pads = [int(rng.integers(0, k)) for k in (*kernel, *kernel)]
    return {
        "kernel_shape": kernel.tolist(),
        "strides": rng.integers(1, 4, 2).tolist(),
        "pads": pads,
        "dilations": dilations.tolist(),
        "ceil_mode": int(rng.integers(0, 2)) if ceil else 0,
    }


@pytest.mark.parametrize("seed", range(40))
def test_pools_agree_on_every_path(seed):
    rng = rng_of(seed)
    n, c, h, w = (*shape_of(rng, 2, 5), *rng.integers(8, 40, 2).tolist())
    window = random_window(rng)
    for dtype in ("int8", "uint8"):
        agree("max_pool", [integers(rng, dtype, n, c, h, w)], window)
    x = rng.normal(size=(n, c, h, w)).astype(np.float32)
    agree("max_pool", [x], window)
    agree("average_pool", [x], window, exact=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_resize_linear_agrees_bit_for_bit_on_every_path(seed):
    rng = rng_of(seed)
    x = rng.normal(size=shape_of(rng, 2, 3, 30, 30)).astype(np.float32)
    for transform in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
        sizes = [*x.shape[:2], *rng.integers(1, 70, 2).tolist()]
        rule = {"mode": "linear", "coordinate_transformation_mode": transform}
        agree("resize", [x], {**rule, "sizes": sizes})


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("op", ["sigmoid", "tanh", "exp", "relu", "leaky_relu", "softmax"])
def test_tables_agree_on_every_path(op, dtype):
    rng = rng_of(3)
    x = integers(rng, dtype, 3, 700)
    rule = {"in_scale": 0.05, "in_zero_point": 3}
    agree(op, [x], rule)
    agree(op, [x], {**rule, "out_scale": 1 / 256, "out_zero_point": -128, "dtype": "int8"})
    agree(op, [x], {**rule, "out_scale": 1 / 256, "dtype": "uint8"})


VIEWS = {
    "empty": lambda x: x[:0],
    "no pixels": lambda x: x[..., :0],
    "one": lambda x: x[:1, :1, :1, :1],
    "stepped": lambda x: x[:, ::2, ::-1, ::3],
    "transposed": lambda x: x.transpose(0, 2, 3, 1),
    "read-only": lambda x: np.broadcast_to(x[:, :1], x.shape),
}


@pytest.mark.parametrize("view", VIEWS)
def test_odd_operands_agree_on_every_path(view):
    rng = rng_of(9)
    x = VIEWS[view](real(rng, 2, 18, 12, 10))
    q = VIEWS[view](integers(rng, np.int8, 2, 18, 12, 10))
    acc = VIEWS[view](accumulators(rng, 2, 18, 12, 10))
    agree("quantize", [x], {"scale": 0.25})
    agree("dequantize", [q], {"scale": 0.25})
    agree("requantize", [acc], {"scale": [0.25] * acc.shape[1]} if acc.size else {"scale": 0.5})
    layout = {"layout": "NCHW2n16c"}
    packed = agree("pack", [q], layout)[0]
    np.testing.assert_array_equal(agree("unpack", [packed], {**layout, "shape": q.shape})[0], q)
    agree("resize", [x], {"mode": "linear", "scales": [1.0, 1.0, 2.0, 2.0]})
    agree("sigmoid", [q], {"in_scale": 0.1})
    if min(q.shape[2:]):
        agree("max_pool", [q], {"kernel_shape": [1, 1]})
        agree("average_pool", [x[:, :, 4:] if x.shape[2] > 9 else x], {"kernel_shape": [1, 1]})
