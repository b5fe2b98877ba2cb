"""A run sees nothing that an earlier run, its own or somebody else's, left behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.runtime.programs import Dense, Maker, chain, empty, random_weights, vta_only
from tests.sim_device.rig import COMPUTE_NOP, FINISH, LOAD_NOP, STORE_NOP, put, stream
from vta_pynq.isa.encode import INSN_DTYPE, decode, encode
from vta_pynq.overlay import VtaOverlay
from vta_pynq.program import ArenaKind
from vta_pynq.runtime import Model
from vta_pynq.runtime.coherence import CoherencePlan
from vta_pynq.runtime.context import Context

pytestmark = pytest.mark.simulator

RNG = np.random.default_rng(11)


def layer(overlay: VtaOverlay, outs: int = 2, ins: int = 3) -> Dense:
    block = overlay.config.block
    return Dense(random_weights(RNG, outs * block, ins * block), config=overlay.config)


def image(dense: Dense) -> np.ndarray:
    return RNG.integers(-128, 128, dense.x_shape()).astype(np.int8)


def context_of(model: Model) -> Context:
    return model._contexts._items[0]


def poison(overlay: VtaOverlay, *models: Model) -> None:
    """Noise in SRAM, in the scratch memory of models (both images) and in the done flag."""
    device: Any = overlay.device
    device.accelerator.engine.poison(int(RNG.integers(1 << 30)))
    device.accelerator.blocks["compute"].values["done_o"] = 1
    for model in models:
        context = context_of(model)
        for arena in model.program.arenas:
            if arena.kind is ArenaKind.CONST:
                continue
            noise = RNG.integers(0, 256, arena.bytes).astype(np.uint8)
            context._memory[arena.name][:] = noise
            if arena.name in context._addresses:
                at = context._addresses[arena.name] - device.dram.base
                device.dram.device[at : at + arena.bytes] = noise[::-1]


def leave_tokens(overlay: VtaOverlay) -> None:
    """Run a stream behind the runtime's back that leaves a token in every counter."""
    words = stream(
        [
            {**LOAD_NOP, "push_next": 1},
            {**STORE_NOP, "push_prev": 1},
            {**COMPUTE_NOP, "push_prev": 1, "push_next": 1},
            FINISH,
        ],
        overlay.config,
    )
    buffer = put(overlay, words)
    overlay.accelerator.run(buffer.device_address, len(words), 20.0, words)
    assert overlay.device.accelerator.engine.tokens == (1, 1, 1, 1)


def test_run_after_poison_gives_the_same(overlay: VtaOverlay):
    first, second = layer(overlay, 2, 3), layer(overlay, 1, 2)
    with overlay.load(chain(first, second)) as model, overlay.load(vta_only(first)) as other:
        for _ in range(5):
            poison(overlay, model, other)
            x = image(first)
            np.testing.assert_array_equal(model.run(x), second.reference(first.reference(x)))
            poison(overlay, model, other)
            np.testing.assert_array_equal(other.run(x), first.reference(x))


def test_run_after_foreign_stream_with_tokens_left_gives_the_same(overlay: VtaOverlay):
    dense = layer(overlay)
    with overlay.load(vta_only(dense)) as model:
        for _ in range(2):
            leave_tokens(overlay)
            x = image(dense)
            np.testing.assert_array_equal(model.run(x), dense.reference(x))
            assert overlay.device.accelerator.engine.tokens == (0, 0, 0, 0)


def test_run_after_foreign_stream_left_running_gives_the_same(overlay: VtaOverlay):
    dense = layer(overlay)
    words = stream([{**COMPUTE_NOP, "pop_prev": 1}, FINISH], overlay.config)  # never ends
    with overlay.load(vta_only(dense)) as model:
        buffer = put(overlay, words)
        overlay.accelerator.submit(buffer.device_address, len(words))
        x = image(dense)
        np.testing.assert_array_equal(model.run(x), dense.reference(x))


