"""Kernels of the builder on a device."""

from __future__ import annotations

import dataclasses

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
from tests.kernel.test_examples import reference_conv2d, reference_matmul
from tests.runtime.programs import Dense, random_weights
from vta_pynq.errors import IdentityError, ShapeError
from vta_pynq.isa.table import AluOp, MemType, Module
from vta_pynq.kernel import Debug, KernelBuilder
from vta_pynq.overlay import VtaOverlay
from vta_pynq.program import activation_layout
from vta_pynq.program.layout import Layout

RNG = np.random.default_rng(17)


def dense_of(overlay: VtaOverlay) -> Dense:
    block = overlay.config.block
    return Dense(random_weights(RNG, 2 * block, block), config=overlay.config)


def x_of(overlay: VtaOverlay) -> np.ndarray:
    return np.ones((1, overlay.config.batch, overlay.config.block), np.int8)


def blocked(overlay: VtaOverlay) -> Layout:
    return Layout.parse(activation_layout(overlay.config.batch, overlay.config.block))


def test_run_kernel_results_come_by_name(overlay: VtaOverlay):
    dense = dense_of(overlay)
    kernel = dense.kernel()
    for _ in range(2):
        x = RNG.integers(-128, 128, dense.x_shape()).astype(np.int8)
        results = overlay.run_kernel(kernel, {"x": blocked(overlay).pack(x)})
        assert list(results) == ["y"]
        config = overlay.config
        assert results["y"].shape == (2 * dense.pixels, config.batch, config.block)
        y = blocked(overlay).unpack(results["y"], dense.y_shape())
        np.testing.assert_array_equal(y, dense.reference(x))


def test_run_kernel_other_weights_replace_the_initial_ones(overlay: VtaOverlay):
    dense = dense_of(overlay)
    other = dataclasses.replace(dense, weights=-dense.weights)
    x = RNG.integers(-128, 128, dense.x_shape()).astype(np.int8)
    arrays = {"x": blocked(overlay).pack(x), "w": other.tiles()}
    results = overlay.run_kernel(dense.kernel(), arrays)
    y = blocked(overlay).unpack(results["y"], dense.y_shape())
    np.testing.assert_array_equal(y, other.reference(x))


def test_run_kernel_buffers_of_the_caller_are_used_in_place(overlay: VtaOverlay):
    dense = dense_of(overlay)
    x = RNG.integers(-128, 128, dense.x_shape()).astype(np.int8)
    layout = blocked(overlay)
    source = overlay.allocate(layout.stored_shape(dense.x_shape()), "i1")
    target = overlay.allocate(layout.stored_shape(dense.y_shape()), "i1")
    source[...] = layout.pack(x)
    results = overlay.run_kernel(dense.kernel(), {"x": source, "y": target})
    assert results["y"] is target
    np.testing.assert_array_equal(
        layout.unpack(np.asarray(target), dense.y_shape()), dense.reference(x)
    )


def test_run_kernel_several_submissions_keep_what_is_in_sram(overlay: VtaOverlay):
    config = overlay.config
    b = KernelBuilder(config, auto_sync=True)
    x, y = b.dram("x", MemType.ACC, 4), b.dram("y", MemType.OUT, 4)
    b.load(MemType.ACC, 0, x, x=4)
    b.synchronize()
    with b.alu(AluOp.ADD, imm=1) as k:
        for number in range(4):
            k.uop(dst=number, src=number)
    b.store(0, y, x=4)
    kernel = b.build()
    assert len(kernel.submissions) == 2
    data = RNG.integers(-100, 100, (4, config.batch, config.block)).astype(np.int32)
    result = overlay.run_kernel(kernel, {"x": data})["y"]
    np.testing.assert_array_equal(result, (data + 1).astype(np.int8))


@pytest.mark.parametrize("module", [Module.LOAD, Module.STORE])
def test_run_kernel_with_a_disabled_module_runs(overlay: VtaOverlay, module: Module):
    b = KernelBuilder(overlay.config, auto_sync=True, debug=Debug(disable={module}))
    x, y = b.dram("x", MemType.INP, 1), b.dram("y", MemType.OUT, 1)
    b.load(MemType.INP, 0, x)
    b.push_gemm(b.uops(0), reset=True)
    b.push_alu(AluOp.ADD, b.uops(0), imm=3)
    b.store(0, y)
    results = overlay.run_kernel(b.build(), {} if module is Module.LOAD else {"x": x_of(overlay)})
    assert list(results) == ([] if module is Module.STORE else ["y"])
    assert all((y == 3).all() for y in results.values())


