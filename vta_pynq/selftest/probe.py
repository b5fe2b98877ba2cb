"""A test of the accelerator: a stream, what it must leave in DRAM, and how to read a difference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import DeviceError, DeviceTimeout, SimError
from vta_pynq.isa.table import LOOP_BITS, AluOp, MemType, Opcode, sram_depth
from vta_pynq.selftest.finding import Kind
from vta_pynq.selftest.placed import StreamRunner
from vta_pynq.selftest.sequence import Sequence
from vta_pynq.stream import InstructionStream

__all__ = ["Expected", "Failure", "Probe", "attempt", "zeros"]


@dataclasses.dataclass(frozen=True)
class Expected:
    """Bytes (uint8) that DRAM must hold from byte address `phys` after the run."""

    phys: int
    data: npt.NDArray[np.uint8]
    explain: Callable[[npt.NDArray[np.uint8]], str] | None = None
    """Says in the test's own terms how the bytes that were found differ."""


@dataclasses.dataclass(frozen=True)
class Probe:
    """A stream and all bytes that it must leave.

    With `zeroed` it counts on zeros in SRAM that it does not write.
    """

    name: str
    stream: InstructionStream
    expected: tuple[Expected, ...]
    zeroed: bool = False


@dataclasses.dataclass(frozen=True)
class Failure:
    """How an attempt failed; `found` are all compared bytes, for telling whether two are alike."""

    kind: Kind
    what: str
    found: bytes = b""


def zeros(config: HwConfig) -> InstructionStream:
    """A program that fills every SRAM with zeros."""
    program = Sequence(config, "zeros")
    for kind in (MemType.INP, MemType.WGT, MemType.ACC, MemType.UOP):
        depth = sram_depth(config, kind)
        program.move(Opcode.LOAD, kind, 0, program.area(kind, elems=depth), depth)
    # The micro-op is one of the zeros; the loops reach every element of the output buffer.
    inner = min(config.acc_depth, 1 << (LOOP_BITS - 1))
    program.add(
        Opcode.ALU, alu_opcode=AluOp.ADD, use_imm=1, uop_end=1,
        iter_out=config.acc_depth // inner, iter_in=inner,
        dst_factor_out=inner % config.acc_depth, dst_factor_in=1,
        src_factor_out=inner % config.acc_depth, src_factor_in=1,
    )  # fmt: skip
    return program.stream()


def attempt(runner: StreamRunner, probe: Probe) -> Failure | None:
    """Run a probe once; None where every byte is right."""
    try:
        if probe.zeroed:
            runner.run(zeros(probe.stream.config))
        memory = runner.run(probe.stream)
    except DeviceTimeout as error:
        return Failure("hang", str(error))
    except (DeviceError, SimError) as error:
        return Failure("error", str(error))
    found = [memory.read(part.phys, part.data.size) for part in probe.expected]
    for part, data in zip(probe.expected, found, strict=True):
        wrong = np.flatnonzero(data != part.data)
        if wrong.size:
            what = _difference(part, data, wrong) if part.explain is None else part.explain(data)
            return Failure("mismatch", what, b"".join(one.tobytes() for one in found))
    return None


def _difference(part: Expected, data: npt.NDArray[np.uint8], wrong: npt.NDArray[np.intp]) -> str:
    first = int(wrong[0])
    bits = int(np.bitwise_or.reduce(data[wrong] ^ part.data[wrong]))
    return (
        f"{wrong.size} of {data.size} bytes differ, in bits {bits:#04x}; the first at "
        f"{part.phys + first:#x}: {data[first]:#04x}, not {part.data[first]:#04x}"
    )
