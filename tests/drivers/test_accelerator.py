"""The accelerator driver: its protocol under adverse timing, deadlines, reset."""

import asyncio
import threading
import time

import numpy as np
import pytest

from tests.sim_device.rig import (
    COMPUTE_NOP,
    DEADLINE_S,
    FINISH,
    LOAD_NOP,
    STORE_NOP,
    AddOne,
    Gate,
    open_overlay,
    put,
    run,
    stream,
)
from vta_pynq.drivers import drain_stream
from vta_pynq.errors import DeviceError, DeviceTimeout, SimError
from vta_pynq.isa.table import TOKENS

ACCESS_LIMIT = 16
WAITS = stream([{**FINISH, "pop_prev": 1}])
SHORT_S = 0.05


@pytest.fixture
def overlay():
    with open_overlay() as opened:
        yield opened


def test_run_moves_data(overlay):
    job = AddOne(overlay, tiles=16, addend=5)
    job.source[:] = np.arange(job.source.size).reshape(job.source.shape) % 100
    job.source.flush()
    job.run()
    job.target.invalidate()
    assert (job.target == job.source + 5).all()


@pytest.mark.parametrize("timeout_s", [float("nan"), float("inf"), -1.0, None, "1"])
def test_wait_without_a_deadline_is_refused_before_anything_runs(overlay, timeout_s):
    # Nothing is at least nan, so a stream that hangs would never be given up.
    buffer = put(overlay, WAITS)
    accesses = overlay.device.bus_accesses
    with pytest.raises(DeviceError, match="timeout_s must be a finite number of seconds, at"):
        overlay.accelerator.run(buffer.device_address, 1, timeout_s)
    with pytest.raises(DeviceError, match="timeout_s must be a finite number of seconds, at"):
        overlay.accelerator.wait(timeout_s)
    with pytest.raises(DeviceError, match="timeout_s must be a finite number of seconds, at"):
        asyncio.run(overlay.accelerator.wait_async(timeout_s))
    assert overlay.device.bus_accesses == accesses


