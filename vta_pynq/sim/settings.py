"""What the C engine is told about a configuration, a semantics and a profile."""

from __future__ import annotations

from typing import Any

from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.layout import Slot, format_layout, uop_layout
from vta_pynq.isa.table import FORMATS, MemType, elem_bytes
from vta_pynq.sim._engine import ffi
from vta_pynq.timing.profiles import HwProfile

__all__ = ["c_settings", "c_slots"]

_UNBOUNDED = (1 << 32) - 1


def c_slots(config: HwConfig) -> tuple[Any, list[Any]]:
    """The `sim_slots` of every format and of micro-ops, and the arrays that must outlive it."""
    layouts: dict[str, tuple[Slot, ...]] = {
        format_.name.lower(): format_layout(config, format_) for format_ in FORMATS
    }
    slots, arrays = ffi.new("sim_slots *"), []
    for name, layout in {**layouts, "uop": uop_layout(config)}.items():
        array = ffi.new("sim_slot[]", len(layout))
        for entry, slot in zip(array, layout, strict=True):
            entry.mask, entry.word, entry.width = slot.mask, slot.word, slot.width
            # A field without bits may lie past the end of its word, where C cannot shift.
            entry.shift = slot.shift if slot.width else 0
            entry.is_signed = slot.field.signed
        arrays.append(array)
        setattr(slots, name, array)
    return slots, arrays


def c_settings(
    config: HwConfig, *, hls: bool, strict: bool, profile: HwProfile, bounded: bool = False
) -> Any:
    """The `sim_settings` of an engine.

    The profile's limits count in strict mode only; `bounded` lets those of queues and token
    counters count always.
    """
    settings = ffi.new("sim_settings *")
    for name in ("inp_width", "wgt_width", "acc_width", "out_width", "batch", "block",
                 "uop_depth", "inp_depth", "wgt_depth", "acc_depth"):  # fmt: skip
        setattr(settings, name, getattr(config, name))
    for memory_type in MemType:
        settings.elem_bytes[memory_type] = elem_bytes(config, memory_type)
    settings.shift_bits = config.log_acc_width
    settings.hls = hls
    settings.strict = strict
    settings.alu_mul = config.has(Capability.ALU_MUL)
    settings.alu_requant = config.has(Capability.ALU_REQUANT)
    settings.load_acc8 = config.has(Capability.LOAD_ACC8)
    settings.insn_queue_depth = settings.token_capacity = _UNBOUNDED
    if strict or bounded:
        _bound(settings, profile)
    if strict:
        _limit(settings, profile)
    return settings


def _bound(settings: Any, profile: HwProfile) -> None:
    if profile.insn_queue_depth is not None:
        settings.insn_queue_depth = profile.insn_queue_depth + profile.insn_queue_skid
    if profile.token_capacity is not None:
        settings.token_capacity = profile.token_capacity
    settings.tokens_saturate = profile.tokens_saturate


def _limit(settings: Any, profile: HwProfile) -> None:
    settings.alu_imm_reads_src = profile.alu_imm_reads_src
    settings.alu_src_limit = profile.alu_src_limit
    for name in ("gemm_acc_distance", "alu_dst_distance", "alu_imm_distance", "alu_src_distance"):
        setattr(settings, name, getattr(profile, name))
    settings.uop_depth_limit = profile.uop_depth_limit or _UNBOUNDED
    settings.shift_imm_min, settings.shift_imm_max = profile.shift_imm_range
    settings.shift_reg_min, settings.shift_reg_max = profile.shift_reg_range
