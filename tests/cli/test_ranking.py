"""The largest values of an output."""

from __future__ import annotations

import re

import numpy as np
import pytest

from vta_pynq.cli.ranking import ranked, read_labels
from vta_pynq.errors import ShapeError


def test_ranked_gives_largest_first_and_ties_in_order():
    found = ranked(np.array([[3, 9, -1, 9]], np.int8), 3, ["a", "b", "c", "d"])
    assert [(e["index"], e["label"], e["value"]) for e in found] == [
        (1, "b", 9.0),
        (3, "d", 9.0),
        (0, "a", 3.0),
    ]


def test_ranked_puts_not_a_number_last_without_a_value():
    found = ranked(np.array([np.nan, 1.0, -np.inf]), 5, [])
    assert [e["label"] for e in found] == ["1", "2", "0"]
    assert found[-1]["value"] is None and found[1]["value"] is None


def test_ranked_labels_of_another_number_are_refused():
    with pytest.raises(
        ShapeError,
        match=re.escape("--labels: there must be 3 names, one for each value of the output, not 2"),
    ):
        ranked(np.zeros(3), 1, ["a", "b"])


def test_read_labels_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "l").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ShapeError, match="must be a text file, one name a line"):
        read_labels(str(tmp_path / "l"))


def test_read_labels_without_a_file_gives_none():
    assert read_labels(None) == []
