"""What the engine refuses, and how it says so."""

from __future__ import annotations

import enum
from typing import Any

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.isa.table import TOKENS, MemType, Module, Opcode
from vta_pynq.sim._engine import lib

__all__ = ["FaultKind", "StreamError", "fault_of"]


class FaultKind(enum.Enum):
    """Why the engine stopped."""

    OPCODE = lib.SIM_OPCODE
    MEMORY_TYPE = lib.SIM_MEMORY_TYPE
    ALU_OPCODE = lib.SIM_ALU_OPCODE
    SRAM_RANGE = lib.SIM_SRAM_RANGE
    UOP_RANGE = lib.SIM_UOP_RANGE
    INDEX_RANGE = lib.SIM_INDEX_RANGE
    DRAM_RANGE = lib.SIM_DRAM_RANGE
    DRAM_READONLY = lib.SIM_DRAM_READONLY
    INSN_RANGE = lib.SIM_INSN_RANGE
    DEADLOCK = lib.SIM_DEADLOCK
    NO_FINISH = lib.SIM_NO_FINISH
    AFTER_FINISH = lib.SIM_AFTER_FINISH
    BUDGET = lib.SIM_BUDGET
    OUT_OF_MEMORY = lib.SIM_OUT_OF_MEMORY
    STRICT_ZERO_ITER = lib.SIM_STRICT_ZERO_ITER
    STRICT_ZERO_SIZE = lib.SIM_STRICT_ZERO_SIZE
    STRICT_PAD = lib.SIM_STRICT_PAD
    STRICT_UOP_2D = lib.SIM_STRICT_UOP_2D
    STRICT_CAPABILITY = lib.SIM_STRICT_CAPABILITY
    STRICT_SHIFT = lib.SIM_STRICT_SHIFT
    STRICT_DISTANCE = lib.SIM_STRICT_DISTANCE
    STRICT_OUT = lib.SIM_STRICT_OUT
    STRICT_UNDEFINED = lib.SIM_STRICT_UNDEFINED
    STRICT_FLAG = lib.SIM_STRICT_FLAG
    STRICT_TOKENS = lib.SIM_STRICT_TOKENS
    STRICT_UOP_DEPTH = lib.SIM_STRICT_UOP_DEPTH
    STRICT_IMM_SRC = lib.SIM_STRICT_IMM_SRC
    STRICT_SRC_WIDTH = lib.SIM_STRICT_SRC_WIDTH
    STRICT_RACE = lib.SIM_STRICT_RACE
    STRICT_FINISH = lib.SIM_STRICT_FINISH


class StreamError(SimError):
    """A stream cannot go on at one of its instructions.

    `kind` says why, `insn` is the instruction's index in the stream (the oldest one that waits,
    for a deadlock), `module` the one that it runs in. `executed` counts the instructions that
    came before, by module in the order of `Module` (FETCH: that were read). An engine of the HLS
    design also gives the error bits that modules set in the run, `errors`, and the turns of their
    loops, `busy`.
    """

    def __init__(self, message: str, kind: FaultKind, insn: int, module: Module) -> None:
        super().__init__(message)
        self.kind = kind
        self.insn = insn
        self.module = module
        self.executed: tuple[int, ...] = (0,) * len(Module)
        self.errors: tuple[int, ...] = (0,) * len(Module)
        self.busy: tuple[int, ...] | None = None

    @property
    def deadlock(self) -> bool:
        """Whether the modules wait for each other for ever."""
        return self.kind is FaultKind.DEADLOCK


def fault_of(c_fault: Any, config: HwConfig, profile: str) -> StreamError:
    """The exception for a `sim_fault`."""
    kind, module = FaultKind(c_fault.kind), Module(c_fault.module)
    text = _MESSAGES[kind]
    details = list(c_fault.detail)
    if kind is FaultKind.DEADLOCK:
        message = _deadlock(c_fault)
    elif callable(text):
        message = text(*details)
    else:
        message = text.format(*details)
    message = message.replace("{config}", config.name).replace("{profile}", profile)
    if kind not in (FaultKind.DEADLOCK, FaultKind.NO_FINISH):
        message = f"insn {c_fault.insn} ({module.name}): {message}"
    return StreamError(message, kind, c_fault.insn, module)


