"""SRAM occupancy against a second count, element by element in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from examples.kernels.conv2d import ConvShape, build_conv2d
from examples.kernels.vector_add import build_vector_add
from tests.profile.sources import kernel_run, program_run
from tests.timing.streams import CONFIG, FINISH, load, loop, records_of, words_of
from vta_pynq.errors import ProgramError
from vta_pynq.isa.encode import encode
from vta_pynq.isa.table import MemType, Opcode
from vta_pynq.profile import profile_run, sram_occupancy
from vta_pynq.profile.occupancy import MEMORIES
from vta_pynq.profile.touched import Touched
from vta_pynq.stream import InstructionStream, Segment
from vta_pynq.timing import get_profile

LOADED = {0: "UOP", 1: "WGT", 2: "INP", 3: "ACC", 5: "ACC"}


def _padded_elements(r):
    width = int(r["x_pad_0"]) + int(r["x_size"]) + int(r["x_pad_1"])
    height = int(r["y_pad_0"]) + int(r["y_size"]) + int(r["y_pad_1"])
    return range(int(r["sram_base"]), int(r["sram_base"]) + width * height)


def _uop_words(stream, r):
    address = 4 * int(r["dram_base"])
    for segment in stream.segments:
        if segment.phys <= address < segment.phys + segment.size:
            data = bytes(segment.data)[address - segment.phys :][: 4 * int(r["x_size"])]
            return [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]
    raise AssertionError("no segment")


def _steps(stream, records, uops):
    """For each instruction what it reads and what it writes: sets of (memory, element)."""
    for r in records:
        reads, writes = set(), set()
        if r["opcode"] == Opcode.LOAD and r["x_size"]:
            memory = LOADED[int(r["memory_type"])]
            if memory == "UOP":
                for k, word in enumerate(_uop_words(stream, r)):
                    uops[int(r["sram_base"]) + k] = word
            writes = {(memory, e) for e in _padded_elements(r)}
        elif r["opcode"] == Opcode.STORE and r["x_size"]:
            reads = {("OUT", e) for e in _padded_elements(r)}
        elif r["opcode"] in (Opcode.GEMM, Opcode.ALU):
            is_gemm = r["opcode"] == Opcode.GEMM
            for u in range(int(r["uop_bgn"]), int(r["uop_end"])):
                reads.add(("UOP", u))
                # Default configuration: 11 bits, 11 bits, 10 bits.
                dst, src, wgt = uops[u] & 2047, uops[u] >> 11 & 2047, uops[u] >> 22
                for i in range(int(r["iter_out"])):
                    for j in range(int(r["iter_in"])):
                        d = dst + i * int(r["dst_factor_out"]) + j * int(r["dst_factor_in"])
                        s = src + i * int(r["src_factor_out"]) + j * int(r["src_factor_in"])
                        w = wgt + i * int(r["wgt_factor_out"]) + j * int(r["wgt_factor_in"])
                        writes |= {("ACC", d), ("OUT", d)}
                        if is_gemm and not r["reset"]:
                            reads |= {("INP", s), ("WGT", w), ("ACC", d)}
                        elif not is_gemm:
                            reads |= {("ACC", d)} if r["use_imm"] else {("ACC", d), ("ACC", s)}
        yield reads, writes


def counted(run):
    """Lives of values: (memory, begin, end) of each that is read."""
    lives, alive, uops = [], {}, {}

    def close(place):
        begin, end = alive.pop(place, (0, None))
        if end is not None:
            lives.append((place[0], begin, end))

    for part in run.streams:
        rows = part.hidden.rows
        steps = list(_steps(part.stream, part.records, uops))
        for i in sorted(range(len(steps)), key=lambda i: (int(rows["start"][i]), i)):
            reads, writes = steps[i]
            start, end = (part.begin + int(rows[name][i]) for name in ("start", "end"))
            for place in reads:
                if place in alive:
                    begin, last = alive[place]
                    alive[place] = (begin, max(last or 0, end))
            for place in writes:
                if place in reads:
                    alive.setdefault(place, (start, end))
                else:
                    close(place)
                    alive[place] = (start, None)
    for place in list(alive):
        close(place)
    return lives


def vector_add_run():
    return profile_run(build_vector_add(CONFIG, 640))


def conv_run():
    return profile_run(build_conv2d(CONFIG, ConvShape(32, 32, 6, 6)))


@pytest.mark.parametrize("run", [program_run, kernel_run, vector_add_run, conv_run])
def test_sram_occupancy_equals_the_plain_count(run):
    run = run()
    found = sram_occupancy(run)
    lives = counted(run)
    assert lives
    for memory in MEMORIES:
        own = [(begin, end) for kind, begin, end in lives if kind == memory.name]
        times = sorted({t for life in own for t in life})
        assert found[memory].times.tolist() == times
        begins, ends = (np.sort(np.array([life[k] for life in own])) for k in (0, 1))
        expected = [
            int(np.searchsorted(begins, t, "right") - np.searchsorted(ends, t, "right"))
            for t in times
        ]
        assert found[memory].live.tolist() == expected
        assert found[memory].peak == max(expected, default=0) <= found[memory].depth


@pytest.mark.parametrize(
    ("use_bias", "use_mul", "read"), [(0, 0, []), (1, 0, [7]), (0, 1, [7]), (1, 1, [7, 8])]
)
def test_touched_requant_reads_bias_and_multiplier(use_bias, use_mul, read):
    config = CONFIG.with_capabilities("alu_mul", "alu_requant")
    records = records_of(
        load(MemType.UOP, 1),
        loop(Opcode.REQUANT, 3, dst_factor_in=2, use_bias=use_bias, use_mul=use_mul, clip_hi=1),
    )
    micro_op = np.array([4 | 7 << 11], "<u4").view(np.uint8)
    segment = Segment("uops", "UOP", 0, 4, micro_op)
    stream = InstructionStream("r", config, encode(records, config), (segment,))
    touched = Touched(config, get_profile("vta1"))
    _, accesses = touched.of(stream, records)
    found = {(a.memory, a.reads, a.writes): [] for a in accesses}
    for access in accesses:
        found[access.memory, access.reads, access.writes] += access.elements.tolist()
    assert found[MemType.ACC, True, True] == found[MemType.OUT, False, True] == [4, 6, 8]
    assert found.get((MemType.ACC, True, False), []) == read
    assert found[MemType.UOP, True, False] == [0]


def test_touched_requant_without_the_capability_touches_nothing():
    records = records_of(loop(Opcode.REQUANT, 3))
    stream = InstructionStream("r", CONFIG, encode(records, CONFIG, "width"))
    assert list(Touched(CONFIG, get_profile("vta1")).of(stream, records)) == [()]


def test_occupancy_at_is_zero_before_and_after():
    occupancy = sram_occupancy(kernel_run())[MemType.INP]
    first, last = occupancy.times[0], occupancy.times[-1]
    assert occupancy.at(np.array([first - 1, first, last])).tolist() == [0, occupancy.live[0], 0]
    assert occupancy.element_bytes == CONFIG.inp_bytes


def test_sram_occupancy_without_the_micro_ops_is_refused():
    words = words_of(load(MemType.UOP, 2), loop(Opcode.GEMM, 1), FINISH)
    with pytest.raises(ProgramError) as caught:
        sram_occupancy(profile_run(InstructionStream("bare", CONFIG, words)))
    assert str(caught.value) == (
        "stream 'bare', insn 0 LOAD.UOP: micro-ops at 0x0 must be in the stream's segments, not "
        "left out; pass the program or kernel itself"
    )
