"""The driver of the control block, and the accelerator on the design that has one."""

import asyncio
import threading
import time

import pytest

from tests.sim_device.own_rig import OWN, encoded, open_own
from tests.sim_device.rig import (
    COMPUTE_NOP,
    DEADLINE_S,
    FINISH,
    LOAD_NOP,
    AddOne,
    Gate,
    assert_waits_without_polling,
    open_overlay,
    put,
    stream,
)
from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import DeviceError, DeviceTimeout, HardwareError, IdentityError, SimError
from vta_pynq.isa.table import Module
from vta_pynq.overlay.vta_overlay import VtaOverlay
from vta_pynq.sim.device import SimDevice, activate

SHORT_S = 0.05
WAITS = [{**FINISH, "pop_prev": 1}]


@pytest.fixture
def overlay():
    with open_own() as opened:
        yield opened


def run(overlay, rows, timeout_s=DEADLINE_S):
    words = encoded(rows, overlay.config)
    buffer = put(overlay, words)
    overlay.accelerator.run(buffer.device_address, len(words), timeout_s, words)


# ---- identity ------------------------------------------------------------------------------


def test_identity_reads_what_the_hardware_is(overlay):
    found = overlay.accelerator.control.identity()
    assert found.is_ours and found.version == (1, 0)
    assert found.fingerprint == overlay.config.fingerprint
    assert found.capabilities == frozenset(Capability)
    assert found.source == ""


def test_overlay_refuses_hardware_of_another_configuration():
    built = HwConfig.from_name("1x16_i8w8a32_15_15_18_17+identity")
    own = HwConfig.from_name(
        "1x16_i8w8a32_15_15_18_17"
        "+alu_mul+alu_requant+counters+identity+interrupt+load_acc8+soft_reset"
    )
    with pytest.raises(IdentityError) as caught:
        open_own(built=built)
    assert str(caught.value) == (
        f"overlay {OWN} ({own.name}): the hardware must have been built for {own.name} "
        f"(fingerprint {own.fingerprint}), not for a configuration of no known variant "
        f"(fingerprint {built.fingerprint}); load the files that belong to this bitstream, or "
        "build it again"
    )
    with pytest.raises(IdentityError, match=r"not for 1x16_i8w8a32_15_15_18_17 \(fingerprint"):
        open_own(built=HwConfig())


def test_overlay_refuses_what_does_not_answer_as_a_control_block(monkeypatch):
    from vta_pynq.sim.control_block import ControlModel

    monkeypatch.setattr(ControlModel, "read", lambda self, offset: 0)
    with pytest.raises(IdentityError) as caught:
        open_own()
    assert "must answer with magic 0x56544131 and version 1.x, not 0x00000000 and 0.0;" in str(
        caught.value
    )


def test_published_design_has_no_control_block():
    with open_overlay() as overlay:
        assert overlay.accelerator.control is None
        with pytest.raises(DeviceError) as caught:
            overlay.accelerator.counters()
        assert str(caught.value) == (
            "accelerator: the design must have counters, and the published one has none; load "
            "an overlay of design vta1"
        )


# ---- runs ----------------------------------------------------------------------------------


def test_run_moves_data(overlay):
    job = AddOne(overlay, tiles=4, addend=5)
    job.source[:] = 3
    job.source.flush()
    job.run()
    job.target.invalidate()
    assert (job.target == 8).all()


