"""The parameters of a schedule: what a tuner varies and a database keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

__all__ = ["LOOP_MODES", "SCHEDULE_VERSION", "Schedule"]

SCHEDULE_VERSION = 2
"""What the fields of a `Schedule` mean. Raise it where one comes to mean something else: schedules
that a tuner kept for another version are not used."""

LOOP_MODES = ("", "o", "i", "y", "x", "oi", "yo", "yi", "xo", "xi", "yx", "vh")
"""Which indices a GEMM instruction's two loops run over: output blocks, input blocks, rows,
columns, rows and columns of taps; the others are spelt out in micro-ops."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How a layer is cut and in which order its pieces are worked on.

    Attributes
    ----------
    rows, cols
        Largest tile of the stored plane.
    blocks
        Output channel blocks of a tile.
    group
        Output channel blocks of one GEMM item, at most `blocks`.
    in_blocks
        Input channel blocks of one GEMM item of the largest term.
    channels_outer
        Whether all places are done for one range of channels before the next (weights stay), or
        all channels for one place (inputs stay).
    inp_slots, wgt_slots, acc_slots
        Into how many slots input, weight and accumulator memory are divided.
    gemm_addend
        Whether biases are added as a GEMM with a constant input (one cycle per accumulator and
        weight tiles to load) or by the ALU.
    end_blocks
        Output channel blocks of the first and the last tile, where fewer than of the others: the
        weights of the first are there sooner, and less is left to do after those of the last.
        0: as many.
    packed
        For how many ranges of input blocks only rows that are read are loaded, even where
        loading all is quicker: they take less of the input SRAM.
    weights_ahead
        Weight pieces that are loaded before any input: they need not wait for the layer before.
    loops
        For each term one of `LOOP_MODES`; empty: the best one is found.
    """

    rows: int
    cols: int
    blocks: int
    group: int
    in_blocks: int
    channels_outer: bool = False
    inp_slots: int = 2
    wgt_slots: int = 2
    acc_slots: int = 2
    gemm_addend: bool = False
    end_blocks: int = 0
    packed: int = 0
    weights_ahead: int = 0
    loops: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe values by field name."""
        return {**dataclasses.asdict(self), "loops": list(self.loops)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Schedule:
        """What `to_dict` gave."""
        return cls(**{**values, "loops": tuple(values.get("loops", ()))})
