"""Soft reset of the control block in Verilog: what holds it back, and what it clears."""

from __future__ import annotations

import pytest

from tests.hls.control_bench import LENGTH, SETTLE, Commands, bit, taps
from vta_pynq.isa.control_block import COUNTERS, PORTS
from vta_pynq.isa.table import Module

REQUEST = bit("RESET", "REQUEST")
FORCE = bit("RESET", "FORCE")
PENDING = bit("RESET", "PENDING")
ACTIVE = bit("RESET", "ACTIVE")
LAUNCH = taps(insn_port_arvalid=1)


def begin_of(port):
    kind = "aw" if port == "out_port" else "ar"
    return taps(**{f"{port}_{kind}valid": 1, f"{port}_{kind}ready": 1})


def end_of(port):
    if port == "out_port":
        return taps(out_port_bvalid=1, out_port_bready=1)
    return taps(**{f"{port}_rvalid": 1, f"{port}_rready": 1, f"{port}_rlast": 1})


def request_reset(c):
    c.write("RESET", REQUEST)
    c.outputs(irq=0, fifo_resetn=0)
    c.expect("RESET", PENDING)


def released_and_reset(c):
    """Nothing holds the reset back any more: it comes after SETTLE cycles, and goes."""
    c.wait(SETTLE - 6)
    c.outputs(irq=0, fifo_resetn=0, module_resetn=1)
    c.wait(12)
    c.outputs(irq=0, fifo_resetn=0, module_resetn=0)
    c.expect("RESET", ACTIVE)
    c.wait(LENGTH)
    c.outputs(irq=0)
    c.expect("RESET", 0)


@pytest.mark.parametrize("port", PORTS)
def test_reset_waits_for_transactions_of_every_master(port, passes):
    field = bit("HOLD", port.upper())
    c = Commands()
    for _ in range(2):
        c.pulse(begin_of(port))
    request_reset(c)
    c.pulse(end_of(port))
    c.wait(5 * SETTLE)
    c.expect("RESET", PENDING)
    c.expect("HOLD", field)
    c.outputs(irq=0, fifo_resetn=0)
    c.pulse(end_of(port))
    released_and_reset(c)
    c.expect("HOLD", 0)
    passes(c)


@pytest.mark.parametrize("port", PORTS)
def test_reset_waits_for_a_request_that_is_not_taken_yet(port, passes):
    kind = "aw" if port == "out_port" else "ar"
    c = Commands()
    c.hold(taps(**{f"{port}_{kind}valid": 1}))
    request_reset(c)
    c.wait(3 * SETTLE)
    c.expect("RESET", PENDING)
    c.expect("HOLD", bit("HOLD", port.upper()))
    c.hold()
    released_and_reset(c)
    passes(c)


@pytest.mark.parametrize(
    "module", [m for m in Module if m is not Module.FETCH], ids=lambda m: m.name
)
def test_reset_waits_for_the_end_of_an_instruction(module, passes):
    queue = f"{module.name.lower()}_queue_pop"
    c = Commands()
    c.pulse(taps(**{f"{queue}_tvalid": 1, f"{queue}_tready": 1}))
    request_reset(c)
    c.wait(3 * SETTLE)
    c.expect("RESET", PENDING)
    c.expect("HOLD", bit("HOLD", module.name))
    c.hold(taps(**{f"{queue}_tready": 1}))  # asks for the next one, which the reset FIFO lacks
    released_and_reset(c)
    passes(c)


@pytest.mark.parametrize(
    ("module", "stalled"),
    [
        ("load", "g2l_pop_tready"),
        ("load", "l2g_push_tvalid"),
        ("compute", "l2g_pop_tready"),
        ("compute", "s2g_pop_tready"),
        ("compute", "g2l_push_tvalid"),
        ("compute", "g2s_push_tvalid"),
        ("store", "g2s_pop_tready"),
        ("store", "s2g_push_tvalid"),
    ],
)
def test_reset_does_not_wait_for_a_module_that_waits_at_a_token_fifo(module, stalled, passes):
    queue = f"{module}_queue_pop"
    c = Commands()
    c.pulse(taps(**{f"{queue}_tvalid": 1, f"{queue}_tready": 1}))
    c.hold(taps(**{stalled: 1}))
    request_reset(c)
    released_and_reset(c)
    passes(c)


def test_reset_needs_quiet_in_one_piece(passes):
    c = Commands()
    request_reset(c)
    for quiet in range(SETTLE - 5, SETTLE):
        c.wait(quiet)
        c.pulse(taps(acc_port_arvalid=1))
        c.outputs(irq=0, fifo_resetn=0)
    released_and_reset(c)
    passes(c)


@pytest.mark.parametrize("late", [False, True])
def test_reset_with_force_waits_for_nothing(late, passes):
    c = Commands()
    c.pulse(begin_of("wgt_port"))
    if late:
        request_reset(c)
        c.wait(3 * SETTLE)
        c.expect("RESET", PENDING)
        c.write("RESET", FORCE)
    else:
        c.write("RESET", REQUEST | FORCE)
    c.wait(2)
    c.outputs(irq=0, fifo_resetn=0, module_resetn=0)
    c.wait(LENGTH + 2)
    c.outputs(irq=0)
    c.pulse(end_of("wgt_port"))  # the late answer; it must not count as -1
    c.expect("HOLD", 0)
    c.pulse(begin_of("wgt_port"))
    c.expect("HOLD", bit("HOLD", "WGT_PORT"))
    passes(c)


def test_force_without_request_does_nothing(passes):
    c = Commands()
    c.write("RESET", FORCE)
    c.wait(SETTLE + 4)
    c.outputs(irq=0)
    c.expect("RESET", 0)
    passes(c)


def test_reset_clears_status_and_keeps_enables_and_counters(passes):
    c = Commands()
    c.write("INTERRUPT_ENABLE", 3)
    c.write("COUNTER_CONTROL", bit("COUNTER_CONTROL", "FREEZE"))
    c.poke_counter(7, 1234)
    c.pulse(LAUNCH)
    c.pulse(taps(store_fault=8, store_fault_ap_vld=1))
    c.outputs(irq=1)
    c.write("RESET", REQUEST)
    c.wait(SETTLE + LENGTH + 4)
    c.outputs(irq=0)
    c.expect("STATUS", 0)
    c.expect("ERRORS", 0)
    c.expect("INTERRUPT_ENABLE", 3)
    c.expect("COUNTER_CONTROL", bit("COUNTER_CONTROL", "FREEZE"))
    c.expect(COUNTERS[7].register, 1234)
    passes(c)
