"""PLLs and dividers of the processing systems, as pynq's own clock classes read them."""

import dataclasses

import pynq
import pytest

from tests.sim_device.rig import open_overlay
from vta_pynq.errors import ConfigError
from vta_pynq.overlay.boards import boards, get_board
from vta_pynq.overlay.descriptions import variants
from vta_pynq.sim.clock_registers import clock_registers


@pytest.mark.parametrize("board", boards(), ids=lambda b: b.name)
def test_pl_clock_of_the_overlay_is_what_pynq_reads(board):
    variant = next(v for v in variants() if v.design.control and board.name in v.boards)
    with open_overlay(variant.name, board=board.name):
        # The PLL is a whole multiple of the reference, to some kHz.
        assert pynq.Clocks.fclk0_mhz == pytest.approx(variant.clock_mhz, rel=1e-3)
        pynq.Clocks.fclk0_mhz = 50
        assert pynq.Clocks.fclk0_mhz == pytest.approx(50, rel=1e-2)


def test_slcr_plls_run_at_the_boards_frequency():
    ((base, _, registers),) = clock_registers(get_board("Pynq-Z2"))
    assert base == 0xF8000000
    assert [registers.read(offset) >> 12 for offset in (0x100, 0x104, 0x108)] == [20, 20, 20]


def test_clocks_of_an_unknown_family_are_refused():
    board = dataclasses.replace(get_board("Pynq-Z2"), family="versal")
    with pytest.raises(ConfigError) as caught:
        clock_registers(board)
    assert str(caught.value) == (
        "board Pynq-Z2: family must be one of zynq7000, zynqmp to be simulated, not 'versal'"
    )
