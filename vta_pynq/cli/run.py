"""`vta run`: run a program file on a board or on the simulator."""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vta_pynq.cli.ranking import check_labels, ranked, read_labels
from vta_pynq.cli.run_inputs import add_input_arguments, read_inputs
from vta_pynq.errors import ShapeError
from vta_pynq.program import Program
from vta_pynq.whole_file import whole_file

if TYPE_CHECKING:
    from vta_pynq.runtime import Model

__all__ = ["HELP", "add_arguments", "run"]

HELP = "run a program on a board or on the simulator"

EXAMPLES = (
    "vta run net.vta --input x.npy --top 5",
    "vta run net.vta --input photo.png --range=-1,1 --top 5 --labels names.txt",
    "vta run net.vta --input x.npy --output y.npy --repeat 10 --json",
)

_SHOWN_VALUES = 1000
"""Outputs of more values are summed up where they are printed, and left out of the JSON."""

Arrays = Mapping[str, npt.NDArray[Any]]


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text}")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("program", metavar="PROGRAM", help="program file")
    add_input_arguments(parser)
    parser.add_argument(
        "--output", metavar="FILE",
        help="where to write the result: .npy for one output, .npz for several",
    )  # fmt: skip
    parser.add_argument(
        "--device", metavar="D", help="board, sim, csim (default: as VTA_DEVICE says)"
    )
    parser.add_argument(
        "--overlay", metavar="NAME",
        help="overlay to load: a name of 'vta overlays list' or a .bit file (default: the "
        "program's configuration)",
    )  # fmt: skip
    parser.add_argument(
        "--repeat", type=_count, default=1, metavar="N", help="runs; their median time is given"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=10.0, metavar="S",
        help="deadline of each accelerator step in seconds (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--top", type=_count, metavar="N",
        help="print the N largest values of each output with their positions, as a classifier's "
        "answer",
    )  # fmt: skip
    parser.add_argument(
        "--labels", metavar="FILE", help="names of the positions for --top, one a line"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _write(path: str, outputs: Arrays) -> None:
    """Write the outputs at once: the file is the old one or the whole new one."""
    target = Path(path)
    with whole_file(target) as file:
        if target.suffix == ".npz":
            np.savez(file, **outputs)
        else:
            (array,) = outputs.values()
            np.save(file, array)


def _values(y: npt.NDArray[Any]) -> Any:
    """The values for JSON, which knows neither NaN nor infinity: these become null."""
    if y.size > _SHOWN_VALUES:
        return None
    values = y.astype(object)
    if y.dtype.kind == "f":
        values[~np.isfinite(y)] = None
    return values.tolist()


def _check_output(path: str | None, program: Program) -> None:
    if path is None:
        return
    rule = ".npz" if len(program.outputs) > 1 else ".npy or .npz"
    if Path(path).suffix not in rule.split(" or "):
        raise ShapeError(
            f"--output: the file's suffix must be {rule} ({len(program.outputs)} outputs), "
            f"not {Path(path).suffix!r}"
        )
    if not Path(path).parent.is_dir():
        raise ShapeError(f"--output: folder {Path(path).parent} must exist; create it first")


def _measure(
    model: Model, arrays: Sequence[npt.NDArray[Any]], repeat: int, timeout_s: float
) -> tuple[Arrays, list[float]]:
    """The outputs by name, and the seconds of each run."""
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        result = model.run(*arrays, timeout_s=timeout_s)
        seconds.append(time.perf_counter() - begin)
    results = result if isinstance(result, tuple) else (result,)
    return {port.name: y for port, y in zip(model.outputs, results, strict=True)}, seconds


def run(args: argparse.Namespace) -> int:
    """Run the program; 0, or an error."""
    program = Program.load(args.program)
    arrays = read_inputs(args, program)
    _check_output(args.output, program)
    labels = read_labels(args.labels)
    if args.labels is not None and args.top is None:
        raise ShapeError("--labels: must come with --top; add --top N")
    for tensor in program.output_tensors:
        check_labels(labels, math.prod(tensor.shape))
    from vta_pynq.overlay import VtaOverlay

    name = args.overlay or program.config.name
    with VtaOverlay(name, device=args.device) as overlay, overlay.load(program) as model:
        outputs, seconds = _measure(model, arrays, args.repeat, args.timeout)
        device, loaded = str(overlay.device.name), str(overlay.identity)
    if args.output is not None:
        _write(args.output, outputs)
    median_s = statistics.median(seconds)
    if args.json:
        entries = [
            {
                "name": key, "shape": list(y.shape), "dtype": str(y.dtype),
                "values": _values(y),
                **({"top": ranked(y, args.top, labels)} if args.top else {}),
            }
            for key, y in outputs.items()
        ]  # fmt: skip
        print(json.dumps({
            "model": program.model, "device": device, "overlay": loaded, "outputs": entries,
            "seconds": seconds, "median_s": median_s,
        }))  # fmt: skip
        return 0
    for key, y in outputs.items():
        print(f"{key}: {y.dtype} of shape {y.shape}")
        if args.top:
            for entry in ranked(y, args.top, labels):
                value = "nan" if entry["value"] is None else f"{entry['value']:.6g}"
                print(f"  {value:>12}  {entry['label']}")
        else:
            print(np.array2string(y, threshold=_SHOWN_VALUES))
    runs = "1 run" if args.repeat == 1 else f"median of {args.repeat} runs"
    print(f"{median_s * 1e3:.3f} ms ({runs}) on {device}, {loaded}")
    return 0
