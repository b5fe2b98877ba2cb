"""The counters' account of runs: the cycle model's numbers, as the hardware's taps see them."""

from __future__ import annotations

import pytest

from tests.sim_device.rig import COMPUTE_NOP, FINISH, LOAD_NOP, STORE_NOP, stream
from vta_pynq.config import HwConfig
from vta_pynq.isa.control_block import COUNTERS
from vta_pynq.sim import run_log
from vta_pynq.sim.run_log import CYCLES, RunLog, count_cycles
from vta_pynq.timing import get_profile, simulate

CONFIG = HwConfig()
PROFILE = get_profile("vta1")
NO_TOKENS = (0, 0, 0, 0)


def words(rows):
    return stream(rows, CONFIG).tobytes()


def counts(rows, tokens=NO_TOKENS):
    return count_cycles(words(rows), tokens, CONFIG, PROFILE)


def of_module(found, module):
    return {c.register: found[c.register] for c in COUNTERS if c.module.name == module}


STREAMS = {
    "finish": [FINISH],
    "tokens": [{**LOAD_NOP, "push_next": 1}, {**COMPUTE_NOP, "pop_prev": 1, "push_next": 1},
               {**STORE_NOP, "pop_prev": 1, "push_prev": 1}, {**FINISH, "pop_next": 1}],
    "many": [*[LOAD_NOP] * 700, *[COMPUTE_NOP] * 700, FINISH],
}  # fmt: skip


@pytest.mark.parametrize("rows", STREAMS.values(), ids=STREAMS)
def test_counters_of_a_module_add_up_to_the_cycles(rows):
    found = counts(rows)
    assert found[CYCLES] == simulate(stream(rows, CONFIG), "vta1").total_cycles
    for module in ("LOAD", "COMPUTE", "STORE"):
        assert sum(of_module(found, module).values()) == found[CYCLES]


def test_waits_lie_at_the_token_that_is_waited_for():
    found = counts(STREAMS["tokens"])
    assert found["STORE_WAIT_G2S"] > 0 and found["COMPUTE_WAIT_S2G"] > 0
    assert found["LOAD_WAIT_G2L"] == 0
    assert counts(STREAMS["tokens"], (1, 0, 0, 0))["COMPUTE_WAIT_L2G"] == 0


def test_fetch_waits_at_the_queue_that_is_full():
    found = counts([*[LOAD_NOP] * 700, FINISH])
    assert found["FETCH_PUSH_LOAD"] > 0
    assert found["FETCH_PUSH_COMPUTE"] == found["FETCH_PUSH_STORE"] == 0
    assert found["FETCH_BUSY"] == 2 * 701  # 128 bits through a 64-bit port
    assert found["FETCH_STARVED"] > 0


@pytest.mark.parametrize(
    ("row", "flag", "counter"),
    [
        (LOAD_NOP, "push_next", "LOAD_PUSH_L2G"),
        (COMPUTE_NOP, "push_prev", "COMPUTE_PUSH_G2L"),
        (COMPUTE_NOP, "push_next", "COMPUTE_PUSH_G2S"),
        (STORE_NOP, "push_prev", "STORE_PUSH_S2G"),
    ],
)
def test_pushes_lie_at_the_token_whose_counter_is_full(row, flag, counter):
    pops = {"LOAD_PUSH_L2G": (COMPUTE_NOP, "pop_prev"), "COMPUTE_PUSH_G2L": (LOAD_NOP, "pop_next"),
            "COMPUTE_PUSH_G2S": (STORE_NOP, "pop_prev"),
            "STORE_PUSH_S2G": (COMPUTE_NOP, "pop_next")}  # fmt: skip
    other, pop = pops[counter]
    # The counter is full at the start; whoever pops has something else to do first.
    slow = [other] * 40
    token = ["LOAD_PUSH_L2G", "COMPUTE_PUSH_G2L", "COMPUTE_PUSH_G2S", "STORE_PUSH_S2G"]
    full = tuple(1024 * (name == counter) for name in token)
    found = counts([{**row, flag: 1}, *slow, {**other, pop: 1}, FINISH], full)
    pushes = {c.register: found[c.register] for c in COUNTERS if "_PUSH_" in c.register}
    assert [name for name, value in pushes.items() if value] == [counter]


def test_run_that_the_cycle_model_cannot_follow_counts_nothing():
    log = RunLog(CONFIG, PROFILE)
    log.add(words([{**FINISH, "pop_prev": 1}]), NO_TOKENS)
    assert log.totals().get(CYCLES, 0) == 0
    untimed = RunLog(CONFIG, get_profile("functional"))
    untimed.add(words([FINISH]), NO_TOKENS)
    assert untimed.totals().get(CYCLES, 0) == 0


def test_log_counts_runs_only_when_asked_and_forgets_when_cleared():
    count_cycles.cache_clear()
    log = RunLog(CONFIG, PROFILE)
    for _ in range(5):
        log.add(words([COMPUTE_NOP, FINISH]), NO_TOKENS)
    assert count_cycles.cache_info().misses == 0
    total = log.totals()[CYCLES]
    assert total == 5 * counts([COMPUTE_NOP, FINISH])[CYCLES]
    assert count_cycles.cache_info().misses == 1
    assert log.totals()[CYCLES] == total
    log.clear()
    assert log.totals().get(CYCLES, 0) == 0


def test_log_of_many_different_streams_keeps_few(monkeypatch):
    monkeypatch.setattr(run_log, "_MOST_STREAMS", 4)
    log = RunLog(CONFIG, PROFILE)
    expected = 0
    for count in range(12):
        rows = [*[COMPUTE_NOP] * count, FINISH]
        log.add(words(rows), NO_TOKENS)
        expected += counts(rows)[CYCLES]
        assert len(log._noted) <= 4
    assert log.totals()[CYCLES] == expected