def test_run_program_that_leaves_tokens_is_cleaned_up_after(overlay: VtaOverlay):
    dense = layer(overlay)
    words = stream(
        [{**LOAD_NOP, "push_next": 1}, {**LOAD_NOP, "push_next": 1}, {**STORE_NOP, "push_prev": 1},
         FINISH],
        overlay.config,
    )  # fmt: skip
    maker = Maker("untidy", overlay.config)
    maker.tensor("y", (1,), ArenaKind.OUTPUT, layout="C")
    maker.stream("untidy", words, ("y",))
    resets = overlay.accelerator.prepared_s
    with (
        overlay.load(maker.build(), verify=False) as untidy,
        overlay.load(vta_only(dense)) as model,
    ):
        for _ in range(3):
            untidy.run()
            assert overlay.device.accelerator.engine.tokens == (0, 0, 0, 0)
            x = image(dense)
            np.testing.assert_array_equal(model.run(x), dense.reference(x))
    assert overlay.accelerator.prepared_s == resets  # by popping them, not by a download


@pytest.mark.parametrize("stranded", [{**LOAD_NOP, "pop_next": 1}, {**STORE_NOP, "pop_prev": 1}])
def test_run_program_that_leaves_a_module_waiting_is_followed_by_a_reset(
    overlay: VtaOverlay, stranded: dict[str, int]
):
    # FINISH is seen although load or store waits for ever, for a token of the next run.
    dense = layer(overlay)
    words = stream([{**LOAD_NOP, "push_next": 1}, stranded, FINISH], overlay.config)
    maker = Maker("strands", overlay.config)
    maker.tensor("y", (1,), ArenaKind.OUTPUT, layout="C")
    maker.stream("strands", words, ("y",))
    with (
        overlay.load(maker.build(), verify=False) as strands,
        overlay.load(vta_only(dense)) as model,
    ):
        for _ in range(3):
            strands.run()
            x = image(dense)
            np.testing.assert_array_equal(model.run(x), dense.reference(x))
    assert overlay.device.accelerator.engine.tokens == (0, 0, 0, 0)


def test_run_tokens_pass_between_submissions_in_a_row(overlay: VtaOverlay):
    # The second submission pops what the first one pushed: nothing may be cleaned up between.
    records = np.zeros(4, INSN_DTYPE)
    first = stream([{**LOAD_NOP, "push_next": 1}, FINISH], overlay.config)
    second = stream([{**COMPUTE_NOP, "pop_prev": 1}, FINISH], overlay.config)
    records = np.concatenate([decode(first, overlay.config), decode(second, overlay.config)])
    words = encode(records, overlay.config)
    maker = Maker("pair", overlay.config)
    maker.tensor("y", (1,), ArenaKind.OUTPUT, layout="C")
    maker.stream("first", words[:2], ("y",))
    maker.stream("second", words[2:], ("y",))
    with overlay.load(maker.build(), verify=False) as model:
        for _ in range(3):
            model.run(timeout_s=20.0)
    assert overlay.device.accelerator.engine.tokens == (0, 0, 0, 0)


class Syncs:
    """Counts flushes and invalidates by the address they begin at."""

    def __init__(self, overlay: VtaOverlay, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, int]] = []
        device = overlay.device
        for name in ("flush", "invalidate"):
            original = getattr(device, name)

            def spy(bo: int, offset: int, ptr: int, size: int, *, name=name, call=original) -> None:
                self.calls.append((name, device.dram.base + bo))
                call(bo, offset, ptr, size)

            monkeypatch.setattr(device, name, spy)


def test_run_synchronises_the_input_and_the_output_and_nothing_else(
    overlay: VtaOverlay, monkeypatch: pytest.MonkeyPatch
):
    first, second = layer(overlay, 2, 3), layer(overlay, 1, 2)
    with overlay.load(chain(first, second)) as model:
        model.run(image(first))
        syncs = Syncs(overlay, monkeypatch)
        model.run(image(first))
        addresses = context_of(model)._addresses
        assert syncs.calls == [("flush", addresses["x"]), ("invalidate", addresses["y"])]


