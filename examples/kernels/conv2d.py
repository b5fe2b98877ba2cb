"""Padded two-dimensional convolution: out = clip(conv(x, w) >> shift), int8 in and out."""

from __future__ import annotations

import dataclasses

import numpy as np

from examples.kernels.matmul import finish_tile
from vta_pynq import HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.table import MemType
from vta_pynq.kernel import DramView, Kernel, KernelBuilder, MicroOps
from vta_pynq.timing.profiles import DEFAULT_PROFILE

__all__ = ["ConvShape", "build_conv2d"]


@dataclasses.dataclass(frozen=True)
class ConvShape:
    """One convolution; as many images as the configuration's batch."""

    inputs: int
    outputs: int
    height: int
    width: int
    kernel: int = 3
    stride: int = 1
    pad: int = 1

    @property
    def out_height(self) -> int:
        """Rows of the output."""
        return (self.height + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Columns of the output."""
        return (self.width + 2 * self.pad - self.kernel) // self.stride + 1


def _tile(config: HwConfig, s: ConvShape) -> tuple[int, int]:
    """Output rows and output channel blocks of a tile that fits the buffers."""
    wide = s.width + 2 * s.pad
    for blocks in range(s.outputs // config.block, 0, -1):
        for rows in range(s.out_height, 0, -1):
            in_rows = (rows - 1) * s.stride + s.kernel
            if (
                in_rows * wide <= config.inp_depth
                and blocks * s.kernel**2 <= config.wgt_depth
                and blocks * rows * s.out_width <= config.acc_depth
            ):
                return rows, blocks
    raise KernelError(
        f"conv2d: one output row must fit the buffers of {config.name}, not a row of {wide} inputs "
        "times the kernel; use narrower images"
    )


def build_conv2d(
    config: HwConfig, s: ConvShape, shift: int = 8, profile: str = DEFAULT_PROFILE
) -> Kernel:
    """A kernel with buffers `x`, `w` and `y`, packed by `layout.pack_images` and `pack_filters`.

    Raises
    ------
    KernelError
        Channels are not multiples of the block, or a row does not fit.
    """
    if s.inputs % config.block or s.outputs % config.block:
        raise KernelError(
            f"conv2d: channels must be multiples of {config.block} ({config.name}), not "
            f"{s.inputs} and {s.outputs}; pad them"
        )
    rows, blocks = _tile(config, s)
    in_blocks, out_blocks, taps = s.inputs // config.block, s.outputs // config.block, s.kernel**2
    b = KernelBuilder(config, profile, auto_sync=True, name="conv2d")
    x = b.dram("x", MemType.INP, in_blocks * s.height * s.width)
    w = b.dram("w", MemType.WGT, out_blocks * in_blocks * taps)
    y = b.dram("y", MemType.OUT, out_blocks * s.out_height * s.out_width)
    for top in range(0, s.out_height, rows):
        m = min(rows, s.out_height - top) * s.out_width
        for out in range(0, out_blocks, blocks):
            n = min(blocks, out_blocks - out)
            with b.gemm(reset=True) as g, g.loop(m * n, dst=1):
                g.uop(0)
            for block in range(in_blocks):
                weights = w[(out * in_blocks + block) * taps]
                b.load(MemType.WGT, 0, weights, n, taps, in_blocks * taps)
                _band(b, s, x[block * s.height * s.width], top, m // s.out_width)
                _multiply(b, s, m // s.out_width, n)
            finish_tile(b, m * n, shift)
            area = s.out_height * s.out_width
            b.store(0, y[out * area + top * s.out_width], n, m, area)
    return b.build()


def _band(b: KernelBuilder, s: ConvShape, image: DramView, top: int, rows: int) -> None:
    """Load the input rows under `rows` output rows, zeros where they leave the image."""
    first = top * s.stride - s.pad
    end = first + (rows - 1) * s.stride + s.kernel
    begin, last = max(first, 0), min(end, s.height)
    b.load(
        MemType.INP,
        0,
        image[begin * s.width],
        last - begin,
        s.width,
        y_pad=(begin - first, end - last),
        x_pad=(s.pad, s.pad),
    )


def _multiply(b: KernelBuilder, s: ConvShape, rows: int, blocks: int) -> None:
    """One GEMM for each tap: the micro-ops go through output blocks, the loops through pixels."""
    wide, taps = s.width + 2 * s.pad, s.kernel**2
    out = np.arange(blocks)
    for tap in range(taps):
        source = tap // s.kernel * wide + tap % s.kernel
        uops = MicroOps(out * rows * s.out_width, source, out * taps + tap)
        b.push_gemm(uops, (rows, s.out_width, s.stride * wide, 0), (s.out_width, 1, s.stride, 0))
