#!/usr/bin/env python3
"""Draw the pictures of docs/profiling.md: ResNet-18 with seeded random weights.

Takes a minute or two. The bars have processor times of the machine that runs this, and say so.

    python scripts/docs_pictures.py [--program net.vta --onnx model_int8.onnx] [-o docs/images]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx

from examples.models.topologies import build
from host_compiler.compile import compile_model
from host_compiler.quantize import quantize_model
from vta_pynq import Program
from vta_pynq.profile import bars_picture, profile_run, roofline_picture, timeline_picture
from vta_pynq.profile.host_tools import onnx_operator_times

NAME = "resnet18"
LARGEST_BYTES = 300_000
TIMELINE_LAYER = "17"
"""The first layer with more weights than fit: what it waits for can be seen."""
SEED = 18
RUNS = 40
"""Runs of which the fastest counts: other programs must not slow the picture down."""


def make_model(folder: Path) -> tuple[Path, Program]:
    """Quantise and compile."""
    model = build(NAME, None)
    images = np.random.default_rng(SEED).uniform(-1, 1, (2, 3, 224, 224)).astype(np.float32)
    path = folder / f"{NAME}_int8.onnx"
    onnx.save(quantize_model(model, images).model, path)
    return path, compile_model(path, name=NAME)


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images"))
    parser.add_argument("--program", type=Path, help="the compiled program, if it is there")
    parser.add_argument("--onnx", type=Path, help="the quantised model, if it is there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.program and args.onnx:
            path, program = args.onnx, Program.load(args.program)
        else:
            path, program = make_model(Path(folder))
        run = profile_run(program)
        pictures = {
            "roofline": roofline_picture(run),
            "bars": bars_picture(run, without=onnx_operator_times(str(path), repeat=RUNS)),
            "timeline": timeline_picture(run, layer=TIMELINE_LAYER),
        }
    args.output.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        target = args.output / f"{NAME}_{name}.png"
        picture.save(target)
        size = target.stat().st_size
        print(f"{target}: {size} bytes")
        assert size <= LARGEST_BYTES, "too large to commit"


if __name__ == "__main__":
    main()
