"""What a program keeps in memory: arenas, and the tensors in them.

Immutable and checked at construction, value by value; how the parts of a program fit together is
checked by `vta_pynq.program.check`. The format is described in docs/program-file.md.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import ProgramError, ShapeError
from vta_pynq.isa.table import DRAM_BYTES
from vta_pynq.program.layout import MAX_RANK, Layout
from vta_pynq.program.rules import INT_LIMIT, at, finite, integer, items, pattern, shown, text

__all__ = [
    "DTYPES",
    "MAX_ARENA_BYTES",
    "Arena",
    "ArenaKind",
    "Quantization",
    "Tensor",
    "frozen_array",
]

MAX_ARENA_BYTES = DRAM_BYTES
MAX_ALIGNMENT = 1 << 20
MAX_CHANNELS = 1 << 20

DTYPES = (
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "float16", "float32", "float64",
)  # fmt: skip
"""Element types of tensors, by their NumPy names; little-endian in memory."""

_ARENA_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def frozen_array(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`array` itself where nobody can write to it, otherwise a read-only copy."""
    base: Any = array
    while isinstance(base, np.ndarray) and not base.flags.writeable:
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if base is None or isinstance(base, bytes):
        return array
    copy = array.copy()
    copy.flags.writeable = False
    return copy


class ArenaKind(str, enum.Enum):
    """What an arena is for; the value is the word in the file."""

    CONST = "const"
    """Initialised once at load: packed weights, biases, micro-ops. Never written afterwards."""
    SCRATCH = "scratch"
    """Activations between steps; undefined at the start of a run."""
    INPUT = "input"
    """One model input; the caller may bind memory of its own. Never written by a step."""
    OUTPUT = "output"
    """One model output; the caller may bind memory of its own."""

    def __str__(self) -> str:
        return self.value


@dataclasses.dataclass(frozen=True, eq=False)
class Arena:
    """A piece of memory that the loader places as a whole.

    `bytes` long, at an address that is a multiple of `alignment` (a power of two). `data` (uint8,
    `bytes` long) is what a `const` arena is initialised with, and None for every other kind.
    An arena that no relocation names is only seen by the CPU and need not be contiguous.
    """

    name: str
    kind: ArenaKind
    bytes: int
    alignment: int
    data: npt.NDArray[np.uint8] | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        pattern(self.name, "arena name", _ARENA_NAME, "1..32 of a-z, 0-9, _")
        with at(f"arena '{self.name}'"):
            try:
                object.__setattr__(self, "kind", ArenaKind(self.kind))
            except ValueError:
                known = ", ".join(map(str, ArenaKind))
                raise ProgramError(f"kind must be one of {known}, not {shown(self.kind)}") from None
            integer(self.bytes, "bytes", 1, MAX_ARENA_BYTES)
            integer(self.alignment, "alignment", 1, MAX_ALIGNMENT)
            if self.alignment & (self.alignment - 1):
                raise ProgramError(f"alignment must be a power of two, not {self.alignment}")
            if (self.data is None) == (self.kind is ArenaKind.CONST):
                raise ProgramError(
                    "data must be given for kind const and for no other, "
                    f"not {'missing' if self.data is None else 'given'} for {self.kind}"
                )
            if self.data is not None:
                raw = np.ascontiguousarray(self.data).reshape(-1).view(np.uint8)
                if raw.size != self.bytes:
                    raise ProgramError(f"data must be {self.bytes} bytes, not {raw.size}")
                object.__setattr__(self, "data", frozen_array(raw))

    @functools.cached_property
    def sha256(self) -> str | None:
        """SHA-256 of `data` in hexadecimal digits."""
        return None if self.data is None else hashlib.sha256(self.data.data).hexdigest()

    def _key(self) -> tuple[object, ...]:
        return (self.name, self.kind, self.bytes, self.alignment, self.sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arena) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@dataclasses.dataclass(frozen=True)
