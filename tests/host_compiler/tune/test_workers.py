"""Processes that judge: order, deadlines, deaths."""

from __future__ import annotations

import multiprocessing

import pytest

from host_compiler.tune.judge import Verdict
from host_compiler.tune.workers import Workers
from tests.host_compiler.tune.layers import OddTask


def test_judge_verdicts_come_in_the_order_of_the_trials(tmp_path):
    trials = ["sleep 0.2", "a", "die", f"once {tmp_path / 'mark'}", "bbb", "cc"]
    with Workers(2) as workers:
        verdicts = workers.judge(OddTask(), trials)
    wanted = [Verdict(len(trial)) for trial in trials]
    wanted[2] = Verdict(None, failure="its process died", passing=True)
    assert verdicts == wanted
    assert not multiprocessing.active_children()


def test_judge_late_trial_fails_and_the_others_go_on():
    with Workers(1, deadline_s=5.0) as workers:
        verdicts = workers.judge(OddTask(), ["sleep 600", "fine"])
    late = Verdict(None, failure="took longer than 5 s", passing=True)
    assert verdicts == [late, Verdict(4)]


def test_judge_nothing_needs_no_process():
    with Workers(3) as workers:
        assert workers.judge(OddTask(), []) == []
        assert not multiprocessing.active_children()


def test_judge_interrupted_ends_its_processes(monkeypatch):
    workers = Workers(2)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("host_compiler.tune.workers.wait", interrupt)
    with pytest.raises(KeyboardInterrupt), workers:
        workers.judge(OddTask(), ["sleep 600", "sleep 600"])
    assert not multiprocessing.active_children()
