"""What each layer of a profiled run takes: cycles, waits, operations, bytes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import MemType, Module
from vta_pynq.program import LayerReport
from vta_pynq.stream import InstructionStream, StreamLabel
from vta_pynq.timing import CycleReport, HwProfile, StallReason
from vta_pynq.timing.costs import InstructionCosts, gemm_turns

__all__ = ["REST", "LayerProfile", "StreamLayers", "layer_profiles"]

REST = "(rest)"
"""What no label covers: FINISH, the first fetch, and unlabelled instructions."""

Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class LayerProfile:
    """One layer. Cycles are the cycle model's.

    `cycles` is the layer's share of the run: by how much it got longer with these instructions
    after all earlier ones. `serial_cycles` is the same without latency hiding. `begin` and `end`
    are the first start and the last end in the whole run; those of neighbours overlap.
    `executed_macs` are the multiply-accumulates of GEMM; `model_macs` is the compiler's count of
    what the model asks for, which includes taps outside the image (None where it is not known).
    `dram_bytes` is payload by memory type, without instructions.
    """

    number: int
    name: str
    op: str
    instructions: int
    cycles: int
    serial_cycles: int
    begin: int
    end: int
    busy: Mapping[Module, int]
    stalls: Mapping[Module, Mapping[StallReason, int]]
    executed_macs: int
    model_macs: int | None
    dram_bytes: Mapping[MemType, int]

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates: no more than were executed, nor than the model asks for."""
        asked = self.executed_macs if self.model_macs is None else self.model_macs
        return min(self.executed_macs, asked)

    @property
    def ops(self) -> int:
        """Operations: two for each multiply-accumulate."""
        return 2 * self.macs

    @property
    def bytes(self) -> int:
        """Payload moved between DRAM and SRAM."""
        return sum(self.dram_bytes.values())

    @property
    def intensity(self) -> float:
        """Operations for each byte of DRAM traffic; 0 where nothing moves."""
        return self.ops / self.bytes if self.bytes else 0.0

    @property
    def waits(self) -> Mapping[StallReason, int]:
        """What compute waited for, in cycles."""
        return self.stalls[Module.COMPUTE]


@dataclasses.dataclass(frozen=True, eq=False)
class StreamLayers:
    """The layers of one stream: labels that do not overlap, and each instruction's.

    `owner` numbers the label of each instruction, -1 where there is none; shape (n,).
    """

    labels: tuple[StreamLabel, ...]
    owner: Ints

    @classmethod
    def of(cls, stream: InstructionStream) -> StreamLayers:
        """Outer labels win over those inside them; a stream without any is one layer itself."""
        given = stream.labels or (StreamLabel(0, len(stream), stream.name),)
        owner = np.full(len(stream), -1, np.int64)
        chosen: list[StreamLabel] = []
        for label in sorted(given, key=lambda label: (label.begin, -label.end)):
            begin = max(label.begin, chosen[-1].end if chosen else 0)
            end = min(label.end, len(stream))
            if begin < end:
                owner[begin:end] = len(chosen)
                chosen.append(StreamLabel(begin, end, label.name))
        return cls(tuple(chosen), owner)

    def name_of(self, insn: int) -> str:
        """The layer of an instruction."""
        number = int(self.owner[insn])
        return self.labels[number].name if number >= 0 else REST


class Timed(Protocol):
    """What is needed of a submission; `vta_pynq.profile.run.ProfiledStream` is one."""

    @property
    def records(self) -> npt.NDArray[np.void]:
        """Decoded instructions."""

    @property
    def hidden(self) -> CycleReport:
        """With latency hiding."""

    @property
    def serial(self) -> CycleReport:
        """Without."""

    @property
    def costs(self) -> InstructionCosts:
        """Of each instruction alone."""

    @property
    def begin(self) -> int:
        """Launch in the whole run."""

    @property
    def layers(self) -> StreamLayers:
        """Which layer each instruction belongs to."""


@dataclasses.dataclass
class _Sums:
    """What the labels of one name add up to."""

    instructions: int = 0
    cycles: int = 0
    serial_cycles: int = 0
    begin: int | None = None
    end: int = 0
    macs: int = 0
    busy: Counter[Module] = dataclasses.field(default_factory=Counter)
    stalls: dict[Module, Counter[StallReason]] = dataclasses.field(default_factory=dict)
    bytes: Counter[MemType] = dataclasses.field(default_factory=Counter)


