"""Registers, status and interrupt of the control block in Verilog, against the register table."""

from __future__ import annotations

import pytest

from tests.hls.control_bench import (
    CONFIG,
    IDENTITY,
    LENGTH,
    SETTLE,
    WORD,
    Commands,
    bit,
    run_bench,
    seeded,
    taps,
)
from vta_pynq.isa.control_block import CONTROL, ERROR_LANE_BITS, HARDWARE_ERRORS
from vta_pynq.isa.registers import Access, SideEffect
from vta_pynq.isa.table import Module

REQUEST = bit("RESET", "REQUEST")
DONE = bit("STATUS", "DONE")
ERROR = bit("STATUS", "ERROR")
RUNNING = bit("STATUS", "RUNNING")
LAUNCH = taps(insn_port_arvalid=1)
FINISH = taps(finished_ap_vld=1)


def after_reset(register):
    return IDENTITY.get(register.name, register.reset)


def writable(register):
    if register.access is Access.READ_ONLY:
        return 0
    return sum(
        field.mask
        for field in register.fields
        if field.access is Access.READ_WRITE and field.side_effect is SideEffect.NONE
    )


def test_registers_read_and_write_as_the_table_says(passes):
    rng = seeded()
    c = Commands()
    for register in CONTROL.registers:
        c.expect(register.name, after_reset(register))
    for register in CONTROL.registers:
        kept = after_reset(register)
        for pattern in (WORD, 0, 0xA5A5A5A5, 0x5A5A5A5A, rng.getrandbits(32)):
            c.write(register.name, pattern, delays=[rng.randrange(4) for _ in range(3)])
            if register.name == "RESET" and pattern & REQUEST:
                c.wait(SETTLE + LENGTH + 4)
            mask = writable(register)
            kept = kept & ~mask | pattern & mask
            c.expect(register.name, kept, delays=[rng.randrange(4) for _ in range(2)])
    for register in CONTROL.registers:
        if not writable(register):
            c.expect(register.name, after_reset(register))
    passes(c)


def test_registers_that_are_not_there_read_zero_and_ignore_writes(passes):
    there = {register.offset for register in CONTROL.registers}
    c = Commands()
    for offset in [*sorted(set(range(0, 0x140, 4)) - there), 0x800, 0xFFC]:
        c.write(offset, WORD)
        c.expect(offset, 0)
    c.wait(SETTLE + 2)
    for register in CONTROL.registers:
        c.expect(register.name, after_reset(register))
    c.outputs(irq=0)
    passes(c)


def test_identity_is_that_of_the_configuration(passes):
    c = Commands()
    c.expect("MAGIC", int.from_bytes(b"VTA1", "big"))
    c.expect("FINGERPRINT_HI", int(CONFIG.fingerprint, 16) >> 32)
    c.expect("FINGERPRINT_LO", int(CONFIG.fingerprint, 16) & WORD)
    c.expect("CAPABILITIES", 0x7F)
    passes(c)


def test_writes_touch_only_the_bytes_of_their_strobes(passes):
    c = Commands()
    c.write("INTERRUPT_ENABLE", 3, strobes=0b1110)
    c.expect("INTERRUPT_ENABLE", 0)
    c.write("INTERRUPT_ENABLE", 3, strobes=0b0001)
    c.expect("INTERRUPT_ENABLE", 3)
    for module in Module:
        c.pulse(
            taps(**{f"{module.name.lower()}_fault": 1, f"{module.name.lower()}_fault_ap_vld": 1})
        )
    c.write("ERRORS", WORD, strobes=0b0100)
    c.expect("ERRORS", 0x01000101)
    c.write("RESET", REQUEST, strobes=0b1110)
    c.wait(4)
    c.expect("RESET", 0)
    passes(c)


def test_bus_takes_addresses_and_data_in_any_order_and_keeps_answers(passes):
    rng = seeded()
    c = Commands()
    value = 0
    for _ in range(200):
        if rng.random() < 0.5:
            value = rng.randrange(4)
            c.write("INTERRUPT_ENABLE", value, delays=[rng.randrange(6) for _ in range(3)])
        else:
            c.expect("INTERRUPT_ENABLE", value, delays=[rng.randrange(6) for _ in range(2)])
    passes(c)


@pytest.mark.parametrize("delay", [0, 3])
def test_bus_answers_each_of_two_writes(delay, passes):
    c = Commands()
    c.write_twice("INTERRUPT_ENABLE", 2, delay)
    c.expect("INTERRUPT_ENABLE", 2)
    passes(c)


# ---- status and interrupt ------------------------------------------------------------------


def test_errors_stay_until_their_own_bit_is_written(passes):
    c = Commands()
    for module in Module:
        for number in range(len(HARDWARE_ERRORS)):
            name = module.name.lower()
            at = module * ERROR_LANE_BITS + number
            c.pulse(taps(**{f"{name}_fault": 1 << number}))  # without valid: nothing
            c.expect("ERRORS", 0)
            c.pulse(taps(**{f"{name}_fault": 1 << number, f"{name}_fault_ap_vld": 1}))
            c.expect("ERRORS", 1 << at)
            c.expect("STATUS", ERROR)
            c.write("STATUS", ERROR)  # follows ERRORS, cannot be cleared by itself
            c.write("ERRORS", WORD & ~(1 << at))
            c.expect("ERRORS", 1 << at)
            c.write("ERRORS", 1 << at)
            c.expect("ERRORS", 0)
            c.expect("STATUS", 0)
    passes(c)


def test_events_in_the_cycle_of_the_write_that_clears_are_not_lost(passes):
    c = Commands()
    c.pulse(FINISH)
    c.write_with("STATUS", DONE, FINISH)
    c.expect("STATUS", DONE)
    fault = taps(load_fault=8, load_fault_ap_vld=1)
    c.pulse(fault)
    c.write_with("ERRORS", WORD, fault)
    c.expect("ERRORS", bit("ERRORS", "LOAD_SRAM_RANGE"))
    passes(c)


def test_interrupt_is_the_level_of_enabled_status(passes):
    fault = taps(compute_fault=2, compute_fault_ap_vld=1)
    c = Commands()
    for enable in range(4):
        c.write("INTERRUPT_ENABLE", enable)
        c.outputs(irq=0)
        c.pulse(FINISH)
        c.outputs(irq=enable & 1)
        c.write("STATUS", DONE)
        c.outputs(irq=0)
        c.pulse(fault)
        c.outputs(irq=enable >> 1)
        c.write("INTERRUPT_ENABLE", 3)  # enabled later: the status is still there
        c.outputs(irq=1)
        c.write("ERRORS", WORD)
        c.outputs(irq=0)
    passes(c)


def test_running_is_from_the_first_request_to_finish(passes):
    c = Commands()
    c.expect("STATUS", 0)
    c.pulse(LAUNCH)
    c.expect("STATUS", RUNNING)
    c.pulse(FINISH)
    c.expect("STATUS", DONE)
    c.pulse(LAUNCH)  # what follows FINISH belongs to the same run
    c.expect("STATUS", DONE)
    c.write("STATUS", DONE)
    c.expect("STATUS", 0)
    c.pulse(LAUNCH)
    c.expect("STATUS", RUNNING)
    passes(c)


# ---- the bench itself ----------------------------------------------------------------------


def test_bench_reports_what_differs(bench, tmp_path):
    c = Commands()
    c.expect("MAGIC", 0)
    c.outputs(irq=1)
    verdict = run_bench(bench, c, tmp_path)
    assert "FAIL 2" in verdict
    assert "command 1 (r 00000000): 56544131, not 00000000" in verdict
