"""VTA on PYNQ: configuration, instruction set, driver and runtime, and the simulated device.

Importing this package loads neither pynq nor numpy; a name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vta_pynq.config import HwConfig as HwConfig
    from vta_pynq.kernel import KernelBuilder as KernelBuilder
    from vta_pynq.overlay import VtaOverlay as VtaOverlay
    from vta_pynq.program import Program as Program

__version__ = "0.1.0"

__all__ = ["HwConfig", "KernelBuilder", "Program", "VtaOverlay", "__version__"]

_HOMES = {
    "HwConfig": "vta_pynq.config",
    "KernelBuilder": "vta_pynq.kernel",
    "Program": "vta_pynq.program",
    "VtaOverlay": "vta_pynq.overlay",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
