"""Slaves of the processing system: interrupt controller, clocks, bus."""

import threading

import pytest

from vta_pynq.isa.registers import AXI_INTC
from vta_pynq.sim.slaves import AxiInterruptController, Bus, RegisterFile

ISR, IPR, IER, IAR, SIE, CIE, MER = (
    AXI_INTC.register(name).offset for name in ("ISR", "IPR", "IER", "IAR", "SIE", "CIE", "MER")
)


def test_intc_output_needs_enable_and_master_enable():
    levels = []
    intc = AxiInterruptController(levels.append)
    intc.set_line(3, True)
    assert levels == [] and intc.read(ISR) == 0
    intc.write(MER, 3)
    assert intc.read(ISR) == 8 and intc.read(IPR) == 0 and levels == []
    intc.write(SIE, 8)
    assert intc.read(IPR) == 8 and intc.read(IER) == 8 and levels == [True]


def test_intc_acknowledge_of_a_high_line_is_pending_again_at_once():
    levels = []
    intc = AxiInterruptController(levels.append)
    intc.write(MER, 3)
    intc.write(IER, 1)
    intc.set_line(0, True)
    intc.write(IAR, 1)
    assert intc.read(ISR) == 1
    intc.set_line(0, False)
    intc.write(IAR, 1)
    assert intc.read(ISR) == 0 and levels == [True, False]


def test_intc_clear_enable_lowers_the_output_and_keeps_the_status():
    levels = []
    intc = AxiInterruptController(levels.append)
    intc.write(MER, 3)
    intc.write(IER, 1)
    intc.set_line(0, True)
    intc.write(CIE, 1)
    assert levels == [True, False] and intc.read(ISR) == 1


def test_intc_hardware_enable_cannot_be_cleared():
    intc = AxiInterruptController(lambda level: None)
    intc.write(MER, 3)
    intc.write(MER, 0)
    assert intc.read(MER) == 2


def test_bus_finds_the_slave_and_counts_accesses():
    bus = Bus(threading.RLock())
    bus.attach(0x1000, 0x100, RegisterFile())
    bus.attach(0x2000, 0x100, RegisterFile())
    slave, offset = bus.find(0x2010, 4)
    slave.write(offset, 77)
    assert (offset, slave.read(offset), bus.accesses) == (0x10, 77, 2)


@pytest.mark.parametrize(("address", "length"), [(0x0, 4), (0x10FC, 8), (0x1100, 4)])
def test_bus_without_a_slave_raises(address, length):
    bus = Bus(threading.RLock())
    bus.attach(0x1000, 0x100, RegisterFile())
    with pytest.raises(RuntimeError, match=r"bus error: .* must lie in one slave"):
        bus.find(address, length)
