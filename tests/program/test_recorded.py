"""Recorded cases as programs: unlinked, saved, loaded and linked, they are the recorded words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vta_pynq.conformance import load_case
from vta_pynq.isa.encode import decode, encode
from vta_pynq.program import Arena, ArenaKind, Program, Relocations, Tensor, VtaStep
from vta_pynq.program.access import find_accesses
from vta_pynq.stream import InstructionStream

CASES = sorted((Path(__file__).parents[1] / "conformance").iterdir())


def _program(stream: InstructionStream) -> tuple[Program, dict[str, int]]:
    """A case as a program with one arena per buffer, and where the buffers were."""
    arenas, tensors = [], []
    segments = [s for s in stream.segments if s.kind != "INSN"]
    for number, segment in enumerate(segments):
        name = f"{segment.kind.lower()}{number}"
        alignment = min(4096, segment.phys & -segment.phys)
        if segment.kind == "OUT":
            arenas.append(Arena(name, ArenaKind.OUTPUT, segment.size, alignment))
            tensors.append(Tensor(name, (segment.size,), "uint8", "C", name, 0))
        else:
            data = np.zeros(segment.size, np.uint8)
            if segment.data is not None:
                data[: segment.data.size] = segment.data
            arenas.append(Arena(name, ArenaKind.CONST, segment.size, alignment, data))
    accesses = find_accesses(stream.words, stream.config)
    records = decode(stream.words, stream.config)
    owners = []
    for row, begin, size in zip(accesses.insn, accesses.begin, accesses.elem_bytes, strict=True):
        owner = next(i for i, s in enumerate(segments) if s.phys <= begin < s.phys + max(s.size, 1))
        records["dram_base"][row] -= segments[owner].phys // int(size)
        owners.append(owner)
    outputs = tuple(tensor.name for tensor in tensors)
    program = Program(
        model=stream.name,
        config=stream.config,
        words=encode(records, stream.config, "width"),
        steps=(VtaStep("all", 0, len(stream), (), outputs),),
        arenas=tuple(arenas),
        tensors=tuple(tensors),
        inputs=(),
        outputs=outputs,
        relocations=Relocations(accesses.insn, np.array(owners, np.uint16)),
    )
    return program, {a.name: s.phys for a, s in zip(arenas, segments, strict=True)}


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case_as_program_links_to_recorded_words(folder: Path) -> None:
    stream = load_case(folder).stream
    program, addresses = _program(stream)
    words = Program.load(program.to_bytes()).link(addresses)
    # Reserved bits are not compared: the encoder writes them 0, recorders do not.
    assert (decode(words, stream.config) == decode(stream.words, stream.config)).all()
    assert (program.words != stream.words).any()
