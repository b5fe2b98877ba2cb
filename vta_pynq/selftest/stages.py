"""The stages of the self-test: each runs its tests on a loaded overlay."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from vta_pynq.isa.table import Module
from vta_pynq.overlay.devices import is_simulated
from vta_pynq.runtime.overlay_health import OVERLAY_CHECKS, guarded
from vta_pynq.selftest.finding import Finding, Stage
from vta_pynq.selftest.march import march_probe
from vta_pynq.selftest.march_memories import march_memories
from vta_pynq.selftest.pace import pace_problem
from vta_pynq.selftest.probe import Failure, Probe, attempt
from vta_pynq.selftest.random_programs import random_probe
from vta_pynq.selftest.rules import rule_probes
from vta_pynq.timing.model import simulate

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay
    from vta_pynq.selftest.placed import StreamRunner

__all__ = ["STAGES", "Judge", "StageRun"]

_REGISTER_CHECKS = ("metadata", "identity", "clock", "registers")
_MOST_FINDINGS = 10
_MOST_HANGS = 3
_REPEATS = 5
_HANG_REPEATS = 2
_CYCLE_FACTOR = 4
"""How far cycles may be from the model's before they are implausible: its parameters of the own
design are design intent, and memory latency is the board's."""

Judge = Callable[[Stage, Probe], None]
StageRun = Callable[["VtaOverlay", "StreamRunner", Judge, int, int], Stage]


def judge(runner: StreamRunner, failing: list[tuple[Stage, int, Probe]]) -> Judge:
    """Runs a probe, and again if it fails; keeps those that failed in `failing`."""

    def run(stage: Stage, probe: Probe) -> None:
        stage.tests += 1
        first = attempt(runner, probe)
        if first is None:
            return
        repeats = _HANG_REPEATS if first.kind == "hang" else _REPEATS
        again = [attempt(runner, probe) for _ in range(repeats)]
        failing.append((stage, len(stage.findings), probe))
        stage.findings.append(_finding(stage.name, probe.name, first, again))
        hangs = sum(finding.kind == "hang" for finding in stage.findings)
        if hangs >= _MOST_HANGS:
            stage.cut = f"{hangs} programs hung"
        elif len(stage.findings) >= _MOST_FINDINGS:
            stage.cut = f"{len(stage.findings)} tests failed"

    return run


def _finding(stage: str, test: str, first: Failure, again: list[Failure | None]) -> Finding:
    alike = [
        other is not None and (other.kind, other.found) == (first.kind, first.found)
        for other in again
    ]
    return Finding(
        stage, test, first.kind, first.what,
        repeatable=all(alike),
        failures=1 + sum(other is not None for other in again),
        repeats=1 + len(again),
    )  # fmt: skip


def _judge_all(stage: Stage, probes: Iterable[Probe | str], run: Judge) -> Stage:
    for probe in probes:
        if isinstance(probe, str):
            stage.skip(probe)
            continue
        run(stage, probe)
        if stage.cut:
            break
    return stage


def _registers(
    overlay: VtaOverlay, runner: StreamRunner, run: Judge, programs: int, seed: int
) -> Stage:
    """Metadata, identity, clock, and base registers that hold what is written to them."""
    stage = Stage("registers")
    for name in _REGISTER_CHECKS:
        stage.tests += 1
        check = guarded(name, functools.partial(OVERLAY_CHECKS[name], overlay))
        if check.state == "fail":
            stage.findings.append(Finding(stage.name, name, "error", check.found))
        elif check.state != "ok":
            stage.skip(f"{name}: {check.found}")
    return stage


def _rules(
    overlay: VtaOverlay, runner: StreamRunner, run: Judge, programs: int, seed: int
) -> Stage:
    """The conformance cases that this hardware must pass."""
    probes = rule_probes(overlay.config, overlay.identity.profile)
    return _judge_all(Stage("rules"), probes, run)


def _memories(
    overlay: VtaOverlay, runner: StreamRunner, run: Judge, programs: int, seed: int
) -> Stage:
    """March C- through each SRAM."""

    def probes() -> Iterator[Probe | str]:
        for name, memory in march_memories(overlay.config).items():
            if isinstance(memory, str):
                yield f"{name}: {memory}"
            else:
                yield march_probe(memory, overlay.config)

    return _judge_all(Stage("memories"), probes(), run)


def _counters(
    overlay: VtaOverlay, runner: StreamRunner, run: Judge, programs: int, seed: int
) -> Stage:
    """What the hardware counts, or else how long a known program takes."""
    stage = Stage("counters")
    if overlay.accelerator.control is None:
        if is_simulated(overlay.device):
            stage.skip("a simulated device of a design without counters has nothing to compare")
            return stage
        stage.tests = 1
        problem = pace_problem(overlay, runner)
        if problem:
            stage.findings.append(Finding(stage.name, "pace", "implausible", problem))
        return stage
    memory = march_memories(overlay.config)["INP"]
    if isinstance(memory, str):
        stage.skip(memory)
        return stage
    probe = march_probe(memory, overlay.config)
    stage.tests = 1
    overlay.accelerator.clear_counters()
    failure = attempt(runner, probe)
    if failure is not None:  # the stage before has reported it
        stage.skip("the program whose cycles are counted fails")
        return stage
    problem = _implausible(overlay, probe)
    if problem:
        stage.findings.append(Finding(stage.name, "cycles", "implausible", problem))
    return stage


def _implausible(overlay: VtaOverlay, probe: Probe) -> str:
    """What is wrong with the counters after a run of the probe; empty if nothing."""
    found = overlay.accelerator.counters()
    model = simulate(probe.stream, overlay.identity.profile.name).total_cycles
    if not model / _CYCLE_FACTOR <= found.cycles <= model * _CYCLE_FACTOR:
        return f"{found.cycles} cycles were counted, {model} are modelled"
    for module in (Module.LOAD, Module.COMPUTE, Module.STORE):
        counts = found.modules[module]
        if not counts.busy:
            return f"{module.name.lower()} was never busy in a program that uses it"
        if counts.total > found.cycles:
            return (
                f"{module.name.lower()} was busy or waiting for {counts.total} of "
                f"{found.cycles} cycles"
            )
    return ""


def _random(
    overlay: VtaOverlay, runner: StreamRunner, run: Judge, programs: int, seed: int
) -> Stage:
    """Random portable programs against the numpy interpreter."""
    config, profile = overlay.config, overlay.identity.profile
    probes = (random_probe(config, profile, seed + number) for number in range(programs))
    return _judge_all(Stage("random"), probes, run)


STAGES: Mapping[str, StageRun] = {
    "registers": _registers,
    "rules": _rules,
    "memories": _memories,
    "counters": _counters,
    "random": _random,
}
"""By name, in an order in which each relies only on those before it."""
