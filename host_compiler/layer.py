"""The accelerator's normal form: one layer is a list of steps on a block of accumulators.

Every operator that runs on the accelerator (convolution of any kind, matrix product, sums,
pooling, resize, concatenation, pad) becomes a `Layer`; one lowering engine turns layers into
instructions. Tensors are int8 in the blocked layout (see `vta_pynq.program`): an element is
`batch` x `block` values, a tensor is [N/batch][C/block][H][W] elements.

A step works on the accumulators acc[n, c, y, x] of the layer's *sum shape* until a `Pool`
changes the spatial extent:

- `Term`        acc += Σ_taps W[tap] · source[y', x'], source - zero_point, zero outside
- `AddBias`     acc += bias[c]
- `ShiftLeft`   acc <<= bits
- `Requantise`  acc = clip(((acc + half) >> shift) + zero_point, qmin, qmax), per channel
- `Multiply`    the same with a fixed-point multiplier, on hardware that has one
- `Pool`        acc = max over windows; padding takes no part

and the layer ends by storing the low byte (`planes` = 1) or all bytes of every accumulator, the
lowest plane first (`planes` = 4).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

__all__ = [
    "AddBias",
    "Layer",
    "LayerStep",
    "Multiply",
    "Pool",
    "Requantise",
    "ShiftLeft",
    "Tap",
    "TensorRef",
    "Term",
]


@dataclasses.dataclass(frozen=True)
class TensorRef:
    """A blocked int8 tensor in DRAM, or a run of whole channel blocks of one.

    `shape` is logical (N, C, H, W). `buffer` names the tensor that owns the memory; this one
    starts `block_offset` channel blocks into each image of it, and `buffer_blocks` is how many
    channel blocks an image of the owner has (they differ where a concatenation is in place).
    """

    buffer: str
    shape: tuple[int, int, int, int]
    block_offset: int
    buffer_blocks: int


@dataclasses.dataclass(frozen=True)
class Tap:
    """One weight tile position of a term.

    For output pixel (period_y * q + phase_y, period_x * r + phase_x) it reads source pixel
    (step_y * q + dy, step_x * r + dx); the term holds period and step. `weight` indexes the
    first axis of the term's `tiles`.
    """

    phase: tuple[int, int]
    dy: int
    dx: int
    weight: int


@dataclasses.dataclass(frozen=True, eq=False)
class Term:
    """A sum of weight tiles times source pixels.

    `tiles` is int8 (weights, out blocks, in blocks, block, block), row = output channel.
    `used` is bool (weights, out blocks, in blocks): a tile that is False is structurally zero
    (groups, depthwise) and costs nothing. Where a source pixel lies outside the tensor it
    counts as `zero_point`, so that it contributes nothing.
    """

    source: TensorRef
    taps: tuple[Tap, ...]
    tiles: npt.NDArray[np.int8]
    used: npt.NDArray[np.bool_]
    zero_point: int = 0
    step: tuple[int, int] = (1, 1)
    period: tuple[int, int] = (1, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class AddBias:
    """Add an int32 per output channel, shape (C,)."""

    bias: npt.NDArray[np.int32]


@dataclasses.dataclass(frozen=True)
class ShiftLeft:
    """Shift all accumulators left."""

    bits: int


@dataclasses.dataclass(frozen=True, eq=False)
class Requantise:
    """Rounding shift, zero point, clip.

    `shifts` is int (C,) or () with right-shift amounts (negative: left, no rounding);
    `negative_shifts` likewise applies to negative accumulators (leaky rectifier) if given.
    Ties go upwards, or to even with `half_even`, which needs shifts of at least 1 and no
    `negative_shifts`.
    """

    shifts: npt.NDArray[np.int64]
    zero_point: int
    qmin: int
    qmax: int
    negative_shifts: npt.NDArray[np.int64] | None = None
    half_even: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Multiply:
    """Fixed-point rescale where the ALU multiplies (Capability.ALU_MUL).

    acc = clip(((((acc + pre_half) >> pre_shift) * factor + post_half) >> post_shift)
    + zero_point, qmin, qmax); arrays have shape (C,) or (), halves are 2^(shift - 1) or 0.
    """

    pre_shifts: npt.NDArray[np.int64]
    factors: npt.NDArray[np.int64]
    post_shifts: npt.NDArray[np.int64]
    zero_point: int
    qmin: int
    qmax: int


@dataclasses.dataclass(frozen=True)
class Pool:
    """Maximum over spatial windows; `pads` is (top, left, bottom, right)."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)


LayerStep = Term | AddBias | ShiftLeft | Requantise | Multiply | Pool


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """One fused accelerator layer.

    `sum_shape` is the logical (N, C, H, W) of the accumulators before any Pool. `outputs` are
    `planes` tensors of the final shape.
    """

    name: str
    sum_shape: tuple[int, int, int, int]
    steps: tuple[LayerStep, ...]
    outputs: tuple[TensorRef, ...]

    @property
    def planes(self) -> int:
        """How many bytes of each accumulator are stored."""
        return len(self.outputs)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The layer's terms in order."""
        return tuple(step for step in self.steps if isinstance(step, Term))
