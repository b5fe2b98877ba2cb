"""When a step does not end or the device fails: typed errors, and then everything goes on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.runtime.programs import Dense, Maker, random_weights, vta_only
from tests.runtime.test_loader import without_token
from tests.sim_device.rig import COMPUTE_NOP, CONFIG_NAME, FINISH, stream
from vta_pynq.errors import DeviceError, DeviceTimeout, SimError
from vta_pynq.overlay import VtaOverlay
from vta_pynq.program import ArenaKind, Program
from vta_pynq.sim.device import SimDevice, activate

RNG = np.random.default_rng(13)
SHORT_S = 0.05
LONG_S = 30.0


def layer(overlay: VtaOverlay) -> Dense:
    block = overlay.config.block
    return Dense(random_weights(RNG, block, block), config=overlay.config)


def hanging(overlay: VtaOverlay) -> Program:
    maker = Maker("stuck", overlay.config)
    maker.tensor("y", (1,), ArenaKind.OUTPUT, layout="C")
    words = stream([{**COMPUTE_NOP, "pop_prev": 1}, FINISH], overlay.config)
    maker.stream("waits", words, ("y",))
    return maker.build()


def assert_right(model, dense: Dense) -> None:
    x = RNG.integers(-128, 128, dense.x_shape()).astype(np.int8)
    np.testing.assert_array_equal(model.run(x, timeout_s=LONG_S), dense.reference(x))


def test_run_timeout_names_step_module_and_token(overlay: VtaOverlay):
    with (
        overlay.load(hanging(overlay), verify=False) as model,
        pytest.raises(DeviceTimeout) as caught,
    ):
        model.run(timeout_s=SHORT_S)
    text = str(caught.value)
    assert text.startswith(
        "model 'stuck', step 0 'waits': compute did not finish within 0.05 s: insn 0"
    )
    assert "l2g" in text and "the logic has been reset" in text
    assert isinstance(caught.value, TimeoutError)


def test_run_after_timeout_all_models_go_on_without_loading(overlay: VtaOverlay):
    dense, other = layer(overlay), layer(overlay)
    with (
        overlay.load(vta_only(dense)) as good,
        overlay.load(hanging(overlay), verify=False) as stuck,
        overlay.load(without_token(vta_only(other), "push_next"), verify=False) as broken,
    ):
        assert_right(good, dense)
        for _ in range(2):
            with pytest.raises(DeviceTimeout):
                stuck.run(timeout_s=SHORT_S)
            assert_right(good, dense)
            with pytest.raises(DeviceTimeout):
                broken.run(np.zeros(other.x_shape(), np.int8), timeout_s=SHORT_S)
            assert_right(good, dense)


def test_run_async_timeout_reaches_the_future_and_those_behind_go_on(overlay: VtaOverlay):
    dense = layer(overlay)
    x = RNG.integers(-128, 128, dense.x_shape()).astype(np.int8)
    with (
        overlay.load(vta_only(dense)) as good,
        overlay.load(hanging(overlay), verify=False) as stuck,
    ):
        futures = [stuck.run_async(timeout_s=SHORT_S), good.run_async(x, timeout_s=LONG_S)]
        with pytest.raises(DeviceTimeout):
            futures[0].result(LONG_S)
        np.testing.assert_array_equal(futures[1].result(LONG_S), dense.reference(x))


@pytest.mark.simulator
def test_run_engine_error_is_typed_and_the_device_goes_on(overlay: VtaOverlay):
    dense = layer(overlay)
    engine = overlay.device.accelerator.engine
    original = engine.run
    with overlay.load(vta_only(dense)) as model:
        assert_right(model, dense)

        def fail(*arguments: object) -> None:
            raise SimError("insn 3: a master left DRAM")

        engine.run = fail
        with pytest.raises(SimError) as caught:
            model.run(np.zeros(dense.x_shape(), np.int8))
        engine.run = original
        text = str(caught.value)
        assert text == "model 'net', step 0 'dense': insn 3: a master left DRAM"
        assert_right(model, dense)


@pytest.mark.simulator
def test_run_interrupted_while_waiting_leaves_the_device_usable(
    overlay: VtaOverlay, monkeypatch: pytest.MonkeyPatch
):
    dense = layer(overlay)
    with overlay.load(vta_only(dense)) as model:
        assert_right(model, dense)

        def interrupt(timeout_s: float, loop: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(overlay.accelerator, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.run(np.zeros(dense.x_shape(), np.int8))
        monkeypatch.undo()
        assert not overlay.accelerator.running
        assert_right(model, dense)


@pytest.mark.simulator
def test_run_on_a_closed_overlay_is_refused_and_leaves_the_new_one_alone():
    device = activate(SimDevice(tag="closed"))
    first = VtaOverlay(CONFIG_NAME, device=device)
    dense = layer(first)
    x = np.zeros(dense.x_shape(), np.int8)
    old = first.load(vta_only(dense))
    assert_right(old, dense)
    first.close()
    with pytest.raises(DeviceError, match="must be open, but was closed"):
        old.run(x)
    with VtaOverlay(CONFIG_NAME, device=device) as second, second.load(vta_only(dense)) as new:
        assert_right(new, dense)
        blocks = device.accelerator
        with pytest.raises(DeviceError):
            old.run(x)
        assert device.accelerator is blocks  # nothing was downloaded
        assert_right(new, dense)
    old.close()
