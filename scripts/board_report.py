#!/usr/bin/env python3
"""Measure a board and write the figures beside the cycle model's: Markdown and JSON.

    sudo -E python3 board_report.py [PROGRAM ...] [-o report]      # report.md and report.json

Needs the installed package alone (numpy, cffi, pynq). Programs are compiled on a computer with
`vta compile`; without any, those that come with the notebooks are measured.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vta_pynq.cli import bench
from vta_pynq.errors import VtaError
from vta_pynq.profile.figures import rows_json
from vta_pynq.whole_file import whole_file


def markdown(facts: dict[str, str], rows: list[tuple[str, bench.Row]]) -> str:
    """The report as a page."""
    lines = ["# Board report", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "| group | figure | measured | unit | |", "|---|---|---|---|---|"]
    for group, row in rows:
        lines.append(f"| {group} | {row.metric} | {row.value:.4g} | {row.unit} | {row.note} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Measure and write; 2 where that is not possible."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    bench.add_arguments(parser)
    parser.set_defaults(device="board")
    parser.add_argument("-o", "--output", type=Path, default=Path("board_report"))
    args = parser.parse_args(argv)
    try:
        facts, rows = bench.measure(args)
        for suffix, text in ((".md", markdown(facts, rows)), (".json", rows_json(rows, facts))):
            with whole_file(args.output.with_suffix(suffix)) as file:
                file.write(text.encode())
            print(f"wrote {args.output.with_suffix(suffix)}")
    except VtaError as error:
        print(f"board_report: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
