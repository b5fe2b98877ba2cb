"""Choosing the device: a board, the simulator, or what `VTA_DEVICE` says."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vta_pynq.errors import ConfigError, DeviceError
from vta_pynq.overlay.descriptions import Board, boards

__all__ = ["DEVICE_VARIABLE", "board_of", "choose_device", "is_simulated", "runs_design"]

DEVICE_VARIABLE = "VTA_DEVICE"
"""Environment variable that decides where no device is passed."""

_WORDS = "board, sim, csim, grpc://HOST[:PORT]"
_BOARD_FILE = Path("/proc/device-tree/chosen/pynq_board")


def is_simulated(device: Any) -> bool:
    """Whether `device` is a simulated one, which takes designs that were never built: here, or
    behind a server that says so."""
    from vta_pynq.sim.device import SimDevice

    return isinstance(device, SimDevice) or bool(getattr(device, "simulated", False))


def runs_design(device: Any) -> bool:
    """Whether `device` simulates the HLS design itself, which is slow."""
    from vta_pynq.sim.device import SimDevice
    from vta_pynq.sim.engines import DesignEngine

    return isinstance(device, SimDevice) and device.runs(DesignEngine)


def board_of(device: Any) -> Board:
    """The description of the board that a device is.

    PYNQ's own device may be called `edge` whatever the board (it asks XRT), so the name that the
    image keeps for the board is looked at as well.

    Raises
    ------
    ConfigError
        There is none.
    """
    names = [str(getattr(device, "name", "")), *_board_names()]
    for name in names:
        for board in boards():
            if board.is_called(name):
                return board
    known = ", ".join(board.name for board in boards())
    found = " or ".join(repr(name) for name in names if name)
    raise ConfigError(
        f"device: board must be one of {known}, not {found or 'unknown'}; set BOARD to its name"
    )


def _board_names() -> Iterator[str]:
    """What the PYNQ image says about the board that this is."""
    with contextlib.suppress(OSError, ValueError):
        # The device tree ends strings with a zero byte.
        yield _BOARD_FILE.read_text(encoding="ascii").rstrip("\0").strip()
    yield os.environ.get("BOARD", "")


def _board_device() -> Any:
    """The first device that is not simulated."""
    from pynq import Device

    for device in Device.devices:
        if not is_simulated(device):
            return device
    raise DeviceError(
        "device 'board': a PYNQ device must be present, not missing; run this on a board, as root, "
        "or choose VTA_DEVICE=sim"
    )


_REMOTE: dict[str, Any] = {}


def _remote_device(url: str) -> Any:
    """The device of a server: one connection for each address, as long as it works."""
    try:
        from vta_pynq.remote.client import RemoteDevice
    except ImportError as error:
        raise DeviceError(
            f"device {url}: pynq 3.1 or later and grpcio must be installed, not missing ({error}); "
            "run pip install 'vta-pynq[remote]' and upgrade pynq"
        ) from None
    device = _REMOTE.get(url)
    if device is None or not device.alive:
        device = _REMOTE[url] = RemoteDevice(url)
    return device


def _check_device(device: Any) -> None:
    from pynq import Device

    if not isinstance(device, Device):
        raise ConfigError(
            f"device: must be a pynq device or one of {_WORDS}, not {device!r}; "
            "leave it out to take what there is"
        )


def choose_device(device: Any = None) -> Any:
    """The pynq device that `device` means.

    `device` is a pynq device, one of the words that VTA_DEVICE takes (`board`, `sim`, or `csim`:
    the simulator with the HLS design as its engine), or None: then VTA_DEVICE decides, and
    without it pynq's active device is taken, which is a board where there is one and the
    simulator otherwise.

    Raises
    ------
    ConfigError
        The word is unknown, or means a device that this installation does not have.
    DeviceError
        A board is asked for where there is none.
    """
    where = "device"
    if device is None:
        device = os.environ.get(DEVICE_VARIABLE) or None
        where = DEVICE_VARIABLE
    if device is not None and not isinstance(device, str):
        _check_device(device)
        return device
    # Imported for its registration with pynq, which must come before pynq looks for devices.
    from vta_pynq.sim import device as simulator

    if device is None:
        from pynq import Device

        if not Device.devices:
            simulator.activate()
        return Device.active_device
    if device == "board":
        return _board_device()
    if device == "sim":
        return simulator.activate()
    if device == "csim":
        from vta_pynq.sim.engines import DesignEngine

        return simulator.activate(engine=DesignEngine)
    if device.startswith("grpc://"):
        return _remote_device(device)
    raise ConfigError(
        f"{where}: must be one of {_WORDS}, not {device!r}; leave it out to take what there is"
    )
