"""Fuzz the C engine under sanitizers: `python -m tests.fuzz [--streams N] [--seed S]`.

Builds `fuzz_engine.c` with the engine's sources under the address and undefined-behaviour
sanitizers, writes a corpus of conformance cases and random streams on many configurations, and
runs it. The seed that is printed gives the same run again.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np

from tests.sim.random_streams import INSN_PHYS, random_config, random_stream
from vta_pynq.conformance import load_case
from vta_pynq.sim._engine import ffi
from vta_pynq.sim.segments import Dram
from vta_pynq.sim.settings import c_settings, c_slots
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import PROFILES

ROOT = pathlib.Path(__file__).resolve().parents[2]
CSRC = ROOT / "vta_pynq" / "sim" / "csrc"
CASES = ROOT / "tests" / "conformance"
FLAGS = (
    "-std=c11 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined "
    "-fno-sanitize-recover=all -Wall -Wextra -Werror"
)
DEFAULT_STREAMS = 1_000_000
CONFIGS = 24
DEADLINE_S = 600.0
DEADLINE_S_PER_STREAM = 0.01  # a slow machine that does other things too; usual is 0.0007
_KINDS = {value: name[4:].lower() for value, name in ffi.typeof("enum sim_kind").elements.items()}


def build(folder: pathlib.Path) -> pathlib.Path:
    """Compile the harness; the compiler is `CC`, by default cc."""
    program = folder / "fuzz_engine"
    compiler = shlex.split(os.environ.get("CC") or "cc")
    sources = [str(path) for path in sorted(CSRC.glob("*.c"))]
    harness = str(pathlib.Path(__file__).parent / "fuzz_engine.c")
    command = [*compiler, *FLAGS.split(), f"-I{CSRC}", harness, *sources, "-o", str(program)]
    subprocess.run(command, check=True, timeout=600)
    return program


def _setup(config: object, hls: bool, strict: bool, profile: str) -> bytes:
    settings = c_settings(config, hls=hls, strict=strict, profile=PROFILES[profile])  # type: ignore[arg-type]
    size = ffi.alignof("sim_slot")
    head = bytes(ffi.buffer(settings))
    parts = [head, bytes(-len(head) % size)]
    parts += [bytes(ffi.buffer(array)) for array in c_slots(config)[1]]  # type: ignore[arg-type]
    assert sum(map(len, parts)) % size == 0
    return b"".join(parts)


def _example(number: int, stream: InstructionStream, insn_phys: int, pages: bool) -> bytes:
    if pages:
        ranges = Dram.of_stream(stream).segments
    else:
        ranges = [(s.phys, s.data) for s in stream.segments if s.data is not None]
    ranges = sorted(ranges, key=lambda item: item[0])
    parts = [struct.pack("<4Q", number, insn_phys, len(stream), len(ranges))]
    for phys, data in ranges:
        parts += [struct.pack("<2Q", phys, data.size), data.tobytes()]
    return b"".join(parts)


def corpus(seed: int) -> bytes:
    """Every conformance case and many random streams, in each mode."""
    rng = np.random.default_rng(seed)
    setups: list[bytes] = []
    examples: list[bytes] = []
    modes = [(hls, strict, profile) for hls in (False, True)
             for strict, profile in ((False, "functional"), (True, "hls-64bit"),
                                     (True, "chisel-64bit"))]  # fmt: skip
    cases = [load_case(meta.parent) for meta in sorted(CASES.glob("*/meta.json"))]
    for hls, strict, profile in modes:
        for config in {case.stream.config for case in cases}:
            setups.append(_setup(config, hls, strict, profile))
            for case in cases:
                if case.stream.config == config:
                    examples.append(
                        _example(len(setups) - 1, case.stream, case.insn_phys, pages=True)
                    )
        for _ in range(CONFIGS):
            config = random_config(rng)
            setups.append(_setup(config, hls, strict, profile))
            for _ in range(6):
                stream = random_stream(rng, config, hls, length=int(rng.integers(1, 20)))
                examples.append(_example(len(setups) - 1, stream, INSN_PHYS, pages=False))
    return b"".join(
        [struct.pack("<Q", len(setups)), *setups, struct.pack("<Q", len(examples)), *examples]
    )


def fuzz(streams: int, seed: int) -> str:
    """Build, run, and return a summary.

    Raises
    ------
    subprocess.SubprocessError
        The build or the run failed; the sanitizers' report is on standard error.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = build(folder)
        (folder / "corpus").write_bytes(corpus(seed))
        begin = time.monotonic()
        done = subprocess.run(
            [str(program), str(folder / "corpus"), str(streams), str(seed)],
            check=True, stdout=subprocess.PIPE, text=True,
            timeout=DEADLINE_S + streams * DEADLINE_S_PER_STREAM,
        )  # fmt: skip
        seconds = time.monotonic() - begin
    head, counts = done.stdout.strip().split(":")
    found = {_KINDS[kind]: int(count) for kind, count in enumerate(counts.split()) if int(count)}
    ends = ", ".join(f"{name} {count}" for name, count in found.items())
    return f"{head} in {seconds:.0f} s (seed {seed}); they ended with {ends}"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--streams", type=int, default=DEFAULT_STREAMS)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    print(fuzz(options.streams, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
