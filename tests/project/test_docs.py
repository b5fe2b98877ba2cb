"""Prose must not lie where a test can tell: links lead somewhere, tables name what is there."""

from __future__ import annotations

import re

import pytest

from tests.project.source_files import ROOT, project_files
from tests.project.test_imports import STEP

_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


@pytest.mark.parametrize(
    "path", [p for p in project_files() if p.suffix == ".md"], ids=lambda p: p.name
)
def test_relative_link_leads_to_a_file(path):
    dead = [
        target
        for target in _LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert not dead


def test_docs_index_lists_every_page():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert not {page for page in pages - {"index.md"} if f"]({page})" not in index}


def test_architecture_names_only_rooms_that_exist_and_all_that_do():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    named = [f"vta_pynq.{name}" for row in table for name in re.findall(r"`([\w.]+)`", row)]
    assert set(named) <= set(STEP)
    assert [STEP[name] for name in named] == sorted(STEP[name] for name in named)
    there = {room for room in STEP if list(ROOT.glob(room.replace(".", "/") + "*"))}
    # Parts of a room that another file names: config, hwh, and descriptions.
    parts = ("config_rules", "config_text", "hwh_elements", "overlay.json_file")
    spread = {f"vta_pynq.{name}" for name in parts}
    assert there - spread == set(named)
