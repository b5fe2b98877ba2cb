"""Plans: micro-op kernels lowered and encoded once, issued any number of times."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.encode import UOP_DTYPE, encode_uops
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import (
    ALU_FORMAT,
    GEMM_FORMAT,
    REQUANT_FORMAT,
    WORD_BITS,
    AluOp,
    Format,
    Opcode,
)
from vta_pynq.kernel.hazards import Indices, Nest
from vta_pynq.kernel.immediates import split_immediate
from vta_pynq.kernel.lowering import Hazards, Loop, Operation, check_ranges, lower
from vta_pynq.kernel.requant import Requant
from vta_pynq.kernel.tracker import Elements, elements_of
from vta_pynq.kernel.uop_cache import CachedKernel, UopCache
from vta_pynq.timing.profiles import HwProfile

__all__ = ["MicroOps", "Operand", "Plan", "PlanStep", "Planner"]

Operand = int | Sequence[int] | npt.NDArray[Any]
"""Integers; `np.integer[Any]` would be evaluated here, and numpy 1.21 cannot."""


class MicroOps:
    """A sequence of micro-ops: int64 arrays `dst`, `src`, `wgt` of one length.

    Scalars are repeated to the length of the others. Equal sequences share their place in the
    micro-op cache.
    """

    __slots__ = ("dst", "plans", "src", "wgt")

    def __init__(self, dst: Operand, src: Operand = 0, wgt: Operand = 0) -> None:
        try:
            arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(a)) for a in (dst, src, wgt)))
        except ValueError:
            raise KernelError(
                "micro-ops: dst, src and wgt must have one length, not "
                + ", ".join(str(np.size(a)) for a in (dst, src, wgt))
            ) from None
        if any(a.ndim != 1 or a.dtype.kind not in "iu" for a in arrays):
            raise KernelError("micro-ops: indices must be integers in one dimension")
        self.dst, self.src, self.wgt = (a.astype(np.int64) for a in arrays)
        self.plans: dict[object, Plan] = {}

    def __len__(self) -> int:
        return len(self.dst)


@dataclasses.dataclass(frozen=True)
class PlanStep:
    """One GEMM, ALU or REQUANT instruction, complete but for the place of its micro-ops."""

    __slots__ = ("dst", "kernel", "src", "wgt", "word0", "word1")

    kernel: CachedKernel
    word0: int
    word1: int
    dst: Elements
    src: Elements | None
    wgt: Elements | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """The instructions of one operation; `KernelBuilder.issue` appends them."""

    steps: tuple[PlanStep, ...]
    writes_out: bool
    """Whether the output buffer holds the result afterwards."""


class Planner:
    """Makes plans for one configuration and profile."""

    def __init__(
        self, config: HwConfig, profile: HwProfile, cache: UopCache, hazards: Hazards
    ) -> None:
        self._config, self._profile, self._cache, self._hazards = config, profile, cache, hazards
        slots = {slot.field.name: slot for slot in format_layout(config, GEMM_FORMAT)}
        self.uop_unit = (1 << slots["uop_bgn"].shift) | (1 << slots["uop_end"].shift)
        """What one micro-op further in the SRAM adds to word 0."""

    def gemm(self, uops: MicroOps, loops: tuple[Loop, ...], reset: bool) -> Plan:
        """The plan of a GEMM."""
        key = (None, reset, loops)
        plan = uops.plans.get(key)
        if plan is None:
            what = Operation(reset=bool(reset))
            steps = self._steps(what, (uops.dst, uops.src, uops.wgt), loops)
            plan = uops.plans[key] = Plan(tuple(steps), not reset)
        return plan

    def alu(self, op: AluOp, imm: int | None, uops: MicroOps, loops: tuple[Loop, ...]) -> Plan:
        """The plan of an ALU operation with immediate, or with a register where `imm` is None."""
        key = (op, imm, loops)
        plan = uops.plans.get(key)
        if plan is None:
            plan = uops.plans[key] = self._alu(AluOp(op), imm, uops, loops)
        return plan

    def _alu(self, op: AluOp, imm: int | None, uops: MicroOps, loops: tuple[Loop, ...]) -> Plan:
        config, profile = self._config, self._profile
        if op == AluOp.MUL and profile.alu_mul != "yes" and not config.has(Capability.ALU_MUL):
            raise KernelError(
                f"ALU MUL: {config.name} with profile {profile.name} must have the capability "
                f"{Capability.ALU_MUL}, not lack it; multiply by shifts and additions or on the CPU"
            )
        self._check_batch(f"ALU {op.name}")
        zeros = np.zeros_like(uops.wgt)
        if imm is None:
            steps = self._steps(Operation(op), (uops.dst, uops.src, zeros), loops)
            return Plan(tuple(steps), True)
        # The current Chisel design computes from the source index, so it equals the destination.
        loops = tuple((count, dst, dst, 0) for count, dst, _, _ in loops)
        steps = []
        for part in split_immediate(config, op, int(imm)):
            steps += self._steps(Operation(op, part), (uops.dst, uops.dst, zeros), loops)
        return Plan(tuple(steps), True)

    def requant(self, what: Requant, uops: MicroOps, loops: tuple[Loop, ...]) -> Plan:
        """The plan of a REQUANT."""
        key = (what, loops)
        plan = uops.plans.get(key)
        if plan is None:
            what.check(self._config)
            self._check_batch("REQUANT")
            operation = Operation(requant=what, acc_depth=self._config.acc_depth)
            steps = self._steps(operation, (uops.dst, uops.src, uops.wgt), loops)
            plan = uops.plans[key] = Plan(tuple(steps), True)
        return plan

    def _check_batch(self, what: str) -> None:
        config, profile = self._config, self._profile
        if profile.batch_limit is not None and config.batch > profile.batch_limit:
            raise KernelError(
                f"{what}: batch must be at most {profile.batch_limit} (profile "
                f"{profile.name}), not {config.batch}; use another configuration"
            )

    def _steps(
        self, what: Operation, uops: tuple[Indices, Indices, Indices], loops: tuple[Loop, ...]
    ) -> list[PlanStep]:
        config, profile = self._config, self._profile
        check_ranges(config, profile, what, uops, loops)
        if what.reset or not what.is_gemm:  # what is ignored must fit its field all the same
            unused = np.zeros_like(uops[0])
            no_src = what.reset or (what.requant is not None and not what.sources)
            uops = (uops[0], unused if no_src else uops[1], unused)
            loops = tuple((n, d, 0 if no_src else s, 0) for n, d, s, _ in loops)
        nests = lower(profile, self._cache.depth, what, uops, loops, self._hazards)
        return [self._step(what, nest) for nest in nests]

    def _step(self, what: Operation, nest: Nest) -> PlanStep:
        records = np.empty(len(nest), UOP_DTYPE)
        records["dst_idx"], records["src_idx"], records["wgt_idx"] = nest.dst, nest.src, nest.wgt
        kernel = self._cache.intern(encode_uops(records, self._config))
        values = {
            "uop_bgn": 0,
            "uop_end": len(nest),
            "iter_out": nest.outer[0],
            "iter_in": nest.inner[0],
        }
        for column, name in ((1, "dst"), (2, "src"), (3, "wgt")):
            values[f"{name}_factor_out"] = nest.outer[column]
            values[f"{name}_factor_in"] = nest.inner[column]
        if what.requant is not None:
            values |= {"opcode": Opcode.REQUANT, **what.requant.fields()}
            words = _pack(self._config, REQUANT_FORMAT, values)
        elif what.op is None:
            values |= {"opcode": Opcode.GEMM, "reset": int(what.reset)}
            words = _pack(self._config, GEMM_FORMAT, values)
        else:
            values |= {"opcode": Opcode.ALU, "alu_opcode": what.op}
            values |= {"use_imm": int(what.imm is not None), "imm": what.imm or 0}
            words = _pack(self._config, ALU_FORMAT, values)
        reads = what.is_gemm and not what.reset
        return PlanStep(
            kernel,
            *words,
            elements_of(nest.touched("dst")),
            elements_of(nest.touched("src")) if reads else None,
            elements_of(nest.touched("wgt")) if reads else None,
        )


def _pack(config: HwConfig, format_: Format, values: Mapping[str, int]) -> tuple[int, int]:
    words = [0, 0]
    for slot in format_layout(config, format_):
        words[slot.word] |= (int(values.get(slot.field.name, 0)) & slot.mask) << slot.shift
    assert max(words) < 1 << WORD_BITS
    return words[0], words[1]
