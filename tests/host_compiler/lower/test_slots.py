"""Slots: what is needed is there, nothing is loaded without need."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from host_compiler.lower.slots import assign_slots


@pytest.mark.parametrize("seed", range(30))
def test_assign_slots_random_holds_what_is_needed(seed: int) -> None:
    random = np.random.default_rng(seed)
    slots = int(random.integers(1, 6))
    needs = [int(k) if k < 8 else None for k in random.integers(0, 9, 60)]
    places, loads = assign_slots(needs, slots)
    content: dict[int, int] = {}
    for need, place, load in zip(needs, places, loads, strict=True):
        if need is None:
            assert (place, load) == (-1, False)
            continue
        assert 0 <= place < slots
        assert load == (content.get(place) != need), f"seed {seed}"
        content[place] = need


def test_assign_slots_everything_fits_loads_each_once() -> None:
    _, loads = assign_slots([0, 1, 2, 0, 1, 2, 0], 3)
    assert sum(loads) == 3


def test_assign_slots_stream_alternates() -> None:
    places, loads = assign_slots([0, 1, 2, 3], 2)
    assert places == [0, 1, 0, 1] and all(loads)


def test_assign_slots_cycle_keeps_the_piece_of_the_item_before() -> None:
    places, _ = assign_slots([0, 1, 2] * 4, 2)
    assert all(a != b for a, b in itertools.pairwise(places))
