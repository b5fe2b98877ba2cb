"""`vta tune`: search schedules for the layers of a model."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from host_compiler.cli.compile import add_target_arguments, parse_shapes
from vta_pynq.errors import CompileError

if TYPE_CHECKING:
    from host_compiler.lower.target import Target
    from host_compiler.tune.database import Database
    from host_compiler.tune.judge import Judge

__all__ = ["HELP", "add_arguments", "run"]

HELP = "search schedules for a model's layers"

EXAMPLES = (
    "vta tune int8.onnx --shape batch=1 --trials 100 --database tuned.sqlite",
    "vta compile int8.onnx --shape batch=1 --schedules tuned.sqlite -o net.vta",
)
NO_MEANS = "a device computed something wrong"

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
        "--pool", metavar="ADDRESS",
        help="judge on the workers of a Dask scheduler instead, such as tcp://host:8786",
    )  # fmt: skip
    parser.add_argument(
        "--database", metavar="FILE", default=_DATABASE,
        help="where every trial goes, and where the search goes on from (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--export", metavar="FILE",
        help="at the end, write the best of each layer and network of the database as JSON",
    )  # fmt: skip
    parser.add_argument(
        "--measure", metavar="DEVICE",
        help="judge by a device's clock instead of the cycle model: board, or what else "
        "VTA_DEVICE takes",
    )  # fmt: skip
    parser.add_argument(
        "--overlay", metavar="NAME",
        help="with --measure: overlay to load (default: the configuration's)",
    )  # fmt: skip
    parser.add_argument(
        "--repeat", metavar="N", type=int, default=5,
        help="with --measure: runs of each trial, whose median counts (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Search, then say what was found."""
    # onnx is slow to import and not needed for --help.
    from host_compiler.tune.book import ScheduleBook
    from host_compiler.tune.database import Database

    if args.model is None and args.export is None:
        raise CompileError("MODEL or --export must be given; name a quantised ONNX file")
    if args.workers < 0:
        raise CompileError(f"option --workers: value must be at least 0, not {args.workers}")
    if args.repeat < 1:
        raise CompileError(f"option --repeat: value must be at least 1, not {args.repeat}")
    if args.export is not None and not Path(args.export).parent.is_dir():
        raise CompileError(f"option --export: folder of {args.export} must exist; create it first")
    code = 0
    with Database(args.database) as database:
        if args.model is not None:
            code = _tune(args, database)
        if args.export is not None:
            ScheduleBook(database.layers(), database.networks()).save(args.export)
            if not args.json:
                print(f"wrote {args.export}")
    return code


def _tune(args: argparse.Namespace, database: Database) -> int:
    """Search; 1 if a device computed anything wrong."""
    from host_compiler.compile import load_graph, make_target
    from host_compiler.tune import report
    from host_compiler.tune.measure import DeviceJudge
    from host_compiler.tune.session import tune_graph

    target = make_target(args.config, args.target)
    graph = load_graph(args.model, parse_shapes(args.shape))
    with contextlib.ExitStack() as stack:
        judge = _judge(args, target, stack)
        tuning = tune_graph(
            graph, target, judge, database,
            trials=args.trials, seed=args.seed, ties=args.ties, progress=True,
        )  # fmt: skip
    clocked = judge if isinstance(judge, DeviceJudge) else None
    if args.json:
        values = report.report_dict(tuning)
        values["measured"] = None if clocked is None else report.measured_dict(tuning, clocked)
        print(json.dumps(values, indent=1))
    else:
        print(report.report_text(tuning))
        if clocked is not None:
            print(report.measured_text(tuning, clocked))
        print(f"the schedules are in {args.database}: vta compile --schedules {args.database}")
    return 1 if report.wrong_outputs(tuning) else 0


def _judge(args: argparse.Namespace, target: Target, stack: contextlib.ExitStack) -> Judge:
    from host_compiler.tune.judge import ModelJudge
    from host_compiler.tune.measure import DeviceJudge
    from host_compiler.tune.pool_judge import PoolJudge
    from host_compiler.tune.workers import Workers

    if args.pool is not None:
        if args.measure is not None:
            raise CompileError(
                "option --pool: must be without --measure, not with it; one device measures"
            )
        return stack.enter_context(PoolJudge(args.pool))
    if args.measure is not None:
        return stack.enter_context(DeviceJudge(args.measure, target, args.overlay, args.repeat))
    return stack.enter_context(Workers(args.workers)) if args.workers else ModelJudge()
