"""VtaOverlay: a `pynq.Overlay` that knows its accelerator."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

import numpy.typing as npt
import pynq

from vta_pynq.config import HwConfig
from vta_pynq.drivers.accelerator import Accelerator
from vta_pynq.drivers.blocks import ComputeDriver, FetchDriver, LoadDriver, StoreDriver
from vta_pynq.drivers.control import ControlDriver
from vta_pynq.drivers.registers import RegisterDriver
from vta_pynq.errors import ConfigError, DeviceError
from vta_pynq.overlay import buffers
from vta_pynq.overlay.devices import board_of, choose_device, is_simulated
from vta_pynq.overlay.identity import Identity, check_hardware, read_identity
from vta_pynq.overlay.locate import locate
from vta_pynq.overlay.lock import LogicLock, default_lock_file
from vta_pynq.overlay.stall import explain_stall

if TYPE_CHECKING:
    from vta_pynq.kernel import Kernel
    from vta_pynq.program import Program
    from vta_pynq.runtime.model import Model

__all__ = ["VtaOverlay"]


class VtaOverlay(pynq.Overlay):  # type: ignore[misc]  # pynq has no types
    """A loaded bitstream with an accelerator in it, on a board or on the simulator.

    Parameters
    ----------
    name
        A `.bit` file, a variant's name or a configuration's name; see `vta overlays list`.
    device
        A pynq device, `"board"`, `"sim"` or `"csim"`; without it VTA_DEVICE decides, and without
        that a board is taken where there is one, the simulator otherwise.
    download
        False attaches to logic that this bitstream was already downloaded to.
    lock_timeout_s
        How long to wait for another process to give the logic up.

    Attributes
    ----------
    config
        The accelerator's configuration.
    identity
        Design, configuration, profile and variant.
    accelerator
        Runs streams.

    Raises
    ------
    ConfigError
        The name means nothing here, the bitstream's configuration cannot be told, or its .hwh
        file is damaged.
    IdentityError
        The bitstream's metadata contradict each other, or the identity register of the hardware.
    DeviceError
        Another process holds the logic, or the design has no accelerator.
    """

    config: HwConfig
    identity: Identity
    accelerator: Accelerator

    def __init__(
        self,
        name: str | os.PathLike[str],
        *,
        device: Any = None,
        download: bool = True,
        lock_timeout_s: float = 0.0,
    ) -> None:
        chosen = choose_device(device)
        board = board_of(chosen)
        simulated = is_simulated(chosen)
        located = locate(name, board, simulated=simulated)
        # Set before pynq's constructor: its __getattr__ is of no use until it has run.
        self._lock = self._take_lock(chosen, lock_timeout_s)
        self._cleanup = weakref.finalize(self, _clean_up, located, self._lock)
        try:
            super().__init__(str(located.bitfile), download=download, device=chosen)
            self._attach(located.bitfile)
        except ParseError as error:
            self._cleanup()
            raise ConfigError(
                f"{located.bitfile.with_suffix('.hwh')}: must be the XML that Vivado wrote: "
                f"{error}; restore the file"
            ) from None
        except BaseException:
            self._cleanup()
            raise

    @staticmethod
    def _take_lock(device: Any, timeout_s: float) -> LogicLock | None:
        """Devices of ours say what locks them: a simulated one is its process's own, and a remote
        one has a session."""
        path = device.lock_file if hasattr(device, "lock_file") else default_lock_file()
        return None if path is None else LogicLock.acquire(path, timeout_s)

    def _attach(self, bitfile: Path) -> None:
        identity = read_identity(bitfile, self.ip_dict)
        if identity is None:
            raise DeviceError(
                f"overlay {bitfile}: the design must hold fetch, load, compute and store; load "
                "one that 'vta overlays list' shows"
            )
        self.identity = identity
        self.config = identity.config
        control = None if identity.design.control is None else self._driver(ControlDriver)
        if control is not None:
            check_hardware(identity, control.identity())
        self.accelerator = Accelerator(
            fetch=self._driver(FetchDriver),
            load=self._driver(LoadDriver),
            compute=self._driver(ComputeDriver),
            store=self._driver(StoreDriver),
            reset_logic=self._download_again,
            explain_stall=lambda words: explain_stall(words, identity.config, identity.profile),
            check_usable=self._check_usable,
            control=control,
        )

    def _driver(self, kind: type[RegisterDriver]) -> Any:
        """The driver object of the one block of a kind, wherever in the hierarchy it lies."""
        for name, entry in self.ip_dict.items():
            if entry.get("driver") is kind or entry["type"] in kind.bindto:
                found: Any = self
                for word in name.split("/"):
                    found = getattr(found, word)
                return found
        raise DeviceError(
            f"overlay {self.bitfile_name}: a block must be of type {' or '.join(kind.bindto)}, and "
            "none is; restore the .hwh file, or install the version of this package that knows it"
        )

    def _check_usable(self) -> None:
        if not self._cleanup.alive:
            raise DeviceError(
                f"overlay {self.identity}: must be open, but was closed; make a new VtaOverlay"
            )
        if not self.is_loaded():
            raise DeviceError(
                f"overlay {self.identity}: must be the one that is loaded, but another was "
                "loaded since; call download() or make a new VtaOverlay"
            )

    def _download_again(self) -> None:
        """The only reset that the published design has, and the last resort of any."""
        super().download()

    def download(self, dtbo: str | None = None) -> None:
        """Download the bitstream again; a running stream is lost."""
        super().download(dtbo)
        accelerator = self.__dict__.get("accelerator")
        if accelerator is not None:
            accelerator.prepare()

    def allocate(
        self, shape: int | tuple[int, ...], dtype: npt.DTypeLike = "u1", *, cacheable: bool = True
    ) -> Any:
        """A contiguous `PynqBuffer` on this overlay's device; see `vta_pynq.overlay.buffers`.

        Raises
        ------
        DeviceError
            There is no contiguous memory of that size.
        """
        return buffers.allocate(self.device, shape, dtype, cacheable=cacheable)

    def load(
        self,
        source: str | os.PathLike[str] | bytes | Program,
        *,
        depth: int = 2,
        verify: bool = True,
    ) -> Model:
        """Make a program resident: check it, place it in contiguous memory, link it.

        Parameters
        ----------
        source
            A program file (path or bytes), or a `Program`.
        depth
            The most runs that may overlap; each has its own activations, allocated when first
            needed.
        verify
            Refuse instructions in which the linter finds errors on this hardware.

        Raises
        ------
        ProgramError
            The program is damaged, has an operator that is unknown, or would not run.
        IdentityError
            It is for another configuration; the message names both.
        DeviceError
            There is not enough contiguous memory.
        """
        from vta_pynq.runtime.loader import load

        return load(self, source, depth=depth, verify=verify)

    def run_kernel(
        self,
        kernel: Kernel,
        arrays: Mapping[str, npt.NDArray[Any]],
        timeout_s: float = 10.0,
    ) -> dict[str, npt.NDArray[Any]]:
        """Run a kernel of `KernelBuilder` once; the buffers that it stores to, by name.

        Parameters
        ----------
        arrays
            Content of the kernel's buffers by name, any dtype and shape with the right number of
            bytes. Buffers with initial data, and those that are only stored to, may be left out.
            A buffer of `allocate` is used in place, without a copy.
        timeout_s
            Deadline for each submission, in seconds.

        Returns
        -------
        results
            Of shape (elements, batch, block) in the width of the buffer's memory type.

        Raises
        ------
        IdentityError
            The kernel was built for another configuration.
        ShapeError
            An array has a wrong size, an unknown name, or is missing.
        DeviceTimeout
            A submission did not end in time; the logic has been reset.
        """
        from vta_pynq.runtime.kernels import run_kernel

        return run_kernel(self, kernel, arrays, timeout_s)

    def close(self) -> None:
        """Give up the logic's lock; the overlay must not be used afterwards."""
        self._cleanup()

    def free(self) -> None:
        """PYNQ's `free`, and `close`."""
        super().free()
        self.close()

    def __enter__(self) -> VtaOverlay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _clean_up(located: Any, lock: LogicLock | None) -> None:
    located.close()
    if lock is not None:
        lock.release()
