"""What one instruction takes when nothing else runs, for many instructions at once.

The formulas are those of docs/isa.md, "Timing", with the terms that `Timing` names; element and
bus widths scale them to any configuration.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import SimError
from vta_pynq.isa.table import LOOP_BITS, AluOp, MemType, Opcode, elem_bytes
from vta_pynq.timing.moves import Cycles, MoveShape
from vta_pynq.timing.parameters import Client, LoopTiming, MoveTiming, Timing
from vta_pynq.timing.profiles import HwProfile, get_profile

__all__ = [
    "InstructionCosts",
    "gemm_turns",
    "instruction_costs",
    "instruction_cycles",
    "timing_of",
]

_CLIENT_OF_MEMORY: dict[MemType, Client] = {
    MemType.UOP: "uop",
    MemType.WGT: "wgt",
    MemType.INP: "inp",
    MemType.ACC: "acc",
    MemType.ACC_8BIT: "acc",
}
_CHUNK = 1 << 14  # instructions whose columns stay in the processor's cache
_MOST_L = 1 << 20
# By opcode and by memory type, as decoded records hold them: bytes.
_PUBLISHED_OPCODE = np.isin(np.arange(256), [int(o) for o in Opcode if o != Opcode.REQUANT])
_LOADABLE = np.isin(np.arange(256), [int(memory) for memory in _CLIENT_OF_MEMORY])


@dataclasses.dataclass(frozen=True)
class InstructionCosts:
    """Costs of n instructions, each array of shape (n,), int64.

    `cycles` is start to end without contention; `first_beat` is start to the first beat on the
    memory port and `beats` how many cycles the port is held; `port` indexes `Timing.ports`, -1
    where memory is not used. `bytes_moved` counts payload; `memory` is the memory type, -1
    where nothing moves.
    """

    cycles: Cycles
    first_beat: Cycles
    beats: Cycles
    port: Cycles
    bytes_moved: Cycles
    memory: Cycles

    @classmethod
    def empty(cls, count: int) -> InstructionCosts:
        """All zero, on no port."""
        zeros = [np.zeros(count, np.int64) for _ in dataclasses.fields(cls)]
        costs = cls(*zeros)
        costs.port[:] = costs.memory[:] = -1
        return costs

    def part(self, rows: slice) -> InstructionCosts:
        """Views of some rows."""
        return InstructionCosts(*(getattr(self, f.name)[rows] for f in dataclasses.fields(self)))


def timing_of(profile: HwProfile | str) -> tuple[HwProfile, Timing]:
    """A profile and its cycle parameters.

    Raises
    ------
    ConfigError
        There is no profile of that name.
    SimError
        The profile has no notion of time.
    """
    if not isinstance(profile, HwProfile):
        profile = get_profile(profile)
    if profile.timing is None:
        raise SimError(
            f"cycle model: profile must have cycle parameters, not '{profile.name}'; "
            "use hls-64bit, hls-128bit, chisel-64bit or vta1"
        )
    return profile, profile.timing


def instruction_cycles(
    records: npt.NDArray[np.void],
    profile: HwProfile | str,
    config: HwConfig,
    memory_latency_cycles: int | None = None,
) -> Cycles:
    """Cycles that each instruction takes from start to end when it waits for nothing.

    Parameters
    ----------
    records
        Array of `vta_pynq.isa.INSN_DTYPE`, shape (n,).
    profile
        Profile or its name.
    config
        The configuration that gives the element sizes.
    memory_latency_cycles
        L of the formulas; None takes the profile's.

    Returns
    -------
    cycles
        Array of int64, shape (n,).

    Raises
    ------
    SimError
        The profile has no notion of time, or an instruction would hang that design.
    """
    return instruction_costs(records, profile, config, memory_latency_cycles).cycles


def instruction_costs(
    records: npt.NDArray[np.void],
    profile: HwProfile | str,
    config: HwConfig,
    memory_latency_cycles: int | None = None,
) -> InstructionCosts:
    """`instruction_cycles` with what the event engine needs to know about memory."""
    profile, timing = timing_of(profile)
    latency = timing.memory_latency if memory_latency_cycles is None else memory_latency_cycles
    if isinstance(latency, bool) or not isinstance(latency, int) or not 0 <= latency <= _MOST_L:
        raise SimError(
            f"cycle model: memory latency must be in 0..{_MOST_L} cycles, not {latency!r}"
        )
    costs = InstructionCosts.empty(len(records))
    for begin in range(0, len(records), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        _refuse_hangs(records[part], begin, profile, config)
        _fill(costs.part(part), records[part], profile, timing, config, latency)
    return costs


def _known_opcodes(records: npt.NDArray[np.void], config: HwConfig) -> npt.NDArray[np.bool_]:
    """Which instructions have an opcode that a build of `config` knows."""
    known: npt.NDArray[np.bool_] = _PUBLISHED_OPCODE[records["opcode"]]
    if config.has(Capability.ALU_REQUANT):
        known |= records["opcode"] == Opcode.REQUANT
    return known


def _fill(
    costs: InstructionCosts,
    records: npt.NDArray[np.void],
    profile: HwProfile,
    timing: Timing,
    config: HwConfig,
    latency: int,
) -> None:
    opcode = records["opcode"]
    costs.cycles[opcode == Opcode.FINISH] = timing.finish
    _loop_costs(costs, records, profile, timing, config)
    costs.cycles[~_known_opcodes(records, config)] = timing.ignored
    _move_costs(costs, records, profile, timing, config, latency)


def _refuse_hangs(
    records: npt.NDArray[np.void], first: int, profile: HwProfile, config: HwConfig
) -> None:
    opcode, memory, operation = records["opcode"], records["memory_type"], records["alu_opcode"]
    is_alu, is_load = opcode == Opcode.ALU, opcode == Opcode.LOAD
    can = config.capabilities
    rules = [
        ("opcode", opcode, ~_known_opcodes(records, config), profile.unknown_insn),
        ("memory type", memory, is_load & ~_LOADABLE[memory], profile.unknown_insn),
        ("ALU operation", operation, is_alu & (operation > max(AluOp)), profile.unknown_insn),
    ]
    if Capability.LOAD_ACC8 not in can:
        bad = is_load & (memory == MemType.ACC_8BIT)
        rules.append(("memory type", memory, bad, profile.load_acc8))
    if Capability.ALU_MUL not in can:
        bad = is_alu & (operation == AluOp.MUL)
        rules.append(("ALU operation", operation, bad, profile.alu_mul))
    for what, values, bad, support in rules:
        if support in ("hang", "trap") and bad.any():
            row = int(np.argmax(bad))
            raise SimError(
                f"cycle model, insn {first + row}: {what} must be one that {profile.name} knows, "
                f"not {int(values[row])}; it would hang there"
            )


def _iterations(
    records: npt.NDArray[np.void],
    rows: npt.NDArray[np.intp],
    profile: HwProfile,
    config: HwConfig,
) -> Cycles:
    outer = records["iter_out"][rows].astype(np.int64)
    inner = records["iter_in"][rows].astype(np.int64)
    uops = records["uop_end"][rows].astype(np.int64) - records["uop_bgn"][rows]
    if profile.zero_loops_wrap:  # counters compare for equality, so 0 is their whole range
        uop_range = 2 * config.uop_depth
        outer = np.where(outer == 0, 1 << LOOP_BITS, outer)
        inner = np.where(inner == 0, 1 << LOOP_BITS, inner)
        uops = (uops - 1) % uop_range + 1
    iterations: Cycles = outer * inner * np.maximum(uops, 0)
    return iterations


def gemm_turns(records: npt.NDArray[np.void], profile: HwProfile, config: HwConfig) -> Cycles:
    """Matrix products that each instruction executes: micro-ops times turns, shape (n,).

    A product is `config.macs_per_cycle` multiply-accumulates. GEMM with `reset` executes none.
    """
    turns = np.zeros(len(records), np.int64)
    rows = np.flatnonzero((records["opcode"] == Opcode.GEMM) & (records["reset"] == 0))
    turns[rows] = _iterations(records, rows, profile, config)
    return turns


def _loop_costs(
    costs: InstructionCosts,
    records: npt.NDArray[np.void],
    profile: HwProfile,
    timing: Timing,
    config: HwConfig,
) -> None:
    is_alu = records["opcode"] == Opcode.ALU
    by_opcode = dict(timing.alu_by_opcode)
    own = np.isin(records["alu_opcode"], list(by_opcode)) if by_opcode else np.False_
    immediate = records["use_imm"] != 0
    groups: list[tuple[npt.NDArray[np.bool_], LoopTiming]] = [
        (records["opcode"] == Opcode.GEMM, timing.gemm),
        (is_alu & immediate & ~own, timing.alu_imm),
        (is_alu & ~immediate & ~own, timing.alu_reg),
    ]
    groups += [(is_alu & (records["alu_opcode"] == o), loop) for o, loop in by_opcode.items()]
    groups.append((records["opcode"] == Opcode.REQUANT, timing.requant or timing.alu_reg))
    for chosen, loop in groups:
        rows = np.flatnonzero(chosen)
        if not rows.size:
            continue
        n = _iterations(records, rows, profile, config)
        costs.cycles[rows] = np.where(
            n == 0, loop.fixed - loop.entry, loop.interval * n + loop.fixed
        )
    _source_costs(costs, records, profile, timing, config)


def _source_costs(
    costs: InstructionCosts,
    records: npt.NDArray[np.void],
    profile: HwProfile,
    timing: Timing,
    config: HwConfig,
) -> None:
    """REQUANT: a turn for each bias and multiplier that is read.

    An operand is held while the source index stays. Where a kernel has several micro-ops, each is
    taken to name another source, for their contents are not looked at: never too few cycles.
    """
    rows = np.flatnonzero(records["opcode"] == Opcode.REQUANT)
    if not rows.size or not timing.requant_source:
        return
    part = records[rows]
    total = _iterations(records, rows, profile, config)
    outer, inner = (part[name].astype(np.int64) for name in ("iter_out", "iter_in"))
    changes = np.where(part["src_factor_out"] == 0, 1, outer)
    changes = np.where((part["src_factor_in"] == 0) | (inner == 1), changes, outer * inner)
    changes = np.where(part["uop_end"].astype(np.int64) - part["uop_bgn"] > 1, total, changes)
    operands = part["use_bias"].astype(np.int64) + part["use_mul"]
    costs.cycles[rows] += timing.requant_source * operands * np.minimum(changes, total)


def _move_costs(
    costs: InstructionCosts,
    records: npt.NDArray[np.void],
    profile: HwProfile,
    timing: Timing,
    config: HwConfig,
    latency: int,
) -> None:
    opcode, memory_type = records["opcode"], records["memory_type"]
    is_load = opcode == Opcode.LOAD
    stores = np.flatnonzero(opcode == Opcode.STORE)
    _fill_moves(costs, records, stores, MemType.OUT, profile, timing, config, latency)
    for memory in _CLIENT_OF_MEMORY:
        rows = np.flatnonzero(is_load & (memory_type == memory))
        has_acc8 = Capability.LOAD_ACC8 in config.capabilities or profile.load_acc8 == "yes"
        if memory is MemType.ACC_8BIT and not has_acc8:
            costs.cycles[rows] = timing.ignored
        else:
            _fill_moves(costs, records, rows, memory, profile, timing, config, latency)
    costs.cycles[is_load & ~_LOADABLE[memory_type]] = timing.ignored


def _fill_moves(
    costs: InstructionCosts,
    records: npt.NDArray[np.void],
    rows: npt.NDArray[np.intp],
    memory: MemType,
    profile: HwProfile,
    timing: Timing,
    config: HwConfig,
    latency: int,
) -> None:
    if not rows.size:
        return
    client: Client = "out" if memory is MemType.OUT else _CLIENT_OF_MEMORY[memory]
    move: MoveTiming = getattr(timing, client)
    if memory is MemType.ACC_8BIT and timing.acc8 is not None:
        move = timing.acc8
    port = timing.port_of(client)
    latency += port.extra_latency
    element = elem_bytes(config, memory)
    shape = MoveShape.of(records, rows, memory, profile, element)
    beats = shape.beats(move, port.bus_bytes) * port.cycles_per_beat
    transfer = beats * move.beat_interval + shape.elements * move.elem_extra
    units = {
        "row": shape.data_rows,
        "once": np.minimum(shape.data_rows, 1),
        "burst": shape.units_touched(timing.burst_bytes) if move.latency == "burst" else 0,
    }[move.latency]
    cycles = move.fixed + units * (latency + move.unit) + transfer
    cycles += np.maximum(shape.data_rows - 1, 0) * move.next_row
    if move.empty_row is not None:
        cycles += shape.empty_rows * move.empty_row
    if not shape.has_padding:
        pass
    elif move.padding == "serial":
        cycles += shape.padded
    else:
        cycles += shape.walker_extra(latency + move.request)
    if move.empty_row is None:
        cycles = np.where(shape.x == 0, move.fixed if move.nop is None else move.nop, cycles)
    costs.cycles[rows] = cycles
    costs.first_beat[rows] = move.request + latency
    if move.padding == "walker":
        costs.first_beat[rows] += shape.pad_top
    costs.beats[rows] = beats
    costs.port[rows] = np.where(beats > 0, timing.ports.index(port), -1)
    costs.bytes_moved[rows] = shape.elements * element
    costs.memory[rows] = memory
