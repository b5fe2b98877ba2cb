"""The benchmarks' table: targets, regressions beyond noise, the JSON that carries them."""

from __future__ import annotations

import json

import pytest

from vta_pynq.profile.figures import Row, regressions, rows_json, table_text


@pytest.mark.parametrize(
    ("unit", "value", "target", "met"),
    [
        ("insn/s", 2.0, 1.0, True),
        ("insn/s", 0.5, 1.0, False),
        ("s", 2.0, 1.0, False),
        ("s", 0.5, 1.0, True),
        ("s", 0.5, None, None),
    ],
)
def test_row_target_is_a_floor_for_rates_and_a_ceiling_else(unit, value, target, met):
    assert Row("m", value, unit, target).met is met


@pytest.mark.parametrize(
    ("unit", "spread", "old", "new", "worse"),
    [
        ("s", 0.01, 1.0, 1.09, False),
        ("s", 0.01, 1.0, 1.2, True),
        ("s", 0.2, 1.0, 1.2, False),  # within the noise of its repeats
        ("s", None, 1.0, 1.2, True),
        ("insn/s", 0.01, 100.0, 80.0, True),
        ("insn/s", 0.01, 100.0, 130.0, False),
        ("cycles", 0.0, 100.0, 101.0, True),  # exact numbers have no noise
        ("%", 0.0, 0.0, 0.1, True),
        ("%", 0.0, 0.1, 0.0, False),
    ],
)
def test_regressions_flags_what_is_worse_beyond_noise(unit, spread, old, new, worse):
    before = json.loads(rows_json([("b", Row("m", old, unit, spread=spread))], {}))
    found = regressions([("b", Row("m", new, unit, spread=spread))], before)
    assert [line.partition(":")[0] for line in found] == (["b, m"] if worse else [])


def test_table_text_marks_missed_targets():
    text = table_text([("b", Row("fast", 2.0, "s", 1.0)), ("b", Row("slow", 0.5, "s", 1.0))])
    assert [("MISSED" in line, "met" in line.split()) for line in text.splitlines()[1:]] == [
        (True, False),
        (False, True),
    ]
