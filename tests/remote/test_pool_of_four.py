"""Four simulator workers do what one does: the digits network, and the tuner."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra 'pool'")
from examples.demo import FOLDER, load_images
from examples.pool import digits_program, measure
from host_compiler.quantize import quantize_model
from host_compiler.tune.evolution import GENERATION, search
from host_compiler.tune.judge import ModelJudge
from host_compiler.tune.pool_judge import MeasuringPoolJudge, PoolJudge
from tests.host_compiler.tune.layers import subject
from vta_pynq import VtaOverlay
from vta_pynq.cli import main
from vta_pynq.remote.pool import local_pool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def four():
    with local_pool(4) as pool:
        yield pool


def test_four_workers_give_what_one_process_gives(four):
    program = digits_program()
    images, _ = load_images("test_images")
    with (
        VtaOverlay(program.config.name, device="sim") as overlay,
        overlay.load(program) as model,
    ):
        wanted = np.concatenate([model.run(image[None]) for image in images])
    with local_pool(1) as one:
        first = measure(one, program, images)
    found = measure(four, program, images)
    np.testing.assert_array_equal(found.scores, wanted)
    np.testing.assert_array_equal(first.scores, wanted)
    assert len(four.devices) == 4


def test_search_spread_over_four_workers_finds_what_one_process_finds(four):
    task = subject()
    serial = search(task, ModelJudge(), trials=2 * GENERATION, seed=5)
    with PoolJudge(four.client) as judge:
        spread = search(task, judge, trials=2 * GENERATION, seed=5)
    assert list(spread.results.items()) == list(serial.results.items())
    assert (spread.best, spread.tried) == (serial.best, serial.tried)


def test_measuring_pool_judge_runs_every_trial_on_a_device_and_checks_it():
    task = subject()
    with local_pool(2) as pool, MeasuringPoolJudge(pool.client, task.target, repeat=1) as judge:
        assert judge.simulated and judge.name.startswith("simulated")
        found = search(task, judge, trials=8, seed=5)
    assert len(found.results) >= 8
    measured = [verdict for verdict in found.results.values() if verdict.counts]
    assert measured and all(verdict.seconds > 0 for verdict in measured)
    for trial, verdict in found.results.items():
        model = task.verdict(trial)
        assert (verdict.cycles, verdict.failure) == (model.cycles, model.failure)


def test_tune_command_with_a_pool_finds_what_it_finds_without(four, tmp_path, capsys):
    calibration, _ = load_images("calibration_images")
    model = tmp_path / "net.onnx"
    quantised = quantize_model(FOLDER / "digits_residual.onnx", calibration).model
    model.write_bytes(quantised.SerializeToString())
    outcomes = []
    for number, words in enumerate((["--workers", "0"], ["--pool", four.client.scheduler.address])):
        database = str(tmp_path / f"{number}.sqlite")
        arguments = ["tune", str(model), "--shape", "batch=1", "--trials", "2", "--json"]
        assert main([*arguments, "--database", database, *words]) == 0
        outcomes.append(json.loads(capsys.readouterr().out))
    for outcome in outcomes:
        outcome.pop("seconds", None)
    assert outcomes[0] == outcomes[1]
