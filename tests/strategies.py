"""Hypothesis strategies that every room uses: legal configurations, instructions, micro-ops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from vta_pynq.config import Capability, HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, UOP_DTYPE
from vta_pynq.isa.table import FORMAT_OF_OPCODE, FORMATS, UOP_FIELDS, Field, Opcode

_MAX_LOG_BUFF_SIZE = 30


@st.composite
def hw_configs(
    draw: st.DrawFn,
    min_log_depth: int = 0,
    max_log_batch: int = 3,
    max_log_block: int = 6,
    capabilities: Sequence[Capability] = tuple(Capability),
) -> HwConfig:
    """Legal configurations; every field width that the format allows can occur.

    Parameters
    ----------
    min_log_depth
        Least base-two logarithm of every buffer's depth; with 1, no index field has width 0.
    max_log_batch, max_log_block
        Bounds that keep one element small.
    capabilities
        Those that may be drawn.
    """
    log_acc_width = draw(st.integers(3, 5))
    log_inp_width = draw(st.integers(0, log_acc_width))
    log_wgt_width = draw(st.integers(0, log_acc_width))
    log_block = draw(st.integers(0, max_log_block))
    # An element must be whole bytes: 2^3 bits. Enlarge the block first, then the batch.
    log_block = max(log_block, -(-(3 - log_wgt_width) // 2))
    least_batch = max(0, 3 - log_block - log_inp_width)
    log_batch = draw(st.integers(least_batch, max(least_batch, max_log_batch)))
    low = min_log_depth
    acc = draw(st.integers(low, 11))
    wgt = draw(st.integers(low, min(16, 32 - 2 * acc, 32 - acc - max(acc, low))))
    inp = draw(st.integers(low, min(16, 32 - acc - wgt)))
    uop = draw(st.integers(low, 13))
    log_tile = log_batch + log_block - 3
    sizes = {
        "log_uop_buff_size": uop + 2,
        "log_inp_buff_size": inp + log_tile + log_inp_width,
        "log_wgt_buff_size": wgt + 2 * log_block + log_wgt_width - 3,
        "log_acc_buff_size": acc + log_tile + log_acc_width,
    }
    assert max(sizes.values()) <= _MAX_LOG_BUFF_SIZE
    possible = [c for c in capabilities if c != Capability.ALU_REQUANT or log_inp_width <= 3]
    return HwConfig(
        log_inp_width=log_inp_width,
        log_wgt_width=log_wgt_width,
        log_acc_width=log_acc_width,
        log_batch=log_batch,
        log_block=log_block,
        **sizes,
        capabilities=frozenset(draw(st.sets(st.sampled_from(possible)))) if possible else (),
    )


def _values(field: Field, config: HwConfig) -> st.SearchStrategy[int]:
    low, high = field.legal_range(config)
    return st.one_of(st.integers(low, high), st.sampled_from([low, high, min(high, max(low, 1))]))


@st.composite
def insn_records(
    draw: st.DrawFn, config: HwConfig, max_size: int = 12, min_size: int = 0
) -> np.ndarray:
    """Arrays of `INSN_DTYPE` with any opcode and any value that is legal in each field."""
    opcodes = draw(st.lists(st.sampled_from(list(Opcode)), min_size=min_size, max_size=max_size))
    records = np.zeros(len(opcodes), INSN_DTYPE)
    head = [field.name for field in FORMATS[0].fields[1:5]]
    for record, opcode in zip(records, opcodes, strict=True):
        record["opcode"] = opcode
        for field in FORMAT_OF_OPCODE[opcode].fields[1:]:
            if opcode != Opcode.FINISH or field.name in head:
                record[field.name] = draw(_values(field, config))
    return records


@st.composite
def uop_records(draw: st.DrawFn, config: HwConfig, max_size: int = 12) -> np.ndarray:
    """Arrays of `UOP_DTYPE` with any index that fits."""
    rows = draw(st.lists(st.tuples(*(_values(f, config) for f in UOP_FIELDS)), max_size=max_size))
    return np.array(rows, UOP_DTYPE)


def binaries(max_size: int = 12) -> st.SearchStrategy[np.ndarray]:
    """Any instruction bits at all: uint64 arrays of shape (n, 2), biased to known opcodes."""
    word = st.integers(0, (1 << 64) - 1)
    known = st.tuples(word, st.sampled_from(list(Opcode))).map(lambda p: p[0] & ~7 | int(p[1]))
    rows = st.lists(st.tuples(st.one_of(word, known), word), max_size=max_size)
    return rows.map(lambda values: np.array(values, np.uint64).reshape(-1, 2))
