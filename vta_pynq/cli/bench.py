"""`vta bench`: what a device takes, beside what the cycle model says."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from vta_pynq.cli.device_arguments import add_device_arguments
from vta_pynq.config import HwConfig
from vta_pynq.errors import ProgramError

if TYPE_CHECKING:
    from vta_pynq.profile.figures import Row

__all__ = ["HELP", "add_arguments", "delivered_programs", "measure", "run"]

HELP = "measure a device: bus, modules, whole programs, beside the cycle model"

EXAMPLES = (
    "vta bench",
    "vta bench net.vta --device board --json > now.json",
    "vta bench net.vta --compare before.json",
)

NO_MEANS = "something got slower than in --compare's file by more than the noise"

_REPEAT = 5
_MOST_RUNS = 1000


def _count(text: str) -> int:
    if not text.isdecimal() or not 3 <= int(text) <= _MOST_RUNS:
        raise argparse.ArgumentTypeError(f"must be a number in 3..{_MOST_RUNS}, not {text!r}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "programs", metavar="PROGRAM", nargs="*", type=Path,
        help="program files of the overlay's configuration (default: those that come with the "
        "notebooks)",
    )  # fmt: skip
    add_device_arguments(parser)
    parser.add_argument(
        "--repeat", type=_count, default=_REPEAT, metavar="N",
        help="runs of which the median counts (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="name what got slower since that --json"
    )


def delivered_programs(config: HwConfig, profile: str) -> list[Path]:
    """The program files that come with the notebooks, for a configuration and a profile."""
    import vta_pynq.notebooks
    from vta_pynq.program import Program

    folder = Path(next(iter(vta_pynq.notebooks.__path__))) / "programs"
    found = {path: Program.load(path) for path in sorted(folder.glob("*.vta"))}
    wanted = (config.base_name, profile)
    return [
        p for p, program in found.items() if (program.config.base_name, program.profile) == wanted
    ]


def measure(args: argparse.Namespace) -> tuple[dict[str, str], list[tuple[str, Row]]]:
    """What was measured on, and the figures."""
    from vta_pynq.overlay import VtaOverlay
    from vta_pynq.overlay.devices import choose_device, is_simulated
    from vta_pynq.profile.device_figures import device_rows
    from vta_pynq.profile.figures import machine_facts

    device = choose_device(args.device)
    with VtaOverlay(args.overlay, device=device) as overlay:
        facts = {"device": str(device.name), "overlay": str(overlay.identity), **machine_facts()}
        config, profile = overlay.config, overlay.identity.profile.name
    if is_simulated(device):
        facts["device"] += " (simulated: times are the simulator's own)"
    programs = args.programs or delivered_programs(config, profile)
    return facts, list(device_rows(args.overlay, device, programs, repeat=args.repeat))


def run(args: argparse.Namespace) -> int:
    """Measure and print; 1 if --compare names something."""
    from vta_pynq.profile.figures import regressions, rows_json, table_text

    old = None
    if args.compare is not None:
        try:
            old = json.loads(args.compare.read_text(encoding="utf-8"))
            entries = old["rows"]
        except (OSError, ValueError, KeyError, TypeError):
            entries = None
        if not isinstance(entries, list):
            raise ProgramError(f"{args.compare}: file must be what --json printed, and is not")
    facts, rows = measure(args)
    if args.json:
        print(rows_json(rows, facts), end="")
    else:
        print("\n".join(f"{name}: {value}" for name, value in facts.items()) + "\n")
        print(table_text(rows))
    worse = regressions(rows, old) if old else []
    for line in worse:
        print(f"slower: {line}")
    return int(bool(worse))
