"""Models on a device: the same results as numpy, however they are run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tests.runtime.programs import Dense, Maker, chain, random_weights, vta_only
from vta_pynq.errors import DeviceError, ShapeError
from vta_pynq.overlay import VtaOverlay
from vta_pynq.program import ArenaKind, Program
from vta_pynq.program.layout import Layout
from vta_pynq.runtime import Model

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    seed = int(np.random.SeedSequence().entropy) % 2**32
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def dense(overlay: VtaOverlay, rng: np.random.Generator) -> Dense:
    block = overlay.config.block
    return Dense(random_weights(rng, 2 * block, 3 * block), config=overlay.config)


@pytest.fixture
def model(overlay: VtaOverlay, dense: Dense) -> Iterator[Model]:
    with overlay.load(vta_only(dense)) as found:
        yield found


def image(dense: Dense, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-128, 128, dense.x_shape()).astype(np.int8)


def two_by_two(dense: Dense) -> Program:
    """Two inputs, two outputs, two submissions."""
    maker = Maker("pair", dense.config)
    for number in "01":
        maker.tensor(f"x{number}", dense.x_shape(), ArenaKind.INPUT)
        maker.tensor(f"y{number}", dense.y_shape(), ArenaKind.OUTPUT)
    for number in "01":
        maker.vta(f"dense{number}", dense.kernel(), x=f"x{number}", y=f"y{number}")
    return maker.build()


# ---- one run -----------------------------------------------------------------------------


def test_run_one_submission_agrees_with_numpy(model: Model, dense: Dense, rng: np.random.Generator):
    for _ in range(3):
        x = image(dense, rng)
        y = model.run(x)
        assert isinstance(y, np.ndarray) and y.dtype == np.int8
        np.testing.assert_array_equal(y, dense.reference(x))


def test_run_results_are_the_callers_own(model: Model, dense: Dense, rng: np.random.Generator):
    first, second = image(dense, rng), image(dense, rng)
    kept = model.run(first)
    model.run(second)
    np.testing.assert_array_equal(kept, dense.reference(first))


def test_run_several_submissions_with_scratch_between(
    overlay: VtaOverlay, dense: Dense, rng: np.random.Generator
):
    block = overlay.config.block
    second = Dense(random_weights(rng, block, 2 * block), config=overlay.config)
    with overlay.load(chain(dense, second)) as model:
        for _ in range(3):
            x = image(dense, rng)
            np.testing.assert_array_equal(model.run(x), second.reference(dense.reference(x)))


def test_run_several_inputs_and_outputs_in_their_order(
    overlay: VtaOverlay, dense: Dense, rng: np.random.Generator
):
    with overlay.load(two_by_two(dense)) as model:
        a, b = image(dense, rng), image(dense, rng)
        result = model.run(a, b)
        assert isinstance(result, tuple) and len(result) == 2
        np.testing.assert_array_equal(result[0], dense.reference(a))
        np.testing.assert_array_equal(result[1], dense.reference(b))


def test_run_out_receives_the_result(model: Model, dense: Dense, rng: np.random.Generator):
    x, out = image(dense, rng), np.empty(dense.y_shape(), np.int8)
    assert model.run(x, out=out) is out
    np.testing.assert_array_equal(out, dense.reference(x))


def test_run_takes_views_and_read_only_arrays(model: Model, dense: Dense, rng: np.random.Generator):
    wide = rng.integers(-128, 128, (*dense.x_shape()[:-1], 2 * dense.pixels)).astype(np.int8)
    x = wide[..., ::2]
    x.flags.writeable = False
    np.testing.assert_array_equal(model.run(x), dense.reference(x))


def test_run_several_programs_stay_resident(
    overlay: VtaOverlay, dense: Dense, rng: np.random.Generator
):
    block = overlay.config.block
    shapes = [Dense(random_weights(rng, block, (n + 1) * block), config=overlay.config)
              for n in range(4)]  # fmt: skip
    models = [overlay.load(vta_only(d, f"net{n}")) for n, d in enumerate(shapes)]
    for _ in range(3):
        for number in rng.permutation(len(models)):
            x = image(shapes[number], rng)
            np.testing.assert_array_equal(models[number].run(x), shapes[number].reference(x))
    for model in models:
        model.close()


# ---- what is refused ---------------------------------------------------------------------


def test_run_wrong_dtype_is_refused(model: Model, dense: Dense):
    shape = dense.x_shape()
    with pytest.raises(ShapeError) as caught:
        model.run(np.zeros(shape))
    assert str(caught.value) == (
        f"model 'net': input 'x': array must be int8 of shape {shape}, not float64 of shape "
        f"{shape}; convert it first"
    )


@pytest.mark.filterwarnings("ignore")  # numpy before 1.24 only warns
def test_run_ragged_list_is_refused(model: Model):
    with pytest.raises(ShapeError, match="input 'x': array must be int8 of shape"):
        model.run([[1], [2, 3]])


def test_run_out_that_is_no_array_is_refused(model: Model, dense: Dense):
    with pytest.raises(ShapeError, match="output 'y': array must be int8 of shape .* not int64"):
        model.run(np.zeros(dense.x_shape(), np.int8), out=3)


def test_run_without_a_deadline_is_refused(model: Model, dense: Dense):
    x = np.zeros(dense.x_shape(), np.int8)
    with pytest.raises(DeviceError) as caught:
        model.run(x, timeout_s=float("nan"))
    assert str(caught.value) == (
        "accelerator: timeout_s must be a finite number of seconds, at least 0, not nan; "
        "give a long one where it does not matter"
    )
    np.testing.assert_array_equal(model.run(x), dense.reference(x))


def test_run_wrong_number_of_inputs_is_refused(model: Model):
    with pytest.raises(ShapeError, match=r"model 'net': inputs must be 1 \(x\), not 2"):
        model.run(np.zeros(1), np.zeros(1))


def test_run_read_only_out_is_refused(model: Model, dense: Dense, rng: np.random.Generator):
    out = np.empty(dense.y_shape(), np.int8)
    out.flags.writeable = False
    with pytest.raises(ShapeError, match="out must be a writable array"):
        model.run(image(dense, rng), out=out)


# ---- zero copy ---------------------------------------------------------------------------


def test_execute_works_in_the_buffers(model: Model, dense: Dense, rng: np.random.Generator):
    source, target = model.inputs[0], model.outputs[0]
    assert source.buffer.shape == source.stored_shape and hasattr(source.buffer, "device_address")
    for _ in range(3):
        x = image(dense, rng)
        source.buffer[...] = Layout.parse(source.layout).pack(x)
        model.execute()
        y = Layout.parse(target.layout).unpack(np.asarray(target.buffer), target.shape)
        np.testing.assert_array_equal(y, dense.reference(x))


def test_execute_buffers_of_the_caller_are_used(
    overlay: VtaOverlay, model: Model, dense: Dense, rng: np.random.Generator
):
    source, target = model.inputs[0], model.outputs[0]
    pairs = [
        (
            overlay.allocate(source.stored_shape, source.dtype),
            overlay.allocate(target.stored_shape, target.dtype),
        )
        for _ in range(2)
    ]
    for number in (0, 1, 0):
        mine, result = pairs[number]
        x = image(dense, rng)
        mine[...] = Layout.parse(source.layout).pack(x)
        source.buffer, target.buffer = mine, result
        assert source.buffer is mine
        model.execute()
        y = Layout.parse(target.layout).unpack(np.asarray(result), target.shape)
        np.testing.assert_array_equal(y, dense.reference(x))


def test_buffer_that_the_accelerator_cannot_use_is_refused(
    overlay: VtaOverlay, model: Model, dense: Dense, rng: np.random.Generator
):
    port = model.inputs[0]
    with pytest.raises(ShapeError, match="buffer must be int8 of shape .*not float32"):
        port.buffer = overlay.allocate(port.stored_shape, "f4")
    with pytest.raises(DeviceError, match="contiguous memory of the device, not ndarray; use over"):
        port.buffer = np.zeros(port.stored_shape, np.int8)
    double = overlay.allocate((2, *port.stored_shape), "i1")
    with pytest.raises(DeviceError, match="buffer must be whole, not a view"):
        port.buffer = double[1]
    x = image(dense, rng)
    np.testing.assert_array_equal(model.run(x), dense.reference(x))


# ---- many runs ---------------------------------------------------------------------------


def test_run_async_futures_give_the_results(model: Model, dense: Dense, rng: np.random.Generator):
    xs = [image(dense, rng) for _ in range(8)]
    futures = [model.run_async(x) for x in xs]
    for x, future in zip(xs, futures, strict=True):
        np.testing.assert_array_equal(future.result(DEADLINE_S), dense.reference(x))


def test_run_async_wrong_input_is_refused_at_once(model: Model):
    with pytest.raises(ShapeError):
        model.run_async(np.zeros(3))


def test_arun_lets_other_coroutines_run(model: Model, dense: Dense, rng: np.random.Generator):
    xs = [image(dense, rng) for _ in range(4)]

    async def main() -> list[object]:
        return await asyncio.wait_for(asyncio.gather(*map(model.arun, xs)), DEADLINE_S)

    for x, y in zip(xs, asyncio.run(main()), strict=True):
        np.testing.assert_array_equal(y, dense.reference(x))


def test_run_many_yields_in_order_and_takes_few_ahead(
    model: Model, dense: Dense, rng: np.random.Generator
):
    xs = [image(dense, rng) for _ in range(12)]
    taken: list[int] = []

    def source() -> Iterator[np.ndarray]:
        for number, x in enumerate(xs):
            taken.append(number)
            yield x

    for number, y in enumerate(model.run_many(source())):
        assert len(taken) <= number + model.depth + 2
        np.testing.assert_array_equal(y, dense.reference(xs[number]))
    assert len(taken) == len(xs)


def test_run_many_of_an_endless_iterable_can_be_left(
    model: Model, dense: Dense, rng: np.random.Generator
):
    x = image(dense, rng)

    def endless() -> Iterator[np.ndarray]:
        while True:
            yield x

    results = model.run_many(endless())
    for _ in range(3):
        np.testing.assert_array_equal(next(results), dense.reference(x))
    results.close()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(model.run(x), dense.reference(x))


def test_run_many_bad_item_ends_the_iteration(model: Model, dense: Dense, rng: np.random.Generator):
    x = image(dense, rng)
    results = model.run_many([x, np.zeros(1), x])
    with pytest.raises(ShapeError):
        list(results)
    np.testing.assert_array_equal(model.run(x), dense.reference(x))


def test_run_batch_splits_and_joins(model: Model, dense: Dense, rng: np.random.Generator):
    xs = np.concatenate([image(dense, rng) for _ in range(5)])
    batch = dense.config.batch
    parts = [dense.reference(xs[i : i + batch]) for i in range(0, len(xs), batch)]
    np.testing.assert_array_equal(model.run_batch(xs), np.concatenate(parts))


def test_run_batch_of_nothing_is_refused(model: Model, dense: Dense):
    with pytest.raises(ShapeError, match="equally many runs, at least 1, not"):
        model.run_batch(np.zeros((0, *dense.x_shape()[1:]), np.int8))


def test_run_from_many_threads(overlay: VtaOverlay, dense: Dense, rng: np.random.Generator):
    block = overlay.config.block
    other = Dense(random_weights(rng, block, block), config=overlay.config)
    models = [(overlay.load(vta_only(dense)), dense), (overlay.load(vta_only(other)), other)]
    work = [(models[n % 2], image(models[n % 2][1], rng)) for n in range(48)]
    wrong: list[int] = []

    def serve(part: list[int]) -> None:
        for number in part:
            (model, reference), x = work[number]
            if not np.array_equal(model.run(x), reference.reference(x)):
                wrong.append(number)

    threads = [
        threading.Thread(target=serve, args=(list(range(n, 48, 6)),), daemon=True) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    assert wrong == []
    for model, _ in models:
        model.close()


# ---- lifetime ----------------------------------------------------------------------------


def test_close_refuses_runs_afterwards(overlay: VtaOverlay, dense: Dense, rng: np.random.Generator):
    model = overlay.load(vta_only(dense))
    x = image(dense, rng)
    future = model.run_async(x)
    model.close()
    model.close()
    np.testing.assert_array_equal(future.result(0), dense.reference(x))
    for call in (model.run, model.run_async):
        with pytest.raises(DeviceError) as caught:
            call(x)
        assert str(caught.value) == "model 'net': it must be open, not closed; load it again"
    assert "closed" in repr(model)


def test_load_path_bytes_and_program_agree(
    overlay: VtaOverlay, dense: Dense, rng: np.random.Generator, tmp_path
):
    program = vta_only(dense)
    program.save(tmp_path / "net.vta")
    x = image(dense, rng)
    for source in (tmp_path / "net.vta", str(tmp_path / "net.vta"), program.to_bytes(), program):
        with overlay.load(source) as model:
            np.testing.assert_array_equal(model.run(x), dense.reference(x))
