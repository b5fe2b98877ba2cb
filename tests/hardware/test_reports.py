"""Vivado's reports as releases write them."""

from __future__ import annotations

import pytest

from vta_pynq.errors import BuildError
from vta_pynq.hardware.reports import read_facts, read_utilisation, slack

SERIES_7 = """\
1. Slice Logic
+-------------------------+-------+-------+------------+-----------+-------+
|        Site Type        |  Used | Fixed | Prohibited | Available | Util% |
+-------------------------+-------+-------+------------+-----------+-------+
| Slice LUTs*             | 20123 |     0 |          0 |     53200 | 37.83 |
|   LUT as Logic          | 19000 |     0 |          0 |     53200 | 35.71 |
| Slice Registers         | 25001 |     0 |          0 |    106400 | 23.50 |
| Block RAM Tile | 133.5 | 0 | 0 | 140 | 95.36 |
| DSPs | 188 | 0 | 0 | 220 | 85.45 |
"""
ULTRASCALE = """\
| Site Type | Used | Fixed | Available | Util% |
| CLB LUTs  | 61234 | 0 | 230400 | 26.6 |
| CLB Registers | 50000 | 0 | 460800 | 10.8 |
| Block RAM Tile | 278 | 0 | 312 | 89.1 |
| DSPs | 716 | 0 | 1728 | 41.4 |
"""


@pytest.mark.parametrize(
    ("text", "luts", "brams"),
    [
        (SERIES_7, {"used": 20123, "available": 53200}, {"used": 133.5, "available": 140}),
        (ULTRASCALE, {"used": 61234, "available": 230400}, {"used": 278, "available": 312}),
    ],
)
def test_read_utilisation_finds_columns_by_their_titles(text, luts, brams, tmp_path):
    path = tmp_path / "utilization.rpt"
    path.write_text(text)
    found = read_utilisation(path)
    assert (found["lut"], found["bram36"]) == (luts, brams)
    assert set(found) == {"lut", "ff", "bram36", "dsp"}


@pytest.mark.parametrize("change", [("DSPs", "DSP48"), ("| Used", "| Taken"), ("716", "many")])
def test_read_utilisation_of_an_unknown_report_is_refused(change, tmp_path):
    path = tmp_path / "utilization.rpt"
    path.write_text(ULTRASCALE.replace(*change))
    with pytest.raises(BuildError, match="must have a row .* with Used and Available"):
        read_utilisation(path)


def test_read_utilisation_of_no_report_is_refused(tmp_path):
    with pytest.raises(BuildError, match="must be a report of Vivado: No such file"):
        read_utilisation(tmp_path / "none.rpt")


def test_read_facts_reads_what_scripts_tell(tmp_path):
    path = tmp_path / "facts.txt"
    assert read_facts(path) == {}
    path.write_text("vivado\t2024.1\nwns_ns\t0.5\nnoise\n")
    assert read_facts(path) == {"vivado": "2024.1", "wns_ns": "0.5"}


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("0.125", 0.125)])
def test_slack_that_is_not_negative_passes(text, value):
    assert slack({"wns_ns": text}, "wns") == value


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"whs_ns": "-0.002"}, "timing: whs must be at least 0 ns, not -0.002"),
        ({"whs_ns": "nan"}, "timing: whs must be at least 0 ns, not nan"),
        ({"whs_ns": ""}, "timing: whs must be a number of ns, not ''"),
        ({}, "timing: whs must be a number of ns, not ''"),
    ],
)
def test_slack_that_is_negative_or_unknown_is_no_result(facts, message):
    with pytest.raises(BuildError) as caught:
        slack(facts, "whs")
    assert str(caught.value).startswith(message)
