"""The kernels of examples/kernels agree with numpy bit for bit, on every semantics, lint-clean."""

from __future__ import annotations

import numpy as np
import pytest

from examples.kernels.conv2d import ConvShape, build_conv2d
from examples.kernels.layout import (
    pack_filters,
    pack_images,
    pack_matrix,
    pack_weights,
    unpack_matrix,
)
from examples.kernels.matmul import build_matmul
from examples.kernels.matmul_latency_hiding import build_matmul_latency_hiding
from examples.kernels.vector_add import build_vector_add
from tests.kernel.machine import assert_clean, run_kernel, run_on_engine
from vta_pynq.config import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.kernel import Kernel
from vta_pynq.timing.model import simulate

CONFIGS = {
    "1x16": HwConfig(),
    "1x16 small": HwConfig(
        log_uop_buff_size=7, log_inp_buff_size=9, log_wgt_buff_size=11, log_acc_buff_size=11
    ),
    "2x16": HwConfig(log_batch=1),
    "4x8": HwConfig(log_batch=2, log_block=3, log_wgt_buff_size=16),
    "1x32": HwConfig(log_block=5),
}
PROFILES = ["functional", "hls-64bit", "chisel-64bit"]
CASES = [
    pytest.param(config, profile, id=f"{name} {profile}")
    for name, config in CONFIGS.items()
    for profile in PROFILES
    if config.batch == 1 or profile != "chisel-64bit"
]
MATMULS = {"matmul": build_matmul, "latency hiding": build_matmul_latency_hiding}


def check(kernel: Kernel, data: dict[str, np.ndarray], output: str, expected: np.ndarray) -> None:
    """Engine and reference interpreter give `expected` for the bytes of `output`."""
    kernel = kernel.with_data(data)
    assert_clean(kernel)
    wanted = np.ascontiguousarray(expected).reshape(-1).view(np.uint8)
    np.testing.assert_array_equal(run_on_engine(kernel)[output], wanted)
    np.testing.assert_array_equal(run_kernel(kernel, kernel.profile.split("-")[0])[output], wanted)


@pytest.mark.parametrize(("config", "profile"), CASES)
def test_vector_add_agrees_with_numpy(config: HwConfig, profile: str) -> None:
    rng = np.random.default_rng(1)
    elems = config.acc_depth // 2 + 5
    shape = (elems, config.batch, config.block)
    a, b = (rng.integers(-(1 << 31), 1 << 31, shape).astype(np.int32) for _ in range(2))
    check(build_vector_add(config, elems, profile), {"a": a, "b": b}, "c", (a + b).astype(np.int8))


def reference_matmul(a: np.ndarray, w: np.ndarray, shift: int) -> np.ndarray:
    return np.clip((a.astype(np.int64) @ w.T.astype(np.int64)) >> shift, -128, 127).astype(np.int8)


@pytest.mark.parametrize("example", MATMULS.values(), ids=MATMULS)
@pytest.mark.parametrize(("config", "profile"), CASES)
def test_matmul_agrees_with_numpy(config: HwConfig, profile: str, example) -> None:
    rng = np.random.default_rng(2)
    rows, inner, cols = 6 * config.batch, 5 * config.block, 3 * config.block
    a = rng.integers(-128, 128, (rows, inner)).astype(np.int8)
    w = rng.integers(-128, 128, (cols, inner)).astype(np.int8)
    kernel = example(config, rows, inner, cols, 7, profile)
    expected = pack_matrix(config, reference_matmul(a, w, 7))
    check(kernel, {"a": pack_matrix(config, a), "w": pack_weights(config, w)}, "c", expected)


@pytest.mark.parametrize("example", MATMULS.values(), ids=MATMULS)
def test_matmul_larger_than_the_buffers_agrees_with_numpy(example) -> None:
    config = HwConfig()
    rng = np.random.default_rng(3)
    a = rng.integers(-128, 128, (70, 1024)).astype(np.int8)
    w = rng.integers(-128, 128, (800, 1024)).astype(np.int8)
    kernel = example(config, 70, 1024, 800, 9)
    kernel = kernel.with_data({"a": pack_matrix(config, a), "w": pack_weights(config, w)})
    assert_clean(kernel)
    got = run_on_engine(kernel)["c"].view(np.int8)
    np.testing.assert_array_equal(unpack_matrix(config, got, 70, 800), reference_matmul(a, w, 9))


def reference_conv2d(x: np.ndarray, w: np.ndarray, s: ConvShape, shift: int) -> np.ndarray:
    padded = np.pad(x.astype(np.int64), ((0, 0), (0, 0), (s.pad, s.pad), (s.pad, s.pad)))
    total = np.zeros((x.shape[0], s.outputs, s.out_height, s.out_width), np.int64)
    for y in range(s.kernel):
        for z in range(s.kernel):
            rows = slice(y, y + s.stride * (s.out_height - 1) + 1, s.stride)
            columns = slice(z, z + s.stride * (s.out_width - 1) + 1, s.stride)
            total += np.einsum("nchw,oc->nohw", padded[:, :, rows, columns], w[:, :, y, z])
    return np.clip(total >> shift, -128, 127).astype(np.int8)


@pytest.mark.parametrize("geometry", [(7, 6, 3, 1, 1), (8, 7, 3, 2, 1), (5, 6, 1, 1, 0)], ids=str)
@pytest.mark.parametrize(("config", "profile"), CASES)
def test_conv2d_agrees_with_numpy(config: HwConfig, profile: str, geometry) -> None:
    rng = np.random.default_rng(4)
    if config.inp_depth < 64:  # the small buffers hold a band of a narrower image
        geometry = (geometry[0], 4, *geometry[2:])
    s = ConvShape(2 * config.block, 2 * config.block, *geometry)
    if s.kernel**2 > config.wgt_depth:
        with pytest.raises(KernelError, match="one output row must fit the buffers"):
            build_conv2d(config, s, 8, profile)
        return
    x = rng.integers(-128, 128, (config.batch, s.inputs, s.height, s.width)).astype(np.int8)
    w = rng.integers(-128, 128, (s.outputs, s.inputs, s.kernel, s.kernel)).astype(np.int8)
    expected = pack_images(config, reference_conv2d(x, w, s, 8))
    data = {"x": pack_images(config, x), "w": pack_filters(config, w)}
    check(build_conv2d(config, s, 8, profile), data, "y", expected)


def test_latency_hiding_is_faster_in_the_cycle_model() -> None:
    config = HwConfig()
    cycles = {
        name: simulate(example(config, 64, 2048, 128).stream(), "hls-64bit").total_cycles
        for name, example in MATMULS.items()
    }
    assert cycles["latency hiding"] < 0.9 * cycles["matmul"]
