"""The registers of `vta_control`, the fifth block of the project's own design.

What HLS cannot express lies in a small Verilog block beside the four modules
(`hls/rtl/vta_control.v`): identity, soft reset, sticky status with an interrupt, counters. It
watches the handshakes between the modules; docs/hardware.md, "The control block", says which.
"""

from __future__ import annotations

import dataclasses
import enum

from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.register_types import (
    REGISTER_BYTES,
    Access,
    BitField,
    IpBlock,
    Register,
    SideEffect,
)
from vta_pynq.isa.table import TOKENS, Module

__all__ = [
    "CAPABILITY_BITS",
    "CONTROL",
    "CONTROL_VERSION",
    "COUNTERS",
    "ERROR_LANE_BITS",
    "HARDWARE_ERRORS",
    "PORTS",
    "Counter",
    "CounterKind",
    "control_parameters",
]

_RO = Access.READ_ONLY
_W1C = SideEffect.CLEAR_ON_WRITE
_ACT = SideEffect.ACT_ON_WRITE

CONTROL_VERSION = (1, 0)
"""Major and minor version of this register map; software takes any minor of its major."""

_MAGIC = int.from_bytes(b"VTA1", "big")

CAPABILITY_BITS = {
    # Bits of CAPABILITIES. Fixed: hardware that exists has them.
    Capability.ALU_MUL: 0,
    Capability.ALU_REQUANT: 1,
    Capability.LOAD_ACC8: 2,
    Capability.COUNTERS: 3,
    Capability.IDENTITY: 4,
    Capability.INTERRUPT: 5,
    Capability.SOFT_RESET: 6,
}


def control_parameters(config: HwConfig) -> dict[str, int]:
    """The Verilog parameters that a build of `config` gets; the registers of these names."""
    value = int(config.fingerprint, 16)
    return {
        "FINGERPRINT_HI": value >> 8 * REGISTER_BYTES,
        "FINGERPRINT_LO": value & (1 << 8 * REGISTER_BYTES) - 1,
        "CAPABILITIES": sum(1 << CAPABILITY_BITS[name] for name in config.capabilities),
    }


HARDWARE_ERRORS = {
    # Error bits of a module by name, lowest first, and the rule that was broken.
    "unknown_opcode": "opcode must be one that the build has",
    "unknown_memory_type": "memory type must be one that the instruction can move",
    "unknown_alu_op": "ALU operation must be one that the build has",
    "sram_range": "a block or micro-op range must end inside its buffer",
}
ERROR_LANE_BITS = 8
"""Bits of ERRORS that belong to one module, in the order of `Module`."""

PORTS = ("insn_port", "inp_port", "wgt_port", "uop_port", "acc_port", "out_port")
"""The AXI masters of the design, in the order of the bits of HOLD; the last one writes."""


class CounterKind(enum.Enum):
    """What a module does in a cycle that a counter counts."""

    BUSY = "works"
    STARVED = "waits for an instruction"
    WAIT = "waits for a token"
    PUSH = "cannot push: the FIFO is full"


@dataclasses.dataclass(frozen=True)
class Counter:
    """One 32-bit counter: cycles of a run in which `module` does `kind`, at FIFO `channel`."""

    module: Module
    kind: CounterKind
    channel: str = ""

    @property
    def register(self) -> str:
        """Name of its register."""
        words = (self.module.name, self.kind.name, self.channel.upper())
        return "_".join(filter(None, words))

    @property
    def doc(self) -> str:
        """What it counts, in words."""
        who = f"cycles of runs in which {self.module.name.lower()}"
        if self.module is Module.FETCH and self.kind is CounterKind.BUSY:
            return f"{who} takes a beat of instructions from memory"
        if self.module is Module.FETCH and self.kind is CounterKind.STARVED:
            return f"{who} has requests under way and no beat arrives"
        where = f" ({self.channel})" if self.channel else ""
        return f"{who} {self.kind.value}{where}"


def _counters() -> tuple[Counter, ...]:
    found = []
    for module in Module:
        found += [Counter(module, CounterKind.BUSY), Counter(module, CounterKind.STARVED)]
        if module is Module.FETCH:
            queues = (m.name.lower() for m in Module if m is not Module.FETCH)
            found += [Counter(module, CounterKind.PUSH, queue) for queue in queues]
        found += [Counter(module, CounterKind.WAIT, t.name) for t in TOKENS if t.consumer is module]
        found += [Counter(module, CounterKind.PUSH, t.name) for t in TOKENS if t.producer is module]
    return tuple(found)


COUNTERS = _counters()
"""Every counter, in the order of its registers."""

_COUNTER_BASE = 0x80


