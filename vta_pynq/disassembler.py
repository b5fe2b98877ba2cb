"""Instruction streams as text that `vta_pynq.assembler` reads back to the same bits."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterator

import numpy as np

from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import decode, decode_uops, encode, encode_uops
from vta_pynq.isa.mnemonic import format_insn, operand_fields, suffix_field
from vta_pynq.isa.table import MemType, Opcode, elem_bytes
from vta_pynq.stream import InstructionStream, Segment

__all__ = ["KERNEL_PREFIX", "disassemble", "insn_lines"]

KERNEL_PREFIX = "kernel_"
"""Micro-op kernels are labelled with this and a number, in the order of their addresses."""

_NOT_IN_SYMBOLS = re.compile(r"[^A-Za-z0-9_.]")
_INDENT = "    "


def disassemble(stream: InstructionStream, numbered: bool = False) -> str:
    """The text of a stream.

    Every bit of the instructions and micro-ops is in it: what no field explains is printed as
    `reserved=`, an unknown opcode as `.word`. The other DRAM segments appear by name, place and
    size, not by content. `numbered` puts each instruction's index before it; the assembler skips
    those.
    """
    symbols = _Symbols(stream)
    lines = [f".stream {json.dumps(stream.name)}", f".config {stream.config.name}"]
    if any(stream.tokens_in):
        lines.append(f".tokens {' '.join(map(str, stream.tokens_in))}")
    for segment in stream.segments:
        lines.append(
            f".segment {symbols.name_of(segment)} {_symbol(segment.kind)} "
            f"{segment.phys:#x} {segment.size}"
        )
        lines += symbols.kernel_lines(segment)
    lines.append("")
    marks: dict[int, list[str]] = {}
    for label in stream.labels:
        name = " ".join(label.name.split())
        marks.setdefault(label.begin, []).append(f";; {label.end - label.begin} {name}".rstrip())
    width = len(str(max(len(stream) - 1, 0)))
    for index, line in enumerate(_insn_lines(stream, symbols)):
        lines += marks.pop(index, [])
        lines.append(f"{index:{width}}: {line}" if numbered else line)
    for index in sorted(marks):  # labels of nothing, past the end
        lines += marks[index]
    return "\n".join(lines) + "\n"


def insn_lines(stream: InstructionStream) -> list[str]:
    """The line of each instruction of a stream, as `disassemble` writes it."""
    return list(_insn_lines(stream, _Symbols(stream)))


def _symbol(text: str) -> str:
    clean = _NOT_IN_SYMBOLS.sub("_", text) or "_"
    return f"_{clean}" if clean[0] in ".0123456789" else clean


def _insn_lines(stream: InstructionStream, symbols: _Symbols) -> Iterator[str]:
    config, words = stream.config, np.asarray(stream.words)
    records = decode(words, config)
    known = np.isin(records["opcode"], [int(opcode) for opcode in Opcode])
    dirty = words.copy()
    dirty[known] ^= encode(records[known], config, check="width")
    columns = {name: records[name].tolist() for name in records.dtype.names or ()}
    for index, opcode in enumerate(columns["opcode"]):
        low, high = int(dirty[index, 0]), int(dirty[index, 1])
        reserved = high << 64 | low
        if not known[index]:
            yield f".word {reserved:#034x}"
            continue
        kind = suffix_field(opcode)
        values = {field.name: columns[field.name][index] for field in operand_fields(opcode)}
        if kind is not None:
            values[kind] = columns[kind][index]
        place = symbols.place(values.get("dram_base", 0), values.get("memory_type", 0))
        yield format_insn(opcode, values, place, reserved)


class _Symbols:
    """Names of segments and micro-op kernels, and the way from an address to a name."""

    def __init__(self, stream: InstructionStream) -> None:
        self.config = stream.config
        self.names: dict[int, str] = {}
        taken: set[str] = set()
        for segment in stream.segments:
            name = _symbol(segment.name)
            if name.startswith(KERNEL_PREFIX):
                name = f"_{name}"
            while name in taken:
                name += "_"
            taken.add(name)
            self.names[id(segment)] = name
        self.loads = _uop_loads(stream)
        self.runs = {id(s): _runs(s, self.loads, self.config) for s in stream.segments}
        self.kernels = self._name_kernels()
        self.ordered = sorted(stream.segments, key=lambda segment: segment.phys)
        self.starts = [segment.phys for segment in self.ordered]

    def name_of(self, segment: Segment) -> str:
        return self.names[id(segment)]

    def _name_kernels(self) -> dict[int, str]:
        """Label of each listed run of micro-ops and of each place where a LOAD UOP begins."""
        labels: set[int] = set()
        starts = [begin for begin, _ in self.loads]
        for begin, end in (run for runs in self.runs.values() for run in runs):
            low, high = (bisect.bisect_left(starts, at) for at in (begin, end))
            labels |= {begin, *starts[low:high]}
        return {phys: f"{KERNEL_PREFIX}{number}" for number, phys in enumerate(sorted(labels))}

    def kernel_lines(self, segment: Segment) -> Iterator[str]:
        """The micro-ops of a segment. A label that does not follow on tells its address."""
        follows = segment.phys
        for begin, end in self.runs[id(segment)]:
            assert segment.data is not None
            raw = segment.data[begin - segment.phys : end - segment.phys]
            words = np.ascontiguousarray(raw).view("<u4")
            uops = decode_uops(words, self.config)
            dirty = words != encode_uops(uops, self.config)
            for position, (word, uop) in enumerate(zip(words.tolist(), uops.tolist(), strict=True)):
                phys = begin + position * self.config.uop_bytes
                label = self.kernels.get(phys)
                if label is not None:
                    yield f"{label}:" if phys == follows else f"{label}: {phys:#x}"
                follows = phys + self.config.uop_bytes
                if dirty[position]:
                    yield f"{_INDENT}.word {word:#010x}"
                else:
                    yield _INDENT + " ".join(map(str, uop))

    def place(self, dram_base: int, memory_type: int) -> str | None:
        """`symbol` or `symbol+offset` of an element; None where no symbol fits."""
        if memory_type not in list(MemType) or not self.ordered:
            return None
        size = elem_bytes(self.config, memory_type)
        phys = dram_base * size
        if memory_type == MemType.UOP and phys in self.kernels:
            return self.kernels[phys]
        at = bisect.bisect_right(self.starts, phys) - 1
        if at < 0:
            return None
        segment = self.ordered[at]
        offset, rest = divmod(phys - segment.phys, size)
        if phys >= segment.phys + segment.size or rest or segment.phys % size:
            return None
        return self.name_of(segment) + (f"+{offset}" if offset else "")


def _uop_loads(stream: InstructionStream) -> list[tuple[int, int]]:
    """Byte ranges (begin, end) inside a segment's data that LOAD UOP rows read, sorted."""
    records = decode(stream.words, stream.config)
    loads = records[(records["opcode"] == Opcode.LOAD) & (records["memory_type"] == MemType.UOP)]
    size = stream.config.uop_bytes
    names = ["dram_base", "x_size", "y_size", "x_stride"]
    wide = np.stack([loads[name].astype(np.int64) for name in names], axis=1)
    ranges: set[tuple[int, int]] = set()
    filled = [s for s in stream.segments if s.data is not None and s.data.size]
    for base, count, rows, stride in np.unique(wide, axis=0).tolist() if filled else ():
        begin, step = base * size, stride * size
        if not count or not rows:
            continue
        for segment in filled:
            # Only rows that begin in the segment: a dirty binary may claim 65,535 of them.
            low = segment.phys - begin
            high = low + (0 if segment.data is None else segment.data.size) - 1
            first = max(0, -(-low // step)) if step else 0
            last = min(rows - 1, high // step) if step else 0
            for row in range(first, last + 1):
                ranges.add((begin + row * step, begin + row * step + count * size))
    return sorted(ranges)


def _runs(
    segment: Segment, loads: list[tuple[int, int]], config: HwConfig
) -> list[tuple[int, int]]:
    """The byte ranges of a segment that hold micro-ops: all of a UOP segment, else what is read."""
    size = config.uop_bytes
    if segment.data is None or not segment.data.size:
        return []
    if segment.kind == "UOP" and segment.data.size % size == 0 and segment.phys % size == 0:
        return [(segment.phys, segment.phys + segment.data.size)]
    runs: list[tuple[int, int]] = []
    last = segment.phys + segment.data.size
    for begin, end in loads:
        end = min(end, last - (last - begin) % size)
        if begin < segment.phys or begin >= end:
            continue
        if runs and begin <= runs[-1][1]:
            runs[-1] = runs[-1][0], max(runs[-1][1], end)
        else:
            runs.append((begin, end))
    return runs
