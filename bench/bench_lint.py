"""Speed of the stream checker on long streams: `python bench/bench_lint.py`."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, UOP_DTYPE, encode, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.lint import lint_stream
from vta_pynq.profile.figures import Row
from vta_pynq.stream import InstructionStream, Segment
from vta_pynq.timing.profiles import PROFILES

NAME = "lint"
INSTRUCTIONS = 300_000
TARGET_S = 5.0
CONFIG = HwConfig()
INP, WGT, OUT, UOP = 0x100000, 0x200000, 0x300000, 0x400000
SHAPES = {
    # name: output channels in blocks, width, rows, taps of one tile
    "small tiles (1x8, 1 tap)": (1, 8, 1, 1),
    "3x3 layer (2 blocks, 14x14, 9 taps)": (2, 14, 14, 9),
    "micro-op kernels of 336": (2, 14, 12, 1),
}


def _tile(shape: tuple[int, int, int, int], number: int) -> list[dict[str, int]]:
    """Loads, GEMM, requantisation and store of one tile in one of two halves of SRAM."""
    blocks, width, rows, taps = shape
    half, outputs = number % 2, blocks * width * rows
    kernel = blocks * width if rows != 12 else outputs
    begin = half * kernel
    loops = {"uop_bgn": begin, "uop_end": begin + kernel, "iter_out": outputs // kernel}
    sweep = {**loops, "iter_in": 1, "dst_factor_out": kernel}
    same = {"src_factor_out": kernel}
    alu = {"opcode": Opcode.ALU, **sweep, **same, "use_imm": 1}
    again = int(number >= 2)
    inputs = width * rows
    return [
        {"opcode": Opcode.LOAD, "memory_type": MemType.INP, "sram_base": half * 1024,
         "dram_base": INP // CONFIG.inp_bytes + inputs * (number % 64), "x_size": width,
         "y_size": rows, "x_stride": width, "x_pad_0": 1, "x_pad_1": 1, "y_pad_0": 1,
         "y_pad_1": 1, "pop_next": again},
        {"opcode": Opcode.LOAD, "memory_type": MemType.WGT, "sram_base": half * 512,
         "dram_base": WGT // CONFIG.wgt_bytes + number % 32, "x_size": blocks * taps,
         "y_size": 1, "x_stride": 1, "push_next": 1},
        {"opcode": Opcode.GEMM, "reset": 1, **sweep, "pop_next": again},
        {"opcode": Opcode.GEMM, **sweep, "iter_in": taps, "src_factor_out": width + 2,
         "wgt_factor_in": 1, "pop_prev": 1, "push_prev": 1},
        {**alu, "alu_opcode": AluOp.SHR, "imm": 7},
        {**alu, "alu_opcode": AluOp.MAX, "imm": 0},
        {**alu, "alu_opcode": AluOp.MIN, "imm": 127, "push_next": 1},
        {"opcode": Opcode.STORE, "memory_type": MemType.OUT, "sram_base": half * 1024,
         "dram_base": OUT // CONFIG.out_bytes + outputs * (number % 64), "x_size": outputs,
         "y_size": 1, "x_stride": outputs, "pop_prev": 1, "push_prev": 1},
    ]  # fmt: skip


def _uops(shape: tuple[int, int, int, int]) -> np.ndarray:
    """Micro-ops of both halves: every output column of every block."""
    blocks, width, rows, _ = shape
    kernel = blocks * width * (rows if rows == 12 else 1)
    index = np.arange(kernel)
    uops = np.zeros(2 * kernel, UOP_DTYPE)
    for half in range(2):
        part = uops[half * kernel : (half + 1) * kernel]
        part["dst_idx"] = half * 1024 + index
        part["src_idx"] = half * 1024 + index // blocks
        part["wgt_idx"] = half * 512 + index % blocks
    return uops


def long_stream(name: str) -> InstructionStream:
    """About `INSTRUCTIONS` instructions of overlapping tiles, without faults on the HLS designs."""
    shape = SHAPES[name]
    uops = _uops(shape)
    start = {"opcode": Opcode.LOAD, "memory_type": MemType.UOP, "dram_base": UOP // 4,
             "x_size": len(uops), "y_size": 1, "x_stride": len(uops)}  # fmt: skip
    tiles = [_tile(shape, number) for number in range(4)]
    body = INSTRUCTIONS // len(tiles[0])
    rows = [start, *tiles[0], *tiles[1]]
    loop = np.zeros(2 * len(tiles[0]), INSN_DTYPE)
    head = np.zeros(len(rows), INSN_DTYPE)
    drain = [{"opcode": Opcode.LOAD, "pop_next": 1}] * 2
    empty = [{"opcode": Opcode.LOAD, "memory_type": MemType.INP, "pop_next": 1}] * 2
    tail = np.zeros(5, INSN_DTYPE)
    for records, fields in (
        (head, rows), (loop, tiles[2] + tiles[3]),
        (tail, [*drain, *empty, {"opcode": Opcode.FINISH}]),
    ):  # fmt: skip
        for record, values in zip(records, fields, strict=True):
            for key, value in values.items():
                record[key] = value
    records = np.concatenate([head, np.tile(loop, body // 2), tail])
    image = encode_uops(uops, CONFIG).view(np.uint8)
    memory = (
        Segment("inp", "INP", INP, 0x100000), Segment("wgt", "WGT", WGT, 0x100000),
        Segment("out", "OUT", OUT, 0x100000), Segment("uop", "UOP", UOP, image.size, image),
    )  # fmt: skip
    return InstructionStream(name, CONFIG, encode(records, CONFIG), memory)


def measure(repeat: int, names: Iterable[str] = tuple(SHAPES)) -> list[dict[str, Any]]:
    """Seconds of one thread, decoding included: median of `repeat` runs."""
    found = []
    for name in names:
        stream = long_stream(name)
        for profile in PROFILES:
            seconds = []
            for _ in range(repeat):
                begin = time.thread_time()
                report = lint_stream(stream, profile)
                seconds.append(time.thread_time() - begin)
            found.append({
                "stream": name, "profile": profile, "instructions": len(stream),
                "seconds": statistics.median(seconds),
                "findings": sorted({f.rule for f in report.findings}),
            })  # fmt: skip
    return found


def run(quick: bool) -> list[Row]:
    """Seconds for a long stream of each shape; the slowest profile counts."""
    rows = []
    for name in SHAPES:
        mine = measure(1 if quick else 3, (name,))
        worst = max(mine, key=lambda row: row["seconds"])
        note = f"{worst['instructions']:,} instructions, slowest profile {worst['profile']}"
        rows.append(Row(name, worst["seconds"], "s", TARGET_S, note))
    return rows


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.repeat)
    if options.json:
        print(json.dumps({"lint": rows}))
        return
    print(f"{'stream':<38}{'profile':<14}{'instructions':>13}{'seconds':>9}  findings")
    for row in rows:
        print(
            f"{row['stream']:<38}{row['profile']:<14}{row['instructions']:>13}"
            f"{row['seconds']:>9.2f}  {', '.join(row['findings']) or 'none'}"
        )
    print(f"wanted: {INSTRUCTIONS} instructions in less than {TARGET_S:.0f} s")


if __name__ == "__main__":
    main()
