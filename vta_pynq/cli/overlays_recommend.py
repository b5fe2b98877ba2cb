"""`vta overlays recommend`: the variants of a board, ranked for a model."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vta_pynq.errors import ConfigError, IdentityError
from vta_pynq.overlay.descriptions import Variant, get_board, variants

if TYPE_CHECKING:
    from vta_pynq.hardware.ranking import Ranked, Refused
    from vta_pynq.program import Program

__all__ = ["HELP", "add_arguments", "run"]

HELP = "rank a board's overlays for a model by modelled time"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL",
        help="quantised .onnx file, compiled for each overlay; or a program file, for overlays of "
        "its configuration only",
    )  # fmt: skip
    parser.add_argument("--board", metavar="B", required=True, help="a board of overlays/boards")
    parser.add_argument(
        "--shape", metavar="NAME=N[,N...]", action="append", default=[],
        help="for a .onnx file: fix an input's shape or a named dimension; repeatable",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(args: argparse.Namespace) -> int:
    """Print the ranking; 1 where no overlay of the board runs the model."""
    # numpy and the cycle model are not needed for --help.
    from vta_pynq.hardware.ranking import rank

    board = get_board(args.board)
    if not Path(args.model).is_file():
        raise ConfigError(f"model {args.model}: file must exist; check the path")
    ranked, refused = rank(board, variants(), _compiler(args))
    if args.json:
        print(json.dumps(_facts(args.model, board.name, ranked, refused), indent=2))
    else:
        _print(args.model, board.name, ranked, refused)
    return 0 if ranked else 1


def _compiler(args: argparse.Namespace) -> Callable[[Variant], Program]:
    """How the model gets its program for a variant."""
    from vta_pynq.profile.host_tools import host_tool, is_onnx
    from vta_pynq.program import Program

    if is_onnx(args.model):
        tool = host_tool("compile_file", f"compiling {args.model}")

        def compiled(variant: Variant) -> Program:
            program: Program = tool(
                args.model, args.shape, variant.profile.name, variant.config.name
            )
            return program

        return compiled
    program = Program.load(args.model)

    def same(variant: Variant) -> Program:
        if variant.config != program.config or variant.profile.name != program.profile:
            raise IdentityError(
                f"the program is for {program.config.name} ({program.profile}), not "
                f"{variant.config.name} ({variant.profile.name}); compile it again"
            )
        return program

    return same


def _facts(model: str, board: str, ranked: list[Ranked], refused: list[Refused]) -> dict[str, Any]:
    return {
        "model": model,
        "board": board,
        "ranked": [
            {
                "variant": r.variant.name, "config": r.variant.config.name,
                "clock_mhz": r.variant.clock_mhz, "cycles": r.cycles,
                "accelerator_s": r.accelerator_s, "processor_s": r.processor_s,
                "processor_steps": r.processor_steps, "total_s": r.total_s,
            }
            for r in ranked
        ],
        "refused": [{"variant": r.variant.name, "reason": r.reason} for r in refused],
    }  # fmt: skip


def _print(model: str, board: str, ranked: list[Ranked], refused: list[Refused]) -> None:
    if ranked:
        print(f"{model} on {board}: modelled time of one run, fastest first")
        width = max(len(r.variant.name) for r in ranked)
        head = f"{'total ms':>9} {'accelerator':>12} {'processor':>10} {'MHz':>6} {'cycles':>11}"
        print(f"{'overlay':{width}} {head}")
        for r in ranked:
            print(
                f"{r.variant.name:{width}} {1e3 * r.total_s:9.3f} {1e3 * r.accelerator_s:12.3f} "
                f"{1e3 * r.processor_s:10.3f} {r.variant.clock_mhz:6g} {r.cycles:11d}"
            )
    else:
        print(f"{model} on {board}: no overlay runs it")
    if refused:
        print("not ranked:")
        for entry in refused:
            print(f"  {entry.variant.name}: {entry.reason}")
