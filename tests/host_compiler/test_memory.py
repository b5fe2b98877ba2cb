"""Memory planning: nothing that lives at one time overlaps, and memory is used again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from host_compiler.memory import Piece, place_pieces


@pytest.mark.parametrize("seed", range(20))
def test_place_random_pieces_do_not_overlap_while_alive(seed):
    print("seed", seed)
    random = np.random.default_rng(seed)
    pieces = []
    for number in range(40):
        first = int(random.integers(0, 30))
        last = first + int(random.integers(0, 8))
        align = int(random.choice([64, 128, 1024]))
        pieces.append(Piece(f"p{number}", int(random.integers(1, 5000)), first, last, align))
    offsets, total = place_pieces(pieces)
    for a, b in itertools.combinations(pieces, 2):
        if a.first <= b.last and b.first <= a.last:
            ends = offsets[a.name] + a.bytes, offsets[b.name] + b.bytes
            assert ends[0] <= offsets[b.name] or ends[1] <= offsets[a.name]
    assert all(offsets[p.name] % p.alignment == 0 for p in pieces)
    assert total == max(offsets[p.name] + p.bytes for p in pieces)


def test_place_chain_of_equal_pieces_needs_two_of_them():
    pieces = [Piece(f"p{i}", 640, i, i + 1) for i in range(9)]
    assert place_pieces(pieces)[1] == 2 * 640


def test_place_nothing_takes_nothing():
    assert place_pieces([]) == ({}, 0)


def test_place_does_not_depend_on_the_order_given():
    pieces = [Piece(f"p{i}", 100 * (i % 4 + 1), i % 5, i % 5 + 2) for i in range(12)]
    assert place_pieces(pieces) == place_pieces(reversed(pieces))
