"""Overlays: what they are, where they come from, and loading them.

`VtaOverlay` is imported on first use, because it imports pynq.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vta_pynq.overlay.vta_overlay import VtaOverlay

__all__ = ["VtaOverlay"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from vta_pynq.overlay.vta_overlay import VtaOverlay

        return VtaOverlay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
