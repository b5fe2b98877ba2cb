"""docs/lint.md lists exactly the rules that there are."""

from __future__ import annotations

from pathlib import Path

from vta_pynq.lint import MAX_PER_RULE, RULES

DOC = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")


def test_doc_lists_every_rule() -> None:
    rows = [line for line in DOC.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{rule.id}` | {rule.doc} |" for rule in RULES]
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_doc_states_the_cap() -> None:
    assert f"At most {MAX_PER_RULE} findings" in DOC
