"""Inputs and outputs of a loaded model: what they are, and their memory for zero-copy use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ShapeError
from vta_pynq.program import Quantization, Tensor

if TYPE_CHECKING:
    from vta_pynq.runtime.model import Model

__all__ = ["Port", "split_batch"]


class Port:
    """One input or output of a model.

    Attributes
    ----------
    name, shape, dtype
        What `Model.run` takes or returns.
    layout, stored_shape
        How `buffer` holds it (docs/program-file.md, "Memory").
    quantization
        Scale and zero point, or None.
    """

    def __init__(self, model: Model, tensor: Tensor, kind: Literal["input", "output"]) -> None:
        self._model = model
        self._kind = kind
        self.name: str = tensor.name
        self.shape: tuple[int, ...] = tensor.shape
        self.dtype: np.dtype[Any] = tensor.np_dtype
        self.layout: str = tensor.layout
        self.stored_shape: tuple[int, ...] = tensor.stored_shape
        self.quantization: Quantization | None = tensor.quantization

    @property
    def where(self) -> str:
        """The port's name in messages."""
        return f"model '{self._model.name}': {self._kind} '{self.name}'"

    @property
    def buffer(self) -> Any:
        """The memory that `Model.execute` reads or writes, of shape `stored_shape`.

        A `PynqBuffer` where the accelerator uses it, a plain array where only CPU steps do.
        Assign a buffer of your own to use that instead, until another is assigned: one of
        `overlay.allocate(port.stored_shape, port.dtype)`, or any such array for CPU steps.
        The runtime flushes and invalidates it. Who writes into an output flushes it himself.

        Raises
        ------
        DeviceError
            The model is closed; or, on assignment, the accelerator cannot use the buffer.
        ShapeError
            On assignment: shape or dtype differ.
        """
        return self._model._port_buffer(self.name)

    @buffer.setter
    def buffer(self, buffer: Any) -> None:
        if getattr(buffer, "shape", None) != self.stored_shape or buffer.dtype != self.dtype:
            raise ShapeError(
                f"{self.where}: buffer must be {self.dtype} of shape {self.stored_shape}, not "
                f"{describe(buffer)}; allocate it with stored_shape and dtype"
            )
        if not buffer.flags.c_contiguous:
            raise ShapeError(f"{self.where}: buffer must be contiguous, not a strided view")
        self._model._bind_port(self.name, buffer, self.where)

    def _array(self, value: Any) -> npt.NDArray[Any]:
        try:
            # numpy before 1.24 warns instead, and makes an array of objects.
            return np.asarray(value)
        except ValueError as error:
            raise ShapeError(
                f"{self.where}: array must be {self.dtype} of shape {self.shape}, not rows of "
                f"different lengths ({error}); make an array of it first"
            ) from None

    def checked(self, value: Any) -> npt.NDArray[Any]:
        """`value` as an array if it has the port's shape and dtype.

        Raises
        ------
        ShapeError
            It has not; nothing is converted silently.
        """
        array = self._array(value)
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ShapeError(
                f"{self.where}: array must be {self.dtype} of shape {self.shape}, not "
                f"{describe(array)}; convert it first"
            )
        return array

    def __repr__(self) -> str:
        dims = ", ".join(map(str, self.shape))
        return f"<{self._kind} {self.name}: {self.dtype}[{dims}] {self.layout}>"


def describe(value: Any) -> str:
    """An array's dtype and shape, or a thing's type."""
    if not isinstance(value, np.ndarray):
        return f"a {type(value).__name__}"
    return f"{value.dtype} of shape {value.shape}"


def split_batch(
    inputs: Sequence[Port], outputs: Sequence[Port], arrays: Sequence[npt.ArrayLike]
) -> list[tuple[npt.NDArray[Any], ...]]:
    """Cut arrays whose first axis is a multiple of the inputs' into the arrays of single runs.

    Raises
    ------
    ShapeError
        They do not split into equally many runs, or a port has no first axis.
    """
    for port in (*inputs, *outputs):
        if not port.shape:
            raise ShapeError(f"{port.where}: shape must have a first axis for a batch, not none")
    columns = []
    for port, value in zip(inputs, arrays, strict=True):
        array, rows = port._array(value), port.shape[0]
        if array.shape[1:] != port.shape[1:] or not array.ndim or array.shape[0] % rows:
            raise ShapeError(
                f"{port.where}: batch must have shape (n, {', '.join(map(str, port.shape[1:]))}) "
                f"with n a multiple of {rows}, not {array.shape}"
            )
        columns.append([array[at : at + rows] for at in range(0, array.shape[0], rows)])
    counts = sorted({len(column) for column in columns})
    if len(counts) != 1 or counts[0] == 0:
        names = ", ".join(port.where for port in inputs)
        raise ShapeError(f"{names}: inputs must be for equally many runs, at least 1, not {counts}")
    return list(zip(*columns, strict=True))