class Quantization:
    """Affine quantisation: real = scale * (stored - zero_point).

    One scale and zero point for the whole tensor (`axis` None), or one of each per index along
    logical axis `axis`. Scales are finite and positive.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None

    def __post_init__(self) -> None:
        scales = items(self.scales, "scales", MAX_CHANNELS)
        points = items(self.zero_points, "zero_points", MAX_CHANNELS)
        object.__setattr__(self, "scales", tuple(finite(s, "scale") for s in scales))
        object.__setattr__(
            self,
            "zero_points",
            tuple(integer(p, "zero point", -INT_LIMIT, INT_LIMIT - 1) for p in points),
        )
        for scale in self.scales:
            if scale <= 0:
                raise ProgramError(f"scale must be positive, not {scale!r}")
        if not self.scales or len(self.scales) != len(self.zero_points):
            raise ProgramError(
                "scales and zero_points must be equally many and at least one, "
                f"not {len(self.scales)} and {len(self.zero_points)}"
            )
        if self.axis is not None:
            integer(self.axis, "axis", 0, MAX_RANK - 1)
        elif len(self.scales) != 1:
            raise ProgramError(f"scales must be one where axis is null, not {len(self.scales)}")


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A named array in an arena.

    `shape` and `dtype` are what a user sees; `layout` (see `vta_pynq.program.layout`) says how
    it lies at byte `offset` of arena `arena`. In the padding of a blocked layout a writer may
    leave anything, a reader must not depend on it.

    `lifetime` is the first and last step (inclusive) during which its memory is its own; None
    means the whole run. Two tensors may share memory when they do not live at the same time, or
    when one is a deliberate view of the other: `alias_of` names the tensor whose memory it is
    part of (which must not be an alias itself).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    arena: str
    offset: int
    quantization: Quantization | None = None
    lifetime: tuple[int, int] | None = None
    alias_of: str | None = None

    def __post_init__(self) -> None:
        text(self.name, "tensor name")
        with at(f"tensor '{self.name}'"):
            dims = items(self.shape, "shape", MAX_RANK)
            shape = tuple(integer(n, "dimension", 1, MAX_ARENA_BYTES) for n in dims)
            object.__setattr__(self, "shape", shape)
            if not isinstance(self.dtype, str) or self.dtype not in DTYPES:
                raise ProgramError(
                    f"dtype must be one of {', '.join(DTYPES)}, not {shown(self.dtype)}"
                )
            try:
                Layout.parse(text(self.layout, "layout", least=0)).stored_shape(shape)
            except ShapeError as error:
                raise ProgramError(str(error)) from None
            pattern(self.arena, "arena", _ARENA_NAME, "the name of an arena")
            integer(self.offset, "offset", 0, MAX_ARENA_BYTES)
            if self.offset % self.np_dtype.itemsize:
                raise ProgramError(
                    f"offset must be a multiple of {self.np_dtype.itemsize} bytes "
                    f"({self.dtype}), not {self.offset}"
                )
            if self.alias_of is not None:
                text(self.alias_of, "alias_of")
            self._check_quantization()
            self._check_lifetime()

    def _check_quantization(self) -> None:
        quantization = self.quantization
        if quantization is None:
            return
        if not isinstance(quantization, Quantization):
            raise ProgramError(f"quantization must be a Quantization, not {shown(quantization)}")
        if self.np_dtype.kind not in "iu":
            raise ProgramError(f"dtype must be an integer where quantised, not {self.dtype}")
        info = np.iinfo(self.np_dtype)
        for point in quantization.zero_points:
            integer(point, "zero point", int(info.min), int(info.max))
        axis = quantization.axis
        if axis is not None and (
            axis >= len(self.shape) or self.shape[axis] != len(quantization.scales)
        ):
            raise ProgramError(
                f"scales must be one per index of axis {axis} of shape {list(self.shape)}, "
                f"not {len(quantization.scales)}"
            )

    def _check_lifetime(self) -> None:
        if self.lifetime is None:
            return
        steps = items(self.lifetime, "lifetime", 2)
        if len(steps) != 2:
            raise ProgramError("lifetime must be a first and a last step")
        first = integer(steps[0], "first step", 0, INT_LIMIT - 1)
        last = integer(steps[1], "last step", first, INT_LIMIT - 1)
        object.__setattr__(self, "lifetime", (first, last))

    @property
    def np_dtype(self) -> np.dtype[Any]:
        """The element type as NumPy knows it, little-endian."""
        return np.dtype(self.dtype).newbyteorder("<")

    @functools.cached_property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape in memory, with the blocks of the layout and its padding."""
        return Layout.parse(self.layout).stored_shape(self.shape)

    @functools.cached_property
    def bytes(self) -> int:
        """Bytes in memory, padding included."""
        return Layout.parse(self.layout).stored_elems(self.shape) * self.np_dtype.itemsize

    @property
    def end(self) -> int:
        """One past the last byte in the arena."""
        return self.offset + self.bytes
