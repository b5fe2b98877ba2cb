"""What the cycle model reports: totals, modules, labels, single instructions."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vta_pynq.isa.table import TOKENS, MemType, Module
from vta_pynq.timing.costs import InstructionCosts
from vta_pynq.timing.engine import ENGINE_MODULES
from vta_pynq.timing.parameters import Timing

__all__ = ["DETAIL_DTYPE", "CycleReport", "LabelCycles", "ModuleCycles", "StallReason"]


class StallReason(enum.IntEnum):
    """What a module waits for before or while it executes an instruction."""

    NONE = 0
    FETCH = 1
    """The instruction has not been fetched."""
    L2G = 2
    """Compute waits for a token from load: data ready."""
    G2L = 3
    """Load waits for a token from compute: buffer free."""
    G2S = 4
    """Store waits for a token from compute: result ready."""
    S2G = 5
    """Compute waits for a token from store: result drained."""
    PORT = 6
    """Another client holds the memory port."""
    PUSH = 7
    """The counter of a token that the instruction pushes is full."""
    TURN = 8
    """Another module executes; only where the run is serial."""


DETAIL_DTYPE = np.dtype(
    [
        ("module", "u1"),
        ("reason", "u1"),
        ("issue", "<i8"),
        ("start", "<i8"),
        ("end", "<i8"),
        ("busy", "<i8"),
        ("stall", "<i8"),
        ("fetch_stall", "<i8"),
        ("token_stall", "<i8"),
        ("token_reason", "u1"),
        ("port_stall", "<i8"),
        ("push_stall", "<i8"),
        ("turn_stall", "<i8"),
    ]
)
"""Times of one instruction, in cycles from launch.

`module` is a `Module`. `issue` is when it entered its queue, `start` when it had its tokens,
`end` when it pushed. `stall` is the sum of the five kinds, `reason` the `StallReason` of the
largest; `token_reason` is that of the token which came last. A module's `busy` and `stall` add
up to the `end` of its last instruction.
"""

_FIRST_TOKEN = StallReason.L2G
_KINDS = ("fetch_stall", "token_stall", "port_stall", "push_stall", "turn_stall")


class Label(Protocol):
    """A name for a range of instructions; `vta_pynq.stream.StreamLabel` is one."""

    @property
    def begin(self) -> int:
        """First instruction."""

    @property
    def end(self) -> int:
        """One past the last."""

    @property
    def name(self) -> str:
        """Such as a layer's."""


@dataclasses.dataclass(frozen=True)
class ModuleCycles:
    """Where a module's cycles went; they add up to `idle + busy + sum(stalls.values())`."""

    instructions: int
    busy: int
    stalls: Mapping[StallReason, int]
    idle: int
    """From its last instruction to `CycleReport.total_cycles`."""


@dataclasses.dataclass(frozen=True)
class LabelCycles:
    """One label's share of a run.

    `cycles` is by how much the run got longer with these instructions after all earlier ones, so
    that the shares of labels which cover the stream in order add up to the whole. `begin` and
    `end` are the first start and the last end; those of neighbours overlap.
    """

    name: str
    begin: int
    end: int
    cycles: int
    busy: Mapping[Module, int]
    stalls: Mapping[Module, Mapping[StallReason, int]]


