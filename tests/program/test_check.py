"""What must hold for every program, and the words in which it is refused otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.program.sample import encoded, fields, sample, with_part
from vta_pynq.errors import ProgramError
from vta_pynq.program import Arena, ArenaKind, Relocations, Tensor
from vta_pynq.stream import StreamLabel

Change = Callable[[], dict[str, Any]]


def _more(field: str, *parts: Any) -> dict[str, Any]:
    return {field: (*fields()[field], *parts)}


def _relocations(insn: list[int], arena: list[int]) -> dict[str, Any]:
    return {"relocations": Relocations(np.array(insn), np.array(arena))}


REFUSED: dict[str, tuple[Change, str]] = {
    "model_control": (
        lambda: {"model": "a\x1b"},
        "program 'a\\x1b': model must be printable text, not 'a\\x1b'",
    ),
    "profile": (
        lambda: {"profile": "A b"},
        "profile must be the name of a hardware profile, not 'A b'",
    ),
    "no_steps": (lambda: {"steps": ()}, "steps must be at least one"),
    "no_outputs": (lambda: {"outputs": ()}, "outputs must be at least one"),
    "same_names": (
        lambda: with_part("tensors", 1, name="x"),
        "tensors must have different names, not 'x' twice",
    ),
    "wrong_type": (lambda: {"arenas": (1,)}, "arenas[0] must be Arena, not 1"),
    "too_big": (
        lambda: with_part("arenas", 1, bytes=1 << 32),
        "arenas must fit 4294967296 bytes of address space together, not 4294983712",
    ),
    # ---- memory plan
    "no_arena": (
        lambda: with_part("tensors", 1, arena="z"),
        "tensor 'a': arena must be one of the program's, not 'z'",
    ),
    "past_arena": (
        lambda: with_part("tensors", 1, offset=33),
        "tensor 'a': end must be in arena 'scratch' of 64 bytes, not at 65",
    ),
    "weak_alignment": (
        lambda: with_part("arenas", 2, alignment=2),
        "tensor 'x': arena 'x' must be aligned for float32, not to 2",
    ),
    "late_life": (
        lambda: with_part("tensors", 1, lifetime=(0, 2)),
        "tensor 'a': lifetime must end at step 1 or before, not 2",
    ),
    "const_life": (
        lambda: with_part("tensors", 3, lifetime=(0, 1)),
        "tensor 'w': lifetime must be null in a const arena",
    ),
    "short_output": (
        lambda: with_part("tensors", 2, lifetime=(0, 0)),
        "tensor 'y': lifetime of a model output must end at step 1, not 0",
    ),
    "dead_use": (
        lambda: with_part("tensors", 1, lifetime=(0, 0)),
        "step 1 'conv': tensor 'a' must be alive, not only during steps 0..0",
    ),
    "overlap": (
        lambda: _more("tensors", Tensor("b", (4,), "int8", "C", "scratch", 31, None, (1, 1))),
        "tensor 'b': memory must not overlap that of 'a' in arena 'scratch' while both live",
    ),
    "alias_outside": (
        lambda: _more("tensors", Tensor("b", (4,), "int8", "C", "scratch", 30, None, (1, 1), "a")),
        "tensor 'b': memory must be part of that of 'a', which it aliases",
    ),
    "alias_life": (
        lambda: _more("tensors", Tensor("b", (4,), "int8", "C", "y", 0, None, None, "y")),
        "tensor 'b': lifetime must be part of 1..1 (of 'y', which it aliases), not 0..1",
    ),
    "alias_unknown": (
        lambda: _more("tensors", Tensor("b", (4,), "int8", "C", "scratch", 0, None, None, "q")),
        "tensor 'b': alias_of must name a tensor that is no alias itself, not 'q'",
    ),
    "input_unknown": (lambda: {"inputs": ("q",)}, "inputs[0] must name a tensor, not 'q'"),
    "input_place": (
        lambda: {"inputs": ("a",)},
        "inputs[0] 'a' must lie in an arena of kind input, not in 'scratch'",
    ),
    "input_twice": (lambda: {"inputs": ("x", "x")}, "inputs must name each tensor once"),
    "input_shared": (
        lambda: _more("arenas", Arena("x2", ArenaKind.INPUT, 64, 64)),
        "arena 'x2' must hold one of the model's inputs at its start and nothing else "
        "but aliases of it",
    ),
    # ---- flow of data
    "unwritten": (
        lambda: {
            "steps": fields()["steps"][1:],
            **with_part("tensors", 1, lifetime=None),
            "layers": (),
            "tensors": tuple(
                t
                if t.lifetime is None
                else Tensor(t.name, t.shape, t.dtype, t.layout, t.arena, t.offset)
                for t in fields()["tensors"]
            ),
        },
        "step 0 'conv': input 'a' must be written by an earlier step or be a model input",
    ),
    "unknown_operand": (
        lambda: with_part("steps", 0, inputs=("q",)),
        "step 0 'in': inputs must name tensors of the program, not 'q'",
    ),
    "const_output": (
        lambda: with_part("steps", 0, outputs=("a", "w")),
        "step 0 'in': output 'w' must lie in a scratch or output arena, "
        "not in const arena 'weights'",
    ),
    # ---- steps and instructions
    "gap": (
        lambda: with_part("steps", 1, begin=1),
        "step 'conv': begin must be 0, where the step before ends, not 1",
    ),
    "long": (
        lambda: with_part("steps", 1, end=5),
        "step 'conv': end must be in 1..4 (instructions), not 5",
    ),
    "no_finish": (lambda: with_part("steps", 1, end=3), "step 'conv': insn 2 must be FINISH"),
    "early_finish": (
        lambda: {"words": encoded(opcode=[3, 0, 1, 3])},
        "step 'conv': FINISH must be the last instruction, 3, not 0",
    ),
    "uncovered": (
        lambda: {"words": np.concatenate([encoded(), encoded()])},
        "steps must cover all 8 instructions, not 4",
    ),
    "unknown_opcode": (
        lambda: {"words": encoded() | np.array([[7, 0], [0, 0], [0, 0], [0, 0]], np.uint64)},
        "insn 0: opcode must be one of LOAD, STORE, GEMM, FINISH, ALU, REQUANT, not 7",
    ),
    "no_capability": (
        lambda: {"words": encoded() | np.array([[5, 0], [0, 0], [0, 0], [0, 0]], np.uint64)},
        "insn 0: opcode must not be REQUANT without the capability alu_requant "
        "(1x16_i8w8a32_15_15_18_17)",
    ),
    "unknown_memory": (
        lambda: {"words": encoded(memory_type=[6, 2, 4, 0])},
        "insn 0: memory_type must be one of UOP, WGT, INP, ACC, OUT, ACC_8BIT, not 6",
    ),
    "store_memory": (
        lambda: {"words": encoded(memory_type=[1, 2, 3, 0])},
        "insn 2: memory_type must be OUT in STORE, not 3",
    ),
    # ---- relocations
    "order": (
        lambda: _relocations([1, 0, 2], [1, 0, 3]),
        "relocations[1]: insn must be above the one before",
    ),
    "no_address": (
        lambda: _relocations([0, 1, 2, 3], [0, 1, 3, 1]),
        "relocations[3]: insn must be an instruction with an address, not 3",
    ),
    "beyond": (
        lambda: _relocations([0, 1, 2, 9], [0, 1, 3, 1]),
        "relocations[3]: insn must be an instruction with an address, not 9",
    ),
    "missing": (lambda: _relocations([0, 1], [0, 1]), "insn 2: address must have a relocation"),
    "arena_number": (
        lambda: _relocations([0, 1, 2], [0, 4, 3]),
        "relocations[1]: arena must be in 0..3, not 4",
    ),
    "elem_alignment": (
        lambda: with_part("arenas", 0, alignment=128),
        "insn 0: arena 'weights' must be aligned to whole elements (128), not 256",
    ),
    "past_end": (
        lambda: {"words": encoded(dram_base=[2, 0, 0, 0])},
        "insn 0: arena 'weights' must hold the whole access (512 bytes), not 768",
    ),
    "stride_past_end": (
        lambda: {"words": encoded(y_size=[1, 2, 1, 0], x_stride=[1, 3, 2, 0])},
        "insn 1: arena 'scratch' must hold the whole access (64 bytes), not 80",
    ),
    "store_const": (
        lambda: _relocations([0, 1, 2], [0, 1, 0]),
        "insn 2: arena 'weights' must be of kind scratch or output for STORE, not const",
    ),
    "undeclared_load": (
        lambda: {"words": encoded(dram_base=[1, 1, 0, 0])},
        "step 'conv': insn 1: bytes 16..47 of arena 'scratch' must lie in inputs "
        "that the step lists",
    ),
    "undeclared_store": (
        lambda: _relocations([0, 1, 2], [0, 1, 1]),
        "step 'conv': insn 2: bytes 0..31 of arena 'scratch' must lie in outputs "
        "that the step lists",
    ),
    # ---- reports
    "label_range": (
        lambda: {"labels": (StreamLabel(0, 5, "x"),)},
        "labels[0]: end must be an integer in 1..4, not 5",
    ),
    "layer_step": (
        lambda: with_part("layers", 0, step=2),
        "layers[0]: step must be an integer in 0..1, not 2",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_program_that_does_not_fit_together_is_refused(case: str) -> None:
    change, message = REFUSED[case]
    whole = message if message.startswith("program ") else f"program 'net': {message}"
    with pytest.raises(ProgramError, match=f"^{re.escape(whole)}$"):
        sample(**change())
