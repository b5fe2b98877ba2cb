"""Drivers of the accelerator's blocks, and of the accelerator that they make up.

Importing this package binds the drivers to the blocks' VLNVs, so it imports pynq.
"""

from vta_pynq.drivers.accelerator import Accelerator
from vta_pynq.drivers.blocks import (
    BlockDriver,
    ComputeDriver,
    ControlStatus,
    FetchDriver,
    LoadDriver,
    StoreDriver,
)
from vta_pynq.drivers.control import (
    ControlDriver,
    HardwareCounters,
    HardwareIdentity,
    HardwareState,
    ModuleCounters,
)
from vta_pynq.drivers.drain import drain_stream

__all__ = [
    "Accelerator",
    "BlockDriver",
    "ComputeDriver",
    "ControlDriver",
    "ControlStatus",
    "FetchDriver",
    "HardwareCounters",
    "HardwareIdentity",
    "HardwareState",
    "LoadDriver",
    "ModuleCounters",
    "StoreDriver",
    "drain_stream",
]
