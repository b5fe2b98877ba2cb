"""One HLS block: the ap_ctrl_hs registers, bit by bit."""

import pytest

from vta_pynq.isa.registers import PUBLISHED
from vta_pynq.isa.table import Module
from vta_pynq.sim.hls_block import HlsBlock

START, DONE, IDLE, READY, AUTO = 0x01, 0x02, 0x04, 0x08, 0x80
CTRL, GIER, IER, ISR = 0x00, 0x04, 0x08, 0x0C


class Owner:
    """Counts what a block tells its design."""

    def __init__(self):
        self.accesses = self.starts = 0

    def access(self):
        self.accesses += 1

    def started(self):
        self.starts += 1


@pytest.fixture
def block():
    return HlsBlock(PUBLISHED.block(Module.COMPUTE), Owner())


def test_control_after_reset_is_idle(block):
    assert block.read(CTRL) == IDLE


def test_start_stays_until_the_block_completes_and_done_clears_on_read(block):
    block.write(CTRL, START)
    assert block._owner.starts == 1
    assert block.read(CTRL) == START
    assert block.read(CTRL) == START
    block.complete()
    assert block.read(CTRL) == DONE | IDLE
    assert block.read(CTRL) == IDLE


def test_writing_zero_does_not_take_a_start_back(block):
    block.write(CTRL, START)
    block.write(CTRL, 0)
    assert block.read(CTRL) == START


def test_auto_restart_keeps_the_block_started_until_it_is_cleared(block):
    block.write(CTRL, START | AUTO)
    block.complete()
    assert block.read(CTRL) == START | DONE | AUTO
    block.complete()
    block.write(CTRL, 0)
    assert block.read(CTRL) == START | DONE
    block.complete()
    assert block.read(CTRL) == DONE | IDLE


def test_status_bits_of_control_are_read_only(block):
    block.write(CTRL, DONE | IDLE | READY)
    assert block.read(CTRL) == IDLE


def test_data_registers_keep_thirty_two_bits_and_read_only_ones_ignore_writes(block):
    block.write(0x20, 0xFFFF_FFFF)
    assert block.read(0x20) == 0xFFFF_FFFF
    block.write(0x18, 1)
    assert block.read(0x18) == 0
    block.write(0x44, 1)
    assert block.read(0x44) == 0


def test_done_valid_bit_clears_on_read_and_done_flag_does_not(block):
    block.values["done_o"] = 1
    block.values["done_o_ctrl"] = 1
    assert [block.read(0x1C), block.read(0x1C)] == [1, 0]
    assert [block.read(0x18), block.read(0x18)] == [1, 1]


def test_interrupt_needs_both_enables_and_toggles_off(block):
    levels = []
    block.irq = levels.append
    block.complete()
    assert block.read(ISR) == 0
    block.write(GIER, 1)
    block.write(IER, 3)
    block.complete()
    assert block.read(ISR) == 3 and levels[-1] is True
    block.write(ISR, 1)
    assert block.read(ISR) == 2 and levels[-1] is True
    block.write(ISR, 2)
    assert block.read(ISR) == 0 and levels[-1] is False
    block.write(ISR, 2)
    assert block.read(ISR) == 2 and levels[-1] is True


def test_interrupt_status_without_global_enable_stays_inside(block):
    levels = []
    block.irq = levels.append
    block.write(IER, 1)
    block.complete()
    assert block.read(ISR) == 1 and not any(levels)
    block.write(GIER, 1)
    assert levels[-1] is True


def test_every_access_is_announced_to_the_design(block):
    block.read(CTRL)
    block.write(0x20, 1)
    assert block._owner.accesses == 2
