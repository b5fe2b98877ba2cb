"""`vta quantize`: a float model to int8 with power-of-two scales, and what that costs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vta_pynq.errors import CompileError

__all__ = ["HELP", "add_arguments", "run"]

HELP = "quantise a float ONNX model to int8 with power-of-two scales"

EXAMPLES = (
    "vta quantize float.onnx --data calibration.npz -o int8.onnx",
    "vta quantize float.onnx --data samples.npz --labels labels -o int8.onnx --method entropy",
)

_METHODS = ("minmax", "entropy", "percentile")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="ONNX file, opset 13 or later")
    parser.add_argument(
        "--data",
        metavar="FILE",
        required=True,
        help="calibration samples, .npz or .npy: one float array for each input, prepared as the "
        "model takes them, first axis = samples",
    )
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="int8 model to write")
    parser.add_argument(
        "--method", choices=_METHODS, default="minmax", help="calibration (default: %(default)s)"
    )
    parser.add_argument(
        "--per-channel", action="store_true", help="one weight scale for each output channel"
    )
    parser.add_argument(
        "--any-scale",
        action="store_true",
        help="keep the calibrated scales; rescaling them needs the processor or a multiplying ALU",
    )
    parser.add_argument(
        "--labels",
        metavar="NAME",
        help="array of --data that holds each sample's class: report the accuracy too",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON; SQNR in dB, null: no noise"
    )
    parser.add_argument(
        "--requantize", action="store_true", help="take a model that is quantised already"
    )


def run(args: argparse.Namespace) -> int:
    """Quantise, write the model, print the report."""
    # onnx and onnxruntime are slow to import and not needed for --help.
    from host_compiler.quantize import load_array, load_samples, model_inputs, quantize_model

    target = Path(args.output)
    if not target.parent.is_dir():
        raise CompileError(f"output {target}: folder must exist; create it first")
    samples = load_samples(args.data, model_inputs(args.model))
    labels = None if args.labels is None else load_array(args.data, args.labels)
    result = quantize_model(
        args.model,
        samples,
        method=args.method,
        per_channel=args.per_channel,
        power_of_two=not args.any_scale,
        labels=labels,
        requantize=args.requantize,
    )
    result.save(target)
    if args.json:
        print(json.dumps({"output": str(target), **result.report.facts()}))
        return 0
    print(result.report)
    print(f"wrote {target}")
    return 0
