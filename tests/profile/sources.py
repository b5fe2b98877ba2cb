"""What the tests of this room profile: a program of two submissions, and kernels."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from examples.kernels.matmul_latency_hiding import build_matmul_latency_hiding
from tests.runtime.programs import Dense, Maker
from vta_pynq.config import HwConfig
from vta_pynq.kernel import Kernel
from vta_pynq.profile import ProfiledRun, profile_run
from vta_pynq.program import ArenaKind, LayerReport, Program
from vta_pynq.stream import StreamLabel

PIXELS = 8


@functools.cache
def program() -> Program:
    """Quantise on the processor, two layers in one submission, relu, a layer in another."""
    random = np.random.default_rng(3)
    block = HwConfig().block

    def dense(outs: int, ins: int) -> Dense:
        weights = random.integers(-32, 32, (outs * block, ins * block)).astype(np.int8)
        return Dense(weights, PIXELS)

    first, second = dense(2, 3), dense(1, 2)
    maker = Maker("small")
    maker.tensor("image", first.x_shape(), ArenaKind.INPUT, "float32", "NCHW")
    maker.tensor("codes", first.x_shape(), dtype="int8", layout="NCHW")
    maker.tensor("x", first.x_shape())
    maker.tensor("h", first.y_shape())
    maker.tensor("r", first.y_shape())
    maker.tensor("y", second.y_shape(), ArenaKind.OUTPUT)
    maker.cpu("quantise", "quantize", ["image"], ["codes"], scale=0.5)
    maker.cpu("pack", "pack", ["codes"], ["x"], layout=maker.blocked)
    maker.vta("first", first.kernel(), x="x", y="h")
    maker.cpu("relu", "relu", ["h"], ["r"], in_scale=1.0, out_scale=1.0)
    maker.vta("second", second.kernel(), x="r", y="y")
    built = maker.build()
    one, two = built.vta_steps
    middle = one.begin + 3
    return dataclasses.replace(
        built,
        labels=(
            StreamLabel(one.begin, middle, "load_QuantizeLinear_Output"),
            StreamLabel(middle, one.end - 1, "product"),
            StreamLabel(two.begin, two.end, "last"),
        ),
        layers=(
            LayerReport("quantise", "quantize", 0),
            LayerReport("load_QuantizeLinear_Output", "MaxPool", 2),
            LayerReport("product", "Conv", 2, macs=10_000, cycles=77),
            LayerReport("last", "Conv", 4, macs=10**9),
        ),
    )


@functools.cache
def kernel() -> Kernel:
    """A matrix product with two virtual threads: its loads are hidden."""
    return build_matmul_latency_hiding(HwConfig(), 32, 4096, 64)


@functools.cache
def program_run() -> ProfiledRun:
    """`program`, profiled for what it was made for."""
    return profile_run(program())


@functools.cache
def kernel_run() -> ProfiledRun:
    """`kernel`, likewise."""
    return profile_run(kernel())