def layer_profiles(
    parts: Sequence[Timed],
    reports: Mapping[str, LayerReport],
    config: HwConfig,
    profile: HwProfile,
) -> tuple[LayerProfile, ...]:
    """The layers of a run, labels of one name together; `reports` are the compiler's by name."""
    sums: dict[str, _Sums] = {}
    for part in parts:
        turns = gemm_turns(part.records, profile, config)
        hidden, serial = (_progress(report) for report in (part.hidden, part.serial))
        shares = part.hidden.by_label(part.layers.labels)
        for number, (label, share) in enumerate(zip(part.layers.labels, shares, strict=True)):
            found = sums.setdefault(label.name, _Sums())
            _add(found, part, part.layers.owner == number, turns, config)
            found.cycles += int(hidden[label.end] - hidden[label.begin])
            found.serial_cycles += int(serial[label.end] - serial[label.begin])
            found.end = max(found.end, part.begin + share.end)
            begin = part.begin + share.begin
            found.begin = begin if found.begin is None else min(found.begin, begin)
            found.busy.update(share.busy)
            for module, stalls in share.stalls.items():
                found.stalls.setdefault(module, Counter()).update(stalls)
    _add_rest(sums, parts, config, profile)
    return tuple(
        _layer(number, name, found, reports.get(name))
        for number, (name, found) in enumerate(sums.items(), 1)
    )


def _progress(report: CycleReport) -> Ints:
    """By when the first k instructions have ended: what ends after the done flag takes no time."""
    ends = np.maximum.accumulate(report.rows["end"].astype(np.int64))
    return np.concatenate([[0], np.minimum(ends, report.total_cycles)])


def _add(found: _Sums, part: Timed, mask: npt.NDArray[np.bool_], turns: Ints, c: HwConfig) -> None:
    found.instructions += int(mask.sum())
    found.macs += int(turns[mask].sum()) * c.macs_per_cycle
    moved = mask & (part.costs.memory >= 0)
    sizes = np.bincount(
        part.costs.memory[moved], weights=part.costs.bytes_moved[moved], minlength=len(MemType)
    )
    found.bytes.update({memory: int(sizes[memory]) for memory in MemType})


def _add_rest(
    sums: dict[str, _Sums], parts: Sequence[Timed], config: HwConfig, profile: HwProfile
) -> None:
    """What is left of the totals: nothing of a run may be missing from its layers."""
    rest = _Sums()
    for part in parts:
        mask = part.layers.owner < 0
        _add(rest, part, mask, gemm_turns(part.records, profile, config), config)
        rows = part.hidden.rows[mask]
        for module in part.hidden.modules:
            rest.busy[module] += int(rows["busy"][rows["module"] == module].sum())
        rest.begin = part.begin if rest.begin is None else rest.begin
        rest.end = part.begin + part.hidden.total_cycles
    for kind in ("cycles", "serial_cycles"):
        reports = [part.hidden if kind == "cycles" else part.serial for part in parts]
        total = sum(report.total_cycles for report in reports)
        setattr(rest, kind, total - sum(getattr(found, kind) for found in sums.values()))
    for part in parts:
        for module, cycles in part.hidden.modules.items():
            rest.stalls.setdefault(module, Counter()).update(cycles.stalls)
    for found in sums.values():
        for module, stalls in found.stalls.items():
            rest.stalls[module].subtract(stalls)
    if rest.instructions or rest.cycles or rest.serial_cycles:
        sums[REST] = rest


def _layer(number: int, name: str, found: _Sums, report: LayerReport | None) -> LayerProfile:
    return LayerProfile(
        number=number,
        name=name,
        op="" if report is None else report.op,
        instructions=found.instructions,
        cycles=found.cycles,
        serial_cycles=found.serial_cycles,
        begin=found.begin or 0,
        end=found.end,
        busy=dict(found.busy),
        stalls={module: dict(stalls) for module, stalls in found.stalls.items()},
        executed_macs=found.macs,
        model_macs=None if report is None else report.macs,
        dram_bytes={memory: found.bytes[memory] for memory in MemType},
    )
