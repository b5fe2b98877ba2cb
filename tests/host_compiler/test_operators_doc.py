"""docs/operators.md names what the importer takes, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

from host_compiler.importer.convert import HANDLERS
from host_compiler.importer.operator_form import OPERATOR_FORM
from host_compiler.importer.processor import PROCESSOR_OPERATORS

PAGE = (Path(__file__).parents[2] / "docs" / "operators.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


def test_table_of_the_accelerator_equals_registry():
    rows = re.findall(r"^\| (\w+) \|", SECTIONS["On the accelerator"], re.M)
    assert sorted(rows[1:]) == sorted(name for _, name in HANDLERS)
    assert rows[0] == "operator"


def test_list_of_the_processor_equals_registry():
    text = SECTIONS["On the processor"].split("[cpu-operators")[0]
    names = re.findall(r"\b[A-Z]\w+\b", text)
    assert sorted(names) == sorted(PROCESSOR_OPERATORS)


def test_list_of_the_operator_form_equals_registry():
    text = SECTIONS["Operator form"].split("\n\n")[0]
    names = re.findall(r"\b(?:Q[A-Z]\w+|\w+Integer)\b", text)
    names = [name for name in names if name != "QuantizeLinear"]
    assert sorted(names) == sorted(name for _, name in OPERATOR_FORM)
