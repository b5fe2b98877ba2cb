"""`vta selftest`: let the hardware prove itself, and tell a bad bitstream from a bad clock."""

from __future__ import annotations

import argparse
import dataclasses
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from vta_pynq.cli.device_arguments import add_device_arguments
from vta_pynq.errors import ProgramError

if TYPE_CHECKING:
    from vta_pynq.selftest.finding import Stage
    from vta_pynq.selftest.run import SelfTestReport

__all__ = ["HELP", "add_arguments", "run"]

HELP = "test the hardware: registers, every rule, every SRAM, counters, random programs"

EXAMPLES = (
    "vta selftest",
    "vta selftest --quick --overlay vta1/1x16_i8w8a32_15_15_18_17 --device sim",
    "vta selftest --seed 123 --keep failed",
)

NO_MEANS = "a test failed"

_STAGES = ("registers", "rules", "memories", "counters", "random")
"""As in `vta_pynq.selftest.stages`, which loads pynq."""
_PROGRAMS = 1000
_QUICK_PROGRAMS = 50
_MOST_PROGRAMS = 1_000_000
_SEED_BITS = 31
_SHOWN = 3
"""Findings of a stage that are printed in full."""


def _programs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PROGRAMS:
        raise argparse.ArgumentTypeError(f"must be a number in 1..{_MOST_PROGRAMS}, not {text!r}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_device_arguments(parser)
    parser.add_argument(
        "--only", metavar="STAGE", action="append", choices=_STAGES,
        help=f"one of {', '.join(_STAGES)}; may be repeated (default: all)",
    )  # fmt: skip
    count = parser.add_mutually_exclusive_group()
    count.add_argument(
        "--quick", action="store_true", help=f"{_QUICK_PROGRAMS} random programs only"
    )
    count.add_argument(
        "--programs", type=_programs, metavar="N", help=f"random programs (default: {_PROGRAMS})"
    )
    parser.add_argument(
        "--seed", type=int, help="of the first random program, to repeat a run (default: random)"
    )
    parser.add_argument(
        "--timeout", type=float, metavar="S",
        help="deadline of each program in seconds (default: 10, csim 120)",
    )  # fmt: skip
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER",
        help="put programs that fail into this folder, for 'vta replay'",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Test and report; 0 if nothing failed, else 1."""
    from vta_pynq.selftest.run import self_test

    programs = args.programs or (_QUICK_PROGRAMS if args.quick else _PROGRAMS)
    seed = secrets.randbits(_SEED_BITS) if args.seed is None else args.seed
    if seed < 0:
        raise ProgramError(f"--seed: must be at least 0, not {seed}")
    if args.keep is not None and args.keep.exists():
        raise ProgramError(f"--keep: folder must not exist yet, and {args.keep} does; name another")
    if not args.json:
        print(f"seed {seed}, {programs} random programs", flush=True)
    report = self_test(
        args.overlay,
        args.device,
        only=args.only or _STAGES,
        programs=programs,
        seed=seed,
        timeout_s=args.timeout,
        keep=args.keep,
        progress=None if args.json else _print_stage,
    )
    if args.json:
        print(json.dumps(_as_json(report)))
    else:
        _print_end(report)
    return int(not report.ok)


def _print_stage(stage: Stage) -> None:
    state = "ok" if stage.ok else "FAIL"
    print(f"{state:<5} {stage.name:<10} {stage.tests} tests, {stage.seconds:.1f} s", flush=True)
    for finding in stage.findings[:_SHOWN]:
        print(f"      {finding.test}: {finding.kind}: {finding.what}")
    more = len(stage.findings) - _SHOWN
    if more > 0:
        print(f"      and {more} more")
    if stage.cut:
        print(f"      ended early: {stage.cut}")
    for reason, number in stage.skipped.items():
        print(f"      left out: {number}, {reason}")


def _print_end(report: SelfTestReport) -> None:
    where = f"{report.overlay} on {report.device}{' (simulated)' if report.simulated else ''}"
    if report.ok:
        print(f"all is well: {where}")
        return
    meaning = {
        "logic": "bad bitstream or logic",
        "clock": "bad clock",
        "unclear": "bitstream or clock, it cannot be told",
    }[report.verdict.cause]
    print(f"{where}: {meaning}")
    for reason in report.verdict.reasons:
        print(f"  - {reason}")
    print(f"-> {report.verdict.advice}")
    for path in report.saved:
        print(f"kept: {path}")


def _as_json(report: SelfTestReport) -> dict[str, object]:
    content = dataclasses.asdict(report)
    content["saved"] = [str(path) for path in report.saved]
    return {"ok": report.ok, **content}
