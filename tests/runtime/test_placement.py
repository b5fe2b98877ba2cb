"""Where arenas go: few buffers, nothing on top of another, every alignment kept."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from tests.runtime.programs import Dense, Maker, chain, random_weights, vta_only
from vta_pynq.program import ArenaKind, Program
from vta_pynq.runtime.coherence import plan_coherence
from vta_pynq.runtime.placement import Block, Placement, place_program

RNG = np.random.default_rng(6)
DENSE = Dense(random_weights(RNG, 16, 16))
SHAPE = DENSE.x_shape()


def placed(program: Program, extra: int = 0) -> Placement:
    return place_program(program, plan_coherence(program), extra)


def blocks(placement: Placement) -> list[Block]:
    constants = [placement.constants] if placement.constants is not None else []
    return [*constants, placement.private, *placement.shared, *placement.bound.values()]


def assert_fits(program: Program, placement: Placement) -> None:
    seen = []
    for block in blocks(placement):
        ranges = [(0, block.insn_bytes)]
        for name, offset in block.offsets.items():
            arena = program.arena(name)
            assert offset % arena.alignment == 0 and block.alignment % arena.alignment == 0
            ranges.append((offset, offset + arena.bytes))
            seen.append(name)
        ranges.sort()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(ranges))
        assert ranges[-1][1] <= block.bytes
    assert sorted(seen) == sorted(arena.name for arena in program.device_arenas)


def test_place_constants_input_output_and_instructions_take_a_buffer_each():
    program = vta_only(DENSE)
    placement = placed(program)
    assert_fits(program, placement)
    assert placement.constants is not None
    assert set(placement.constants.offsets) == {"dense_w", "dense_uops"}
    assert set(placement.bound) == {"x", "y"}
    assert placement.shared == () and placement.private.offsets == {}


def test_place_scratch_of_the_accelerator_lies_with_the_instructions():
    program = chain(DENSE, DENSE)
    placement = placed(program, extra=3)
    assert_fits(program, placement)
    assert set(placement.private.offsets) == {"h"}
    assert placement.private.insn_bytes == program.words.nbytes + 3 * 16
    assert len(blocks(placement)) == 4


def test_place_arenas_with_the_same_events_share_a_buffer():
    maker = Maker()
    maker.tensor("x", SHAPE, ArenaKind.INPUT, layout="NCHW")
    maker.tensor("y", SHAPE, ArenaKind.OUTPUT, layout="NCHW")
    for name in ("a", "b", "c", "d"):
        maker.tensor(name, SHAPE)
    maker.cpu("pack", "split", ["x"], ["a", "b"])
    maker.vta("first", DENSE.kernel(), x="a", y="c")
    maker.vta("second", DENSE.kernel(), x="b", y="d")
    maker.cpu("unpack", "add", ["c", "d"], ["y"])
    program = maker.build()
    placement = placed(program)
    assert_fits(program, placement)
    assert [set(block.offsets) for block in placement.shared] == [{"a", "b"}, {"c", "d"}]
    assert {arena.name for arena in placement.cpu_only} == {"x", "y"}


def test_place_large_alignment_gets_slack():
    program = chain(DENSE, DENSE)
    arenas = tuple(
        dataclasses.replace(arena, alignment=1 << 16) if arena.name == "h" else arena
        for arena in program.arenas
    )
    program = dataclasses.replace(program, arenas=arenas)
    placement = placed(program)
    assert_fits(program, placement)
    assert placement.private.alignment == 1 << 16
    assert placement.private.slack == (1 << 16) - 4096