def _memory(number: int) -> str:
    return MemType(number).name if number in MemType.__members__.values() else str(number)


def _tokens(bits: int) -> list[str]:
    """Descriptions of the tokens in a set of bits."""
    return [
        f"{t.name} ({t.doc}, pushed by {t.producer.name} with {t.push_flag})"
        for number, t in enumerate(TOKENS)
        if bits >> number & 1
    ]


def _deadlock(fault: Any) -> str:
    parts = []
    for module in (Module.LOAD, Module.COMPUTE, Module.STORE):
        if fault.pushes[module]:
            full = " and ".join(_tokens(fault.pushes[module]))
            parts.append(f"{module.name} cannot push token {full}: its counter is full")
        elif fault.head[module] >= 0 and fault.waits[module]:
            waits = " and ".join(_tokens(fault.waits[module]))
            parts.append(f"{module.name} waits at insn {fault.head[module]} for token {waits}")
        elif fault.head[module] >= 0:
            parts.append(f"{module.name} holds {fault.queued[module]} instructions")
    where = f"after fetching {fault.fetched} instructions"
    return (
        f"stream: modules must not wait for each other for ever ({where}): "
        f"{'; '.join(parts)}; push the token before it is needed"
    )


def _index_range(memory: int, index: int, depth: int, role: int) -> str:
    name = ("dst", "src", "wgt")[role]
    return (
        f"{name} index must be in 0..{depth - 1} ({_memory(memory)} buffer of {{config}}) in "
        f"every iteration, not {index}; use smaller factors or loop counts"
    )


def _sram_range(memory: int, base: int, count: int, depth: int) -> str:
    return (
        f"{_memory(memory)} elements must end at or before {depth} ({{config}}), not at "
        f"{base + count} (sram_base {base}, {count} elements); move less or lower sram_base"
    )


def _dram_range(phys: int, slot: int, size: int, begin: int) -> str:
    access = f" (access to {size} bytes of {_memory(slot)} at {begin:#x})" if size else ""
    return f"address {phys:#x} must lie in DRAM{access}; check dram_base and the buffers"


def _dram_readonly(phys: int, slot: int, size: int, begin: int) -> str:
    return f"address {phys:#x} must be writable for STORE; store to another buffer"


def _insn_range(phys: int, slot: int, size: int, begin: int) -> str:
    return f"instruction address {phys:#x} must lie in DRAM; check address and count of the stream"


def _pad(memory: int, why: int, *_: int) -> str:
    reason = (
        "x_size 0 (the HLS design writes the padding)",
        "weights or micro-ops (the HLS design ignores it)",
        "STORE",
    )[why]
    return f"padding must be 0 for {reason}; set all four pad fields to 0"


def _opcode(number: int, *_: int) -> str:
    if number == Opcode.REQUANT:
        return (
            "opcode REQUANT must not be used without capability alu_requant ({config}); "
            "use a configuration that has it"
        )
    return (
        f"opcode must be LOAD, STORE, GEMM, FINISH, ALU or REQUANT (0..5), not {number}; "
        "check that address and count of the stream are right"
    )


def _capability(which: int, *_: int) -> str:
    what, word = (("LOAD ACC_8BIT", "load_acc8"), ("ALU MUL", "alu_mul"))[which]
    return (
        f"{what} must not be used without capability {word} ({{config}}); "
        "use a configuration that has it"
    )


def _shift(amount: int, low: int, high: int, source: int) -> str:
    where = f" (a lane of accumulator {source - 1})" if source else ""
    return (
        f"shift amount must be in {low}..{high} ({{profile}}), not {amount}{where}; split the shift"
    )


def _race(memory: int, element: int, other: int, is_write: int) -> str:
    verb = "overwrites what" if is_write else "reads what"
    did = "reads" if is_write else "writes"
    return (
        f"{_memory(memory)} element {element} must be ordered by tokens: this {verb} "
        f"{Module(other).name} {did} at an unknown time; pop a token that it pushes afterwards"
    )


