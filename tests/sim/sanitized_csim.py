"""Runs the csim engine, compiled with sanitizers, on conformance cases and random programs.

A program of its own: the sanitizer's library must be loaded before the interpreter's first
allocation. Prints the number of programs; a finding ends the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.sim.random_streams import random_stream
from vta_pynq.config import Capability, HwConfig
from vta_pynq.conformance import load_case
from vta_pynq.hls_macros import with_operations
from vta_pynq.sim.csim import CsimEngine
from vta_pynq.sim.engine import Dram

# `shift` is left out: the ap_int headers shift negative values left, which C++20 defines.
FLAGS = (
    "-O1",
    "-g0",
    "-fsanitize=address,undefined",
    "-fno-sanitize=shift",
    "-fno-sanitize-recover=all",
)


def main(folder: Path, seed: int, programs: int) -> int:
    """Run every case in `folder` and random programs; how many that were."""
    config = with_operations(HwConfig().with_capabilities(Capability.ALU_REQUANT))
    engine = CsimEngine(config, more=FLAGS)
    done = 0
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        case = load_case(path)
        if case.stream.config.base_name != config.base_name:
            continue
        outputs = [(output.phys, output.expected.size) for output in case.outputs]
        engine.reset()
        engine.tokens = case.stream.tokens_in
        engine.run(Dram.of_stream(case.stream, outputs), case.insn_phys, len(case.stream))
        done += 1
    rng = np.random.default_rng(seed)
    for _ in range(programs):
        stream = random_stream(rng, config)
        engine.reset()
        engine.run(Dram.of_stream(stream), stream.segments[0].phys, len(stream))
        done += 1
    return done


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
