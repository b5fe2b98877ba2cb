"""Waiting by interrupt, on a design that connects one."""

import asyncio

import pytest

from tests.sim_device.rig import (
    COMPUTE_NOP,
    DEADLINE_S,
    FINISH,
    Gate,
    assert_waits_without_polling,
    put,
    stream,
)
from tests.sim_device.test_device import write_design
from vta_pynq.errors import DeviceTimeout
from vta_pynq.overlay.vta_overlay import VtaOverlay
from vta_pynq.sim.device import SimDevice, activate


def open_design(folder, gate=None):
    device = activate(SimDevice(tag="interrupt", pace=gate))
    return VtaOverlay(write_design(folder, interrupt=True), device=device)


def test_wait_async_sleeps_until_the_interrupt(tmp_path):
    gate = Gate()

    async def main():
        with open_design(tmp_path, gate) as overlay:
            words = stream([COMPUTE_NOP, FINISH])
            buffer = put(overlay, words)
            for _ in range(3):
                await assert_waits_without_polling(overlay, gate, buffer, words)
                # Nothing is pending, nor enabled, for whoever polls next.
                fetch = overlay.accelerator.fetch
                assert [fetch.get(name) for name in ("GIER", "IP_IER", "IP_ISR")] == [0, 0, 0]
                overlay.accelerator.run(buffer.device_address, len(words), DEADLINE_S)

    asyncio.run(main())


def test_wait_async_without_an_end_times_out_and_resets(tmp_path):
    async def main():
        with open_design(tmp_path) as overlay:
            stuck = stream([*[{**COMPUTE_NOP, "pop_prev": 1}] * 600, FINISH])
            buffer = put(overlay, stuck)
            overlay.accelerator.submit(buffer.device_address, len(stuck), stuck)
            with pytest.raises(DeviceTimeout, match="did not finish within 0.05 s"):
                await overlay.accelerator.wait_async(0.05)
            words = put(overlay, stream([FINISH]))
            overlay.accelerator.submit(words.device_address, 1)
            await overlay.accelerator.wait_async(DEADLINE_S)

    asyncio.run(main())
