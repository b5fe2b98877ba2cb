"""The digits network over a pool of simulators or boards, and whether the pool changes anything.

    python examples/pool.py [--workers N | --scheduler tcp://HOST:8786] [--repeat N]

Runs the held-out images with one worker process on this machine, then with a pool, compares the
scores bit by bit and prints both throughputs. With `--scheduler` the pool is that of a running
scheduler, whose workers may be boards (docs/remote-pool.md).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import time
from collections.abc import Sequence

import numpy as np

from examples.demo import FOLDER, load_images
from host_compiler.compile import compile_model
from host_compiler.quantize import quantize_model
from vta_pynq import HwConfig, Program
from vta_pynq.remote.pool import Pool, local_pool

CHUNK = 32


@dataclasses.dataclass(frozen=True)
class Throughput:
    """What one pool did."""

    scores: np.ndarray
    images_per_s: float


def digits_program(name: str = "residual") -> Program:
    """One of the digits networks, quantised and compiled for the default configuration."""
    calibration, _ = load_images("calibration_images")
    model = quantize_model(FOLDER / f"digits_{name}.onnx", calibration, per_channel=True).model
    data = model.SerializeToString()
    return compile_model(data, HwConfig(), "hls-64bit", shapes={"batch": 1}, name=f"digits_{name}")


def measure(pool: Pool, program: Program, images: np.ndarray) -> Throughput:
    """Run all images once; overlays and programs are loaded before the clock starts."""
    devices = len(pool.devices)
    pool.run_array(program, images[: 8 * devices], chunk=1)
    begin = time.perf_counter()
    scores = pool.run_array(program, images, chunk=CHUNK)
    return Throughput(scores, len(images) / (time.perf_counter() - begin))


def main(argv: Sequence[str] | None = None) -> int:
    """Print what one worker and the pool did; 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=4, metavar="N")
    parser.add_argument("--scheduler", metavar="ADDRESS")
    parser.add_argument("--repeat", type=int, default=4, metavar="N", help="passes over the images")
    options = parser.parse_args(argv)
    program = digits_program()
    images, labels = load_images("test_images")
    images = np.concatenate([images] * options.repeat)
    with local_pool(1) as pool:
        one = measure(pool, program, images)
    many = contextlib.ExitStack()
    with many:
        pool = many.enter_context(
            Pool(options.scheduler) if options.scheduler else local_pool(options.workers)
        )
        count = len(pool.devices)
        print(f"dashboard: {pool.client.dashboard_link} (its pages need bokeh)")
        found = measure(pool, program, images)
    same = bool(np.array_equal(one.scores, found.scores))
    accuracy = (found.scores[: len(labels)].argmax(1) == labels).mean()
    print(f"{len(images)} images, accuracy {accuracy:.1%}")
    print(f"1 worker: {one.images_per_s:.0f} images/s")
    print(f"{count} workers: {found.images_per_s:.0f} images/s")
    print("scores: identical" if same else "scores: DIFFERENT")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