def _flag(bits: int, *_: int) -> str:
    what = " and ".join(name for bit, name in ((1, "pop"), (2, "push")) if bits & bit)
    return (
        f"{what} flag must name a neighbour of the module, and there is none; "
        "LOAD has no previous, STORE no next module"
    )


_MESSAGES: dict[FaultKind, Any] = {
    FaultKind.OPCODE: _opcode,
    FaultKind.MEMORY_TYPE: "memory type must be one that the instruction can move, not {0}; "
    "LOAD takes UOP, WGT, INP, ACC, ACC_8BIT, STORE takes OUT",
    FaultKind.ALU_OPCODE: "ALU opcode must be MIN, MAX, ADD, SHR or MUL (0..4), not {0}; "
    "check the encoding",
    FaultKind.SRAM_RANGE: _sram_range,
    FaultKind.UOP_RANGE: "uop_end must be in 0..{1} (micro-op buffer of {{config}}), not {0}; "
    "use a shorter kernel",
    FaultKind.INDEX_RANGE: _index_range,
    FaultKind.DRAM_RANGE: _dram_range,
    FaultKind.DRAM_READONLY: _dram_readonly,
    FaultKind.INSN_RANGE: _insn_range,
    FaultKind.DEADLOCK: "",
    FaultKind.NO_FINISH: "stream: last instruction must be FINISH, and there is none; append it",
    FaultKind.AFTER_FINISH: "FINISH must be the last instruction, and this one follows it; "
    "drop it or move FINISH to the end",
    FaultKind.BUDGET: "work must fit the budget of {0} units, {1} are spent and this instruction "
    "takes {2}; pass a larger budget if the stream is meant to be that long",
    FaultKind.OUT_OF_MEMORY: "the engine must get memory for {0} bytes of queues, and there is "
    "none; use a shorter stream",
    FaultKind.STRICT_ZERO_ITER: "loop counts and micro-op range must not be empty, not iter_out "
    "{0}, iter_in {1}, {2} micro-ops (the Chisel design runs 2^14 iterations); drop it",
    FaultKind.STRICT_ZERO_SIZE: "y_size must not be 0 where x_size is {0}; set both to 0",
    FaultKind.STRICT_PAD: _pad,
    FaultKind.STRICT_UOP_2D: "LOAD UOP must have y_size 1 (the HLS design loads one row), not {0}; "
    "use one instruction a row",
    FaultKind.STRICT_CAPABILITY: _capability,
    FaultKind.STRICT_SHIFT: _shift,
    FaultKind.STRICT_DISTANCE: "accumulator {0} must be read {2} micro-ops after it was written "
    "or later ({{profile}}), not {1}; put other micro-ops between",
    FaultKind.STRICT_OUT: "OUT element {0} must have been written last by ALU or by GEMM without "
    "reset; add an ALU operation such as ADD 0",
    FaultKind.STRICT_UNDEFINED: lambda memory, element, *_: (
        f"{_memory(memory)} element {element} must be loaded or computed before it is read; "
        "load it first"
    ),
    FaultKind.STRICT_FLAG: _flag,
    FaultKind.STRICT_TOKENS: lambda token, capacity, *_: (
        f"token {TOKENS[token].name} must not be pushed beyond {capacity} ({{profile}} loses the "
        "excess); pop some first"
    ),
    FaultKind.STRICT_UOP_DEPTH: "micro-ops must end at or before {1} ({{profile}}), not at {0}; "
    "use the lower part of the buffer",
    FaultKind.STRICT_IMM_SRC: "src index of an immediate operation must equal dst {1} "
    "({{profile}} reads it), not {0}; use the same index and factors for both",
    FaultKind.STRICT_SRC_WIDTH: "src_idx of micro-op {2} must be below {1} ({{profile}} cuts ALU "
    "sources to the width of an input index), not {0}; use a lower accumulator",
    FaultKind.STRICT_RACE: _race,
    FaultKind.STRICT_FINISH: "FINISH must wait for this instruction, which may still move data "
    "when the program is reported done; pop its token before FINISH",
}
