"""The process that runs trials: outputs compared, times taken, errors as answers."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from tests.project.source_files import ROOT
from tests.runtime.programs import Dense, random_weights, vta_only
from vta_pynq.runtime.trials import run_trial, serve

RNG = np.random.default_rng(5)
DENSE = Dense(random_weights(RNG, 16, 32))
X = RNG.integers(-128, 128, DENSE.x_shape()).astype(np.int8)


@pytest.fixture
def request_of(tmp_path):
    """A request for the program above; the wanted output with some values changed."""

    def make(changed: int = 0, **more: object) -> str:
        vta_only(DENSE).save(tmp_path / "net.vta")
        name = f"wanted{changed}"
        wanted = DENSE.reference(X).copy()
        wanted.reshape(-1)[:changed] ^= 1
        np.savez(tmp_path / "feeds.npz", x=X)
        np.savez(tmp_path / f"{name}.npz", y=wanted)
        paths = {"feeds": str(tmp_path / "feeds.npz"), "wanted": str(tmp_path / f"{name}.npz")}
        request = {"program": str(tmp_path / "net.vta"), **paths, "repeat": 3, "timeout_s": 10}
        return json.dumps({**request, **more})

    return make


def test_run_trial_compares_every_run(overlay):
    program, wanted = vta_only(DENSE), DENSE.reference(X)
    times = run_trial(overlay, program, {"x": X}, {"y": wanted}, 3, 10)
    assert (times.wrong, times.values, len(times.seconds)) == (0, 4 * wanted.size, 3)
    other = wanted.copy()
    other[..., -1] ^= 1
    differ = int(np.count_nonzero(other != wanted))
    times = run_trial(overlay, program, {"x": X}, {"y": other}, 3, 10)
    assert times.wrong == 4 * differ
    part = {"y": other[:, :5, :, :-1]}  # lanes that pad are not compared
    assert run_trial(overlay, program, {"x": X}, part, 1, 10).wrong == 0
    assert run_trial(overlay, program, {"x": X}, None, 1, 10).values == 0


def test_serve_answers_a_line_each_and_goes_on_after_errors(overlay, request_of):
    lines = [request_of(), request_of(changed=2), request_of(program="no.vta"), request_of()]
    answers = io.StringIO()
    serve(overlay, io.StringIO("".join(line + "\n" for line in lines)), answers)
    facts, right, wrong, failed, again = map(json.loads, answers.getvalue().splitlines())
    assert facts["config"] == overlay.config.name and facts["profile"] == "hls-64bit"
    assert right["wrong"] == 0 and len(right["seconds"]) == 3 == len(again["seconds"])
    assert wrong["wrong"] == 8
    assert "no.vta" in failed["error"]


def test_main_writes_answers_alone_to_standard_output(request_of):
    words = [sys.executable, "-m", "vta_pynq.runtime.trials", "--device", "sim"]
    done = subprocess.run(
        [*words, "--overlay", "1x16_i8w8a32_15_15_18_17"],
        input=request_of() + "\n", stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT,
        timeout=120,
    )  # fmt: skip
    facts, answer = map(json.loads, done.stdout.splitlines())
    assert facts["simulated"] and answer["wrong"] == 0


def test_main_missing_overlay_is_an_answer():
    words = [sys.executable, "-m", "vta_pynq.runtime.trials", "--device", "sim"]
    done = subprocess.run(
        [*words, "--overlay", "nonsense"], input="", stdout=subprocess.PIPE, text=True,
        check=False, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2 and "nonsense" in json.loads(done.stdout)["error"]
