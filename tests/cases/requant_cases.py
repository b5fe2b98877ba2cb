"""Writes the conformance cases of REQUANT: `python -m tests.cases.requant_cases`.

Each case isolates one rule. Its program is assembler text, its accumulators come from the numbers
at the edges of that rule, and what it must store comes from the reference interpreter
(`vta_pynq.selftest`), which tests/selftest holds to exact integers. No implementation but this
project's knows the operation, so `verified` names the interpreter alone.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from vta_pynq.assembler import assemble
from vta_pynq.config import HwConfig
from vta_pynq.isa.table import MemType, elem_bytes, sram_depth
from vta_pynq.selftest.interpreter import run_stream
from vta_pynq.selftest.memory import pack
from vta_pynq.stream import InstructionStream, Segment

FOLDER = pathlib.Path(__file__).parents[1] / "conformance"
CONFIG = HwConfig().with_capabilities("alu_requant")
BATCH = HwConfig.from_name("4x16_i8w8a16_12_12_14_14+alu_requant")
ACC, OUT, UOP, INSN = 0x10000, 0x20000, 0x30000, 0x40000
TOP = 1 << 31
FULL = "clip_lo=-128 clip_hi=127"


@dataclasses.dataclass(frozen=True)
class Rule:
    """One case: the accumulators by element (each lane gets the next value), and what runs."""

    name: str
    doc: str
    values: list[int]
    elements: int
    uops: list[tuple[int, int, int]]
    insns: list[str]
    tags: tuple[str, ...] = ()
    config: HwConfig = CONFIG
    at: int = 0
    """First accumulator of a second copy of the values; 0: there is none."""
    stored: range = range(30)
    """The elements that are stored: all that the instructions write, and no other ones, because
    designs differ in what they store of those."""

    def accumulators(self) -> np.ndarray:
        shape = (self.elements, self.config.batch, self.config.block)
        return np.resize(np.array(self.values, np.int64), shape)


def _ramp(step: int, start: int, count: int = 512) -> list[int]:
    return [start + step * k for k in range(count)]


def _channels(bias: list[int], factor: list[int], pixels: list[int]) -> list[int]:
    """Thirty elements of pixels, then one of biases and one of multipliers."""
    lanes = CONFIG.block
    return [
        *np.resize(np.array(pixels), 30 * lanes).tolist(),
        *np.resize(np.array(bias), lanes).tolist(),
        *np.resize(np.array(factor), lanes).tolist(),
    ]


SWEEP30 = "uop_end=1 iter_out=1 iter_in=30 dst_factor_in=1"
SWEEP32 = "uop_end=1 iter_out=1 iter_in=32 dst_factor_in=1"
ONE = [(0, 30, 0)]
"""A micro-op whose operands are the elements behind the pixels of `_channels`."""
ALL = range(32)

RULES = [
    Rule("basic", "shift 7 and clip, no operands; halves round up", _ramp(64, -16384), 32,
         [(0, 0, 0)], [f"REQUANT {SWEEP32} shift=7 {FULL}"], stored=ALL),
    Rule("shift0", "shift 0: no rounding, the clip alone",
         [-TOP, -129, -128, -127, -1, 0, 1, 126, 127, 128, TOP - 1, 5, -5, 100, -100, 300], 32,
         [(0, 0, 0)], [f"REQUANT {SWEEP32} {FULL}"], stored=ALL),
    Rule("shift31", "shift 31: 2^30 is added without a wrap",
         [-TOP, -TOP + 1, -(1 << 30) - 1, -(1 << 30), -(1 << 30) + 1, -1, 0, (1 << 30) - 1, 1 << 30,
          TOP - 1], 32, [(0, 0, 0)], [f"REQUANT {SWEEP32} shift=31 {FULL}"], stored=ALL),
    Rule("clip", "bounds inside int8, a bound at 0 (ReLU), and bounds that cross: the upper counts",
         _ramp(3, -190, 128), 32, [(0, 0, 0), (8, 0, 0), (16, 0, 0), (24, 0, 0)],
         ["REQUANT uop_bgn=0 uop_end=1 iter_out=1 iter_in=8 dst_factor_in=1 shift=1 clip_lo=-90 "
          "clip_hi=77",
          "REQUANT uop_bgn=1 uop_end=2 iter_out=1 iter_in=8 dst_factor_in=1 shift=1 clip_hi=127",
          "REQUANT uop_bgn=2 uop_end=3 iter_out=1 iter_in=8 dst_factor_in=1 clip_lo=50 clip_hi=20",
          "REQUANT uop_bgn=3 uop_end=4 iter_out=1 iter_in=8 dst_factor_in=1 clip_lo=-128"],
         stored=ALL),
    Rule("bias", "a bias for each lane, shared by thirty elements",
         _channels(_ramp(-900, 7000, 16), [0], _ramp(97, -23000, 480)), 32, ONE,
         [f"REQUANT use_bias {SWEEP30} shift=8 {FULL}"]),
    Rule("wrap_bias", "the sum with the bias wraps in the accumulator's width",
         _channels([TOP - 1, -TOP, 1, -1], [0], [-TOP, TOP - 1, -1, 1, -TOP + 200, TOP - 200]), 32,
         ONE, [f"REQUANT use_bias {SWEEP30} shift=24 {FULL}"]),
    Rule("mul", "bias and multiplier: the multiplier is the element after the bias",
         _channels(_ramp(-300, 2000, 16), _ramp(1777, 3000, 16), _ramp(41, -9000, 480)), 32, ONE,
         [f"REQUANT use_bias {SWEEP30} use_mul shift=22 {FULL}"]),
    Rule("mul_only", "a multiplier without a bias is the source element itself",
         _channels(_ramp(1777, 3000, 16), [77], _ramp(41, -9000, 480)), 32, ONE,
         [f"REQUANT {SWEEP30} use_mul shift=22 {FULL}"]),
    Rule("mul_negative", "multipliers are the low 16 bits, signed; the bits above do not count",
         _channels([0], [-1, -32768, 32767, 0x8000, 0xFFFF, 0x1234_0003, -0x1234_0003, 0x10000],
                   [-TOP, TOP - 1, -3, 3, 1 << 20, -(1 << 20), 127, -128, 0]), 32, ONE,
         [f"REQUANT use_bias {SWEEP30} use_mul shift=16 {FULL}"]),
    Rule("mul_wide", "48-bit products, shifted by 31: neither product nor rounding wraps",
         _channels([0], [-32768, 32767, -32767, 16384, 3, -3, 77, -99],
                   [-TOP, TOP - 1, -TOP + 1, 1 << 30, -99, 1 << 24, -(1 << 23) - 1]),
         32, ONE, [f"REQUANT use_bias {SWEEP30} use_mul shift=31 clip_lo=-100 clip_hi=100"]),
    Rule("loops", "four channel blocks of six pixels, each with a bias and a multiplier",
         _ramp(613, -150_000), 32, [(0, 24, 0), (3, 24, 0)],
         ["REQUANT use_bias uop_end=2 iter_out=4 iter_in=3 use_mul dst_factor_out=6 "
          f"dst_factor_in=1 src_factor_out=2 shift=26 {FULL}"], stored=range(24)),
    Rule("src_factor_in", "the source moves with the inner loop",
         _ramp(613, -150_000), 32, [(0, 16, 0)],
         ["REQUANT use_bias uop_end=1 iter_out=2 iter_in=8 dst_factor_out=8 dst_factor_in=1 "
          f"src_factor_out=8 src_factor_in=1 shift=11 {FULL}"], stored=range(16)),
    Rule("src_ignored", "without operands the source index means nothing, wherever it points",
         _ramp(64, -16384), 32, [(0, 2047, 0)],
         ["REQUANT uop_end=1 iter_out=8 iter_in=4 dst_factor_out=4 dst_factor_in=1 "
          f"src_factor_out=2047 src_factor_in=2047 shift=7 {FULL}"], stored=ALL),
    Rule("src_is_dst", "an element that is its own bias or multiplier is read before it is written",
         _ramp(1, -256), 32, [(k, k, 0) for k in range(32)],
         [f"REQUANT use_bias uop_bgn=0 uop_end=16 iter_out=1 iter_in=1 shift=2 {FULL}",
          f"REQUANT uop_bgn=16 uop_end=32 iter_out=1 iter_in=1 use_mul shift=9 {FULL}"],
         stored=ALL),
    Rule("mul_last", "the multiplier after the last accumulator is the first one",
         _ramp(7, -400, 32), 2, [(1, 2047, 0)],
         [f"REQUANT use_bias uop_end=1 iter_out=1 iter_in=1 use_mul shift=13 {FULL}"],
         at=2046, stored=range(1, 2)),
    Rule("raw_same", "the same destination in consecutive micro-ops",
         _ramp(3, -190, 128), 32, [(k // 4, 0, 0) for k in range(32)],
         [f"REQUANT uop_end=32 iter_out=1 iter_in=1 shift=1 {FULL}"], ("hazard",),
         stored=range(8)),
    Rule("raw_src", "a bias, then a multiplier, that the micro-op before wrote",
         _ramp(1, -250), 32,
         [(0, 31, 0), *((k + 1, k, 0) for k in range(15)), (16, 28, 0),
          *((k + 1, k - 1, 0) for k in range(16, 27))],
         [f"REQUANT use_bias uop_bgn=0 uop_end=16 iter_out=1 iter_in=1 shift=1 {FULL}",
          f"REQUANT use_bias uop_bgn=16 uop_end=28 iter_out=1 iter_in=1 use_mul shift=9 {FULL}"],
         ("hazard",), stored=range(28)),
    Rule("batch", "four rows of 16-bit accumulators: the sum wraps at 16 bits",
         [-32768, 32767, 20000, -20000, *range(-500, 500, 7)], 32, ONE,
         [f"REQUANT use_bias {SWEEP30} use_mul shift=17 {FULL}"], ("batch",), BATCH),
]  # fmt: skip


def program(rule: Rule) -> InstructionStream:
    """The stream of a rule: loads, the instructions, a store of all elements, FINISH."""
    config, count, out = rule.config, rule.elements, len(rule.stored)
    acc = rule.accumulators()
    last = rule.insns[-1].split()
    row = f"y_size=1 x_size={count} x_stride={count}"
    lines = [
        f'.stream "isa_requant_{rule.name}"',
        f".config {config.name}",
        f".segment accumulator ACC {ACC:#x} {count * config.acc_bytes}",
        f".segment out OUT {OUT:#x} {out * config.out_bytes}",
        f".segment uops UOP {UOP:#x} {len(rule.uops) * config.uop_bytes}",
        "kernel:",
        *(" ".join(map(str, uop)) for uop in rule.uops),
        f"LOAD.UOP dram_base=kernel y_size=1 x_size={len(rule.uops)} x_stride={len(rule.uops)}",
        f"LOAD.ACC dram_base=accumulator {row}",
        *([f"LOAD.ACC sram_base={rule.at} dram_base=accumulator {row}"] if rule.at else []),
        *rule.insns[:-1],
        " ".join([last[0], "push_next", *last[1:]]),
        f"STORE.OUT pop_prev push_prev sram_base={rule.stored.start} dram_base=out y_size=1 "
        f"x_size={out} x_stride={out}",
        "LOAD.UOP pop_next",
        "FINISH",
    ]
    stream = assemble("\n".join(lines))
    data = {"accumulator": pack(acc, config.acc_width), "out": _noise(out * config.out_bytes)}
    segments = [
        dataclasses.replace(s, data=data.get(s.name, s.data)) for s in stream.segments
    ]  # fmt: skip
    words = stream.words.view(np.uint8).reshape(-1)
    segments.append(Segment("insn", "INSN", INSN, words.size, words))
    return dataclasses.replace(stream, segments=tuple(segments))


def _noise(size: int) -> np.ndarray:
    """What the output region holds before the run: anything but what is expected there."""
    return (np.arange(size) * 37 + 11).astype(np.uint8)


def _meta(rule: Rule, stream: InstructionStream, files: dict[str, str]) -> dict[str, Any]:
    config = rule.config
    return {
        "name": stream.name,
        "description": rule.doc,
        "tags": sorted({"alu", "requant", *rule.tags}),
        "vta_config": {**config.to_dict(), "TARGET": "sim"},
        "derived": {
            "elem_bytes": {m.name: elem_bytes(config, m) for m in MemType if m < MemType.ACC_8BIT},
            "buffer_depth": {m.name: sram_depth(config, m) for m in MemType if m < MemType.OUT},
            "uop_bits": {
                "dst": config.uop_dst_bits,
                "src": config.uop_src_bits,
                "wgt": config.uop_wgt_bits,
            },
        },
        "addressing": "byte address = module base pointer (0 here) + dram_base*elem_bytes",
        "base_pointers": dict.fromkeys(("uop", "inp", "wgt", "acc", "out"), "0x0"),
        "buffers": [
            {"type": s.kind, "file": files[s.kind], "phys": hex(s.phys), "size": s.size}
            for s in stream.segments
        ],
        "insn": {"file": files["INSN"], "phys": hex(INSN), "count": len(stream)},
        "output": {
            "phys": hex(OUT),
            "size": len(rule.stored) * config.out_bytes,
            "expected_file": "expected_out.bin",
            "compare": "byte-exact, contiguous from phys",
        },
        "dram_init": "all bytes not covered by a buffer file are 0",
        "verified": {"numpy_reference": "ok"},
        "portable": False,
    }


def write(rule: Rule) -> pathlib.Path:
    """Write one case; its folder."""
    stream = program(rule)
    files = {"ACC": "accumulator.bin", "OUT": "out_init.bin", "UOP": "uop.bin",
             "INSN": "instructions.bin"}  # fmt: skip
    folder = FOLDER / stream.name
    folder.mkdir(exist_ok=True)
    for segment in stream.segments:
        assert segment.data is not None
        segment.data.tofile(folder / files[segment.kind])
    expected = run_stream(stream).dram.read(OUT, len(rule.stored) * rule.config.out_bytes)
    expected.tofile(folder / "expected_out.bin")
    text = json.dumps(_meta(rule, stream, files), indent=1)
    (folder / "meta.json").write_text(text + "\n", encoding="utf-8")
    return folder


if __name__ == "__main__":
    for one in RULES:
        write(one)
