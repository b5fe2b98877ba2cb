"""Runs planned layers on the C engine and holds them against the layer interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from host_compiler.layer import Layer, TensorRef
from host_compiler.layer_reference import run_layer
from host_compiler.lower import LayerPlan, declare_constants, emit_layer
from vta_pynq.config import HwConfig
from vta_pynq.isa.table import INSN_BYTES, MemType
from vta_pynq.kernel import Kernel, KernelBuilder
from vta_pynq.lint import lint_stream
from vta_pynq.sim.engine import Dram, Engine


def refs_of(layer: Layer) -> list[TensorRef]:
    return [term.source for term in layer.terms] + list(layer.outputs)


def random_tensors(layers: Sequence[Layer], config: HwConfig, seed: int) -> dict[str, np.ndarray]:
    """Logical int8 arrays (N, channels in whole blocks, H, W) of every buffer of some layers."""
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    for layer in layers:
        for ref in refs_of(layer):
            n, _, h, w = ref.shape
            shape = (-(-n // config.batch) * config.batch, ref.buffer_blocks * config.block, h, w)
            known = tensors.get(ref.buffer)
            if known is None or known.shape[1] < shape[1]:
                tensors[ref.buffer] = random.integers(-128, 128, shape).astype(np.int8)
    return tensors


def to_blocked(array: np.ndarray, config: HwConfig) -> np.ndarray:
    n, c, h, w = array.shape
    b, k = config.batch, config.block
    return np.ascontiguousarray(
        array.reshape(n // b, b, c // k, k, h, w).transpose(0, 2, 4, 5, 1, 3)
    )


def from_blocked(flat: np.ndarray, shape: tuple[int, ...], config: HwConfig) -> np.ndarray:
    n, c, h, w = shape
    b, k = config.batch, config.block
    blocked = flat.view(np.int8).reshape(n // b, c // k, h, w, b, k)
    return blocked.transpose(0, 4, 1, 5, 2, 3).reshape(shape)


def build(plans: Sequence[LayerPlan], tensors: Mapping[str, np.ndarray]) -> Kernel:
    """All layers in one stream."""
    target = plans[0].target
    builder = KernelBuilder(target.config, target.profile, auto_sync=True, insn_limit=1 << 22)
    elems = {name: t.size // (target.config.batch * target.config.block)
             for name, t in tensors.items()}  # fmt: skip
    buffers = {name: builder.dram(name, MemType.INP, count) for name, count in elems.items()}
    for plan in plans:
        emit_layer(builder, plan, {**buffers, **declare_constants(builder, plan)})
    return builder.build()


def run(
    kernel: Kernel, tensors: Mapping[str, np.ndarray], config: HwConfig, semantics: str,
    strict: bool = False, order_seed: int = 0,
) -> dict[str, np.ndarray]:  # fmt: skip
    """The tensors after the kernel ran, logical again."""
    stream = kernel.stream()
    arrays = []
    for segment in stream.segments:
        data = np.zeros(segment.size, np.uint8)
        if segment.name in tensors:
            data[:] = to_blocked(tensors[segment.name], config).reshape(-1).view(np.uint8)
        elif segment.data is not None:
            data[: segment.data.size] = segment.data
        arrays.append((segment.name, segment.phys, data))
    engine = Engine(config, semantics, strict=strict, profile=kernel.profile)
    insn = next(phys for name, phys, _ in arrays if name == "insns")
    size = next(data.size for name, _, data in arrays if name == "insns")
    dram = Dram([(phys, data) for _, phys, data in arrays])
    engine.run(dram, insn, size // INSN_BYTES, budget=1 << 40, order_seed=order_seed)
    return {
        name: from_blocked(data, tensors[name].shape, config)
        for name, _, data in arrays
        if name in tensors
    }


def expect(
    layers: Sequence[Layer], tensors: Mapping[str, np.ndarray], block: int
) -> dict[str, np.ndarray]:
    """Buffers that the layers write, by the layer interpreter: whole arrays and the refs."""
    state = {name: array.copy() for name, array in tensors.items()}
    for layer in layers:
        n = layer.sum_shape[0]
        view = {name: array[:n] for name, array in state.items()}
        for ref, result in zip(layer.outputs, run_layer(layer, view, block), strict=True):
            first = ref.block_offset * block
            state[ref.buffer][:n, first : first + ref.shape[1]] = result
    return state


def check(plans: Sequence[LayerPlan], seed: int, light: bool = False) -> Kernel:
    """Every semantics computes what the interpreter says, and the linter has nothing to say."""
    config, layers = plans[0].target.config, [plan.layer for plan in plans]
    tensors = random_tensors(layers, config, seed)
    kernel = build(plans, tensors)
    for stream in kernel.streams():
        report = lint_stream(stream, plans[0].target.profile)
        found = [f.message for f in report.findings if f.severity != "info"]
        assert report.ok and not found, "\n".join(found[:10])
    wanted = expect(layers, tensors, config.block)
    modes = [("hls", True, 0)]
    if not light:
        modes += [("functional", False, 0), ("functional", True, 0), ("hls", True, seed + 1)]
    for semantics, strict, order in modes:
        found = run(kernel, tensors, config, semantics, strict, order)
        for layer in layers:
            n = layer.sum_shape[0]
            for ref in layer.outputs:
                first, last = ref.block_offset * config.block, ref.shape[1]
                part = (slice(0, n), slice(first, first + last))
                np.testing.assert_array_equal(
                    found[ref.buffer][part], wanted[ref.buffer][part],
                    err_msg=f"{layer.name} {semantics} strict={strict}",
                )  # fmt: skip
        for name, array in tensors.items():  # nothing else was written
            touched = np.zeros(array.shape, bool)
            for layer in layers:
                for ref in layer.outputs:
                    if ref.buffer == name:
                        end = -(-ref.shape[1] // config.block) + ref.block_offset
                        touched[:, ref.block_offset * config.block : end * config.block] = True
            np.testing.assert_array_equal(found[name][~touched], array[~touched])
    return kernel
