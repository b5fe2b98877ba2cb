"""Which elements of each SRAM an instruction reads and writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import ProgramError
from vta_pynq.isa.encode import decode_uops
from vta_pynq.isa.table import LOOP_BITS, MemType, Opcode, elem_bytes, sram_depth
from vta_pynq.stream import InstructionStream, Segment
from vta_pynq.timing import HwProfile
from vta_pynq.timing.moves import MoveShape

__all__ = ["Access", "Touched"]

_LOOP_FIELDS = (
    "opcode", "reset", "use_imm", "use_bias", "use_mul", "iter_out", "iter_in",
    "dst_factor_out", "dst_factor_in", "src_factor_out", "src_factor_in", "wgt_factor_out",
    "wgt_factor_in",
)  # fmt: skip
"""What the elements of a loop depend on, beside its micro-ops."""

Indices = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Access:
    """Elements of one SRAM, each once.

    `reads` and `writes` both set means that what is there is used and replaced.
    """

    memory: MemType
    elements: Indices
    reads: bool
    writes: bool


class Touched:
    """Follows the micro-op buffer from stream to stream of a run."""

    def __init__(self, config: HwConfig, profile: HwProfile) -> None:
        self._config, self._profile = config, profile
        self._uops = np.zeros(config.uop_depth, np.uint32)
        has_requant = config.has(Capability.ALU_REQUANT)
        self._loops = {Opcode.GEMM, Opcode.ALU, *([Opcode.REQUANT] if has_requant else [])}
        self._known: dict[tuple[object, ...], tuple[Access, ...]] = {}

    def of(
        self, stream: InstructionStream, records: npt.NDArray[np.void]
    ) -> Iterator[tuple[Access, ...]]:
        """The accesses of each instruction in the order of the stream.

        Raises
        ------
        ProgramError
            The stream does not hold the micro-ops that it loads.
        """
        first, count = self._move_ranges(records)
        columns = {name: records[name].tolist() for name in records.dtype.names or ()}
        for i, opcode in enumerate(columns["opcode"]):
            if opcode in self._loops:
                yield self._loop({name: column[i] for name, column in columns.items()})
            elif opcode in (Opcode.LOAD, Opcode.STORE) and count[i]:
                memory = MemType(columns["memory_type"][i])
                if memory is MemType.UOP:
                    self._load_uops(stream, columns, i, int(first[i]), int(count[i]))
                yield (_moved(self._config, opcode, memory, int(first[i]), int(count[i])),)
            else:
                yield ()

    # ---- moves ---------------------------------------------------------------------------

    def _move_ranges(self, records: npt.NDArray[np.void]) -> tuple[Indices, Indices]:
        """First SRAM element and number of elements of each move, padding included."""
        count = np.zeros(len(records), np.int64)
        opcode, types = records["opcode"], records["memory_type"]
        for memory in MemType:
            kind = Opcode.STORE if memory is MemType.OUT else Opcode.LOAD
            rows = np.flatnonzero((opcode == kind) & (types == memory))
            size = elem_bytes(self._config, memory)
            shape = MoveShape.of(records, rows, memory, self._profile, size)
            writes_pads = (shape.x > 0) | self._profile.empty_load_writes_pads
            count[rows] = shape.elements + np.where(writes_pads, shape.padded, 0)
        return records["sram_base"].astype(np.int64), count

    def _load_uops(
        self, stream: InstructionStream, columns: Mapping[str, list[int]], i: int, at: int, n: int
    ) -> None:
        size = self._config.uop_bytes
        rows = columns["y_size"][i] if self._profile.loads_uop_rows else 1
        x, stride = columns["x_size"][i], columns["x_stride"][i]
        if n != rows * x:
            raise ProgramError(
                f"stream '{stream.name}', insn {i} LOAD.UOP: padding must be none, not in a "
                "micro-op load; vta profile does not follow that"
            )
        for row in range(rows):
            phys = (columns["dram_base"][i] + row * stride) * size
            words = _dram(stream, i, phys, x * size).view(np.dtype("<u4"))
            place = (at + row * x + np.arange(x)) % len(self._uops)
            self._uops[place] = words

    # ---- loops ---------------------------------------------------------------------------

    def _loop(self, v: Mapping[str, int]) -> tuple[Access, ...]:
        uops = self._uops[v["uop_bgn"] : v["uop_end"]]
        key = (v["uop_bgn"], uops.tobytes(), *(v[name] for name in _LOOP_FIELDS))
        found = self._known.get(key)
        if found is None:
            accesses = self._gemm if v["opcode"] == Opcode.GEMM else self._alu
            found = self._known[key] = accesses(v, uops)
        return found

    def _gemm(self, v: Mapping[str, int], uops: npt.NDArray[np.uint32]) -> tuple[Access, ...]:
        used = self._used_uops(v)
        fields = decode_uops(uops, self._config)
        sums = self._range(v, "dst", fields["dst_idx"], MemType.ACC)
        out = Access(MemType.OUT, sums, reads=False, writes=True)
        if v["reset"]:
            return used, Access(MemType.ACC, sums, reads=False, writes=True), out
        inputs = self._range(v, "src", fields["src_idx"], MemType.INP)
        weights = self._range(v, "wgt", fields["wgt_idx"], MemType.WGT)
        return (
            used,
            Access(MemType.INP, inputs, reads=True, writes=False),
            Access(MemType.WGT, weights, reads=True, writes=False),
            Access(MemType.ACC, sums, reads=True, writes=True),
            out,
        )

    def _alu(self, v: Mapping[str, int], uops: npt.NDArray[np.uint32]) -> tuple[Access, ...]:
        fields = decode_uops(uops, self._config)
        values = self._range(v, "dst", fields["dst_idx"], MemType.ACC)
        source = fields["src_idx"].astype(np.int64)
        if self._profile.alu_src_extends:
            source += fields["wgt_idx"].astype(np.int64) << self._config.uop_src_bits
        if v["opcode"] == Opcode.REQUANT:  # a bias, a multiplier, or one after the other
            operands = [source + k for k in range(v["use_bias"] + v["use_mul"])]
        else:
            operands = [] if v["use_imm"] else [source]
        found = [self._used_uops(v)]
        for operand in operands:
            elements = self._range(v, "src", operand, MemType.ACC)
            found.append(Access(MemType.ACC, elements, reads=True, writes=False))
        found.append(Access(MemType.ACC, values, reads=True, writes=True))
        found.append(Access(MemType.OUT, values, reads=False, writes=True))
        return tuple(found)

    def _turns(self, count: int) -> Indices:
        if not count and self._profile.zero_loops_wrap:
            count = 1 << LOOP_BITS
        return np.arange(count, dtype=np.int64)

    def _used_uops(self, v: Mapping[str, int]) -> Access:
        return Access(MemType.UOP, np.arange(v["uop_bgn"], v["uop_end"]), reads=True, writes=False)

    def _range(
        self, v: Mapping[str, int], side: str, first: npt.NDArray[np.generic], memory: MemType
    ) -> Indices:
        """The elements that an index goes through, each once, in order."""
        outer = self._turns(v["iter_out"]) * v[f"{side}_factor_out"]
        inner = self._turns(v["iter_in"]) * v[f"{side}_factor_in"]
        depth = sram_depth(self._config, memory)
        hit = np.zeros(depth, np.bool_)
        # Each index once before it is combined with the next: the product of all three is large.
        steps = np.unique((np.unique(outer)[:, None] + np.unique(inner)).reshape(-1))
        bases = np.unique(first.astype(np.int64))
        hit[(steps[:, None] + bases).reshape(-1) % depth] = True
        return np.flatnonzero(hit)


def _moved(config: HwConfig, opcode: int, memory: MemType, first: int, count: int) -> Access:
    place = MemType.ACC if memory is MemType.ACC_8BIT else memory
    elements = (first + np.arange(count, dtype=np.int64)) % sram_depth(config, place)
    is_store = opcode == Opcode.STORE
    return Access(place, elements, reads=is_store, writes=not is_store)


def _dram(stream: InstructionStream, insn: int, phys: int, size: int) -> npt.NDArray[np.uint8]:
    segment: Segment | None = next(
        (s for s in stream.segments if s.phys <= phys and phys + size <= s.phys + s.size), None
    )
    if segment is None or segment.data is None:
        raise ProgramError(
            f"stream '{stream.name}', insn {insn} LOAD.UOP: micro-ops at {phys:#x} must be in the "
            "stream's segments, not left out; pass the program or kernel itself"
        )
    begin = phys - segment.phys
    data = np.zeros(size, np.uint8)
    have = np.asarray(segment.data).reshape(-1).view(np.uint8)[begin : begin + size]
    data[: len(have)] = have
    return data
