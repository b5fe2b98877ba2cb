"""Counters of the control block in Verilog, against a model over whole traces."""

from __future__ import annotations

import pytest

from tests.hls.control_bench import LENGTH, WORD, Commands, bit, seeded, taps
from tests.hls.control_model import counters_of, random_trace
from vta_pynq.isa.control_block import COUNTERS

REQUEST = bit("RESET", "REQUEST")
FORCE = bit("RESET", "FORCE")
DONE = bit("STATUS", "DONE")
LAUNCH = taps(insn_port_arvalid=1)
FINISH = taps(finished_ap_vld=1)


def expect_counters(c, cycles, counts):
    c.expect("CYCLES_LO", cycles & WORD)
    c.expect("CYCLES_HI", cycles >> 32)
    for counter in COUNTERS:
        c.expect(counter.register, counts[counter.register])


@pytest.mark.parametrize("runs", [1, 3])
def test_counters_count_the_cycles_of_the_model_under_random_handshakes(runs, passes):
    rng = seeded()
    c = Commands()
    cycles, total = 0, dict.fromkeys((counter.register for counter in COUNTERS), 0)
    for _ in range(runs):
        trace = random_trace(rng, 1200)
        for row in trace.rows():
            c.pulse(taps(**row))
        c.expect("STATUS", DONE)
        c.write("STATUS", DONE)
        ran, counts = counters_of(trace)
        cycles += ran
        total = {name: total[name] + counts[name] for name in total}
        expect_counters(c, cycles, total)
        c.write("RESET", REQUEST | FORCE)  # the next trace begins with nothing under way
        c.wait(LENGTH + 4)
    assert min(total.values()) > 0
    c.write("COUNTER_CONTROL", bit("COUNTER_CONTROL", "CLEAR"))
    expect_counters(c, 0, dict.fromkeys(total, 0))
    passes(c)


def test_counters_that_are_frozen_stand(passes):
    rng = seeded()
    c = Commands()
    c.write("COUNTER_CONTROL", bit("COUNTER_CONTROL", "FREEZE"))
    for row in random_trace(rng, 100).rows():
        c.pulse(taps(**row))
    expect_counters(c, 0, dict.fromkeys((counter.register for counter in COUNTERS), 0))
    passes(c)


def test_counters_stop_at_their_largest_value(passes):
    busy = next(n for n, counter in enumerate(COUNTERS) if counter.register == "FETCH_BUSY")
    c = Commands()
    c.pulse(LAUNCH)
    c.poke_counter(busy, WORD - 2)
    for _ in range(5):
        c.pulse(taps(insn_port_rvalid=1, insn_port_rready=1))
    c.pulse(FINISH)
    c.expect("FETCH_BUSY", WORD)
    passes(c)
