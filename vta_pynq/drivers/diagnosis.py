"""What the registers tell about a stream that did not finish, in words."""

from __future__ import annotations

import dataclasses

__all__ = ["Observation", "explain"]


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
    active: frozenset[str]


def _stuck(seen: Observation) -> tuple[str, str]:
    """The module to name and what the registers say about it."""
    if seen.active:
        names = " and ".join(sorted(seen.active))
        return "compute", f"{names} still completes instructions, so the stream is slow, not stuck"
    if not seen.fetch_idle:
        return "fetch", (
            "not all instructions have been handed out: an instruction queue is full, or the "
            "memory does not answer"
        )
    if not seen.compute_started:
        return "compute", (
            "fetch has handed out every instruction, and compute has not begun one: its first "
            "waits for a token, or there is none"
        )
    if seen.done_flag:
        return "fetch", "FINISH was reached, but fetch is still busy with what follows it"
    return "compute", (
        "fetch has handed out every instruction, and compute has begun some but not reached "
        "FINISH: one waits for a token, or FINISH is missing"
    )


def explain(seen: Observation, timeout_s: float, count: int, reason: str | None) -> str:
    """The message of a `DeviceTimeout`.

    `reason`, where an analysis of the stream found one, goes before what the registers say.
    """
    module, registers = _stuck(seen)
    advice = (
        "allow more time"
        if seen.active
        else "run 'vta lint' on the program to find an unmatched pop"
    )
    facts = f"{reason} ({registers})" if reason else registers
    return (
        f"{module}: the {count} instructions must finish within {timeout_s:g} s, not later: "
        f"{facts}; the logic has been reset; {advice}"
    )
