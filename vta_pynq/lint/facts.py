"""The facts of a configuration and a profile, and a stream's DRAM, as the C core takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.encode import INSN_DTYPE
from vta_pynq.isa.layout import uop_layout
from vta_pynq.isa.table import TOKENS, MemType, elem_bytes, sram_depth
from vta_pynq.lint._lint import ffi
from vta_pynq.lint.rules import MODULES
from vta_pynq.stream import InstructionStream
from vta_pynq.timing.profiles import HwProfile

__all__ = ["coverage_of", "facts_of", "segments_of"]

_CODE_KINDS = ("INSN", "UOP")
_MAX_TOKENS = 1 << 30

# The C core reads decoded records in place.
_C_OFFSETS = {name: field.offset for name, field in ffi.typeof("lint_insn").fields}
assert {name: place[1] for name, place in (INSN_DTYPE.fields or {}).items()} == _C_OFFSETS
assert ffi.sizeof("lint_insn") == INSN_DTYPE.itemsize


def _token_tables(facts: Any) -> None:
    for table in (facts.pops, facts.pushes):
        for m in range(len(MODULES)):
            table[m][0] = table[m][1] = -1
    for index, token in enumerate(TOKENS):
        facts.pushes[MODULES.index(token.producer)][token.push_flag == "push_next"] = index
        facts.pops[MODULES.index(token.consumer)][token.pop_flag == "pop_next"] = index


def _memories(facts: Any, config: HwConfig, profile: HwProfile) -> None:
    for memory in MemType:
        if memory == MemType.ACC_8BIT and not (
            profile.load_acc8 == "yes" or config.has(Capability.LOAD_ACC8)
        ):
            continue
        facts.depth[memory] = sram_depth(config, memory)
        facts.elem_bytes[memory] = elem_bytes(config, memory)
    if profile.uop_depth_limit is not None:
        facts.depth[MemType.UOP] = min(config.uop_depth, profile.uop_depth_limit)
    facts.granule_bytes = config.out_bytes
    facts.acc_bytes_per_value = config.acc_width // 8


def _micro_ops(facts: Any, config: HwConfig, profile: HwProfile) -> None:
    dst, src, wgt = uop_layout(config)
    facts.dst_mask = dst.mask
    facts.src_shift, facts.src_mask = src.shift, src.mask
    facts.wgt_shift, facts.wgt_mask = wgt.shift, wgt.mask
    if profile.alu_src_limit and config.inp_depth < config.acc_depth:
        facts.alu_src_limit = config.inp_depth


def facts_of(stream: InstructionStream, profile: HwProfile) -> Any:
    """A `lint_facts` for the stream's configuration on the profile."""
    facts = ffi.new("lint_facts *")
    config = stream.config
    _token_tables(facts)
    _memories(facts, config, profile)
    _micro_ops(facts, config, profile)
    for t, count in enumerate(stream.tokens_in):
        facts.tokens_in[t] = min(max(int(count), 0), _MAX_TOKENS)
    if profile.insn_queue_depth is not None:
        facts.queue_capacity = profile.insn_queue_depth + profile.insn_queue_skid
    if profile.token_capacity is not None:
        if profile.tokens_saturate:
            facts.tokens_tolerated = profile.tokens_tolerated or profile.token_capacity
        else:
            facts.token_capacity = profile.token_capacity
    facts.shift_imm_low, facts.shift_imm_high = profile.shift_imm_range
    facts.shift_reg_low, facts.shift_reg_high = profile.shift_reg_range
    for name in (
        "store_reads_acc", "reset_writes_out", "pads_weights", "loads_uop_rows",
        "empty_load_writes_pads", "zero_rows_wrap", "alu_imm_reads_src", "alu_src_extends",
        "null_page_bytes", "alu_dst_distance", "alu_imm_distance", "alu_src_distance",
    ):  # fmt: skip
        setattr(facts, name, getattr(profile, name))
    facts.gemm_distance = profile.gemm_acc_distance
    facts.mul_known = profile.alu_mul == "yes" or config.has(Capability.ALU_MUL)
    facts.requant_known = config.has(Capability.ALU_REQUANT)
    facts.unknown_hangs = profile.unknown_insn == "hang"
    facts.batch_exceeded = profile.batch_limit is not None and config.batch > profile.batch_limit
    return facts


def segments_of(stream: InstructionStream) -> tuple[Any, list[Any]]:
    """The stream's segments as an array of `lint_segment`, and what must outlive it.

    Micro-op segments without data are zeros, as the case format says; of any other segment
    without data the contents are not known before the run.
    """
    array = ffi.new("lint_segment[]", max(len(stream.segments), 1))
    alive: list[Any] = []
    for entry, segment in zip(array, stream.segments, strict=False):
        entry.begin, entry.end = segment.phys, segment.phys + segment.size
        entry.code = segment.kind in _CODE_KINDS
        data = segment.data
        if data is None and segment.kind == MemType.UOP.name:
            data = np.zeros(1, np.uint8)
        if data is not None:
            raw = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
            raw = np.zeros(1, np.uint8) if raw.size == 0 else raw
            pointer = ffi.from_buffer("uint8_t[]", raw)
            alive += [raw, pointer]
            entry.data = pointer
            entry.data_bytes = min(raw.size, segment.size)
    return array, alive


def coverage_of(stream: InstructionStream) -> npt.NDArray[np.uint64]:
    """The union of the segments: sorted, disjoint pairs of begin and end, shape (n, 2)."""
    spans = sorted((s.phys, s.phys + s.size) for s in stream.segments if s.size > 0)
    merged: list[list[int]] = []
    for begin, end in spans:
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    return np.array(merged, np.uint64).reshape(-1, 2)
