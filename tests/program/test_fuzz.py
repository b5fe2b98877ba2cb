"""Damaged program files are refused with ProgramError, or mean exactly what they meant before."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable

import pytest

from tests.program.mutations import damage_bytes, damage_members, damage_structure
from tests.program.strategies import random_program
from vta_pynq.errors import ProgramError
from vta_pynq.program import Program

SEED = 20240229
FAST, SLOW = 600, 10_000
# What a damaged file of a few KiB may cost: the parsed manifest, one bounded inflation, arrays.
MEMORY_BOUND_BYTES = 8 << 20
ROUNDS = 40

sizes = pytest.mark.parametrize("count", [FAST, pytest.param(SLOW, marks=pytest.mark.slow)])


def _bases(rng: random.Random) -> tuple[Program, bytes, Program, bytes]:
    """Two different programs and their files, one of them perhaps deflated."""
    first, second = random_program(rng), random_program(rng)
    return first, first.to_bytes(rng.random() < 0.4), second, second.to_bytes()


def _loaded(data: bytes) -> Program | None:
    try:
        return Program.load(data)
    except ProgramError as error:
        message = str(error)
        assert message.startswith("program file: "), message
        assert message.isprintable(), ascii(message)
        assert len(message) < 2000, message
        return None


def _check_consistent(program: Program) -> None:
    again = Program.load(program.to_bytes())
    assert again == program
    assert again.to_bytes() == program.to_bytes()
    assert again.tensors == program.tensors
    assert again.steps == program.steps
    assert len(program.streams()) == len(program.vta_steps)


def _run(seed: int, count: int, check: Callable[[random.Random], bool]) -> int:
    """Run `check` `count` times; returns how many files were accepted."""
    accepted = 0
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        try:
            accepted += check(rng)
        except BaseException:
            print(f"mutation: random.Random('{seed}/{number}')")
            raise
    print(f"seed {seed}: {count} mutations, {accepted} accepted")
    return accepted


@sizes
@pytest.mark.parametrize("damage", [damage_bytes, damage_members])
def test_load_damaged_file_is_refused_or_identical(
    damage: Callable[[random.Random, bytes, bytes], bytes], count: int
) -> None:
    bases = [_bases(random.Random(SEED + i)) for i in range(ROUNDS)]

    def check(rng: random.Random) -> bool:
        first, data, second, other = rng.choice(bases)
        loaded = _loaded(damage(rng, data, other))
        assert loaded is None or loaded in (first, second)
        return loaded is not None

    accepted = _run(SEED, count, check)
    # A reader that refuses everything would pass otherwise: timestamps are free to change.
    assert 0 < accepted < count // 2


@sizes
def test_load_changed_structure_is_refused_or_consistent(count: int) -> None:
    bases = [_bases(random.Random(SEED - i))[1] for i in range(ROUNDS)]

    def check(rng: random.Random) -> bool:
        loaded = _loaded(damage_structure(rng, rng.choice(bases)))
        if loaded is not None:
            _check_consistent(loaded)
        return loaded is not None

    assert 0 < _run(SEED, count, check) < count


def test_load_damaged_file_needs_bounded_memory() -> None:
    _, data, _, _ = _bases(random.Random(SEED))
    Program.load(data)  # imports and caches are not the file's
    for number in range(200):
        rng = random.Random(f"{SEED}/memory/{number}")
        mutated = damage_structure(rng, data)
        tracemalloc.start()
        try:
            _loaded(mutated)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < MEMORY_BOUND_BYTES, f"random.Random('{SEED}/memory/{number}')"
