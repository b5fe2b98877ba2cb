"""What Vivado reports about a build: the facts that the scripts tell, and utilisation."""

from __future__ import annotations

import re
from pathlib import Path

from vta_pynq.errors import BuildError

__all__ = ["read_facts", "read_utilisation", "slack"]

_ROWS = {
    # resource: first column of its row, in the tables of 7-series and of UltraScale+ parts
    "lut": ("Slice LUTs", "CLB LUTs"),
    "ff": ("Slice Registers", "CLB Registers"),
    "bram36": ("Block RAM Tile",),
    "dsp": ("DSPs",),
}


def read_facts(path: Path) -> dict[str, str]:
    """The lines `name, tab, value` that the scripts leave; empty where there are none yet."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if "\t" in line)


def slack(facts: dict[str, str], name: str) -> float:
    """The worst slack `name` (`wns` or `whs`), in ns.

    Raises
    ------
    BuildError
        It is missing, no number, or negative: a design that misses its timing is no result.
    """
    text = facts.get(f"{name}_ns", "")
    try:
        value = float(text)
    except ValueError:
        raise BuildError(
            f"timing: {name} must be a number of ns, not {text!r}; read reports/timing.rpt"
        ) from None
    if not value >= 0:
        raise BuildError(
            f"timing: {name} must be at least 0 ns, not {value:g}; read reports/timing.rpt, or "
            "lower the clock"
        )
    return value


def read_utilisation(path: Path) -> dict[str, dict[str, float]]:
    """Resources that a design uses and that the part has, from `report_utilization`.

    Raises
    ------
    BuildError
        A table or row is missing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"{path}: must be a report of Vivado: {error.strerror}") from None
    found = {}
    for resource, titles in _ROWS.items():
        row = _row(text, titles)
        if row is None:
            raise BuildError(
                f"{path}: must have a row {' or '.join(titles)} with Used and Available, and has "
                "none; look at the report"
            )
        found[resource] = row
    return found


def _row(text: str, titles: tuple[str, ...]) -> dict[str, float] | None:
    """Columns move from release to release: they are found by the header above the row."""
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if "Used" in cells and "Available" in cells:
            header = cells
        elif header and len(cells) == len(header) and re.sub(r"\*$", "", cells[0]) in titles:
            values = dict(zip(header, cells, strict=True))
            try:
                return {key: float(values[key.title()]) for key in ("used", "available")}
            except ValueError:
                return None
    return None