@pytest.mark.parametrize("side", ["flush", "invalidate"])
def test_run_without_one_synchronisation_is_wrong(
    overlay: VtaOverlay, monkeypatch: pytest.MonkeyPatch, side: str
):
    """What the plan asks for is needed: the simulator shows it when one is forgotten."""
    from vta_pynq.runtime import loader

    whole = loader.plan_coherence

    def forgetful(program: Any) -> CoherencePlan:
        plan = whole(program)
        none = ((),) * len(plan.flush)
        return CoherencePlan(
            flush=none if side == "flush" else plan.flush,
            invalidate=none if side == "invalidate" else plan.invalidate,
        )

    monkeypatch.setattr(loader, "plan_coherence", forgetful)
    dense = layer(overlay)
    with overlay.load(vta_only(dense)) as model:
        for _ in range(2):
            x = image(dense)
            y = model.run(x)
        assert not np.array_equal(y, dense.reference(x))


def test_run_empty_program_takes_few_register_accesses(overlay: VtaOverlay):
    with overlay.load(empty(overlay.config)) as model:
        counts = []
        for _ in range(21):
            before = overlay.device.bus_accesses
            model.run()
            counts.append(overlay.device.bus_accesses - before)
    # Submission takes four and a look at the end three; more looks come with the machine's load.
    assert min(counts) == 7 and sorted(counts)[10] <= 16


def test_load_takes_the_fewest_buffers(overlay: VtaOverlay):
    first, second = layer(overlay, 2, 3), layer(overlay, 1, 2)
    before = set(overlay.device.dram.used)
    with overlay.load(chain(first, second)):
        # Constants; instructions with the scratch between; input; output.
        assert len(set(overlay.device.dram.used) - before) == 4
    assert set(overlay.device.dram.used) == before


def test_load_no_memory_for_a_second_context_shares_the_first(overlay: VtaOverlay):
    dense = layer(overlay)
    with overlay.load(vta_only(dense), depth=4) as model:
        device = overlay.device
        largest = max(size for _, size in device.dram._free)
        hog = overlay.allocate((largest,))
        xs = [image(dense) for _ in range(8)]
        for x, y in zip(xs, model.run_many(xs), strict=True):
            np.testing.assert_array_equal(y, dense.reference(x))
        del hog


def _many_runs(overlay: VtaOverlay, count: int) -> None:
    import gc
    import threading

    dense = layer(overlay, 1, 1)
    x = image(dense)
    expected = dense.reference(x)

    def state() -> tuple[Any, int, int]:
        for _ in range(3):
            gc.collect()
        return overlay.device.dram.used, len(gc.get_objects()), threading.active_count()

    with overlay.load(vta_only(dense)) as model:
        for _ in range(20):
            model.run(x)
        begin = state()
        for number in range(count):
            y = model.run(x)
            if number % 1000 == 0:
                np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(y, expected)
        end = state()
    assert end[0] == begin[0]
    # What other tests left behind may go meanwhile; a leak of an object a run shows.
    assert end[1] - begin[1] < min(count // 10, 500) and end[2] <= begin[2] + 1


def test_run_many_times_leaks_nothing(overlay: VtaOverlay):
    _many_runs(overlay, 500)


@pytest.mark.slow
def test_run_ten_thousand_times_leaks_nothing(overlay: VtaOverlay):
    _many_runs(overlay, 10_000)


def test_load_and_close_leak_nothing(overlay: VtaOverlay):
    dense = layer(overlay, 1, 1)
    before = overlay.device.dram.used
    for _ in range(20):
        with overlay.load(vta_only(dense)) as model:
            list(model.run_many([image(dense)] * 3))
    assert overlay.device.dram.used == before


def test_model_dropped_without_close_gives_its_memory_back(overlay: VtaOverlay):
    import gc

    dense = layer(overlay, 1, 1)
    before = overlay.device.dram.used
    model = overlay.load(vta_only(dense))
    model.run_async(image(dense)).result(20.0)
    del model
    gc.collect()
    assert overlay.device.dram.used == before
