"""`vta compile`: a quantised model to a program file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from vta_pynq.config import HwConfig
from vta_pynq.errors import CompileError
from vta_pynq.timing.profiles import DEFAULT_PROFILE, PROFILES

__all__ = ["HELP", "add_arguments", "add_target_arguments", "parse_shapes", "run"]

HELP = "compile a quantised ONNX model to a program file"

EXAMPLES = (
    "vta compile int8.onnx --shape batch=1 -o net.vta",
    "vta compile int8.onnx --shape batch=1 -o net.vta --explain",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="quantised ONNX file (see 'vta quantize')")
    parser.add_argument("-o", "--output", metavar="NET.vta", required=True, help="file to write")
    add_target_arguments(parser)
    parser.add_argument(
        "--candidates",
        metavar="N",
        type=int,
        help="schedules of each layer that the cycle model times: fewer compile faster",
    )
    parser.add_argument(
        "--schedules",
        metavar="FILE|none",
        default="shipped",
        help="tuned schedules: what 'vta tune' made, or none (default: those that are shipped)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="print where layers run and why, their bounds, and where the cycles above go",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the summary and the layers as JSON"
    )


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what says how a model is read and for what it is compiled."""
    parser.add_argument(
        "--config",
        metavar="NAME",
        default=HwConfig().name,
        help="hardware configuration, named like a bitstream (default: %(default)s)",
    )
    parser.add_argument(
        "--target",
        metavar="PROFILE",
        default=DEFAULT_PROFILE,
        help=f"hardware profile: {', '.join(PROFILES)} (default: %(default)s)",
    )
    parser.add_argument(
        "--shape",
        metavar="NAME=N[,N...]",
        action="append",
        default=[],
        help="fix an input's shape, image=1,3,224,224, or a named dimension, batch=1; repeatable",
    )
    parser.add_argument(
        "--ties",
        metavar="even|up",
        default="even",
        help="round values halfway between two integers to even, as ONNX does, or up, in fewer "
        "steps of the accelerator (default: %(default)s)",
    )


def parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...] | int]:
    """What the `--shape` arguments say: shapes by input name, integers by dimension name.

    Raises
    ------
    CompileError
        One has another form.
    """
    shapes: dict[str, tuple[int, ...] | int] = {}
    for text in texts:
        name, _, numbers = text.rpartition("=")
        parts = numbers.split(",")
        if not name or not all(part.isascii() and part.isdigit() for part in parts):
            raise CompileError(
                f"option --shape: value must be NAME=N or NAME=N,N,..., not {text!r}; for example "
                "--shape image=1,3,224,224"
            )
        values = tuple(map(int, parts))
        shapes[name] = values if len(values) > 1 else values[0]
    return shapes


def run(args: argparse.Namespace) -> int:
    """Compile, write the program, say what it takes."""
    # onnx is slow to import and not needed for --help.
    from host_compiler.compile import compile_graph, load_graph, make_target
    from host_compiler.planner import DEFAULT_CANDIDATES
    from host_compiler.report import explain, summary, summary_facts
    from host_compiler.schedule.account import account_table

    target = Path(args.output)
    if not target.parent.is_dir():
        raise CompileError(f"output {target}: folder must exist; create it first")
    made_for = make_target(args.config, args.target)
    compilation = compile_graph(
        load_graph(args.model, parse_shapes(args.shape)),
        made_for,
        candidates=DEFAULT_CANDIDATES if args.candidates is None else args.candidates,
        ties=args.ties,
        schedules=args.schedules,
        progress=True,
    )
    program = compilation.program
    program.save(target)
    if args.json:
        facts = {"output": str(target), "notes": list(compilation.notes)}
        print(json.dumps({**facts, **summary_facts(program)}))
        return 0
    if args.explain:
        print(explain(program, compilation.graph, compilation.placement))
        print()
        accounts = account_table(compilation.plans)
        if accounts:
            print(accounts)
            print()
    print(summary(program))
    for note in compilation.notes:
        print(f"note: {note}")
    print(f"wrote {target}")
    return 0
