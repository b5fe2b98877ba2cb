"""Relocation against plain integer arithmetic, one instruction at a time."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.program.sample import sample
from tests.program.strategies import programs
from vta_pynq.errors import ProgramError
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import DRAM_BYTES, INSN_BYTES, elem_bytes
from vta_pynq.program import Program

ADDRESSES = {"weights": 0x10000, "scratch": 0x21000, "y": 0xFFFFF000}


@given(programs(), st.randoms(use_true_random=False))
def test_link_moves_addresses_and_nothing_else(program: Program, rng: object) -> None:
    addresses = {
        arena.name: arena.alignment
        * rng.randrange((DRAM_BYTES - arena.bytes) // arena.alignment + 1)  # type: ignore[attr-defined]
        for arena in program.arenas
    }
    before = decode(program.words, program.config)
    after = decode(program.link(addresses), program.config)
    relocated = dict(
        zip(program.relocations.insn.tolist(), program.relocations.arena.tolist(), strict=True)
    )
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        if number in relocated:
            arena = program.arenas[relocated[number]]
            size = elem_bytes(program.config, int(old["memory_type"]))
            assert addresses[arena.name] % size == 0
            expected = int(old["dram_base"]) + addresses[arena.name] // size
            assert int(new["dram_base"]) == expected < 1 << 32
            old = old.copy()
            old["dram_base"] = expected
        assert old == new


def test_link_at_top_of_address_space_fits() -> None:
    program = sample()
    after = decode(program.link(ADDRESSES), program.config)
    assert after["dram_base"].tolist() == [0x10000 // 256 + 1, 0x21000 // 16, 0xFFFFF000 // 16, 0]
    assert not np.shares_memory(program.link(ADDRESSES), program.words)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (None, "arena 'y': address must be given; place it first"),
        (0x1010, "arena 'y': address must be a multiple of 4096, not 0x1010"),
        (-4096, "arena 'y': address must be an integer in 0..4294967295, not -4096"),
        (1 << 32, "arena 'y': address must be an integer in 0..4294967295, not 4294967296"),
        (4096.0, "arena 'y': address must be an integer in 0..4294967295, not 4096.0"),
    ],
)
def test_link_with_impossible_address_is_refused(address: object, message: str) -> None:
    addresses = {**ADDRESSES, "y": address}
    if address is None:
        del addresses["y"]
    with pytest.raises(ProgramError, match=f"^program 'net': {re.escape(message)}$"):
        sample().link(addresses)  # type: ignore[arg-type]


def test_link_past_end_of_address_space_is_refused() -> None:
    arenas = [a for a in sample().arenas if a.name != "y"]
    program = sample()
    big = type(program.arenas[3])("y", program.arenas[3].kind, 8192, 4096)
    program = sample(arenas=(*arenas, big))
    with pytest.raises(ProgramError, match="must leave 8192 bytes below 0x100000000"):
        program.link(ADDRESSES)


@given(programs())
def test_streams_cover_instructions_in_disjoint_segments(program: Program) -> None:
    streams = program.streams()
    words = program.link({segment.name: segment.phys for segment in streams[0].segments})
    assert np.array_equal(np.concatenate([stream.words for stream in streams]), words)
    assert [s.name for s in streams] == [step.name for step in program.vta_steps]
    for stream, step in zip(streams, program.vta_steps, strict=True):
        assert len(stream) == step.end - step.begin
        for label in stream.labels:
            assert 0 <= label.begin < label.end <= len(stream)
        (code,) = stream.segments_of("INSN")
        assert code.size == len(stream) * INSN_BYTES
        assert code.data is not None
        assert code.data.tobytes() == stream.words.tobytes()
        ordered = sorted(stream.segments, key=lambda s: s.phys)
        assert all(low.phys + low.size <= high.phys for low, high in itertools.pairwise(ordered))
        for constants in stream.segments_of("weights"):
            assert constants.data is program.arena("weights").data
