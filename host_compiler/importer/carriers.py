"""What an ONNX value is while the importer walks the model."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from host_compiler.ir import Stage

__all__ = ["Carrier", "Const", "Pending", "PendingConcat", "Plain", "QuantConst", "Quantised"]


@dataclasses.dataclass(frozen=True, eq=False)
class Const:
    """A constant tensor."""

    array: npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class QuantConst:
    """Constant integers with their scale; `axis` is None where one scale holds for all.

    `real` says whether the ONNX value is the dequantised one.
    """

    integers: npt.NDArray[np.int64]
    scale: npt.NDArray[np.float64]
    zero_point: npt.NDArray[np.int64]
    axis: int | None
    dtype: str
    real: bool = False

    def centred(self) -> npt.NDArray[np.int64]:
        """Integers with the zero point subtracted."""
        result: npt.NDArray[np.int64] = self.integers - self.spread(self.zero_point)
        return result

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Per-axis values in a shape that broadcasts against the integers."""
        if self.axis is None:
            return values.reshape(())
        shape = [1] * self.integers.ndim
        shape[self.axis] = -1
        return values.reshape(shape)

    def to_real(self) -> npt.NDArray[np.float32]:
        """The dequantised constant."""
        result: npt.NDArray[np.float32] = (self.centred() * self.spread(self.scale)).astype("f4")
        return result


@dataclasses.dataclass(frozen=True)
class Quantised:
    """An int8 graph value: real = scale * (value - zero_point).

    `dtype` is the model's own integer type ("uint8" values are held minus 128, and so is
    `zero_point`); `real` says whether the ONNX value is the dequantised one.
    """

    value: str
    scale: float
    zero_point: int
    dtype: str
    real: bool = False


@dataclasses.dataclass(frozen=True)
class Plain:
    """A graph value that is what ONNX says it is: float32, int64, int32 …"""

    value: str


@dataclasses.dataclass(frozen=True, eq=False)
class Pending:
    """A real value that is an integer sum times a scale, not yet quantised.

    `kind` and `fields` make the accumulator node; `scale` is that of its sum, shape () or
    (channels,). `addends` are stages that come before the final rescale. The real value is
    clipped to `low`..`high` and, below zero, multiplied by `leak`. `shape` is the ONNX value's,
    where it differs from the node's (N, C, H, W). `fraction`, shape (channels,), is what a float
    bias holds beyond the node's integers, in units of the sum, 0 <= fraction < 1. `channel_axis`
    is that of the ONNX value.
    """

    kind: type[Any]
    inputs: tuple[str, ...]
    fields: dict[str, Any]
    scale: npt.NDArray[np.float64]
    shape: tuple[int, ...]
    source: tuple[str, ...]
    stages: tuple[Stage, ...] = ()
    low: float = -np.inf
    high: float = np.inf
    leak: float | None = None
    fraction: npt.NDArray[np.float64] | None = None
    channel_axis: int = 1

    @property
    def channels(self) -> int:
        """Extent of the channel axis."""
        return self.shape[self.channel_axis]

    @property
    def is_linear(self) -> bool:
        """Whether nothing but the sum and the scale has happened."""
        return self.leak is None and self.low == -np.inf and self.high == np.inf


@dataclasses.dataclass(frozen=True)
class PendingConcat:
    """A concatenation of dequantised tensors whose common scale is not known yet."""

    parts: tuple[Quantised, ...]
    axis: int
    source: tuple[str, ...]


Carrier = Const | QuantConst | Quantised | Plain | Pending | PendingConcat
