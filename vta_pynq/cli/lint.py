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

EXAMPLES = (
    "vta lint net.vta",
    "vta lint net.vta --profile hls-64bit --json",
)
NO_MEANS = "an error or a warning was found"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("program", metavar="PROGRAM|CASE", help="program file or case folder")
    parser.add_argument(
        "--profile",
        metavar="P",
        help="hardware profile to check for (default: the one that the program was compiled for; "
        f"for a case {DEFAULT_PROFILE})",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _streams(path: str) -> tuple[list[InstructionStream], str]:
    """The streams in a file or case, and the profile that they are for."""
    if is_case(path) or Path(path).is_dir():
        return [load_case(path).stream], DEFAULT_PROFILE
    program = Program.load(path)
    return program.streams(), program.profile


def _findings(streams: list[InstructionStream], profile: str) -> list[Finding]:
    found = []
    for stream in streams:
        step = f"step {stream.name}: " if len(streams) > 1 else ""
        for f in lint_stream(stream, profile).findings:
            found.append(Finding(f.rule, f.severity, f.instruction, step + f.message))
    return found


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 without any or with infos only, 1 with errors or warnings."""
    if args.profile is not None:
        get_profile(args.profile)  # before anything is read
    streams, made_for = _streams(args.program)
    profile = made_for if args.profile is None else args.profile
    findings = _findings(streams, profile)
    if args.json:
        names = ("rule", "severity", "instruction", "message")
        print(json.dumps({"findings": [{n: getattr(f, n) for n in names} for f in findings]}))
    else:
        for f in findings:
            print(f"{f.severity:<7}  {f.rule:<16} {f.message}")
        counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "info")}
        total = sum(len(stream) for stream in streams)
        said = ", ".join(f"{n} {s}{'' if n == 1 else 's'}" for s, n in counts.items())
        print(f"{args.program}: {total} instructions on {profile}: {said}")
    return int(any(f.severity != "info" for f in findings))
