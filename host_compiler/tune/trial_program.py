"""A layer under a schedule as a program of its own, and what it must compute."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from host_compiler.layer import Layer, LayerStep, TensorRef, Term
from host_compiler.layer_reference import run_layer
from host_compiler.lower.plan import LayerPlan, declare_constants, emit_layer
from host_compiler.lower.target import Target
from host_compiler.memory import ALIGNMENT_BYTES
from vta_pynq.isa.table import PAGE_BYTES, MemType
from vta_pynq.kernel import DramBuffer, DramView, Kernel, KernelBuilder
from vta_pynq.program import Arena, ArenaKind, Program, Relocations, Tensor, VtaStep
from vta_pynq.program.layout import activation_layout

__all__ = ["expected", "idle_program", "random_feeds", "standalone", "trial_program"]

Arrays = dict[str, npt.NDArray[np.int8]]


def standalone(layer: Layer) -> Layer:
    """The layer with a buffer of its own for each tensor: `x0`, `x1`, … and `y0`, ….

    The signature is the same; of the instructions only addresses differ.
    """
    names: dict[tuple[str, int], str] = {}

    def own(ref: TensorRef, name: str) -> TensorRef:
        return TensorRef(name, ref.shape, 0, ref.buffer_blocks - ref.block_offset)

    def with_own(step: LayerStep) -> LayerStep:
        if not isinstance(step, Term):
            return step
        ref = step.source
        name = names.setdefault((ref.buffer, ref.block_offset), f"x{len(names)}")
        return dataclasses.replace(step, source=own(ref, name))

    steps = tuple(map(with_own, layer.steps))
    outputs = tuple(own(ref, f"y{number}") for number, ref in enumerate(layer.outputs))
    return dataclasses.replace(layer, steps=steps, outputs=outputs)


def _refs(layer: Layer) -> tuple[dict[str, TensorRef], dict[str, TensorRef]]:
    """Inputs and outputs of a stand-alone layer, by name; the largest view of each."""
    inputs: dict[str, TensorRef] = {}
    for term in layer.terms:
        known = inputs.get(term.source.buffer)
        if known is None or known.shape[1] < term.source.shape[1]:
            inputs[term.source.buffer] = term.source
    return inputs, {ref.buffer: ref for ref in layer.outputs}


def random_feeds(layer: Layer, block: int, seed: int) -> Arrays:
    """Seeded int8 arrays for the inputs of a stand-alone layer, with channels in whole blocks."""
    chance = np.random.default_rng(seed)
    inputs, _ = _refs(layer)
    return {
        name: chance.integers(-128, 128, _shape(ref, block)).astype(np.int8)
        for name, ref in inputs.items()
    }


def expected(layer: Layer, feeds: Mapping[str, npt.NDArray[np.int8]], block: int) -> Arrays:
    """What a stand-alone layer's outputs must be, bit for bit; without lanes that only pad."""
    results = run_layer(layer, feeds, block)
    return {ref.buffer: y for ref, y in zip(layer.outputs, results, strict=True)}


def _shape(ref: TensorRef, block: int) -> tuple[int, int, int, int]:
    n, _, h, w = ref.shape
    return n, ref.buffer_blocks * block, h, w


def trial_program(plan: LayerPlan) -> Program:
    """A stand-alone layer's plan as a program: one submission, no step on the processor."""
    builder = _builder(plan.target)
    inputs, outputs = _refs(plan.layer)
    buffers = _tensors(builder, inputs | outputs, plan.target)
    emit_layer(builder, plan, {**buffers, **declare_constants(builder, plan)})
    return _program(builder.build(), inputs, outputs, plan.target)


def idle_program(layer: Layer, target: Target) -> Program:
    """A program with the tensors of a stand-alone layer that does next to nothing.

    It loads an element of each input and stores one to each output, so that a runtime
    synchronises the same memory: its time is what a submission costs besides its work.
    """
    builder = _builder(target)
    inputs, outputs = _refs(layer)
    buffers = _tensors(builder, inputs | outputs, target)
    for name in inputs:
        builder.load(MemType.INP, 0, buffers[name])
    weights = builder.dram("weights", MemType.WGT, 1, np.zeros(target.config.wgt_bytes, np.int8))
    builder.load(MemType.WGT, 0, weights)
    for reset in (True, False):
        with builder.gemm(reset=reset) as kernel:
            kernel.uop(0)
    for name in outputs:
        builder.store(0, buffers[name])
    return _program(builder.build(), inputs, outputs, target)


def _builder(target: Target) -> KernelBuilder:
    return KernelBuilder(
        target.config, target.profile, auto_sync=True, insn_limit=1 << 20, name="trial"
    )


def _tensors(
    builder: KernelBuilder, refs: Mapping[str, TensorRef], target: Target
) -> dict[str, DramBuffer | DramView]:
    result: dict[str, DramBuffer | DramView] = {}
    for name, ref in refs.items():
        n, _, h, w = ref.shape
        elems = -(-n // target.config.batch) * ref.buffer_blocks * h * w
        result[name] = builder.dram(name, MemType.INP, elems)
    return result


def _program(
    kernel: Kernel,
    inputs: Mapping[str, TensorRef],
    outputs: Mapping[str, TensorRef],
    target: Target,
) -> Program:
    layout = activation_layout(target.config.batch, target.config.block)
    arenas: list[Arena] = []
    tensors = []
    place: dict[str, tuple[int, int]] = {}
    """Number of the arena and offset of every buffer of the kernel."""
    for kind, refs in ((ArenaKind.INPUT, inputs), (ArenaKind.OUTPUT, outputs)):
        for name, ref in refs.items():
            shape = _shape(ref, target.config.block)
            tensors.append(Tensor(name, shape, "int8", layout, name, 0))
            place[name] = len(arenas), 0
            arenas.append(Arena(name, kind, tensors[-1].bytes, PAGE_BYTES))
    image = bytearray()
    for buffer in kernel.buffers:
        if buffer.data is not None:
            image += bytes(-len(image) % max(ALIGNMENT_BYTES, buffer.elem_bytes))
            place[buffer.name] = len(arenas), len(image)
            image += buffer.data.tobytes() + bytes(buffer.bytes - buffer.data.size)
    data = np.frombuffer(bytes(image), np.uint8)
    arenas.append(Arena("constants", ArenaKind.CONST, len(data), PAGE_BYTES, data))
    arena_of = np.array([place[buffer.name][0] for buffer in kernel.buffers], np.uint16)
    steps = [
        VtaStep(f"submission {number}", begin, end, tuple(inputs), tuple(outputs))
        for number, (begin, end) in enumerate(kernel.submissions)
    ]
    return Program(
        model=kernel.name,
        config=target.config,
        words=kernel.link({buffer.name: place[buffer.name][1] for buffer in kernel.buffers}),
        steps=tuple(steps),
        arenas=tuple(arenas),
        tensors=tuple(tensors),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        relocations=Relocations(kernel.reloc_insn, arena_of[kernel.reloc_buffer]),
        profile=target.profile.name,
        labels=kernel.labels,
    )
