"""Programs with CPU steps: around, between and without accelerator steps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.runtime.programs import Dense, Maker, random_weights
from vta_pynq.errors import ProgramError, ShapeError, VtaError
from vta_pynq.overlay import VtaOverlay
from vta_pynq.program import ArenaKind, Program
from vta_pynq.runtime import loader
from vta_pynq.runtime.coherence import CoherencePlan, plan_coherence

RNG = np.random.default_rng(23)
DEADLINE_S = 60.0


def layers(overlay: VtaOverlay) -> tuple[Dense, Dense]:
    block = overlay.config.block
    first = Dense(random_weights(RNG, 2 * block, 3 * block), config=overlay.config)
    second = Dense(random_weights(RNG, block, 2 * block), config=overlay.config)
    return first, second


def image(dense: Dense) -> np.ndarray:
    return RNG.integers(-128, 128, dense.x_shape()).astype(np.int8)


def relu_between(first: Dense, second: Dense, one_arena: bool) -> Program:
    """pack, dense, unpack, relu, pack, dense, unpack; what is exchanged in one arena or in four."""
    maker = Maker("mixed", first.config)
    maker.tensor("x", first.x_shape(), ArenaKind.INPUT, layout="NCHW")
    maker.tensor("y", second.y_shape(), ArenaKind.OUTPUT, layout="NCHW")
    shapes = {"a": first.x_shape(), "b": first.y_shape(), "c": first.y_shape()}
    shapes["d"] = second.y_shape()
    if one_arena:
        sizes = {name: maker.activation_bytes(shape) for name, shape in shapes.items()}
        maker.arena("scratch", ArenaKind.SCRATCH, sum(sizes.values()))
        offset = 0
        for name, shape in shapes.items():
            maker.tensor(name, shape, None, arena="scratch", offset=offset)
            offset += sizes[name]
    else:
        for name, shape in shapes.items():
            maker.tensor(name, shape)
    maker.tensor("h", first.y_shape(), layout="NCHW")
    maker.tensor("r", first.y_shape(), layout="NCHW")
    blocked = maker.blocked
    maker.cpu("in", "pack", ["x"], ["a"], layout=blocked)
    maker.vta("first", first.kernel(), x="a", y="b")
    maker.cpu("out", "unpack", ["b"], ["h"], layout=blocked, shape=list(first.y_shape()))
    maker.cpu("relu", "relu", ["h"], ["r"])
    maker.cpu("in2", "pack", ["r"], ["c"], layout=blocked)
    maker.vta("second", second.kernel(), x="c", y="d")
    maker.cpu("out2", "unpack", ["d"], ["y"], layout=blocked, shape=list(second.y_shape()))
    return maker.build()


def expected(first: Dense, second: Dense, x: np.ndarray) -> np.ndarray:
    return second.reference(np.maximum(first.reference(x), 0))


@pytest.fixture(params=[False, True], ids=["four arenas", "one arena"])
def mixed(overlay: VtaOverlay, request: pytest.FixtureRequest) -> Any:
    first, second = layers(overlay)
    return relu_between(first, second, request.param), first, second


def test_run_cpu_steps_around_and_between(overlay: VtaOverlay, mixed: Any):
    program, first, second = mixed
    with overlay.load(program) as model:
        for _ in range(4):
            x = image(first)
            np.testing.assert_array_equal(model.run(x), expected(first, second, x))


def test_run_many_overlaps_without_mixing_up(overlay: VtaOverlay, mixed: Any):
    program, first, second = mixed
    xs = [image(first) for _ in range(24)]
    with overlay.load(program, depth=3) as model:
        for x, y in zip(xs, model.run_many(xs), strict=True):
            np.testing.assert_array_equal(y, expected(first, second, x))
        asked = [model.arun(x) for x in xs[:6]]

        async def gather() -> list[Any]:
            return await asyncio.wait_for(asyncio.gather(*asked), DEADLINE_S)

        for x, y in zip(xs, asyncio.run(gather()), strict=False):
            np.testing.assert_array_equal(y, expected(first, second, x))


def test_execute_plain_arrays_of_the_caller_serve_cpu_steps(overlay: VtaOverlay, mixed: Any):
    program, first, second = mixed
    with overlay.load(program) as model:
        assert not hasattr(model.inputs[0].buffer, "device_address")
        mine = np.empty(first.x_shape(), np.int8)
        result = np.empty(second.y_shape(), np.int8)
        model.inputs[0].buffer, model.outputs[0].buffer = mine, result
        for _ in range(3):
            mine[...] = image(first)
            model.execute()
            np.testing.assert_array_equal(result, expected(first, second, mine))
        wide = np.empty((*first.x_shape()[:-1], 2 * first.pixels), np.int8)
        with pytest.raises(ShapeError, match="buffer must be contiguous, not a strided view"):
            model.inputs[0].buffer = wide[..., ::2]


@pytest.mark.simulator
def test_run_without_any_one_synchronisation_is_wrong(
    overlay: VtaOverlay, mixed: Any, monkeypatch: pytest.MonkeyPatch
):
    """Every flush and invalidate of the plan is needed: without it, results are wrong."""
    program, first, second = mixed
    plan = plan_coherence(program)
    for side in ("flush", "invalidate"):
        for number, names in enumerate(getattr(plan, side)):
            for name in names:
                kept = list(getattr(plan, side))
                kept[number] = tuple(n for n in names if n != name)
                changed = {"flush": plan.flush, "invalidate": plan.invalidate, side: tuple(kept)}
                monkeypatch.setattr(
                    loader, "plan_coherence", lambda _, changed=changed: CoherencePlan(**changed)
                )
                with overlay.load(program) as model:
                    wrong = False
                    for _ in range(3):
                        x = image(first)
                        wrong |= not np.array_equal(model.run(x), expected(first, second, x))
                assert wrong, f"{side} of {name} before step {number} makes no difference"


def test_run_cpu_steps_only(overlay: VtaOverlay):
    maker = Maker("cpu", overlay.config)
    maker.tensor("x", (2, 5), ArenaKind.INPUT, dtype="float32", layout="NC")
    maker.tensor("y", (2, 5), ArenaKind.OUTPUT, dtype="float32", layout="NC")
    maker.tensor("h", (2, 5), dtype="float32", layout="NC")
    maker.cpu("relu", "relu", ["x"], ["h"])
    maker.cpu("softmax", "softmax", ["h"], ["y"], axis=1)
    with overlay.load(maker.build()) as model:
        for _ in range(3):
            x = RNG.normal(size=(2, 5)).astype(np.float32)
            powers = np.exp(np.maximum(x, 0).astype(np.float64))
            wanted = powers / powers.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(model.run(x), wanted, rtol=1e-6)


def test_run_constants_of_cpu_steps_come_from_the_program(overlay: VtaOverlay):
    maker = Maker("bias", overlay.config)
    bias = np.arange(4, dtype=np.float32)
    maker.tensor("x", (3, 4), ArenaKind.INPUT, dtype="float32", layout="NC")
    maker.tensor("y", (3, 4), ArenaKind.OUTPUT, dtype="float32", layout="NC")
    maker.arena("constants", ArenaKind.CONST, bias.nbytes, bias)
    maker.tensor("bias", (4,), None, dtype="float32", layout="C", arena="constants")
    maker.cpu("add", "add", ["x", "bias"], ["y"])
    with overlay.load(maker.build()) as model:
        x = RNG.normal(size=(3, 4)).astype(np.float32)
        np.testing.assert_array_equal(model.run(x), x + bias)


def test_run_outputs_that_are_parts_of_one_another(overlay: VtaOverlay):
    # A concatenation in place: each part is an alias of the whole, written by its own step.
    maker = Maker("joined", overlay.config)
    maker.tensor("x", (1, 4), ArenaKind.INPUT, dtype="float32", layout="NC")
    maker.tensor("y", (2, 4), ArenaKind.OUTPUT, dtype="float32", layout="NC")
    for number in range(2):
        maker.tensor(
            f"part{number}", (1, 4), None, dtype="float32", layout="NC", arena="y",
            offset=16 * number, alias_of="y",
        )  # fmt: skip
    maker.cpu("first", "relu", ["x"], ["part0"])
    maker.cpu("second", "identity", ["x"], ["part1"])
    with overlay.load(maker.build()) as model:
        x = RNG.normal(size=(1, 4)).astype(np.float32)
        np.testing.assert_array_equal(model.run(x), np.concatenate([np.maximum(x, 0), x]))


def test_run_result_is_not_the_input_even_where_nothing_is_computed(overlay: VtaOverlay):
    maker = Maker("same", overlay.config)
    maker.tensor("x", (4,), ArenaKind.INPUT, dtype="float32", layout="C")
    maker.tensor("y", (4,), ArenaKind.OUTPUT, dtype="float32", layout="C")
    maker.cpu("identity", "identity", ["x"], ["y"])
    with overlay.load(maker.build()) as model:
        x = np.ones(4, np.float32)
        y = model.run(x)
        x[:] = 0
        np.testing.assert_array_equal(y, np.ones(4))


def test_run_out_may_be_the_input(overlay: VtaOverlay):
    maker = Maker("twice", overlay.config)
    maker.tensor("x", (4,), ArenaKind.INPUT, dtype="float32", layout="C")
    maker.tensor("y", (4,), ArenaKind.OUTPUT, dtype="float32", layout="C")
    maker.tensor("h", (4,), dtype="float32", layout="C")
    maker.cpu("first", "relu", ["x"], ["h"])
    maker.cpu("early", "identity", ["h"], ["y"])
    maker.cpu("late", "add", ["x", "h"], ["y"])  # reads x after y was written first
    with overlay.load(maker.build()) as model:
        x = np.array([1, -2, 3, -4], np.float32)
        assert model.run(x, out=x) is x
        np.testing.assert_array_equal(x, [2, -2, 6, -4])


def test_run_takes_unaligned_arrays(overlay: VtaOverlay):
    maker = Maker("unaligned", overlay.config)
    maker.tensor("x", (4,), ArenaKind.INPUT, dtype="float32", layout="C")
    maker.tensor("y", (4,), ArenaKind.OUTPUT, dtype="float32", layout="C")
    maker.cpu("relu", "relu", ["x"], ["y"])
    raw = np.zeros(2 * 17, np.uint8)
    x, out = raw[1:17].view("<f4"), raw[17:33].view("<f4")
    x[:] = [1, -2, 3, -4]
    with overlay.load(maker.build()) as model:
        model.run(x, out=out)
    np.testing.assert_array_equal(out, [1, 0, 3, 0])


def step_errors(overlay: VtaOverlay) -> Iterator[tuple[Program, str]]:
    maker = Maker("shape", overlay.config)
    maker.tensor("x", (4,), ArenaKind.INPUT, dtype="float32", layout="C")
    maker.tensor("y", (5,), ArenaKind.OUTPUT, dtype="float32", layout="C")
    maker.cpu("relu", "relu", ["x"], ["y"])
    yield maker.build(), "output 'y' must be float32 of shape \\(5,\\), not float32 of shape"
    maker = Maker("count", overlay.config)
    maker.tensor("x", (4,), ArenaKind.INPUT, dtype="float32", layout="C")
    maker.tensor("y", (4,), ArenaKind.OUTPUT, dtype="float32", layout="C")
    maker.tensor("z", (4,), ArenaKind.OUTPUT, dtype="float32", layout="C")
    maker.cpu("relu", "relu", ["x"], ["y", "z"])
    yield maker.build(), "relu must have 2 outputs, not 1"


def test_run_result_that_does_not_fit_its_tensor_is_a_program_error(overlay: VtaOverlay):
    for program, text in step_errors(overlay):
        model = overlay.load(program)
        with pytest.raises(ProgramError, match=f"step 0 'relu': {text}"):
            model.run(np.zeros(4, np.float32))
        model.close()


def test_run_operator_that_refuses_names_the_step_and_the_model_goes_on(overlay: VtaOverlay):
    maker = Maker("bad", overlay.config)
    maker.tensor("x", (2, 2), ArenaKind.INPUT, dtype="float32", layout="NC")
    maker.tensor("y", (3, 2), ArenaKind.OUTPUT, dtype="float32", layout="NC")
    maker.cpu("reshape", "reshape", ["x"], ["y"], shape=[3, 2])
    with overlay.load(maker.build()) as model:
        for _ in range(2):
            with pytest.raises(VtaError, match="model 'bad', step 0 'reshape': "):
                model.run(np.zeros((2, 2), np.float32))
