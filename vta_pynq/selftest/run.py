"""The whole self-test: stages, repetitions, half the clock, and the verdict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vta_pynq.conformance import ExpectedOutput, save_case
from vta_pynq.drivers.accelerator import check_timeout
from vta_pynq.errors import IdentityError
from vta_pynq.overlay.devices import is_simulated, runs_design
from vta_pynq.selftest.finding import Finding, Stage
from vta_pynq.selftest.placed import StreamRunner
from vta_pynq.selftest.probe import Probe, attempt
from vta_pynq.selftest.stages import STAGES, judge
from vta_pynq.selftest.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay

__all__ = ["SelfTestReport", "examine", "self_test"]

_TIMEOUT_S = 10.0
_DESIGN_TIMEOUT_S = 120.0
"""On the HLS design in simulation, which takes some 10 s for a march."""
_SLOWER_RUNS = 3
_MOST_SLOWER = 5
"""Failed tests that are run again at half the clock."""

Failing = list[tuple[Stage, int, Probe]]


@dataclasses.dataclass(frozen=True)
class SelfTestReport:
    """The outcome of a self-test.

    Attributes
    ----------
    overlay, device
        What was tested, where.
    simulated
        Whether the device is simulated.
    seed
        Of the first random program; program n has seed + n.
    stages
        One after the other.
    verdict
        What follows from them.
    saved
        Folders of the failed programs, for `vta replay`.
    """

    overlay: str
    device: str
    simulated: bool
    seed: int
    stages: tuple[Stage, ...]
    verdict: Verdict
    saved: tuple[Path, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(stage.ok for stage in self.stages)


def self_test(
    overlay: str,
    device: Any = None,
    *,
    only: Sequence[str] = tuple(STAGES),
    programs: int = 1000,
    seed: int = 0,
    timeout_s: float | None = None,
    keep: Path | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> SelfTestReport:
    """Load an overlay and test it; see `examine`.

    Hardware that says it is another one than its files is an outcome, not an error.

    Raises
    ------
    VtaError
        The overlay cannot be loaded.
    """
    from vta_pynq.overlay import VtaOverlay
    from vta_pynq.overlay.devices import choose_device

    chosen = choose_device(device)
    try:
        loaded = VtaOverlay(overlay, device=chosen)
    except IdentityError as error:
        stage = Stage("registers", tests=1)
        stage.findings.append(Finding(stage.name, "identity", "error", str(error)))
        if progress is not None:
            progress(stage)
        return SelfTestReport(
            overlay, str(chosen.name), is_simulated(chosen), seed, (stage,),
            verdict_of([stage], slower=False),
        )  # fmt: skip
    with loaded:
        return examine(
            loaded,
            only=only,
            programs=programs,
            seed=seed,
            timeout_s=timeout_s,
            keep=keep,
            progress=progress,
        )


def examine(
    overlay: VtaOverlay,
    *,
    only: Sequence[str] = tuple(STAGES),
    programs: int = 1000,
    seed: int = 0,
    timeout_s: float | None = None,
    keep: Path | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> SelfTestReport:
    """Test a loaded overlay.

    A test that fails is repeated, and where the clock can be set it is run at half the clock as
    well: what always fails alike is the logic, what does not is the clock.

    Parameters
    ----------
    only
        Names of the stages that are run; they keep their order.
    programs
        Random programs.
    seed
        Of the first one.
    timeout_s
        Deadline of each program, in seconds; by default one that suits the device.
    keep
        A folder for the programs that failed, a case for each.
    progress
        Called with each stage as it ends.

    Raises
    ------
    VtaError
        The device cannot be used, or a folder exists.
    """
    if timeout_s is None:
        timeout_s = _DESIGN_TIMEOUT_S if runs_design(overlay.device) else _TIMEOUT_S
    check_timeout(timeout_s)
    runner = StreamRunner(overlay, timeout_s)
    failing: Failing = []
    run = judge(runner, failing)
    stages = []
    for stage_run in (STAGES[name] for name in STAGES if name in only):
        begin = time.monotonic()
        stage = stage_run(overlay, runner, run, programs, seed)
        stage.seconds = time.monotonic() - begin
        stages.append(stage)
        if progress is not None:
            progress(stage)
    slower = bool(failing) and _try_slower(overlay, runner, failing)
    saved = () if keep is None else tuple(_save(keep, failing))
    return SelfTestReport(
        str(overlay.identity), str(overlay.device.name), is_simulated(overlay.device), seed,
        tuple(stages), verdict_of(stages, slower), saved,
    )  # fmt: skip


def _try_slower(overlay: VtaOverlay, runner: StreamRunner, failing: Failing) -> bool:
    """Run what failed at half the clock; whether the clock could be set."""
    import pynq

    if pynq.Device.active_device is not overlay.device:
        # `Clocks` belongs to the active device: another one's, or this computer's.
        return False
    before = float(pynq.Clocks.fclk0_mhz)

    def passes(probe: Probe) -> bool:
        # Set each time: a download, which is how a hang ends, brings the old clock back.
        pynq.Clocks.fclk0_mhz = before / 2
        return attempt(runner, probe) is None

    try:
        for stage, number, probe in failing[:_MOST_SLOWER]:
            cured = all(passes(probe) for _ in range(_SLOWER_RUNS))
            found = stage.findings[number]
            stage.findings[number] = dataclasses.replace(found, slower_passes=cured)
    finally:
        pynq.Clocks.fclk0_mhz = before
    return True


def _save(folder: Path, failing: Failing) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for _, _, probe in failing:
        path = folder / probe.name.replace(" ", "_")
        outputs = [ExpectedOutput(part.phys, part.data) for part in probe.expected]
        save_case(path, probe.stream, outputs)
        yield path
