"""Models on the design with an interrupt: the event loop waits for it, nothing is polled."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.runtime.programs import Dense, random_weights, vta_only
from tests.sim_device.own_rig import open_own
from tests.sim_device.rig import DEADLINE_S, Gate
from vta_pynq.errors import DeviceTimeout

pytestmark = pytest.mark.simulator


def layer(overlay):
    block, rng = overlay.config.block, np.random.default_rng(5)
    return Dense(random_weights(rng, block, block), config=overlay.config)


def test_arun_polls_nothing_until_the_interrupt():
    gate = Gate()
    with open_own(pace=gate) as overlay:
        dense = layer(overlay)
        x = np.random.default_rng(3).integers(-128, 128, dense.x_shape(), np.int8)

        async def main():
            for _ in range(2):
                gate.close("done")
                running = asyncio.ensure_future(model.arun(x))
                while not gate._reached["done"].is_set():
                    await asyncio.sleep(1e-3)
                await asyncio.sleep(0.05)
                before = overlay.device.bus_accesses
                await asyncio.sleep(0.1)
                assert overlay.device.bus_accesses == before and not running.done()
                gate.open("done")
                result = await asyncio.wait_for(running, DEADLINE_S)
                np.testing.assert_array_equal(result, dense.reference(x))

        with overlay.load(vta_only(dense)) as model:
            asyncio.run(main())
            np.testing.assert_array_equal(model.run(x), dense.reference(x))


def test_arun_past_its_deadline_times_out_and_the_next_run_works():
    gate = Gate()
    with open_own(pace=gate) as overlay:
        dense = layer(overlay)
        x = np.zeros(dense.x_shape(), np.int8)

        async def main():
            gate.close("done")
            running = asyncio.ensure_future(model.arun(x, timeout_s=0.05))
            await asyncio.sleep(0.2)
            gate.open("done")  # the soft reset waits for the end of the run
            with pytest.raises(DeviceTimeout, match=r"did not finish within 0\.05 s"):
                await asyncio.wait_for(running, DEADLINE_S)
            np.testing.assert_array_equal(await model.arun(x), dense.reference(x))

        with overlay.load(vta_only(dense)) as model:
            asyncio.run(main())


def test_run_while_the_loop_is_blocked_still_ends(monkeypatch):
    from vta_pynq.drivers import interrupt_wait

    monkeypatch.setattr(interrupt_wait, "_GUARD_S", 0.1)
    with open_own() as overlay:
        dense = layer(overlay)
        x = np.ones(dense.x_shape(), np.int8)

        async def main():
            running = asyncio.ensure_future(model.arun(x))
            await asyncio.sleep(0)
            blocking = model.run(x)  # in the loop's own thread, while arun has the accelerator
            np.testing.assert_array_equal(blocking, dense.reference(x))
            np.testing.assert_array_equal(await running, dense.reference(x))

        with overlay.load(vta_only(dense)) as model:
            asyncio.run(main())
