"""Model: a program that is resident on a device and can be run."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import threading
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import DeviceError, ShapeError
from vta_pynq.runtime.context import Context, Loaded
from vta_pynq.runtime.fair import FairPool
from vta_pynq.runtime.ports import Port, split_batch

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay
    from vta_pynq.program import Program

__all__ = ["DEFAULT_TIMEOUT_S", "Model", "Result"]

DEFAULT_TIMEOUT_S = 10.0
"""Far more than a step takes; the simulator's host may be busy."""

Array = npt.NDArray[Any]
Result = Array | tuple[Array, ...]
"""One array, or a tuple where a model has several outputs."""


class Model:
    """A resident program; `VtaOverlay.load` makes it. Every method may be called by any thread.

    Results are the caller's own arrays unless `execute` is used. Runs are served in the order of
    their calls; the accelerator goes from one to the next without loading anything.

    Attributes
    ----------
    program
        What was loaded.
    overlay
        Where it runs.
    name
        The model's name.
    inputs, outputs
        Descriptions in the model's order.
    depth
        The most runs that may be under way at a time, each with activations of its own.
    """

    def __init__(self, overlay: VtaOverlay, program: Program, loaded: Loaded, depth: int) -> None:
        self.program = program
        self.overlay = overlay
        self.name = program.model
        self.depth = depth
        self.inputs = tuple(Port(self, t, "input") for t in program.input_tensors)
        self.outputs = tuple(Port(self, t, "output") for t in program.output_tensors)
        self._guard = threading.Lock()
        self._workers: concurrent.futures.ThreadPoolExecutor | None = None
        self._contexts = FairPool(
            Context(loaded), lambda: Context(loaded), depth, f"model '{self.name}'"
        )

    # ---- one run -------------------------------------------------------------------------

    def run(
        self,
        *inputs: npt.ArrayLike,
        out: Array | Sequence[Array] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Result:
        """Run the model once and return its outputs: one array, or a tuple of several.

        Parameters
        ----------
        inputs
            One array per model input, in the order of `self.inputs`, of exactly the shape and
            dtype given there.
        out
            Arrays for the results, of the shapes and dtypes of `self.outputs`; these are
            returned then.
        timeout_s
            Deadline for each accelerator step, in seconds from its start.

        Raises
        ------
        ShapeError
            An array differs from its description; nothing was run.
        DeviceTimeout
            A step did not finish in time; the device has been reset and may be used again.
        VtaError
            The device or an operator failed; the model may be used again.
        """
        return self._run(self._checked_inputs(inputs), self._checked_outputs(out), timeout_s)

    def _run(
        self,
        arrays: list[Array],
        results: list[Array],
        timeout_s: float,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> Result:
        with self._contexts.lend() as context:
            context.run(arrays, results, timeout_s, loop=loop)
        return results[0] if len(results) == 1 else tuple(results)

    def time_steps(
        self, *inputs: npt.ArrayLike, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> tuple[float, ...]:
        """Run the model once and return the seconds of each step of its program, in order.

        They are measured by this machine's clock, with the cache maintenance around each step;
        for accelerator steps from the start until the processor sees the end.

        Raises
        ------
        VtaError
            As for `run`.
        """
        arrays = self._checked_inputs(inputs)
        results = self._checked_outputs(None)
        seconds: list[float] = []
        with self._contexts.lend() as context:
            context.run(arrays, results, timeout_s, seconds)
        return tuple(seconds)

    def execute(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Run once on what lies in `inputs[i].buffer`, leaving results in `outputs[i].buffer`.

        Nothing is copied. The buffers are the caller's until then: other threads must call
        neither `execute` nor, with `depth` 1, `run`.

        Raises
        ------
        VtaError
            As for `run`.
        """
        with self._contexts.lend(0) as context:
            context.run([None] * len(self.inputs), [None] * len(self.outputs), timeout_s)

    def run_async(
        self, *inputs: npt.ArrayLike, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> concurrent.futures.Future[Result]:
        """Start a run and return a future of what `run` returns.

        The inputs must stay as they are until it is done. While one run uses the accelerator,
        another does its CPU steps (`depth` runs at a time); further ones wait in order.

        Raises
        ------
        ShapeError
            An array differs from its description.
        DeviceError
            The model is closed.
        """
        arrays = self._checked_inputs(inputs)
        return self._pool().submit(self.run, *arrays, timeout_s=timeout_s)

    async def arun(self, *inputs: npt.ArrayLike, timeout_s: float = DEFAULT_TIMEOUT_S) -> Result:
        """Like `run`, letting other coroutines run meanwhile.

        Where the design has an interrupt, the end of an accelerator step is not polled: this
        event loop waits for it. A cancelled run that has begun goes on in the background to its
        end.
        """
        arrays, results = self._checked_inputs(inputs), self._checked_outputs(None)
        loop = asyncio.get_running_loop()
        future = self._pool().submit(self._run, arrays, results, timeout_s, loop)
        return await asyncio.wrap_future(future)

    # ---- many runs -----------------------------------------------------------------------

    def run_many(
        self,
        inputs: Iterable[npt.ArrayLike | tuple[npt.ArrayLike, ...]],
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Iterator[Result]:
        """Run once per item and yield the results in order, CPU and accelerator steps overlapped.

        An item is what `run` takes: an array, or a tuple of them where there are several inputs.
        At most `depth` + 1 items are taken ahead of the result that is yielded, so `inputs` may
        be endless. An error ends the iteration; what was started is waited for.
        """
        pending: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
        try:
            for item in inputs:
                arrays = item if isinstance(item, tuple) else (item,)
                pending.append(self.run_async(*arrays, timeout_s=timeout_s))
                if len(pending) > self.depth:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
            concurrent.futures.wait(pending)

    def run_batch(self, *inputs: npt.ArrayLike, timeout_s: float = DEFAULT_TIMEOUT_S) -> Result:
        """Run on arrays whose first axis is a multiple of the model's, and join the results.

        Raises
        ------
        ShapeError
            The inputs do not split into equally many runs, or an output has no first axis.
        VtaError
            As for `run`.
        """
        self._check_count(len(inputs))
        parts = split_batch(self.inputs, self.outputs, inputs)
        found = [
            result if isinstance(result, tuple) else (result,)
            for result in self.run_many(parts, timeout_s)
        ]
        joined = tuple(np.concatenate(column) for column in zip(*found, strict=True))
        return joined[0] if len(joined) == 1 else joined

    # ---- arrays --------------------------------------------------------------------------

    def _check_count(self, count: int) -> None:
        if count != len(self.inputs):
            names = ", ".join(port.name for port in self.inputs)
            raise ShapeError(
                f"model '{self.name}': inputs must be {len(self.inputs)} ({names}), not {count}"
            )

    def _checked_inputs(self, inputs: Sequence[Any]) -> list[Array]:
        self._check_count(len(inputs))
        return [port.checked(value) for port, value in zip(self.inputs, inputs, strict=True)]

    def _checked_outputs(self, out: Array | Sequence[Array] | None) -> list[Array]:
        if out is None:
            return [np.empty(port.shape, port.dtype) for port in self.outputs]
        given: list[Any] = list(out) if isinstance(out, (list, tuple)) else [out]
        if len(given) != len(self.outputs):
            raise ShapeError(
                f"model '{self.name}': out must be {len(self.outputs)} arrays, not {len(given)}"
            )
        for port, array in zip(self.outputs, given, strict=True):
            port.checked(array)
            if not isinstance(array, np.ndarray) or not array.flags.writeable:
                raise ShapeError(f"{port.where}: out must be a writable array")
        return given

    def _port_buffer(self, name: str) -> Any:
        with self._contexts.lend(0) as context:
            return context.buffer(name)

    def _bind_port(self, name: str, buffer: Any, where: str) -> None:
        with self._contexts.lend(0) as context:
            context.bind(name, buffer, where)

    # ---- lifetime ------------------------------------------------------------------------

    def _pool(self) -> concurrent.futures.ThreadPoolExecutor:
        with self._guard:
            if self._contexts.closed:
                raise DeviceError(
                    f"model '{self.name}': it must be open, not closed; load it again"
                )
            if self._workers is None:
                self._workers = concurrent.futures.ThreadPoolExecutor(
                    self.depth, thread_name_prefix=f"vta-{self.name}"
                )
            return self._workers

    def close(self) -> None:
        """Wait for runs that were started, then give the memory back; calling it twice is fine.

        Buffers that the caller still refers to stay valid until he drops them.
        """
        with self._guard:
            workers, self._workers = self._workers, None
        if workers is not None:
            workers.shutdown(wait=True)
        self._contexts.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._contexts.closed

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"on {self.overlay.device.name}"
        return f"<Model {self.name} {state}: {list(self.inputs)} -> {list(self.outputs)}>"
