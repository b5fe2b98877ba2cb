"""The runtime: loading programs onto a device, and running them. See docs/runtime.md.

Names are loaded when they are first used: the runtime imports pynq.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vta_pynq.runtime.kernels import run_kernel as run_kernel
    from vta_pynq.runtime.loader import load as load
    from vta_pynq.runtime.model import Model as Model
    from vta_pynq.runtime.ports import Port as Port

__all__ = ["Model", "Port", "load", "run_kernel"]

_HOMES = {
    "Model": "vta_pynq.runtime.model",
    "Port": "vta_pynq.runtime.ports",
    "load": "vta_pynq.runtime.loader",
    "run_kernel": "vta_pynq.runtime.kernels",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
