"""Addends as weight tiles give back their values."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.lower.vectors import addend_input, addend_limit, addend_tiles


@pytest.mark.parametrize("block", [8, 16, 32])
def test_addend_tiles_random_times_input_gives_vector(block: int) -> None:
    limit = addend_limit(block)
    random = np.random.default_rng(block)
    vector = random.integers(-limit, limit + 1, 3 * block - 2)
    vector[:4] = [limit, -limit, 0, 63]
    tiles = addend_tiles(vector, 3, block).astype(np.int64)
    sums = tiles.reshape(-1, block) @ addend_input(1, block)[0, 0].astype(np.int64)
    np.testing.assert_array_equal(sums[: len(vector)], vector)
    assert not sums[len(vector) :].any()
