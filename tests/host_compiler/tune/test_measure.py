"""Judging by a device: outputs compared, times, errors of the model; on the simulator."""

from __future__ import annotations

import dataclasses
import signal

import numpy as np
import pytest

from bench.schedule_layers import ConvShape
from host_compiler.lower import Target
from host_compiler.schedule.search import plan_layer
from host_compiler.tune import measure
from host_compiler.tune.database import SIMULATED
from host_compiler.tune.evolution import search
from host_compiler.tune.judge import Verdict
from host_compiler.tune.measure import DeviceJudge
from host_compiler.tune.report import measured_text
from host_compiler.tune.session import LayerTuning, Tuning
from host_compiler.tune.subject import subjects_of
from host_compiler.tune.trial_program import (
    expected,
    idle_program,
    random_feeds,
    standalone,
    trial_program,
)
from tests.host_compiler.lower.configs import CONFIGS
from tests.host_compiler.lower.random_layers import LayerMaker
from tests.host_compiler.tune.layers import subject
from vta_pynq.config import HwConfig
from vta_pynq.errors import DeviceError
from vta_pynq.overlay import VtaOverlay
from vta_pynq.runtime.trials import run_trial
from vta_pynq.timing import get_profile


@pytest.fixture(scope="module")
def judge():
    with DeviceJudge("sim", Target(HwConfig()), repeat=2) as found:
        yield found


@pytest.mark.parametrize("config", ["1x16", "2x16", "4x8"])
@pytest.mark.parametrize("seed", [8, 14])
def test_trial_program_random_layer_equals_reference(seed, config):
    print("seed", seed)
    config = CONFIGS[config]
    layer = standalone(LayerMaker(seed, config.block, extent=8, channels=40).layer("layer"))
    program = trial_program(plan_layer(layer, Target(config), timed=1))
    feeds = random_feeds(layer, config.block, seed)
    wanted = expected(layer, feeds, config.block)
    assert any(len(np.unique(array)) > 5 for array in wanted.values())
    with VtaOverlay(config.name, device="sim") as overlay:
        times = run_trial(overlay, program, feeds, wanted, 1, 10)
    assert (times.wrong, times.values) == (0, 2 * sum(array.size for array in wanted.values()))


def test_standalone_layer_has_the_same_signature_and_cycles():
    task = subject()
    alone = plan_layer(standalone(task.layer), task.target, task.default)
    (other,) = subjects_of([alone])
    assert (other.key, other.default_cycles) == (task.key, task.default_cycles)


def test_idle_program_runs_and_is_short():
    layer = standalone(subject().layer)
    program = idle_program(layer, subject().target)
    assert len(program.words) < 12
    assert {arena.name for arena in program.device_arenas} == {"x0", "y0", "constants"}
    with VtaOverlay(program.config.name, device="sim") as overlay:
        assert (
            len(run_trial(overlay, program, random_feeds(layer, 16, 1), None, 2, 10).seconds) == 2
        )


def test_judge_verdict_has_model_and_clock(judge):
    task = subject()
    (verdict,) = judge.judge(task, [task.default])
    model = task.verdict(task.default)
    assert dataclasses.replace(verdict, seconds=None) == model and verdict.seconds > 0
    assert judge.name == SIMULATED + "Pynq-Z2" and judge.simulated
    assert judge.clock_mhz == 100


def test_judge_what_does_not_fit_never_reaches_the_device(judge):
    schedule = dataclasses.replace(subject().default, inp_slots=1 << 12)
    assert judge.judge(subject(), [schedule]) == [Verdict(None, failure="does not fit")]


def test_judge_wrong_output_does_not_count(judge, monkeypatch):
    task = subject(ConvShape("wrong", 4, 16, 32, 1, 1))
    real = measure.trial_program

    def spoilt(plan):
        program = real(plan)
        arena = program.arena("constants")
        data = arena.data.copy()
        data[:64] ^= 0xFF
        arenas = [dataclasses.replace(a, data=data) if a is arena else a for a in program.arenas]
        return dataclasses.replace(program, arenas=tuple(arenas))

    monkeypatch.setattr(measure, "trial_program", spoilt)
    (verdict,) = judge.judge(task, [task.default])
    assert not verdict.counts and verdict.seconds is None and not verdict.passing
    assert verdict.failure.startswith("wrong output: ") and " of 1536 values" in verdict.failure


def test_judge_runner_that_dies_is_replaced(judge):
    task = subject()
    judge.judge(task, [task.default])
    judge._runner._process.send_signal(signal.SIGKILL)
    judge._runner._process.wait(10)
    died, fine = judge.judge(task, [task.default, task.default])
    assert died.failure.startswith("device: device 'sim': the process that runs trials must answer")
    assert died.passing and not died.counts
    assert fine.counts


def test_model_error_compares_times(judge):
    assert judge.model_error(Verdict(1000, 0, 8e-6)) == pytest.approx(0.25)
    assert judge.model_error(Verdict(1000, 0, 20e-6)) == pytest.approx(-0.5)
    assert judge.model_error(Verdict(1000, 0, 1e-9)) is None
    assert judge.model_error(Verdict(None, failure="does not fit")) is None


def test_search_by_the_clock_counts_only_checked_trials(judge):
    task = subject()
    outcome = search(task, judge, trials=6, seed=1)
    assert outcome.tried == 6 and not outcome.failures
    assert all(verdict.seconds is not None for verdict in outcome.results.values())
    assert outcome.verdict.seconds <= outcome.default.seconds
    lines = measured_text(
        Tuning("net", (LayerTuning(task, outcome),), None, ()), judge
    ).splitlines()
    assert lines[0].startswith("measured on simulated Pynq-Z2")
    assert "says nothing about hardware" in lines[1]
    assert " ".join(lines[2].split()) == "default us tuned us model off by worst wrong layer"
    assert lines[3].endswith("  0  small: 48x8x8 to 96x8x8, 1 taps")


def test_device_judge_unknown_device_is_refused():
    with pytest.raises(DeviceError, match="device: must be one of board, sim, csim"):
        DeviceJudge("nonsense", Target(HwConfig()))


def test_device_judge_other_profile_is_refused():
    target = Target(HwConfig(), get_profile("hls-128bit"))
    with pytest.raises(DeviceError) as caught:
        DeviceJudge("sim", target)
    assert str(caught.value) == (
        "device 'sim': profile of overlay 1x16_i8w8a32_15_15_18_17 must be the target's, "
        "hls-128bit, not hls-64bit; pass --target hls-64bit"
    )


def test_judge_remote_device_is_measured_too():
    pytest.importorskip("pynq.remote.remote_device_pb2", reason="pynq 3.1 or later speaks remotely")
    from vta_pynq.remote.server import Server
    from vta_pynq.sim.device import SimDevice

    task = subject()
    with (
        Server(SimDevice(tag="measured"), port=0) as server,
        DeviceJudge(f"grpc://127.0.0.1:{server.port}", task.target, repeat=1) as remote,
    ):
        (verdict,) = remote.judge(task, [task.default])
    assert remote.simulated and verdict.counts and verdict.seconds > 0
