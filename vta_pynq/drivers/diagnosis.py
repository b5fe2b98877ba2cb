"""What the registers tell about a stream that did not finish, in words."""

from __future__ import annotations

import dataclasses

__all__ = ["Observation", "Stall", "describe"]


@dataclasses.dataclass(frozen=True)
class Stall:
    """The module that cannot go on, and why."""

    module: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Observation:
    """The state of the blocks after a deadline.

    Attributes
    ----------
    fetch_idle
        Fetch has handed out every instruction.
    compute_started
        Compute has begun at least one instruction of the stream.
    done_flag
        `done_o` as it reads, stale or not.
    active
        The blocks that were still completing instructions while being watched.
    """

    fetch_idle: bool
    compute_started: bool
    done_flag: bool
    active: tuple[str, ...]


def _seen(seen: Observation) -> Stall:
    """The module to name by the registers alone, and what they say."""
    if not seen.fetch_idle and not (seen.compute_started and seen.done_flag):
        return Stall(
            "fetch",
            "it has not handed out all instructions: a queue is full, or the memory does not "
            "answer",
        )
    if not seen.fetch_idle:
        return Stall("fetch", "FINISH was executed, but fetch is still busy with what follows it")
    if not seen.compute_started:
        return Stall(
            "compute",
            "it has not begun any instruction, and fetch has handed out all: the first one waits "
            "for a token, or there is none",
        )
    return Stall(
        "compute",
        "it has begun instructions but not reached FINISH, and fetch has handed out all: one "
        "waits for a token, or FINISH is missing",
    )


def describe(seen: Observation, timeout_s: float, count: int, stall: Stall | None) -> str:
    """The message of a `DeviceTimeout`.

    `stall`, where an analysis of the stream found one, explains more than the registers can.
    """
    if seen.active and stall is None:
        names = " and ".join(seen.active)
        return (
            f"the {count} instructions did not finish within {timeout_s:g} s: {names} still "
            "executed instructions, so they are slow, not stuck; the logic has been reset; allow "
            "more time"
        )
    registers = _seen(seen)
    if stall is None:
        module, facts = registers.module, registers.reason
    else:
        module = stall.module
        facts = f"{stall.reason} (seen from outside, {registers.module}: {registers.reason})"
    return (
        f"{module} did not finish within {timeout_s:g} s: {facts}; the logic has been reset; "
        "run 'vta lint' on the program to find an unmatched pop"
    )
