"""The generated page of variants."""

from __future__ import annotations

from vta_pynq.hardware.build import plan_of
from vta_pynq.hardware.variants_page import main, targets, variants_page
from vta_pynq.overlay.descriptions import variants


def test_variants_page_has_every_variant_and_says_what_was_never_built():
    page = variants_page()
    for variant in variants():
        section = page.split(f"\n## {variant.name}\n")[1].split("\n## ")[0]
        assert variant.config.fingerprint in section
        assert all(name in section for name in variant.boards)
        own = variant.design.control is not None
        assert ("Never built with vendor tools" in section) is own
        assert ("| DSP |" in section) is own
    assert "has been built with vendor tools or run on a board" in page


def test_variants_page_numbers_of_the_default():
    section = variants_page().split("## vta1/1x16_i8w8a32_15_15_18_17\n")[1].split("\n## ")[0]
    assert "| peak | 51.2 GOPS |" in section
    assert "| SRAM | 480 KiB (" in section
    assert "| DSP | 188 | 220 | 220 |" in section
    assert "| RAMB36 | 134 | 140 | 140 |" in section


def test_targets_can_all_be_planned(capsys):
    assert main(["--targets"]) == 0
    listed = capsys.readouterr().out.split()
    assert listed == targets()
    plans = [plan_of(target) for target in listed]
    own = [(v.name, b) for v in variants() if v.design.control for b in v.boards]
    assert sorted((p.variant.name, p.board.name) for p in plans) == sorted(own)
