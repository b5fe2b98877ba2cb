"""What `vta profile` and `vta roofline` ask the compiler for, through entry points.

`vta_pynq` never imports this package; it looks these functions up in the group
`vta_pynq.host_tools`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from host_compiler.cli.compile import parse_shapes
from vta_pynq.program import Program
from vta_pynq.timing.profiles import DEFAULT_PROFILE

__all__ = ["compile_file", "time_operators"]


def compile_file(
    path: str, shapes: Sequence[str], target: str | None, config: str | None = None
) -> Program:
    """Compile a quantised ONNX file; `shapes` are the texts of `--shape`.

    `target` names the hardware profile, `config` the configuration; the published builds' by
    default.

    Raises
    ------
    CompileError
        The model is damaged or not supported, or a shape has another form.
    """
    from host_compiler.compile import compile_model

    return compile_model(
        path, config, target or DEFAULT_PROFILE, parse_shapes(shapes), progress=True
    )


def time_operators(path: str, shapes: Sequence[str], repeat: int) -> tuple[dict[str, float], str]:
    """Seconds by operator on this machine's processor, and how they were measured.

    Raises
    ------
    CompileError
        onnxruntime does not take the model, or a shape has another form.
    """
    from host_compiler.onnx_times import operator_times

    return operator_times(Path(path), parse_shapes(shapes), repeat)
