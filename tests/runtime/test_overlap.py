"""While one run uses the accelerator, another does its CPU steps."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from tests.runtime.programs import CONFIG, Dense, random_weights
from tests.runtime.test_mixed import expected, image, relu_between
from tests.sim_device.rig import DEADLINE_S, Gate
from vta_pynq.overlay import VtaOverlay
from vta_pynq.runtime import context
from vta_pynq.sim.device import SimDevice, activate

pytestmark = pytest.mark.simulator

RNG = np.random.default_rng(29)
FIRST = Dense(random_weights(RNG, 32, 48))
SECOND = Dense(random_weights(RNG, 16, 32))


class Begun:
    """Counts the CPU steps of one name that have begun."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._name, self._count, self._changed = name, 0, threading.Condition()
        original = context.run_cpu_step

        def spy(step: Any, arrays: Any, where: str) -> None:
            original(step, arrays, where)
            if step.name == self._name:
                with self._changed:
                    self._count += 1
                    self._changed.notify_all()

        monkeypatch.setattr(context, "run_cpu_step", spy)

    def wait(self, count: int, timeout_s: float = DEADLINE_S) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count >= count, timeout_s)


def test_run_async_cpu_steps_go_on_while_the_accelerator_works(monkeypatch: pytest.MonkeyPatch):
    gate = Gate()
    packed = Begun("in", monkeypatch)
    overlay = VtaOverlay(CONFIG.name, device=activate(SimDevice(tag="overlap", pace=gate)))
    xs = [image(FIRST) for _ in range(3)]
    with overlay, overlay.load(relu_between(FIRST, SECOND, False), depth=2) as model:
        gate.close("done")
        futures = [model.run_async(x, timeout_s=DEADLINE_S) for x in xs]
        gate.reached("done")  # the first run's submission stands on the accelerator
        assert packed.wait(2), "the second run's CPU step must go on meanwhile"
        assert not packed.wait(3, 0.05), "the third must wait: depth is 2"
        assert not any(future.done() for future in futures)
        gate.open("done")
        for x, future in zip(xs, futures, strict=True):
            np.testing.assert_array_equal(future.result(DEADLINE_S), expected(FIRST, SECOND, x))


def test_load_depth_one_takes_no_memory_for_a_second_run():
    overlay = VtaOverlay(CONFIG.name, device=activate(SimDevice(tag="depth")))
    with overlay, overlay.load(relu_between(FIRST, SECOND, False), depth=1) as model:
        before = overlay.device.dram.used
        xs = [image(FIRST) for _ in range(6)]
        for x, y in zip(xs, model.run_many(xs), strict=True):
            np.testing.assert_array_equal(y, expected(FIRST, SECOND, x))
        assert overlay.device.dram.used == before