@dataclasses.dataclass(frozen=True, eq=False)
class CycleReport:
    """Result of `simulate`. All times in cycles from launch.

    `total_cycles` is launch until the program that waits sees the done flag of the first FINISH,
    as the recorded RTL counts are, or the last end where there is no FINISH. `end_cycles` is the
    last end. `bytes_moved` is payload by memory type, without padding and instructions;
    `port_cycles` gives for each shared port of the profile the cycles in which data moved;
    `lost_tokens` counts pushes that a saturated counter dropped, by token name. `detail` is an
    array of `DETAIL_DTYPE`, shape (n,), or None where it was not asked for.
    """

    profile: str
    instructions: int
    total_cycles: int
    end_cycles: int
    modules: Mapping[Module, ModuleCycles]
    bytes_moved: Mapping[MemType, int]
    port_cycles: tuple[int, ...]
    lost_tokens: Mapping[str, int]
    _engine_module: npt.NDArray[np.uint8] = dataclasses.field(repr=False)
    _times: npt.NDArray[np.void] = dataclasses.field(repr=False)
    detail: npt.NDArray[np.void] | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        engine_module: npt.NDArray[np.uint8],
        costs: InstructionCosts,
        times: npt.NDArray[np.void],
        finish: int | None,
        result: Mapping[str, Any],
        profile: str,
        timing: Timing,
    ) -> CycleReport:
        """Put together what `simulate` found; `finish` is the first FINISH."""
        end = max(result["last_end"])
        total = end
        if finish is not None:
            seen = int(times["start"][finish]) + timing.done_visible
            total = -(-seen // timing.poll_interval) * timing.poll_interval
        moved = np.bincount(
            np.maximum(costs.memory, 0), weights=costs.bytes_moved, minlength=len(MemType)
        )
        return cls(
            profile=profile,
            instructions=len(times),
            total_cycles=total,
            end_cycles=end,
            modules={m: _module_cycles(result, k, total) for k, m in enumerate(ENGINE_MODULES)},
            bytes_moved={m: int(moved[m]) for m in MemType},
            port_cycles=tuple(result["port_cycles"][: len(timing.ports)]),
            lost_tokens={t.name: n for t, n in zip(TOKENS, result["lost"], strict=True)},
            _engine_module=engine_module,
            _times=times,
        )

    @functools.cached_property
    def rows(self) -> npt.NDArray[np.void]:
        """`detail`, computed when first used."""
        return _detail_rows(self._engine_module, self._times)

    def by_label(self, labels: Iterable[Label]) -> list[LabelCycles]:
        """Share of each label, such as a layer, in the order given."""
        latest = np.concatenate([[0], np.maximum.accumulate(self.rows["end"])])
        shares = []
        for label in labels:
            rows = self.rows[label.begin : label.end]
            begin, end = max(label.begin, 0), min(label.end, self.instructions)
            shares.append(
                LabelCycles(
                    name=label.name,
                    begin=int(rows["start"].min(initial=self.end_cycles)),
                    end=int(rows["end"].max(initial=0)),
                    cycles=int(latest[max(end, begin)] - latest[begin]),
                    busy={m: int(rows["busy"][rows["module"] == m].sum()) for m in ENGINE_MODULES},
                    stalls={m: _stalls(rows[rows["module"] == m]) for m in ENGINE_MODULES},
                )
            )
        return shares


def _detail_rows(
    engine_module: npt.NDArray[np.uint8], times: npt.NDArray[np.void]
) -> npt.NDArray[np.void]:
    rows = np.zeros(len(times), DETAIL_DTYPE)
    rows["module"] = engine_module + int(ENGINE_MODULES[0])
    free = np.zeros(len(times), np.int64)  # when the module had finished what came before
    for module in range(len(ENGINE_MODULES)):
        chosen = np.flatnonzero(engine_module == module)
        free[chosen[1:]] = times["end"][chosen[:-1]]
    for name in ("issue", "start", "end"):
        rows[name] = times[name]
    ready = np.maximum(times["issue"], free)
    rows["fetch_stall"] = ready - free
    rows["turn_stall"] = times["turn_wait"]
    rows["token_stall"] = times["start"] - ready - rows["turn_stall"]
    rows["token_reason"] = np.where(
        times["last_token"] < 0, StallReason.NONE, times["last_token"] + int(_FIRST_TOKEN)
    )
    rows["port_stall"], rows["push_stall"] = times["port_wait"], times["push_wait"]
    kinds = [rows[name] for name in _KINDS]
    rows["stall"] = np.sum(kinds, axis=0)
    rows["busy"] = times["end"] - free - rows["stall"]
    largest = np.argmax(kinds, axis=0)
    rows["reason"] = np.choose(
        largest,
        [
            StallReason.FETCH, rows["token_reason"], StallReason.PORT, StallReason.PUSH,
            StallReason.TURN,
        ],
    )  # fmt: skip
    rows["reason"][rows["stall"] == 0] = StallReason.NONE
    return rows


def _stalls(rows: npt.NDArray[np.void]) -> dict[StallReason, int]:
    stalls = {
        StallReason.FETCH: int(rows["fetch_stall"].sum()),
        StallReason.PORT: int(rows["port_stall"].sum()),
        StallReason.PUSH: int(rows["push_stall"].sum()),
        StallReason.TURN: int(rows["turn_stall"].sum()),
    }
    for k in range(len(TOKENS)):
        reason = StallReason(_FIRST_TOKEN + k)
        stalls[reason] = int(rows["token_stall"][rows["token_reason"] == reason].sum())
    return dict(sorted(stalls.items()))


def _module_cycles(result: Mapping[str, Any], k: int, total: int) -> ModuleCycles:
    return ModuleCycles(
        instructions=result["ended"][k],
        busy=result["busy"][k],
        stalls={r: result["stalls"][k][r] for r in StallReason if r is not StallReason.NONE},
        idle=max(total - result["last_end"][k], 0),
    )
