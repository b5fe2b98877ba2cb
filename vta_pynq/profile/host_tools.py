"""What only a computer can do, injected by `host_compiler`: compiling and onnxruntime's times.

This package never imports it: tools are found by their entry points.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vta_pynq.conformance import is_case, load_case
from vta_pynq.errors import ConfigError
from vta_pynq.profile.operators import OperatorTimes, machine_name
from vta_pynq.profile.run import Source
from vta_pynq.program import Program

__all__ = ["TOOL_GROUP", "host_tool", "is_onnx", "load_source", "onnx_operator_times"]

TOOL_GROUP = "vta_pynq.host_tools"
"""Entry-point group of the tools."""


def host_tool(name: str, why: str) -> Callable[..., Any]:
    """The tool of that name; `why` says in errors what it is wanted for.

    Raises
    ------
    ConfigError
        It is not installed, or cannot be loaded.
    """
    for entry in importlib.metadata.entry_points(group=TOOL_GROUP, name=name):
        try:
            tool: Callable[..., Any] = entry.load()
        except ImportError as error:
            raise ConfigError(
                f"{why}: host_compiler must be whole, but lacks something ({error}); run "
                "pip install 'vta-pynq[compiler]' on a computer"
            ) from None
        return tool
    raise ConfigError(
        f"{why}: host_compiler must be installed, and is not; do this on a computer, after "
        "pip install 'vta-pynq[compiler]'"
    )


def is_onnx(path: str) -> bool:
    """Whether a file is a model that is still to be compiled, by its name."""
    return Path(path).suffix == ".onnx"


def load_source(path: str, shapes: Sequence[str] = (), target: str | None = None) -> Source:
    """What `vta profile` is given: a program file, a conformance case, or a model to compile.

    Parameters
    ----------
    shapes, target
        For a model: the texts of `--shape`, and the hardware profile to compile for.

    Raises
    ------
    VtaError
        It is not readable, or cannot be compiled.
    """
    if is_case(path):
        return load_case(path).stream
    if not is_onnx(path):
        return Program.load(path)
    program: Program = host_tool("compile_file", f"compiling {path}")(path, shapes, target)
    return program


def onnx_operator_times(path: str, shapes: Sequence[str] = (), repeat: int = 10) -> OperatorTimes:
    """Time of an ONNX model on this machine's processor alone, by operator, with onnxruntime.

    Raises
    ------
    VtaError
        `host_compiler` or onnxruntime is not installed, or the model does not run.
    """
    seconds, how = host_tool("time_operators", f"timing {path}")(path, shapes, repeat)
    return OperatorTimes(seconds, machine_name(), f"{Path(path).name}, {how}")