def test_run_of_an_empty_program_takes_few_register_accesses(overlay):
    words = stream([FINISH])
    buffer = put(overlay, words)
    overlay.accelerator.run(buffer.device_address, 1)
    counts = []
    for _ in range(20):
        before = overlay.device.bus_accesses
        overlay.accelerator.run(buffer.device_address, 1)
        counts.append(overlay.device.bus_accesses - before)
    # Submission takes four and a look three; further looks come with the machine's load.
    assert min(counts) == 7
    assert sorted(counts)[len(counts) // 2] <= ACCESS_LIMIT


@pytest.mark.parametrize("first_waits", [False, True])
def test_finished_is_not_fooled_by_the_stale_flag(first_waits):
    gate = Gate()
    overlay = open_overlay(pace=gate)
    run(overlay, stream([FINISH]))
    load = {**LOAD_NOP, "push_next": int(first_waits)}
    words = stream([load, {**COMPUTE_NOP, "pop_prev": int(first_waits)}, FINISH])
    buffer = put(overlay, words)
    gate.close("fetch")
    gate.close("done")
    overlay.accelerator.submit(buffer.device_address, len(words), words)
    gate.reached("fetch")
    assert overlay.accelerator.compute.done(), "the flag of the run before is still there"
    assert not any(overlay.accelerator.finished() for _ in range(50))
    gate.open("fetch")
    gate.reached("done")
    assert not any(overlay.accelerator.finished() for _ in range(50))
    gate.open("done")
    overlay.accelerator.wait(DEADLINE_S)
    assert not overlay.accelerator.running


@pytest.mark.parametrize("point", ["fetch", "compute", "done"])
def test_wait_polls_early_at_every_point_of_a_run(point):
    gate = Gate()
    overlay = open_overlay(pace=gate)
    job = AddOne(overlay, tiles=4)
    for value in range(4):
        job.source[:] = value
        job.source.flush()
        gate.close(point)
        timer = threading.Timer(0.02, gate.open, [point])
        timer.start()
        job.run()
        job.target.invalidate()
        assert (job.target == value + 1).all(), f"run {value} was taken for finished too early"
        timer.join()


def test_finished_survives_somebody_reading_all_registers():
    gate = Gate()
    overlay = open_overlay(pace=gate)
    run(overlay, stream([FINISH]))
    buffer = put(overlay, stream([COMPUTE_NOP, FINISH]))
    gate.close("done")
    overlay.accelerator.submit(buffer.device_address, 2)
    gate.reached("done")
    repr(overlay.vta.compute_0.register_map)  # takes the valid bit away
    assert not overlay.accelerator.finished(), "a flag of 0 shows that it is not the stale one"
    gate.open("done")
    overlay.accelerator.wait(DEADLINE_S)


def test_wait_also_waits_for_fetch_when_something_follows_finish(overlay, monkeypatch):
    statuses = []
    fetch = overlay.accelerator.fetch
    original = fetch.status

    def busy_at_first():
        status = original()
        statuses.append(status)
        return type(status)(True, False, False, False) if len(statuses) < 4 else status

    monkeypatch.setattr(fetch, "status", busy_at_first)
    run(overlay, stream([FINISH]))
    assert len(statuses) == 4


def test_wait_timeout_explains_resets_and_leaves_the_device_usable(overlay):
    with pytest.raises(DeviceTimeout) as caught:
        run(overlay, WAITS, SHORT_S)
    message = str(caught.value)
    assert message.startswith("compute did not finish within 0.05 s: ")
    assert "waits for token l2g" in message
    assert "the logic has been reset" in message
    assert not overlay.accelerator.running
    job = AddOne(overlay)
    job.source[:] = 1
    job.source.flush()
    job.run()
    job.target.invalidate()
    assert (job.target == 2).all()


def test_wait_timeout_without_the_stream_tells_what_the_registers_show(overlay):
    buffer = put(overlay, WAITS)
    with pytest.raises(DeviceTimeout) as caught:
        overlay.accelerator.run(buffer.device_address, 1, SHORT_S)
    assert str(caught.value) == (
        "compute did not finish within 0.05 s: it has not begun any instruction, and fetch has "
        "handed out all: the first one waits for a token, or there is none; the logic has been "
        "reset; run 'vta lint' on the program to find an unmatched pop"
    )


def test_wait_of_a_program_without_finish_times_out(overlay):
    with pytest.raises(DeviceTimeout, match="FINISH"):
        run(overlay, stream([COMPUTE_NOP]), SHORT_S)
    run(overlay, stream([FINISH]))


def test_wait_names_the_module_that_is_stuck_though_compute_is_done_with_its_part(overlay):
    words = stream([{**STORE_NOP, "pop_prev": 1, "push_prev": 1}, {**FINISH, "pop_next": 1}])
    with pytest.raises(DeviceTimeout, match=r"^store did not finish .* token g2s"):
        run(overlay, words, SHORT_S)


def test_wait_of_a_program_that_fills_a_queue_names_the_queue(overlay):
    loads = [{**LOAD_NOP, "pop_next": 1}] * 600
    words = stream([*loads, *[{**COMPUTE_NOP, "push_prev": 1}] * 600, FINISH])
    buffer = put(overlay, words)
    with pytest.raises(DeviceTimeout, match="the queue of load already holds"):
        overlay.accelerator.run(buffer.device_address, len(words), SHORT_S, words)
    with pytest.raises(DeviceTimeout, match=r"^fetch did not finish .* a queue is full"):
        overlay.accelerator.run(buffer.device_address, len(words), SHORT_S)
    run(overlay, stream([FINISH]))


def test_wait_late_look_after_the_deadline_decides(overlay, monkeypatch):
    buffer = put(overlay, stream([FINISH]))
    looks = []
    original = overlay.accelerator.finished

    def blind_until_late():
        looks.append(time.monotonic())
        return original() if len(looks) > 1 else False

    monkeypatch.setattr(overlay.accelerator, "finished", blind_until_late)
    overlay.accelerator.submit(buffer.device_address, 1)
    end = time.monotonic() + DEADLINE_S
    while not (overlay.accelerator.compute.done() and overlay.accelerator.fetch.status().idle):
        assert time.monotonic() < end
    time.sleep(0.01)
    overlay.accelerator.wait(0.01)
    assert len(looks) >= 2


def test_wait_passes_a_device_failure_on_and_resets(overlay):
    with pytest.raises(SimError):
        overlay.accelerator.run(0x10, 1, DEADLINE_S)
    run(overlay, stream([FINISH]))


def test_submit_while_running_is_refused(overlay):
    buffer = put(overlay, WAITS)
    overlay.accelerator.submit(buffer.device_address, 1)
    with pytest.raises(DeviceError) as caught:
        overlay.accelerator.submit(buffer.device_address, 1)
    assert str(caught.value) == (
        "accelerator: a run must have ended before the next is submitted; call wait() or reset()"
    )
    overlay.accelerator.reset()
    run(overlay, stream([FINISH]))


@pytest.mark.parametrize("count", [0, -1])
def test_submit_of_no_instructions_is_refused(overlay, count):
    before = overlay.device.bus_accesses
    with pytest.raises(DeviceError, match=f"must be at least 1, not {count}"):
        overlay.accelerator.submit(0x1680_0000, count)
    assert overlay.device.bus_accesses == before


def test_finished_without_a_run_is_true(overlay):
    assert overlay.accelerator.finished()


def test_reset_forgets_tokens_and_the_done_flag(overlay):
    run(overlay, stream([{**LOAD_NOP, "push_next": 1}, FINISH]))
    overlay.accelerator.reset()
    assert not overlay.accelerator.compute.done()
    with pytest.raises(DeviceTimeout):
        run(overlay, WAITS, SHORT_S)


def test_drain_stream_takes_left_over_tokens_on_the_device(overlay):
    run(overlay, stream([{**LOAD_NOP, "push_next": 1}, {**COMPUTE_NOP, "push_prev": 1}, FINISH]))
    engine = overlay.device.accelerator.engine
    left = tuple(engine.tokens)
    assert left == tuple(int(token.name in ("l2g", "g2l")) for token in TOKENS)
    run(overlay, drain_stream(left, overlay.config))
    assert sum(engine.tokens) == 0


def test_wait_async_lets_others_run():
    gate = Gate()
    overlay = open_overlay(pace=gate)
    buffer = put(overlay, stream([FINISH]))

    async def main():
        gate.close("done")
        overlay.accelerator.submit(buffer.device_address, 1)
        waiting = asyncio.ensure_future(overlay.accelerator.wait_async(DEADLINE_S))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        gate.open("done")
        await waiting

    asyncio.run(main())


def test_wait_async_timeout_resets(overlay):
    buffer = put(overlay, WAITS)

    async def main():
        overlay.accelerator.submit(buffer.device_address, 1)
        with pytest.raises(DeviceTimeout):
            await overlay.accelerator.wait_async(SHORT_S)

    asyncio.run(main())
    run(overlay, stream([FINISH]))


def test_run_from_many_threads_takes_turns(overlay):
    jobs = [AddOne(overlay, addend=value) for value in range(4)]
    errors = []

    def work(job, value):
        try:
            for turn in range(10):
                job.source[:] = turn
                job.source.flush()
                job.run()
                job.target.invalidate()
                assert (job.target == turn + value).all()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(job, v)) for v, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