def _word(name: str, offset: int, doc: str, unit: str = "", reset: int = 0) -> Register:
    """A register that can only be read, one value in all of its bits."""
    field = BitField(name, 0, doc, 8 * REGISTER_BYTES, _RO)
    return Register(name, offset, doc, _RO, (field,), unit, reset)


_IDENTITY = (
    _word("MAGIC", 0x00, "ASCII 'VTA1': this block is there", reset=_MAGIC),
    Register(
        "VERSION",
        0x04,
        "version of this register map",
        _RO,
        (
            BitField("MINOR", 0, "grows with additions", 8, _RO),
            BitField("MAJOR", 8, "grows where something changes its meaning", 8, _RO),
        ),
        reset=CONTROL_VERSION[0] << 8 | CONTROL_VERSION[1],
    ),
    _word("FINGERPRINT_LO", 0x08, "low half of the configuration's fingerprint"),
    _word("FINGERPRINT_HI", 0x0C, "high half of it"),
    Register(
        "CAPABILITIES",
        0x10,
        "what the build can do beyond the published instruction set and registers",
        _RO,
        tuple(
            BitField(str(capability).upper(), bit, f"capability {capability}", 1, _RO)
            for capability, bit in CAPABILITY_BITS.items()
        ),
    ),
    _word("SOURCE", 0x14, "first eight hexadecimal digits of the source's commit; 0: not told"),
)

_RESET = (
    Register(
        "RESET",
        0x20,
        "soft reset: queues, tokens, the four modules and STATUS; SRAM and counters stay",
        fields=(
            BitField(
                "REQUEST",
                0,
                "empty the FIFOs now, reset the modules when their AXI masters are idle",
                side_effect=_ACT,
            ),
            BitField("FORCE", 1, "do not wait for the AXI masters", side_effect=_ACT),
            BitField("PENDING", 8, "requested, and held back by what HOLD shows", 1, _RO),
            BitField("ACTIVE", 9, "the modules are being reset", 1, _RO),
        ),
    ),
    Register(
        "HOLD",
        0x24,
        "what would hold a soft reset back now",
        _RO,
        (
            *(
                BitField(port.upper(), bit, f"{port} has a transaction under way", 1, _RO)
                for bit, port in enumerate(PORTS)
            ),
            *(
                BitField(m.name, 8 + m, f"{m.name.lower()} executes an instruction", 1, _RO)
                for m in Module
                if m is not Module.FETCH
            ),
        ),
    ),
)

_STATUS = (
    Register(
        "STATUS",
        0x30,
        "what happened since it was cleared",
        fields=(
            BitField("DONE", 0, "compute executed FINISH", side_effect=_W1C),
            BitField("ERROR", 1, "a bit of ERRORS is set", 1, _RO),
            BitField("RUNNING", 8, "instructions were requested, and FINISH is to come", 1, _RO),
        ),
    ),
    Register(
        "ERRORS",
        0x34,
        "errors that modules reported since they were cleared",
        fields=tuple(
            BitField(
                f"{module.name}_{name.upper()}",
                module * ERROR_LANE_BITS + bit,
                f"{module.name.lower()}: {rule}",
                side_effect=_W1C,
            )
            for module in Module
            for bit, (name, rule) in enumerate(HARDWARE_ERRORS.items())
        ),
    ),
    Register(
        "INTERRUPT_ENABLE",
        0x38,
        "bits of STATUS that drive the interrupt output, as long as they are set",
        fields=(
            BitField("DONE", 0, "interrupt while STATUS.DONE is set"),
            BitField("ERROR", 1, "interrupt while STATUS.ERROR is set"),
        ),
    ),
)

_COUNTING = (
    Register(
        "COUNTER_CONTROL",
        0x40,
        "all counters: they count in runs, over several runs, and stop at their largest value",
        fields=(
            BitField("FREEZE", 0, "keep their values"),
            BitField("CLEAR", 1, "set them to zero", side_effect=_ACT),
        ),
    ),
    _word("CYCLES_LO", 0x48, "cycles of runs, low half", "cycles"),
    _word("CYCLES_HI", 0x4C, "high half; freeze before reading both in a run", "2^32 cycles"),
    *(
        _word(counter.register, _COUNTER_BASE + REGISTER_BYTES * index, counter.doc, "cycles")
        for index, counter in enumerate(COUNTERS)
    ),
)

CONTROL = IpBlock(
    name="control",
    vlnv="vta_pynq:rtl:vta_control:1.0",
    slave="s_axi_control",
    registers=(*_IDENTITY, *_RESET, *_STATUS, *_COUNTING),
    interrupt="irq",
)
"""The control block."""
