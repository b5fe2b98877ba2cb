"""What each operator of an ONNX model takes on this machine's processor, by onnxruntime."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import CompileError

__all__ = ["operator_times"]

_SEED = 7
_DTYPES: Mapping[str, npt.DTypeLike] = {
    "tensor(float)": np.float32,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
}


def operator_times(
    model: str | PathLike[str] | bytes,
    shapes: Mapping[str, Sequence[int] | int] | None = None,
    repeat: int = 5,
) -> tuple[dict[str, float], str]:
    """Seconds of each kind of operator in one run, and how they were measured.

    onnxruntime runs the model on one thread, with its optimisations on, on seeded random inputs.
    The first run does not count; of each node the fastest of the others does, because other
    programs only ever slow a run down.

    Parameters
    ----------
    model
        Path or bytes of the model, such as the quantised one.
    shapes
        What fixes dynamic shapes, as for `compile_model`: by the name of an input or of a
        dimension. Other dynamic dimensions are 1.
    repeat
        Runs that count.

    Raises
    ------
    CompileError
        onnxruntime does not take the model, or an input has a type that nobody could fill.
    """
    import onnxruntime

    if repeat < 1:
        raise CompileError(f"option repeat: value must be at least 1, not {repeat}")
    source = bytes(model) if isinstance(model, bytes) else str(Path(model))
    where = "model" if isinstance(source, bytes) else f"model {source}"
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        try:
            session = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"]
            )
            inputs = _inputs(session, shapes or {}, where)
            for _ in range(repeat + 1):
                session.run(None, inputs)
        except CompileError:
            raise
        except Exception as error:  # onnxruntime raises its own, without a common base
            raise CompileError(
                f"{where}: onnxruntime must be able to run it: {str(error)[:200]}; check the model"
            ) from None
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    how = f"measured, onnxruntime {onnxruntime.__version__} on 1 thread, fastest of {repeat} runs"
    return _by_operator(events, repeat), how


def _inputs(
    session: Any, shapes: Mapping[str, Sequence[int] | int], where: str
) -> dict[str, npt.NDArray[Any]]:
    random = np.random.default_rng(_SEED)
    found = {}
    for port in session.get_inputs():
        if port.type not in _DTYPES:
            raise CompileError(
                f"{where}: input {port.name} must be one of {', '.join(_DTYPES)}, not {port.type}; "
                "give times that were measured elsewhere"
            )
        given = shapes.get(port.name)
        if given is None or isinstance(given, int):
            fixed = [shapes.get(d, 1) if isinstance(d, str) else d or 1 for d in port.shape]
            given = [d if isinstance(d, int) else 1 for d in fixed]
        dtype = np.dtype(_DTYPES[port.type])
        if dtype.kind == "f":
            found[port.name] = random.uniform(-1, 1, tuple(given)).astype(dtype)
        else:
            limits = np.iinfo(dtype.str)
            values = random.integers(limits.min, limits.max + 1, tuple(given))
            found[port.name] = values.astype(dtype)
    return found


def _by_operator(events: Sequence[Mapping[str, Any]], repeat: int) -> dict[str, float]:
    """Sums of the fastest; each node has an event for each run, in order."""
    by_node: dict[tuple[str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            key = (event["args"]["op_name"], event["name"])
            by_node.setdefault(key, []).append(event["dur"] / 1e6)
    seconds: dict[str, float] = {}
    for (op, _), times in by_node.items():
        counted = times[-repeat:] if len(times) > repeat else times
        seconds[op] = seconds.get(op, 0.0) + min(counted)
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))
