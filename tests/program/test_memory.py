"""Arenas, tensors and steps one by one: values that they refuse, memory that they protect."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from tests.program.sample import encoded, fields, sample, with_part
from vta_pynq.errors import ProgramError
from vta_pynq.program import Arena, ArenaKind, CpuStep, Tensor, VtaStep

PARTS: dict[str, tuple[Callable[[], object], str]] = {
    "arena_name": (
        lambda: Arena("A", ArenaKind.SCRATCH, 1, 1),
        "arena name must be 1..32 of a-z, 0-9, _, not 'A'",
    ),
    "arena_kind": (
        lambda: Arena("a", "odd", 1, 1),  # type: ignore[arg-type]
        "arena 'a': kind must be one of const, scratch, input, output, not 'odd'",
    ),
    "arena_alignment": (
        lambda: Arena("a", ArenaKind.SCRATCH, 1, 3),
        "arena 'a': alignment must be a power of two, not 3",
    ),
    "arena_data": (
        lambda: Arena("a", ArenaKind.CONST, 1, 1),
        "arena 'a': data must be given for kind const and for no other, not missing for const",
    ),
    "arena_size": (
        lambda: Arena("a", ArenaKind.CONST, 3, 1, np.zeros(2, np.uint8)),
        "arena 'a': data must be 3 bytes, not 2",
    ),
    "layout_form": (
        lambda: Tensor("t", (1,), "int8", "c", "a", 0),
        "tensor 't': layout must be capital letters, then blocks such as 16c, not 'c'",
    ),
    "layout_rank": (
        lambda: Tensor("t", (1,), "int8", "NC", "a", 0),
        "tensor 't': layout NC: shape must have 2 dimensions, not 1",
    ),
    "dimension": (
        lambda: Tensor("t", (0,), "int8", "C", "a", 0),
        "tensor 't': dimension must be an integer in 1..4294967296, not 0",
    ),
    "offset": (
        lambda: Tensor("t", (1,), "int32", "C", "a", 2),
        "tensor 't': offset must be a multiple of 4 bytes (int32), not 2",
    ),
    "lifetime": (
        lambda: Tensor("t", (1,), "int8", "C", "a", 0, None, (2, 1)),
        "tensor 't': last step must be an integer in 2..9223372036854775807, not 1",
    ),
    "op": (
        lambda: CpuStep("s", "a b", (), ("y",)),
        "step 's': op must be letters, digits, _ and . after a letter, not 'a b'",
    ),
    "no_output": (
        lambda: CpuStep("s", "relu", ("x",), ()),
        "step 's': outputs must be at least one",
    ),
    "attribute_nan": (
        lambda: CpuStep("s", "relu", (), ("y",), {"a": [float("nan")]}),
        "step 's': attribute 'a' must be a finite floating-point number, not nan",
    ),
    "attribute_type": (
        lambda: CpuStep("s", "relu", (), ("y",), {"a": b"x"}),  # type: ignore[dict-item]
        "step 's': attribute 'a' must be a number, text, truth value, null, list or object, "
        "not b'x'",
    ),
    "empty_step": (
        lambda: VtaStep("s", 3, 3),
        "step 's': end must be an integer in 4..4294967296, not 3",
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_part_with_impossible_value_is_refused(case: str) -> None:
    build, message = PARTS[case]
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        build()


def test_program_arrays_are_immutable_copies() -> None:
    words = encoded()
    program = sample(words=words)
    words[:] = 0
    assert (program.words == encoded()).all()
    data = program.arena("weights").data
    assert data is not None
    for array in (program.words, data, program.relocations.insn):
        assert not array.flags.writeable
    with pytest.raises(TypeError):
        program.steps[0].attributes["axis"] = 2  # type: ignore[union-attr,index]


def test_program_tensors_may_share_memory_at_different_times() -> None:
    extra = Tensor("b", (4,), "int8", "C", "scratch", 31, None, (1, 1))
    early = with_part("tensors", 1, lifetime=(0, 1))["tensors"]
    with pytest.raises(ProgramError, match="must not overlap"):
        sample(tensors=(*early, extra))
    late = Tensor("b", (4,), "int8", "C", "y", 0, None, (0, 0))
    with pytest.raises(ProgramError, match="nothing else but aliases"):
        sample(tensors=(*fields()["tensors"], late))
    steps = (*fields()["steps"], CpuStep("end", "relu", ("y",), ("y",)))
    tensors = list(with_part("tensors", 2, lifetime=(1, 2))["tensors"])
    tensors.append(Tensor("b", (4,), "int8", "C", "scratch", 31, None, (2, 2)))
    assert len(sample(steps=steps, tensors=tensors).tensors) == 5


def test_constant_is_view_of_arena() -> None:
    program = sample()
    weights = program.constant(program.tensor("w"))
    assert weights.shape == (1, 1, 1, 1, 16, 16)
    assert weights.reshape(-1).tolist() == np.arange(256).astype(np.int8).tolist()
    with pytest.raises(ProgramError, match="tensor 'a' must lie in a const arena"):
        program.constant(program.tensor("a"))
