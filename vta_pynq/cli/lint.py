"""`vta lint`: check the instruction streams of a program file or conformance case."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vta_pynq.conformance import is_case, load_case
from vta_pynq.lint import Finding, lint_stream
from vta_pynq.program import Program
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import DEFAULT_PROFILE, get_profile

__all__ = ["HELP", "add_arguments", "run"]

HELP = "check a program or case against what the hardware really does"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("program", metavar="PROGRAM|CASE", help="program file or case folder")
    parser.add_argument(
        "--profile",
        default=DEFAULT_PROFILE,
        metavar="P",
        help="hardware profile to check for (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _streams(path: str) -> list[InstructionStream]:
    if is_case(path) or Path(path).is_dir():
        return [load_case(path).stream]
    return Program.load(path).streams()


def _findings(streams: list[InstructionStream], profile: str) -> list[Finding]:
    found = []
    for stream in streams:
        step = f"step {stream.name}: " if len(streams) > 1 else ""
        for f in lint_stream(stream, profile).findings:
            found.append(Finding(f.rule, f.severity, f.instruction, step + f.message))
    return found


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 without any or with infos only, 1 with errors or warnings."""
    get_profile(args.profile)  # before anything is read
    streams = _streams(args.program)
    findings = _findings(streams, args.profile)
    if args.json:
        names = ("rule", "severity", "instruction", "message")
        print(json.dumps({"findings": [{n: getattr(f, n) for n in names} for f in findings]}))
    else:
        for f in findings:
            print(f"{f.severity:<7}  {f.rule:<16} {f.message}")
        counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "info")}
        total = sum(len(stream) for stream in streams)
        said = ", ".join(f"{n} {s}{'' if n == 1 else 's'}" for s, n in counts.items())
        print(f"{args.program}: {total} instructions on {args.profile}: {said}")
    return int(any(f.severity != "info" for f in findings))
