"""`vta doctor`: check whether this machine can run programs, and say what to do if not."""

from __future__ import annotations

import argparse
import dataclasses
import json

from vta_pynq.cli.device_arguments import add_device_arguments

__all__ = ["HELP", "add_arguments", "run"]

HELP = "check this machine: software, memory, clocks, overlay, registers, every module"

EXAMPLES = (
    "vta doctor",
    "vta doctor --device sim --json",
)
NO_MEANS = "a check failed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_device_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")


def run(args: argparse.Namespace) -> int:
    """Print one line per check; 0 if nothing failed, else 1."""
    from vta_pynq.runtime.health import check_machine

    checks = []
    for check in check_machine(args.device, args.overlay):
        checks.append(check)
        if not args.json:
            print(f"{check.state:<8} {check.name:<18} {check.found}", flush=True)
            if check.advice:
                print(f"{'':<27} -> {check.advice}", flush=True)
    failed = sum(check.state == "fail" for check in checks)
    if args.json:
        print(json.dumps({"ok": not failed, "checks": [dataclasses.asdict(c) for c in checks]}))
    else:
        print("all is well" if not failed else f"{failed} of {len(checks)} checks failed")
    return int(failed > 0)
