"""Two workers with a simulator each: batches, a worker that is killed, what a pool refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra 'pool'")
from host_compiler.tune.judge import ModelJudge, Verdict
from host_compiler.tune.pool_judge import PoolJudge
from tests.host_compiler.tune.layers import OddTask
from tests.project.source_files import ROOT
from tests.runtime.programs import Dense, random_weights, vta_only
from vta_pynq.errors import DeviceError, ShapeError
from vta_pynq.remote.pool import RESOURCE, Pool, local_pool

RNG = np.random.default_rng(11)
DENSE = Dense(random_weights(RNG, 16, 32))
PROGRAM = vta_only(DENSE)
X = RNG.integers(-128, 128, (200, *DENSE.x_shape()[1:])).astype(np.int8)


@pytest.fixture(scope="module")
def pool():
    with local_pool(2) as running:
        yield running


def reference(x):
    return np.concatenate([DENSE.reference(x[n : n + 1]) for n in range(len(x))])


def prefixes(dask_scheduler):
    """Names that the dashboard shows, with their states."""
    return {
        name: dict(prefix.state_counts) for name, prefix in dask_scheduler.task_prefixes.items()
    }


def test_pool_run_gives_the_reference_in_order_and_named_tasks(pool):
    seen = []
    found = pool.run_array(PROGRAM, X, chunk=32, done=seen.append)
    np.testing.assert_array_equal(found, reference(X))
    assert seen[-1] == len(X) and seen == sorted(seen) and len(seen) == 7
    assert len(pool.devices) == 2
    names = pool.client.run_on_scheduler(prefixes)
    assert {f"vta_{PROGRAM.model}", f"vta_{PROGRAM.model}_load"} <= set(names)


def test_pool_work_of_a_killed_worker_is_redone(pool):
    pids = sorted(pool.client.run(os.getpid).values())
    killed = []

    def kill(done):
        if not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    many = np.concatenate([X] * 4)
    found = pool.run_array(PROGRAM, many, chunk=8, done=kill)
    assert killed
    np.testing.assert_array_equal(found, np.concatenate([reference(X)] * 4))
    pool.wait_for(2)  # the nanny started another
    assert pids[0] not in pool.client.run(os.getpid).values()


def test_pool_judge_agrees_with_the_model_and_survives_a_death(pool, tmp_path):
    trials = ["a", "bbb", f"once {tmp_path / 'mark'}", "cc"]
    with PoolJudge(pool.client) as judge:
        verdicts = judge.judge(OddTask(), trials)
        assert judge.judge(OddTask(), []) == []
    assert (tmp_path / "mark").exists()
    assert verdicts == [Verdict(len(trial)) for trial in trials]
    assert verdicts == ModelJudge().judge(OddTask(), trials)


def test_pool_sample_that_does_not_fit_raises_what_a_model_raises(pool):
    pool.wait_for(1)
    with pytest.raises(ShapeError, match="must"):
        pool.run(PROGRAM, [X[:1, :3]])
    np.testing.assert_array_equal(pool.run(PROGRAM, [X[:1]])[0], DENSE.reference(X[:1]))


def test_pool_batch_that_takes_too_long_is_a_clear_error(pool):
    pool.wait_for(1)
    with pytest.raises(DeviceError, match=r"batch must be done within 0\.001 s, not 0 of 200"):
        pool.run(PROGRAM, [X[n : n + 1] for n in range(200)], timeout_s=0.001)


def test_pool_chunk_must_be_positive(pool):
    with pytest.raises(DeviceError, match="chunk must be at least 1, not 0; leave it out"):
        pool.run(PROGRAM, [X[:1]], chunk=0)


def test_pool_without_enough_devices_says_how_to_start_them(pool):
    with pytest.raises(DeviceError, match=f"must be 9, not .*dask worker .* {RESOURCE}=1"):
        pool.wait_for(9, timeout_s=0.05)


def test_pool_module_loads_dask_only_when_used():
    code = "import sys, vta_pynq.remote.pool; assert 'distributed' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_pool_without_dask_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DeviceError, match=r"pip install 'vta-pynq\[pool\]'"):
        Pool("tcp://127.0.0.1:1")
