"""Encoder, decoder, disassembler and assembler: instructions a second on one core."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vta_pynq.assembler import assemble
from vta_pynq.config import HwConfig
from vta_pynq.disassembler import disassemble
from vta_pynq.isa import FORMAT_OF_OPCODE, INSN_DTYPE, Opcode, decode, encode
from vta_pynq.profile.figures import Row, median_s
from vta_pynq.stream import InstructionStream

NAME = "isa"
TARGET = 1e6
SEED = 5
# Roughly what compiled networks consist of: mostly loads.
_MIX = (Opcode.LOAD, Opcode.LOAD, Opcode.LOAD, Opcode.STORE, Opcode.GEMM, Opcode.GEMM, Opcode.ALU)


def _records(count: int, config: HwConfig) -> npt.NDArray[np.void]:
    """Instructions with random legal values in every field."""
    rng = np.random.default_rng(SEED)
    records = np.zeros(count, INSN_DTYPE)
    records["opcode"] = rng.choice(np.array(_MIX, np.uint8), count)
    for opcode in set(_MIX):
        rows = np.flatnonzero(records["opcode"] == opcode)
        for field in FORMAT_OF_OPCODE[opcode].fields[1:]:
            low, high = field.legal_range(config)
            records[field.name][rows] = rng.integers(low, high, len(rows), endpoint=True)
    return records


def run(quick: bool) -> list[Row]:
    """Speeds for the default configuration and a mix of all instructions."""
    config = HwConfig()
    count = 100_000 if quick else 1_000_000
    repeats = 3 if quick else 9
    records = _records(count, config)
    words = encode(records, config)
    if not np.array_equal(decode(words, config), records):
        raise RuntimeError("decode must return what encode was given")
    few = InstructionStream("few", config, words[: count // 50])
    text = disassemble(few)
    if assemble(text).words.tobytes() != few.words.tobytes():
        raise RuntimeError("assemble must return what disassemble was given")
    rows = []
    for metric, call, amount, target in (
        ("encode", lambda: encode(records, config), count, TARGET),
        ("decode", lambda: decode(words, config), count, TARGET),
        ("disassemble", lambda: disassemble(few), len(few), None),
        ("assemble", lambda: assemble(text), len(few), None),
    ):
        seconds, spread = median_s(call, repeats)
        note = f"{amount:,} instructions, all fields random"
        rows.append(Row(metric, amount / seconds, "insn/s", target, note, spread))
    return rows
