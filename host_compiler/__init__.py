"""Ahead-of-time compiler: a quantised ONNX model in, a VTA program file out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from host_compiler.compile import compile_model
    from host_compiler.quantize import quantize_model

__all__ = ["compile_model", "quantize_model"]

_HOMES = {"compile_model": "host_compiler.compile", "quantize_model": "host_compiler.quantize"}


def __getattr__(name: str) -> Any:
    """Import what is asked for: onnx and onnxruntime are slow to load."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
