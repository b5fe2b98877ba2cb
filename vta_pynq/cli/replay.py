"""`vta replay`: run conformance cases on an engine and compare every byte."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from vta_pynq.conformance import load_case
from vta_pynq.errors import ProgramError
from vta_pynq.sim.replay import RUNNERS, Replay, find_cases, replay_case
from vta_pynq.timing.costs import timing_of
from vta_pynq.timing.profiles import DEFAULT_PROFILE, PROFILES

__all__ = ["HELP", "add_arguments", "run"]

HELP = "run conformance cases and compare their outputs byte for byte"

EXAMPLES = (
    "vta replay tests/conformance",
    "vta replay tests/conformance/isa_gemm_loops --semantics hls --cycles",
)
NO_MEANS = "a case gives other bytes than recorded"


_LATENCIES = ", ".join(
    f"{profile.name} {profile.timing.memory_latency}"
    for profile in PROFILES.values()
    if profile.timing is not None
)


_MOST_RUNS = 1_000_000


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_RUNS:
        raise argparse.ArgumentTypeError(f"must be a number in 1..{_MOST_RUNS}, not {text!r}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cases", metavar="CASE", nargs="*", help="case folder, or folder of cases")
    parser.add_argument(
        "--engine", choices=sorted(RUNNERS), default="fast", help="default: %(default)s"
    )
    parser.add_argument(
        "--semantics",
        choices=("functional", "hls"),
        default="functional",
        help="meaning of instructions where implementations differ (default: %(default)s)",
    )
    parser.add_argument(
        "--cycles",
        nargs="?",
        const=DEFAULT_PROFILE,
        metavar="PROFILE",
        help=f"time with the cycle model too, on this design (default: {DEFAULT_PROFILE}); where "
        "the case records a count of its RTL at the same memory latency, that is shown beside it",
    )
    parser.add_argument(
        "--latency",
        type=int,
        metavar="L",
        help=f"memory latency of the cycle model in cycles (default: the profile's: {_LATENCIES})",
    )
    parser.add_argument(
        "--repeat", type=_count, default=1, metavar="N", help="runs; their median time is given"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _line(result: Replay) -> str:
    words = [f"{'ok' if result.ok else 'FAIL':<5} {result.name}: {result.instructions} insns"]
    if result.seconds is not None:
        words.append(f"{result.seconds * 1e3:.3f} ms")
    if result.cycles is not None:
        recorded = result.recorded_cycles
        words.append(f"{result.cycles} cycles" + (f" (RTL {recorded})" if recorded else ""))
    words += [text for text in (result.problem, result.cycles_problem) if text]
    return ", ".join(words)


def _as_json(result: Replay) -> dict[str, object]:
    names = ("name", "ok", "seconds", "cycles", "instructions")
    return {name: getattr(result, name) for name in names}


def run(args: argparse.Namespace) -> int:
    """Replay; 0 if every case passes, else 1."""
    cases, profile = list(args.cases), args.cycles
    if profile is not None and profile not in PROFILES and Path(profile).exists():
        cases.insert(0, profile)  # `--cycles CASE`: the optional value swallowed a case
        profile = DEFAULT_PROFILE
    if profile is not None:
        timing_of(profile)
    elif args.latency is not None:
        raise ProgramError("--latency must come with --cycles")
    if not cases:
        raise ProgramError(
            "at least one CASE must be given; name a case folder, or a folder of cases"
        )
    results = []
    for path in find_cases(cases):
        result = replay_case(
            load_case(path),
            args.engine,
            args.semantics,
            profile,
            repeat=args.repeat,
            latency=args.latency,
        )
        results.append(result)
        if not args.json:
            print(_line(result), flush=True)
        elif result.problem or result.cycles_problem:  # JSON has no room for it
            print(_line(result), file=sys.stderr, flush=True)
    failed = sum(not result.ok for result in results)
    if args.json:
        print(json.dumps({"cases": [_as_json(result) for result in results]}))
    elif len(results) > 1:
        print(f"{len(results) - failed} of {len(results)} cases pass")
    return int(failed > 0)
