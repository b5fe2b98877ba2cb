"""Who last read and wrote each SRAM element and each DRAM element."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.isa.table import MEM_FORMAT, MemType, Module
from vta_pynq.kernel.buffers import DramBuffer
from vta_pynq.kernel.dependencies import Dependencies
from vta_pynq.kernel.transfers import Transfer

__all__ = ["Elements", "SramTracker", "elements_of"]

Elements = slice | npt.NDArray[np.intp]
"""A set of SRAM elements: a range where it is one, otherwise the sorted indices."""

_Stamps = npt.NDArray[np.int32]


def elements_of(indices: npt.NDArray[np.int64]) -> Elements:
    """The set of `indices`."""
    unique = np.unique(indices)
    if int(unique[-1]) - int(unique[0]) + 1 == len(unique):
        return slice(int(unique[0]), int(unique[-1]) + 1)
    return unique.astype(np.intp)


class _DramStamps:
    """Last store to and last reads from each element of one buffer, once something is stored."""

    __slots__ = ("compute_read", "load_read", "loads", "stored")

    def __init__(self) -> None:
        self.loads = {Module.LOAD: 0, Module.COMPUTE: 0}
        self.stored: _Stamps | None = None

    def arrays(self, elems: int, slack: int) -> tuple[_Stamps, _Stamps, _Stamps]:
        """Stamps of stores and of reads by LOAD and by COMPUTE; rows may reach into the slack."""
        if self.stored is None:
            self.stored = np.zeros(elems + slack, np.int32)
            self.load_read = np.full(elems + slack, self.loads[Module.LOAD], np.int32)
            self.compute_read = np.full(elems + slack, self.loads[Module.COMPUTE], np.int32)
        return self.stored, self.load_read, self.compute_read


def _region(stamps: _Stamps, move: Transfer) -> _Stamps:
    if move.y == 1:
        return stamps[move.dram : move.dram + move.x]
    if move.stride == 0:
        return stamps[move.dram : move.dram + move.x]
    if move.stride < move.x:  # overlapping rows: together one range
        return stamps[move.dram : move.dram + (move.y - 1) * move.stride + move.x]
    rows = stamps[move.dram : move.dram + move.y * move.stride]
    return rows.reshape(move.y, move.stride)[:, : move.x]


class SramTracker:
    """Asks `Dependencies` for the tokens that reads after writes and writes after reads need."""

    def __init__(self, config: HwConfig, dependencies: Dependencies) -> None:
        self._deps = dependencies
        depth = {MemType.INP: config.inp_depth, MemType.WGT: config.wgt_depth}
        self._loaded = {mem: np.zeros(n, np.int32) for mem, n in depth.items()}
        self._used = {mem: np.zeros(n, np.int32) for mem, n in depth.items()}
        self._computed = np.zeros(config.acc_depth, np.int32)
        self._drained = np.zeros(config.acc_depth, np.int32)
        self._buffers: dict[int, _DramStamps] = {}
        stride = next(field for field in MEM_FORMAT.fields if field.name == "x_stride")
        self._slack = stride.value_range(config)[1]

    def load(self, mem: MemType, move: Transfer, source: DramBuffer) -> None:
        """Wait before a LOAD of INP or WGT: the SRAM's readers, the DRAM's writers."""
        deps = self._deps
        span = slice(move.sram, move.sram + move.sram_elems)
        self._await_dram(Module.LOAD, move, source)
        if deps.known[Module.LOAD][Module.COMPUTE] < deps.count[Module.COMPUTE]:
            deps.wait(Module.LOAD, Module.COMPUTE, int(self._used[mem][span].max()))
        self._loaded[mem][span] = deps.count[Module.LOAD] + 1
        self._mark_dram(Module.LOAD, move, source)

    def load_acc(self, move: Transfer, source: DramBuffer) -> None:
        """Wait before a LOAD of the accumulator."""
        span = slice(move.sram, move.sram + move.sram_elems)
        self._await_dram(Module.COMPUTE, move, source)
        self.compute(span)
        self._mark_dram(Module.COMPUTE, move, source)

    def compute(
        self, dst: Elements, src: Elements | None = None, wgt: Elements | None = None
    ) -> None:
        """Wait before a compute instruction: stores of `dst`, loads of inputs and weights."""
        deps = self._deps
        known = deps.known[Module.COMPUTE]
        if src is not None and known[Module.LOAD] < deps.count[Module.LOAD]:
            last = int(self._loaded[MemType.INP][src].max())
            tiles = int(self._loaded[MemType.WGT][wgt].max())
            deps.wait(Module.COMPUTE, Module.LOAD, max(last, tiles))
        if known[Module.STORE] < deps.count[Module.STORE]:
            deps.wait(Module.COMPUTE, Module.STORE, int(self._drained[dst].max()))
        seq = deps.count[Module.COMPUTE] + 1
        self._computed[dst] = seq
        if src is not None:
            self._used[MemType.INP][src] = seq
            self._used[MemType.WGT][wgt] = seq

    def store(self, move: Transfer, target: DramBuffer) -> None:
        """Wait before a STORE: the results, and whoever still reads the DRAM it overwrites."""
        deps = self._deps
        stamps = self._buffers.setdefault(target.index, _DramStamps())
        stored, load_read, compute_read = stamps.arrays(target.elems, self._slack)
        known = deps.known[Module.STORE]
        if known[Module.LOAD] < stamps.loads[Module.LOAD]:
            deps.wait(Module.STORE, Module.LOAD, int(_region(load_read, move).max()))
        span = slice(move.sram, move.sram + move.y * move.x)
        last = int(self._computed[span].max())
        if known[Module.COMPUTE] < stamps.loads[Module.COMPUTE]:
            last = max(last, int(_region(compute_read, move).max()))
        deps.wait(Module.STORE, Module.COMPUTE, last)
        seq = deps.count[Module.STORE] + 1
        self._drained[span] = seq
        _region(stored, move)[...] = seq

    def _await_dram(self, reader: Module, move: Transfer, source: DramBuffer) -> None:
        stamps = self._buffers.get(source.index)
        if stamps is None or stamps.stored is None:
            return
        deps = self._deps
        if deps.known[reader][Module.STORE] < deps.count[Module.STORE]:
            deps.wait(reader, Module.STORE, int(_region(stamps.stored, move).max()))

    def _mark_dram(self, reader: Module, move: Transfer, source: DramBuffer) -> None:
        # After every wait: a wait may insert instructions of the reader's module.
        stamps = self._buffers.get(source.index)
        if stamps is None:
            stamps = self._buffers[source.index] = _DramStamps()
        seq = stamps.loads[reader] = self._deps.count[reader] + 1
        if stamps.stored is not None:
            reads = stamps.load_read if reader == Module.LOAD else stamps.compute_read
            _region(reads, move)[...] = seq
