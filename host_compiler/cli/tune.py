"""`vta tune`: search schedules for the layers of a model."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from typing import TYPE_CHECKING

from host_compiler.cli.compile import add_target_arguments, parse_shapes
from vta_pynq.errors import CompileError

if TYPE_CHECKING:
    from host_compiler.lower.target import Target
    from host_compiler.tune.database import Database
    from host_compiler.tune.judge import Judge

__all__ = ["HELP", "add_arguments", "run"]

HELP = "search schedules for a model's layers"

_DATABASE = "tuned.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", nargs="?", help="quantised ONNX file (see 'vta quantize')"
    )
    add_target_arguments(parser)
    parser.add_argument(
        "--trials", metavar="N", type=int, default=200,
        help="trials of each distinct layer, at most (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of the search (default: %(default)s)"
    )
    parser.add_argument(
        "--workers", metavar="N", type=int, default=len(os.sched_getaffinity(0)),
        help="processes; 0 searches in this one. The result does not depend on it (default: one "
        "for each core)",
    )  # fmt: skip
    parser.add_argument(
        "--database", metavar="FILE", default=_DATABASE,
        help="where every trial goes, and where the search goes on from (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--export", metavar="FILE",
        help="at the end, write the best of each layer and network of the database as JSON",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Search, then say what was found."""
    # onnx is slow to import and not needed for --help.
    from host_compiler.tune.book import ScheduleBook
    from host_compiler.tune.database import Database

    if args.model is None and args.export is None:
        raise CompileError("vta tune: MODEL or --export must be given; name a quantised ONNX file")
    if args.workers < 0:
        raise CompileError(f"option --workers: value must be at least 0, not {args.workers}")
    with Database(args.database) as database:
        if args.model is not None:
            _tune(args, database)
        if args.export is not None:
            ScheduleBook(database.layers(), database.networks()).save(args.export)
            if not args.json:
                print(f"wrote {args.export}")
    return 0


def _tune(args: argparse.Namespace, database: Database) -> None:
    from host_compiler.compile import load_graph, make_target
    from host_compiler.tune.report import report_dict, report_text
    from host_compiler.tune.session import tune_graph

    target = make_target(args.config, args.target)
    graph = load_graph(args.model, parse_shapes(args.shape))
    with contextlib.ExitStack() as stack:
        judge = _judge(args, target, stack)
        tuning = tune_graph(
            graph, target, judge, database,
            trials=args.trials, seed=args.seed, ties=args.ties, progress=True,
        )  # fmt: skip
    if args.json:
        print(json.dumps(report_dict(tuning), indent=1))
    else:
        print(report_text(tuning))
        print(f"the schedules are in {args.database}: vta compile --schedules {args.database}")


def _judge(args: argparse.Namespace, target: Target, stack: contextlib.ExitStack) -> Judge:
    from host_compiler.tune.judge import ModelJudge
    from host_compiler.tune.workers import Workers

    return stack.enter_context(Workers(args.workers)) if args.workers else ModelJudge()
