"""`vta profile`: where a program's time goes, layer by layer; pictures and traces of it."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from vta_pynq.errors import ConfigError

if TYPE_CHECKING:
    from vta_pynq.profile.measured import MeasuredRun
    from vta_pynq.profile.run import ProfiledRun

__all__ = [
    "HELP", "add_arguments", "add_source_arguments", "profiled", "run", "write_bars",
]  # fmt: skip

HELP = "show where a program's time goes: cycles, waits and bytes of each layer, pictures, a trace"

EXAMPLES = (
    "vta profile net.vta",
    "vta profile net.vta --timeline timeline.png --trace trace.json",
    "vta profile net.vta --layer 0 --json",
)


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vta profile` and `vta roofline` share."""
    parser.add_argument(
        "program", metavar="SOURCE",
        help="program file, folder of a conformance case, or a quantised .onnx file to compile",
    )  # fmt: skip
    parser.add_argument(
        "--profile", metavar="P", help="hardware profile to time (default: the program's)"
    )
    parser.add_argument(
        "--latency", type=int, metavar="L",
        help="memory latency of the cycle model in cycles (default: the profile's)",
    )  # fmt: skip
    parser.add_argument(
        "--clock", type=float, metavar="MHZ",
        help="the accelerator's clock (default: that of the configuration's overlay)",
    )  # fmt: skip
    parser.add_argument(
        "--shape", metavar="NAME=N[,N...]", action="append", default=[],
        help="for a .onnx file: fix an input's shape or a named dimension; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--bars", metavar="FILE",
        help="write the time by operator, .png or .svg; processor times are measured here and now",
    )  # fmt: skip
    parser.add_argument(
        "--onnx", metavar="MODEL.onnx",
        help="for --bars: time this model with onnxruntime on this machine, for the bar without "
        "the accelerator (default: SOURCE, if that is one)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_source_arguments(parser)
    parser.add_argument("--layer", metavar="NAME", help="only this layer: its name or number")
    parser.add_argument(
        "--cycles", metavar="BEGIN:END", help="stretch of --timeline and --sram, in cycles"
    )
    parser.add_argument(
        "--timeline", metavar="FILE",
        help="write what each module does and waits for, .png or .svg",
    )  # fmt: skip
    parser.add_argument("--sram", metavar="FILE", help="write SRAM occupancy over time, likewise")
    parser.add_argument(
        "--trace",
        metavar="FILE",
        help="write a trace that ui.perfetto.dev opens, .json or .json.gz",
    )
    parser.add_argument(
        "--device", nargs="?", const="", metavar="D",
        help="run it too, on board, sim or csim (default: as VTA_DEVICE says), and print what the "
        "clock says, and the hardware's counters where it has any, beside the model",
    )  # fmt: skip
    parser.add_argument("--overlay", metavar="NAME", help="for --device: the overlay to load")


def _window(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    begin, _, end = text.partition(":")
    if not (begin.isdecimal() and end.isdecimal()):
        raise ConfigError(f"--cycles: value must be BEGIN:END in cycles, not {text!r}")
    return int(begin), int(end)


def profiled(args: argparse.Namespace) -> ProfiledRun:
    """The run that the shared arguments describe."""
    from vta_pynq.profile.host_tools import load_source
    from vta_pynq.profile.run import profile_run

    return profile_run(
        load_source(args.program, args.shape, args.profile),
        args.profile,
        memory_latency_cycles=args.latency,
        clock_mhz=args.clock,
    )


def check_pictures(*paths: str | None) -> None:
    """Refuse file names that could not be written, before anything takes long."""
    from vta_pynq.profile.picture import check_picture_path

    for path in paths:
        if path is not None:
            check_picture_path(path)


def write_bars(
    args: argparse.Namespace, run: ProfiledRun, measured: MeasuredRun | None = None
) -> None:
    """What `--bars` asks for."""
    from vta_pynq.profile.bars import bars_picture
    from vta_pynq.profile.host_tools import is_onnx, onnx_operator_times

    onnx = args.onnx or (args.program if is_onnx(args.program) else None)
    without = None if onnx is None else onnx_operator_times(onnx, args.shape)
    if measured is None:
        picture = bars_picture(run, without=without)
    else:
        picture = bars_picture(
            run,
            accelerator=measured.accelerator_times(run),
            processor=measured.processor_times(),
            without=without,
        )
    picture.save(args.bars)


def run(args: argparse.Namespace) -> int:
    """Profile; 0, or an error."""
    from vta_pynq.profile.occupancy_picture import occupancy_picture
    from vta_pynq.profile.table import layer_table
    from vta_pynq.profile.timeline_picture import timeline_picture
    from vta_pynq.profile.trace import write_trace

    cycles = _window(args.cycles)
    check_pictures(args.bars, args.timeline, args.sram)
    found = profiled(args)
    layers = None if args.layer is None else [found.layer(args.layer)]
    measured = _measured(args, found)
    if args.bars is not None:
        write_bars(args, found, measured)
    if args.timeline is not None:
        timeline_picture(found, args.layer, cycles).save(args.timeline)
    if args.sram is not None:
        occupancy_picture(found, args.layer, cycles).save(args.sram)
    if args.trace is not None:
        write_trace(found, args.trace)
    if args.json:
        print(json.dumps(_facts(found, args.layer, measured)))
        return 0
    print(layer_table(found, layers))
    if measured is not None:
        from vta_pynq.profile.measured import measured_table

        print(measured_table(measured))
    for path in (args.bars, args.timeline, args.sram, args.trace):
        if path is not None:
            print(f"wrote {path}")
    return 0


def _measured(args: argparse.Namespace, found: ProfiledRun) -> MeasuredRun | None:
    if args.device is None:
        return None
    from vta_pynq.profile.measured import measure_steps

    return measure_steps(found, args.device or None, overlay=args.overlay)


def _facts(found: ProfiledRun, layer: str | None, measured: MeasuredRun | None) -> dict[str, Any]:
    from vta_pynq.profile.table import layer_facts, run_facts

    facts = run_facts(found)
    if layer is not None:
        facts["layers"] = [layer_facts(found, found.layer(layer))]
    if measured is not None:
        from vta_pynq.profile.hardware_counts import counts_facts

        facts["measured"] = {
            "device": measured.device,
            "simulated": measured.simulated,
            "runs": measured.repeat,
            "steps": [
                {"name": s.name, "op": s.op, "seconds": s.seconds, "modelled_s": s.modelled_s}
                for s in measured.steps
            ],
            "counters": None if measured.counts is None else counts_facts(measured.counts),
        }
    return facts
