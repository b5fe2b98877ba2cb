"""Runs, windows and tiles of one axis against enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.layer import Pool
from host_compiler.lower.axes import AxisTaps, pool_window, pooled_extent, tiles_of


@pytest.mark.parametrize("seed", range(40))
def test_runs_random_cover_every_tap_inside_once(seed: int) -> None:
    random = np.random.default_rng(seed)
    period, step = int(random.integers(1, 4)), int(random.integers(1, 4))
    offsets = frozenset(
        (int(random.integers(period)), int(random.integers(-6, 7))) for _ in range(5)
    )
    taps = AxisTaps(offsets, step, period, int(random.integers(1, 9)))
    begin = int(random.integers(0, 6))
    end = begin + int(random.integers(1, 12))
    wanted = {
        (y - begin, offset, y // period * step + offset)
        for y in range(begin, end)
        for phase, offset in offsets
        if y % period == phase and 0 <= y // period * step + offset < taps.extent
    }
    found = [
        (run.first + k * run.advance, offset, start + k * run.step)
        for run in taps.runs(begin, end)
        for k in range(run.count)
        for offset, start in run.sources
    ]
    assert len(found) == len(set(found)), f"seed {seed}"
    assert set(found) == wanted, f"seed {seed}"
    window = taps.window(begin, end)
    if not wanted:
        assert window is None
        return
    sources = {source for _, _, source in wanted}
    assert window is not None
    assert sources <= set(range(window.begin, window.end, window.stride))
    assert (window.begin, window.end - 1) == (min(sources), max(sources))


def test_window_stride_two_pointwise_skips_every_other_row() -> None:
    window = AxisTaps(frozenset({(0, 0)}), 2, 1, 56).window(0, 28)
    assert window is not None
    assert (window.begin, window.end, window.stride, len(window)) == (0, 55, 2, 28)


@pytest.mark.parametrize(("extent", "size"), [(56, 7), (7, 7), (13, 4), (1, 5), (10, 3)])
def test_tiles_of_extent_even_and_complete(extent: int, size: int) -> None:
    ranges = tiles_of(extent, size)
    assert [begin for begin, _ in ranges] == [0] + [end for _, end in ranges[:-1]]
    assert ranges[-1][1] == extent
    sizes = [end - begin for begin, end in ranges]
    assert max(sizes) <= size and max(sizes) - min(sizes) <= 1


def test_pool_window_padded_clips_to_plane() -> None:
    pool = Pool((3, 3), (2, 2), (1, 1, 1, 1))
    assert pooled_extent(pool, 0, 112) == 56
    assert pool_window(pool, 0, 0, 4, 112) == (0, 8)
    assert pool_window(pool, 0, 52, 56, 112) == (103, 112)