def test_run_of_an_empty_program_takes_few_register_accesses(overlay):
    run(overlay, [FINISH])
    words = put(overlay, stream([FINISH], overlay.config))
    counts = []
    for _ in range(20):
        before = overlay.device.bus_accesses
        overlay.accelerator.run(words.device_address, 1)
        counts.append(overlay.device.bus_accesses - before)
    # Submission takes five and a look two; further looks come with the machine's load.
    assert min(counts) == 7
    assert sorted(counts)[len(counts) // 2] <= 16


@pytest.mark.parametrize("point", ["fetch", "compute", "done"])
def test_run_is_not_taken_for_finished_at_any_point(point):
    gate = Gate()
    with open_own(pace=gate) as overlay:
        run(overlay, [FINISH])
        buffer = put(overlay, stream([COMPUTE_NOP, FINISH], overlay.config))
        gate.close(point)
        overlay.accelerator.submit(buffer.device_address, 2)
        gate.reached(point)
        assert not any(overlay.accelerator.finished() for _ in range(50))
        gate.open(point)
        overlay.accelerator.wait(DEADLINE_S)


def test_error_of_the_hardware_names_module_and_bit_and_leaves_the_device_usable(overlay):
    downloads = overlay.device.downloads
    with pytest.raises(HardwareError) as caught:
        run(overlay, [{"opcode": 7}, FINISH])
    assert caught.value.errors == (("fetch", "unknown_opcode"),)
    assert str(caught.value) == (
        "accelerator: instructions must be such as the hardware executes, but it reports fetch: "
        "unknown_opcode: opcode must be one that the build has; the logic has been reset; run "
        "'vta lint' on the program"
    )
    run(overlay, [FINISH])
    assert overlay.device.downloads == downloads


def test_errors_of_several_modules_are_all_named(overlay):
    wrong = {**LOAD_NOP, "sram_base": 2047, "x_size": 2, "y_size": 1, "x_stride": 2}
    with pytest.raises(HardwareError) as caught:
        run(overlay, [{"opcode": 6}, {**wrong, "push_next": 1}, {**FINISH, "pop_prev": 1}])
    assert set(caught.value.errors) == {("fetch", "unknown_opcode"), ("load", "sram_range")}


# ---- reset ---------------------------------------------------------------------------------


def test_timeout_is_followed_by_a_soft_reset_not_a_download(overlay):
    downloads = overlay.device.downloads
    with pytest.raises(DeviceTimeout, match="compute did not finish within 0.05 s"):
        run(overlay, WAITS, SHORT_S)
    assert overlay.device.downloads == downloads
    run(overlay, [FINISH])
    run(overlay, [{**LOAD_NOP, "push_next": 1}, FINISH])
    overlay.accelerator.reset()
    with pytest.raises(DeviceTimeout):  # the token that was left over is gone
        run(overlay, WAITS, SHORT_S)
    assert overlay.device.downloads == downloads


def test_timeout_without_the_stream_tells_whether_compute_has_begun(overlay):
    run(overlay, [FINISH])
    buffer = put(overlay, stream(WAITS, overlay.config))
    with pytest.raises(DeviceTimeout, match="it has not begun any instruction"):
        overlay.accelerator.run(buffer.device_address, 1, SHORT_S)
    buffer = put(overlay, stream([COMPUTE_NOP], overlay.config))
    with pytest.raises(DeviceTimeout, match="it has begun instructions but not reached FINISH"):
        overlay.accelerator.run(buffer.device_address, 1, SHORT_S)


def test_reset_that_does_not_end_becomes_a_download(overlay, monkeypatch):
    control = overlay.accelerator.control
    downloads = overlay.device.downloads
    held = overlay.device.accelerator.own
    monkeypatch.setattr(type(held), "request_reset", lambda self: setattr(self, "reset_pending", 1))
    with pytest.raises(DeviceError) as caught:
        control.reset(SHORT_S)
    assert str(caught.value) == (
        "control: a soft reset must end within 0.05 s, but waits for the modules; download the "
        "overlay again"
    )
    overlay.accelerator.reset()
    assert overlay.device.downloads == downloads + 1
    monkeypatch.undo()
    run(overlay, [FINISH])


def test_reset_during_a_run_waits_for_its_end_and_says_what_holds_it():
    gate = Gate()
    with open_own(pace=gate) as overlay:
        control = overlay.accelerator.control
        buffer = put(overlay, stream([FINISH], overlay.config))
        gate.close("done")
        overlay.accelerator.submit(buffer.device_address, 1)
        gate.reached("done")
        with pytest.raises(DeviceError, match="waits for load and compute and store; download"):
            control.reset(SHORT_S)
        gate.open("done")
        deadline_s = time.monotonic() + DEADLINE_S
        while control.holding() and time.monotonic() < deadline_s:
            time.sleep(1e-3)
        assert not control.state().done, "the pending reset came at the end of the run"
        overlay.accelerator.prepare()
        run(overlay, [FINISH])


def test_reset_after_a_fault_of_the_bus_is_a_download(overlay):
    downloads = overlay.device.downloads
    with pytest.raises(SimError):
        overlay.accelerator.run(0x10, 1, DEADLINE_S)
    assert overlay.device.downloads == downloads + 1
    run(overlay, [FINISH])


# ---- interrupt -----------------------------------------------------------------------------


def test_wait_async_sleeps_until_the_interrupt_at_the_end_of_the_run():
    gate = Gate()

    async def main():
        with open_own(pace=gate) as overlay:
            words = stream([COMPUTE_NOP, FINISH], overlay.config)
            buffer = put(overlay, words)
            for _ in range(3):
                await assert_waits_without_polling(overlay, gate, buffer, words)
                assert overlay.accelerator.control.get("INTERRUPT_ENABLE") == 0
                overlay.accelerator.run(buffer.device_address, len(words), DEADLINE_S)

    asyncio.run(main())


def test_wait_async_wakes_up_for_an_error(overlay):
    words = put(overlay, encoded([{"opcode": 7}, *WAITS], overlay.config))

    async def main():
        overlay.accelerator.submit(words.device_address, 2)
        with pytest.raises(HardwareError, match="unknown_opcode"):
            await overlay.accelerator.wait_async(DEADLINE_S)

    asyncio.run(main())


def test_wait_async_without_an_end_times_out(overlay):
    words = put(overlay, stream(WAITS, overlay.config))

    async def main():
        overlay.accelerator.submit(words.device_address, 1)
        with pytest.raises(DeviceTimeout, match=r"did not finish within 0\.05 s"):
            await overlay.accelerator.wait_async(SHORT_S)

    asyncio.run(main())
    run(overlay, [FINISH])


def test_wait_async_polls_after_interrupts_were_lost(monkeypatch):
    from vta_pynq.drivers import interrupt_wait

    monkeypatch.setattr(interrupt_wait, "_GUARD_S", 0.01)
    gate = Gate()

    async def main():
        with open_own(pace=gate) as overlay:
            overlay.device.accelerator.own.control.irq = lambda level: None  # a cut wire
            words = put(overlay, stream([FINISH], overlay.config))
            usable = []
            for _ in range(3):
                gate.close("done")
                overlay.accelerator.submit(words.device_address, 1)
                waiting = asyncio.ensure_future(overlay.accelerator.wait_async(DEADLINE_S))
                await asyncio.sleep(0.02)
                gate.open("done")
                await waiting
                usable.append(overlay.accelerator._interrupt.usable)
            assert usable == [True, False, False]

    asyncio.run(main())


@pytest.mark.parametrize("loop_state", ["running", "stopped", "closed"])
def test_wait_with_a_loop_of_another_thread_comes_back_whatever_that_does(loop_state, monkeypatch):
    from vta_pynq.drivers import interrupt_wait

    monkeypatch.setattr(interrupt_wait, "_GUARD_S", 0.1)
    gate = Gate()
    with open_own(pace=gate) as overlay:
        words = put(overlay, stream([FINISH], overlay.config))
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        if loop_state != "running":
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
        if loop_state == "closed":
            loop.close()
        for _ in range(2):
            gate.close("done")
            overlay.accelerator.submit(words.device_address, 1)
            threading.Timer(0.02, gate.open, ["done"]).start()
            overlay.accelerator.wait(DEADLINE_S, loop)
        if loop_state == "running":
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
        loop.close()


# ---- counters ------------------------------------------------------------------------------


def test_counters_add_up_for_each_module(overlay):
    accelerator = overlay.accelerator
    accelerator.clear_counters()
    job = AddOne(overlay, tiles=64)
    job.run()
    once = accelerator.counters()
    assert once.cycles > 64
    for module in (Module.LOAD, Module.COMPUTE, Module.STORE):
        assert once.modules[module].total == once.cycles
    assert once.modules[Module.STORE].waits["g2s"] > 0
    assert set(once.modules[Module.COMPUTE].waits) == {"l2g", "s2g"}
    assert set(once.modules[Module.FETCH].pushes) == {"load", "compute", "store"}
    job.run()
    assert accelerator.counters().cycles == 2 * once.cycles
    accelerator.control.freeze_counters()
    job.run()
    assert accelerator.counters().cycles == 2 * once.cycles
    accelerator.clear_counters()
    assert accelerator.counters().cycles == 0


def test_counters_of_a_gemm_are_those_of_the_cycle_model(overlay):
    from vta_pynq.timing import simulate

    job = AddOne(overlay, tiles=32)
    overlay.accelerator.clear_counters()
    job.run()
    report = simulate(job.words, "vta1", config=overlay.config)
    found = overlay.accelerator.counters()
    assert found.cycles == report.total_cycles
    assert found.modules[Module.COMPUTE].busy >= report.modules[Module.COMPUTE].busy


def test_activation_of_another_device_keeps_the_control_block_apart():
    first = open_own()
    second = VtaOverlay(OWN, device=activate(SimDevice(tag="second")))
    with first, second:
        first.accelerator.clear_counters()
        run(second, [FINISH])
        assert first.accelerator.counters().cycles == 0
        assert second.accelerator.counters().cycles > 0