def test_run_kernel_missing_content_is_refused(overlay: VtaOverlay):
    with pytest.raises(ShapeError) as caught:
        overlay.run_kernel(dense_of(overlay).kernel(), {})
    assert str(caught.value) == (
        "kernel 'dense', buffer 'x': content must be given, as an array of that name"
    )


def test_run_kernel_wrong_size_is_refused(overlay: VtaOverlay):
    with pytest.raises(ShapeError, match="buffer 'x': array must have .* bytes .*, not 3"):
        overlay.run_kernel(dense_of(overlay).kernel(), {"x": np.zeros(3, np.int8)})


def test_run_kernel_array_of_objects_is_refused(overlay: VtaOverlay):
    x = np.full(dense_of(overlay).pixels * overlay.config.block // 8, None)
    with pytest.raises(ShapeError, match="buffer 'x': array must hold numbers, not object; conv"):
        overlay.run_kernel(dense_of(overlay).kernel(), {"x": x})


def test_run_kernel_unknown_name_is_refused(overlay: VtaOverlay):
    with pytest.raises(ShapeError, match="buffer must be one of x, w, y, not 'z'"):
        overlay.run_kernel(dense_of(overlay).kernel(), {"z": np.zeros(3, np.int8)})


def test_run_kernel_other_configuration_is_refused(overlay: VtaOverlay):
    other = dataclasses.replace(overlay.config, log_inp_buff_size=14)
    kernel = Dense(random_weights(RNG, other.block, other.block), config=other).kernel()
    with pytest.raises(IdentityError, match="kernel 'dense': configuration must be"):
        overlay.run_kernel(kernel, {})


# ---- the examples, through the driver --------------------------------------------------------


def test_run_kernel_vector_add_example(overlay: VtaOverlay):
    config, elems = overlay.config, overlay.config.acc_depth + 3
    kernel = build_vector_add(config, elems, overlay.identity.profile.name)
    shape = (elems, config.batch, config.block)
    a, b = (RNG.integers(-(1 << 31), 1 << 31, shape).astype(np.int32) for _ in range(2))
    result = overlay.run_kernel(kernel, {"a": a, "b": b})["c"]
    np.testing.assert_array_equal(result, (a + b).astype(np.int8))


@pytest.mark.parametrize("build", [build_matmul, build_matmul_latency_hiding])
def test_run_kernel_matmul_examples(overlay: VtaOverlay, build):
    config = overlay.config
    rows, inner, cols = 20 * config.batch, 40 * config.block, 30 * config.block
    a = RNG.integers(-128, 128, (rows, inner)).astype(np.int8)
    w = RNG.integers(-128, 128, (cols, inner)).astype(np.int8)
    kernel = build(config, rows, inner, cols, 9, overlay.identity.profile.name)
    arrays = {"a": pack_matrix(config, a), "w": pack_weights(config, w)}
    result = unpack_matrix(config, overlay.run_kernel(kernel, arrays)["c"], rows, cols)
    np.testing.assert_array_equal(result, reference_matmul(a, w, 9))


def test_run_kernel_conv2d_example(overlay: VtaOverlay):
    config = overlay.config
    s = ConvShape(2 * config.block, 2 * config.block, 9, 7, 3, 1, 1)
    x = RNG.integers(-128, 128, (config.batch, s.inputs, s.height, s.width)).astype(np.int8)
    w = RNG.integers(-128, 128, (s.outputs, s.inputs, s.kernel, s.kernel)).astype(np.int8)
    kernel = build_conv2d(config, s, 8, overlay.identity.profile.name)
    arrays = {"x": pack_images(config, x), "w": pack_filters(config, w)}
    expected = pack_images(config, reference_conv2d(x, w, s, 8))
    result = overlay.run_kernel(kernel, arrays)["y"]
    np.testing.assert_array_equal(result.reshape(expected.shape), expected)
