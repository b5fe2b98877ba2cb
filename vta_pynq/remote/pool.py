"""A pool of boards or simulators: Dask workers that each have a device, and batches over them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import DeviceError, VtaError
from vta_pynq.program import Program

if TYPE_CHECKING:
    from vta_pynq.overlay import VtaOverlay
    from vta_pynq.runtime.model import Model

__all__ = ["RESOURCE", "Pool", "local_pool"]

RESOURCE = "vta"
"""Workers have one of it, and every task takes it: one at a time for each device."""
CHUNK = 16
"""Runs of one task, by default: so many that a task's cost of about a millisecond hides."""
_TIMEOUT_S = 600.0
_STEP_TIMEOUT_S = 10.0
_RETRIES = 2
"""Of a task whose device failed; one whose worker died is redone without counting here."""

Array = npt.NDArray[Any]
Sample = Array | tuple[Array, ...]


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise DeviceError(
            f"pool: the package distributed must be installed, not missing ({error}); run pip "
            "install 'vta-pynq[pool]'"
        ) from None
    return distributed


class _Seat:
    """A worker's device, and the program that is loaded into it."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._overlay: tuple[str, VtaOverlay] | None = None
        self._model: tuple[str, Model] | None = None
        self._guard = threading.Lock()

    def run(
        self, data: bytes, overlay: str | None, samples: Sequence[Sample], timeout_s: float
    ) -> list[Any]:
        """One output for each sample."""
        with self._guard:
            try:
                model = self._load(data, overlay)
                return [
                    model.run(*(sample if isinstance(sample, tuple) else (sample,)),
                              timeout_s=timeout_s)
                    for sample in samples
                ]  # fmt: skip
            except DeviceError:
                self.close()  # the next attempt begins with a fresh overlay
                raise

    def _load(self, data: bytes, overlay: str | None) -> Model:
        digest = hashlib.sha256(data).hexdigest()
        if self._model is not None and self._model[0] == digest:
            return self._model[1]
        from vta_pynq.overlay import VtaOverlay

        program = Program.load(data)
        name = overlay or program.config.name
        if self._overlay is None or self._overlay[0] != name:
            self.close()
            self._overlay = name, self._stack.enter_context(VtaOverlay(name))
        elif self._model is not None:
            self._model[1].close()
        self._model = None
        model = self._overlay[1].load(program)
        self._stack.callback(model.close)
        self._model = digest, model
        return model

    def close(self) -> None:
        """Give the device up."""
        self._model = self._overlay = None
        self._stack.close()


_SEATS: dict[str, _Seat] = {}
_SEATS_GUARD = threading.Lock()


def _run_chunk(
    data: bytes, overlay: str | None, samples: Sequence[Sample], timeout_s: float
) -> list[Any]:
    """What a worker does."""
    worker = str(_distributed().get_worker().id)
    with _SEATS_GUARD:
        seat = _SEATS.setdefault(worker, _Seat())
    return seat.run(data, overlay, samples, timeout_s)


def _same(data: bytes) -> bytes:
    return data


@dataclasses.dataclass(frozen=True)
class _Chunk:
    first: int
    count: int


class Pool:
    """Devices behind a Dask scheduler.

    Every worker with the resource `vta` is a device: the one that its `VTA_DEVICE` names, a board
    where it runs on one, the simulator elsewhere. Workers may come and go; the work of one that is
    lost is done again by another.

    Parameters
    ----------
    client
        A `distributed.Client`, or the scheduler's address. Only the pool that made a client
        closes it.

    Raises
    ------
    DeviceError
        Dask distributed is not installed, or there is no scheduler at the address.
    """

    def __init__(self, client: Any) -> None:
        distributed = _distributed()
        self._mine = isinstance(client, str)
        if self._mine:
            try:
                client = distributed.Client(client, timeout=5, set_as_default=False)
            except (OSError, ValueError) as error:
                raise DeviceError(
                    f"pool: scheduler must answer at {client}, and does not ({error}); run 'dask "
                    "scheduler' there"
                ) from None
        self.client = client

    @property
    def devices(self) -> list[str]:
        """Addresses of the workers that have a device."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        return sorted(a for a, about in workers.items() if about["resources"].get(RESOURCE))

    def wait_for(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until so many devices are there.

        Raises
        ------
        DeviceError
            There are fewer after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        changed = threading.Event()
        while len(self.devices) < count:
            if time.monotonic() >= deadline:
                raise DeviceError(
                    f"pool: workers with the resource {RESOURCE} must be {count}, not "
                    f"{len(self.devices)} after {timeout_s:g} s; run 'dask worker ADDRESS "
                    f"--nthreads 1 --resources {RESOURCE}=1' on each board"
                )
            changed.wait(min(0.1, timeout_s))

    def run(
        self,
        program: Program,
        samples: Sequence[Sample],
        *,
        chunk: int = CHUNK,
        overlay: str | None = None,
        timeout_s: float = _TIMEOUT_S,
        step_timeout_s: float = _STEP_TIMEOUT_S,
        done: Callable[[int], object] | None = None,
    ) -> list[Any]:
        """Run a program once on each sample.

        Parameters
        ----------
        samples
            What `Model.run` takes: an array, or a tuple of one for each input.
        chunk
            Samples of one task. Its task is named after the model, so Dask's dashboard shows how
            far each model is.
        overlay
            Overlay that workers load; by default that of the program's configuration.
        timeout_s
            Deadline of all of it.
        step_timeout_s
            Deadline of each accelerator step.
        done
            Is called with the number of samples that are done, as it grows.

        Returns
        -------
        list
            What `Model.run` gives for each sample, in their order.

        Raises
        ------
        VtaError
            What a worker raised: a program or sample that does not fit, a device that failed
            three times.
        DeviceError
            There is no device, the deadline passed, or a task took several workers down with it.
        """
        if chunk < 1:
            raise DeviceError(f"pool: chunk must be at least 1, not {chunk}; leave it out")
        self.wait_for(1)
        name = re.sub(r"\W+", "_", f"vta_{program.model or 'program'}")
        # One copy for the whole run; should the workers that have it be lost, it is sent again.
        data = self.client.submit(
            _same, program.to_bytes(), key=f"{name}_load-{uuid.uuid4().hex}", retries=_RETRIES
        )
        futures = {}
        for first in range(0, len(samples), chunk):
            part = list(samples[first : first + chunk])
            future = self.client.submit(
                _run_chunk, data, overlay, part, step_timeout_s,
                key=f"{name}-{uuid.uuid4().hex}", resources={RESOURCE: 1}, retries=_RETRIES,
            )  # fmt: skip
            futures[future] = _Chunk(first, len(part))
        try:
            return self._gather(futures, len(samples), timeout_s, done or (lambda _: None))
        finally:
            self.client.cancel([*futures, data])

    def _gather(
        self,
        futures: dict[Any, _Chunk],
        count: int,
        timeout_s: float,
        done: Callable[[int], object],
    ) -> list[Any]:
        distributed = _distributed()
        outputs: list[Any] = [None] * count
        finished = 0
        try:
            for future in distributed.as_completed(
                list(futures), loop=self.client.loop, timeout=timeout_s
            ):
                chunk = futures[future]
                outputs[chunk.first : chunk.first + chunk.count] = future.result(timeout=timeout_s)
                finished += chunk.count
                done(finished)
        except VtaError:
            raise
        except TimeoutError:
            raise DeviceError(
                f"pool: batch must be done within {timeout_s:g} s, not {finished} of {count} "
                f"samples with {len(self.devices)} devices; look at Dask's dashboard, or give more "
                "time with timeout_s"
            ) from None
        except distributed.KilledWorker as error:
            raise DeviceError(
                f"pool: workers must survive a task, and several did not ({error}); read their logs"
            ) from None
        return outputs

    def run_array(self, program: Program, x: Array, **options: Any) -> Array:
        """Run a program of one input and one output on a whole array.

        Parameters
        ----------
        x
            Samples along axis 0, whose number need not be a multiple of the program's batch.
        options
            As `run` takes them.

        Returns
        -------
        ndarray
            The outputs along axis 0, one for each sample of `x`.
        """
        (tensor,) = program.input_tensors
        batch = tensor.shape[0]
        missing = -len(x) % batch
        padded = np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else x
        samples = [padded[first : first + batch] for first in range(0, len(padded), batch)]
        outputs: Array = np.concatenate(self.run(program, samples, **options))
        return outputs[: len(x)]

    def close(self) -> None:
        """Leave the scheduler, if this pool joined it."""
        if self._mine:
            self.client.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextlib.contextmanager
def local_pool(count: int, device: str = "sim", dashboard: str = "127.0.0.1:0") -> Iterator[Pool]:
    """`with local_pool(4) as pool:` a scheduler and workers on this machine, for as long.

    Parameters
    ----------
    count
        Worker processes.
    device
        `VTA_DEVICE` of each.
    dashboard
        Address of Dask's dashboard, such as `"127.0.0.1:8787"`; by default on any free port. Its
        pages need bokeh.
    """
    distributed = _distributed()
    cluster = distributed.LocalCluster(
        n_workers=count, threads_per_worker=1, processes=True, host="127.0.0.1",
        resources={RESOURCE: 1}, dashboard_address=dashboard, env={"VTA_DEVICE": device},
    )  # fmt: skip
    with cluster, distributed.Client(cluster, set_as_default=False) as client, Pool(client) as pool:
        pool.wait_for(count)
        yield pool
