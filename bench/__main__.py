"""`python -m bench`: run the benchmarks, print one table; see `--help`."""

from __future__ import annotations

import argparse
import importlib
import json
import pathlib
import sys

from vta_pynq.profile.figures import Row, machine_facts, regressions, rows_json, table_text

FOLDER = pathlib.Path(__file__).resolve().parent


def names() -> list[str]:
    """The benchmarks: the part of each file's name after `bench_`."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def measure(chosen: list[str], quick: bool) -> tuple[list[tuple[str, Row]], list[str]]:
    """The rows of the chosen benchmarks, and what went wrong."""
    rows, failures = [], []
    for name in chosen:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        try:
            module = importlib.import_module(f"bench.bench_{name}")
            rows += [(module.NAME, row) for row in module.run(quick)]
        except Exception as error:  # one broken benchmark must not hide the others' numbers
            failures.append(f"{name}: {type(error).__name__}: {error}")
    return rows, failures


def main() -> int:
    """Exit code 1 if a benchmark failed or `--compare` found a regression."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=names(), help="run only this one")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--compare", type=pathlib.Path, metavar="OLD.json", help="flag regressions")
    options = parser.parse_args()
    try:
        old = json.loads(options.compare.read_text(encoding="utf-8")) if options.compare else None
    except (OSError, ValueError) as error:
        parser.error(f"{options.compare}: must be the output of --json: {error}")
    rows, failures = measure(options.only or names(), options.quick)
    if options.json:
        print(rows_json(rows, machine_facts()), end="")
    else:
        print("\n".join(f"{key}: {value}" for key, value in machine_facts().items()) + "\n")
        print(table_text(rows))
    worse = regressions(rows, old) if old else []
    for line in worse:
        print(f"bench: regression: {line}", file=sys.stderr)
    for line in failures:
        print(f"bench: failed: {line}", file=sys.stderr)
    return 1 if worse or failures else 0


if __name__ == "__main__":
    sys.exit(main())
