"""Choosing the device: a board, the simulator, or what `VTA_DEVICE` says."""

from __future__ import annotations

import os
from typing import Any

from vta_pynq.errors import ConfigError, DeviceError
from vta_pynq.overlay.descriptions import Board, get_board

__all__ = ["DEVICE_VARIABLE", "board_of", "choose_device", "is_simulated"]

DEVICE_VARIABLE = "VTA_DEVICE"
"""Environment variable that decides where no device is passed."""

_WORDS = "board, sim"


def is_simulated(device: Any) -> bool:
    """Whether `device` is a simulated one, which takes designs that were never built."""
    from vta_pynq.sim.device import SimDevice

    return isinstance(device, SimDevice)


def board_of(device: Any) -> Board:
    """The description of the board that a device is, by the device's name.

    Raises
    ------
    ConfigError
        There is none.
    """
    return get_board(str(getattr(device, "name", type(device).__name__)))


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


def choose_device(device: Any = None) -> Any:
    """The pynq device that `device` means.

    `device` is a pynq device, one of the words that VTA_DEVICE takes (`board`, `sim`), or None:
    then VTA_DEVICE decides, and without it pynq's active device is taken, which is a board where
    there is one and the simulator otherwise.

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
    if device == "csim" or device.startswith("grpc://"):
        raise ConfigError(
            f"{where}: {device!r} is not available in this installation; use one of {_WORDS}"
        )
    raise ConfigError(f"{where}: must be one of {_WORDS}, not {device!r}")
