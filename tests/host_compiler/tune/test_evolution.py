"""The search of one layer: deterministic, never worse, warm-started, interruptible."""

from __future__ import annotations

import pytest

from bench.schedule_layers import RESNET18_CONVS
from host_compiler.lower import Target
from host_compiler.schedule.search import plan_layer
from host_compiler.tune.evolution import GENERATION, search
from host_compiler.tune.judge import ModelJudge, Verdict
from host_compiler.tune.subject import subjects_of
from host_compiler.tune.workers import Workers
from tests.host_compiler.lower.layer_machine import check
from tests.host_compiler.lower.random_layers import LayerMaker
from tests.host_compiler.tune.layers import CountingJudge, subject
from vta_pynq.config import HwConfig

SHAPES = {shape.name: shape for shape in RESNET18_CONVS}


def test_search_finds_better_than_one_candidate():
    task = subject()
    outcome = search(task, ModelJudge(), trials=40, seed=1)
    assert outcome.verdict.cycles < outcome.default.cycles == task.default_cycles
    assert outcome.tried <= 60
    assert plan_layer(task.layer, task.target, outcome.best).estimated_cycles == (
        outcome.verdict.cycles
    )


def test_search_same_seed_gives_the_same_trials_another_seed_others():
    task = subject()
    judged = []
    for seed in (1, 1, 2):
        judge = CountingJudge()
        search(task, judge, trials=2 * GENERATION, seed=seed)
        judged.append(judge.judged)
    assert judged[0] == judged[1] != judged[2]


def test_search_result_does_not_depend_on_the_number_of_processes():
    task = subject()
    serial = search(task, ModelJudge(), trials=2 * GENERATION, seed=5)
    for count in (1, 3):
        with Workers(count) as workers:
            parallel = search(task, workers, trials=2 * GENERATION, seed=5)
        assert list(parallel.results.items()) == list(serial.results.items())
        assert (parallel.best, parallel.tried) == (serial.best, serial.tried)


def test_search_known_verdicts_are_not_judged_again():
    task = subject()
    first = search(task, ModelJudge(), trials=40, seed=1)
    judge = CountingJudge()
    second = search(task, judge, trials=40, seed=1, known=first.results)
    assert not set(judge.judged) & set(first.results)
    assert second.verdict.cycles <= first.verdict.cycles
    assert task.default in second.results


def test_search_starts_with_hints():
    task = subject()
    found = search(task, ModelJudge(), trials=40, seed=1)
    again = search(task, ModelJudge(), trials=2, seed=7, start=[found.best])
    assert (again.best, again.tried) == (found.best, 2)


def test_search_interrupted_has_told_every_generation():
    task, judge, told = subject(), CountingJudge(2 * GENERATION + 1), {}
    with pytest.raises(KeyboardInterrupt):
        search(task, judge, trials=200, seed=1, found=told.update)
    assert list(told) == judge.judged and GENERATION < len(told) <= 2 * GENERATION


def test_search_default_alone_counts():
    outcome = search(subject(), ModelJudge(), trials=1, seed=1)
    assert (outcome.tried, outcome.best) == (1, subject().default)


def test_search_without_any_trial_that_counts_says_so():
    class Refusing:
        name = "refusing"

        def judge(self, task, trials):
            return [Verdict(None, failure="no") for _ in trials]

    outcome = search(subject(), Refusing(), trials=20, seed=1)
    assert (outcome.best, outcome.verdict, outcome.failures) == (None, None, {"no": 20})


@pytest.mark.parametrize("seed", [3, 11, 23])
def test_search_random_layer_results_equal_interpreter(seed):
    # Schedules that the heuristic never makes must still compute the same.
    print("seed", seed)
    layer = LayerMaker(seed, 16, extent=8, channels=40).layer(f"random{seed}")
    (task,) = subjects_of([plan_layer(layer, Target(HwConfig()), timed=1)])
    outcome = search(task, ModelJudge(), trials=24, seed=seed)
    assert not [failure for failure in outcome.failures if failure != "does not fit"]
    fine = [s for s, verdict in outcome.results.items() if verdict.counts]
    for schedule in fine[-2:]:
        check([task.plan(schedule)], seed, light=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_search_resnet18_never_worse_and_equal_to_interpreter(name):
    task = subject(SHAPES[name])
    outcome = search(task, ModelJudge(), trials=100, seed=0)
    assert outcome.verdict.cycles <= task.default_cycles
    check([task.plan(outcome.best)], 3, light=True)
