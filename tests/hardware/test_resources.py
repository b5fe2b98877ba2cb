"""The estimator against the arithmetic of docs/hardware.md, written out."""

from __future__ import annotations

import pytest

from tests.overlays.builds import ALL, DEFAULT
from vta_pynq.config import HwConfig
from vta_pynq.hardware.resources import (
    MOST_LUTS,
    Estimate,
    block_rams,
    estimate,
    product_dsps,
    shortages,
)
from vta_pynq.overlay.boards import Logic, get_board
from vta_pynq.overlay.descriptions import variants
from vta_pynq.timing.profiles import get_profile

VTA1 = get_profile("vta1")


@pytest.mark.parametrize(
    ("bits", "depth", "expected"),
    [
        (32, 8192, 8), (128, 2048, 8), (1024, 1024, 32), (512, 2048, 32),  # buffers
        (128, 512, 2), (8, 1024, 0.5),  # FIFOs
        (64, 512, 1), (64, 100, 1), (32, 512, 0.5), (1, 16384, 0.5), (33, 512, 1), (32, 513, 1),
    ],
)  # fmt: skip
def test_block_rams_takes_the_best_aspect_ratio(bits, depth, expected):
    assert block_rams(bits, depth) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(25, 18, 1), (18, 25, 1), (32, 17, 2), (16, 16, 1), (32, 32, 4), (26, 19, 2)],
)
def test_product_dsps_splits_what_does_not_fit_a_block(a, b, expected):
    assert product_dsps(a, b) == expected


def test_estimate_of_the_default_is_that_of_the_page():
    found = estimate(HwConfig.from_name(DEFAULT + ALL), VTA1)
    assert found.dsp == 16 * 16 // 2 + 16 * 3 + 12
    buffers = 8 + 8 + 2 * 32 + 32 + 8
    assert found.bram36 == buffers + 3 * 2 + 4 * 0.5 + 6
    trees = 16 * 15 * 18
    accumulate = 512 + 16 * 32 * 2
    alu = 16 * (125 + 80 + 32 + 50 + 60 + 60 + 110)
    assert found.lut == trees + accumulate + alu + 500 + 7 * 700 + 730 + 6000
    assert round(found.lut, -3) == 26000
    plain = estimate(HwConfig.from_name(DEFAULT + "+alu_mul"), VTA1)
    assert round(plain.lut, -3) == 23000


@pytest.mark.parametrize(
    ("capabilities", "lane"), [("", 0), ("+alu_requant", 2), ("+alu_mul", 3), (ALL, 3)]
)
def test_estimate_of_a_lane_depends_on_what_shares_its_multiplier(capabilities, lane):
    found = estimate(HwConfig.from_name(DEFAULT + capabilities), VTA1)
    assert found.dsp == 128 + 16 * lane + 12


def test_estimate_counts_one_product_a_block_where_two_do_not_fit():
    narrow = estimate(HwConfig.from_name("1x16_i8w8a32_15_15_18_17"), VTA1)
    wide = estimate(HwConfig.from_name("1x16_i16w16a32_15_15_18_17"), VTA1)
    assert wide.dsp - 12 == 2 * (narrow.dsp - 12)


def test_shortages_names_every_resource_that_a_part_lacks():
    logic = Logic(lut=1000, ff=2000, bram36=10, dsp=20)
    assert shortages(Estimate(dsp=20, bram36=10, lut=round(MOST_LUTS * 1000)), logic) == []
    assert shortages(Estimate(dsp=21, bram36=10.5, lut=751), logic) == [
        "DSP: 21 of 20", "RAMB36: 10.5 of 10", "LUT: 751 of 750",
    ]  # fmt: skip


def test_estimate_of_every_own_variant_fits_its_boards():
    own = [variant for variant in variants() if variant.design.control]
    assert own
    for variant in own:
        needed = estimate(variant.config, variant.profile)
        for name in variant.boards:
            assert shortages(needed, get_board(name).logic) == [], variant.name
