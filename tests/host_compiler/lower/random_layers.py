"""Random layers in normal form that use every feature of it."""

from __future__ import annotations

import numpy as np

from host_compiler.layer import (
    AddBias,
    Layer,
    LayerStep,
    Pool,
    Requantise,
    ShiftLeft,
    Tap,
    TensorRef,
    Term,
)
from host_compiler.lower.axes import pooled_extent


class LayerMaker:
    """Makes layers for blocks of `block` channels."""

    def __init__(self, seed: int, block: int, extent: int = 14, channels: int = 70) -> None:
        self.random = np.random.default_rng(seed)
        self.block, self.extent, self.channels = block, extent, channels
        self._names = 0

    def pick(self, *values):
        return values[int(self.random.integers(len(values)))]

    def upto(self, high: int, low: int = 1) -> int:
        return int(self.random.integers(low, high + 1))

    def ref(self, n: int, c: int, h: int, w: int, name: str = "") -> TensorRef:
        before, after = self.pick(0, 0, 1, 2), self.pick(0, 0, 1)
        blocks = -(-c // self.block)
        self._names += 1
        return TensorRef(name or f"t{self._names}", (n, c, h, w), before, before + blocks + after)

    def tiles(self, weights: int, outs: int, ins: int, low: int = -128) -> tuple:
        ob, ib, b = -(-outs // self.block), -(-ins // self.block), self.block
        tiles = self.random.integers(low, 128, (weights, ob, ib, b, b)).astype(np.int8)
        outs_mask = np.arange(ob * b).reshape(ob, b) < outs
        ins_mask = np.arange(ib * b).reshape(ib, b) < ins
        tiles *= outs_mask[None, :, None, :, None] * ins_mask[None, None, :, None, :]
        used = np.ones((weights, ob, ib), bool)
        kind = self.pick("dense", "dense", "diagonal", "random")
        if kind == "diagonal":
            used[:] = np.eye(ob, ib, dtype=bool)
        elif kind == "random":
            used = self.random.random((weights, ob, ib)) < 0.5
        return tiles, used

    def zero_point(self) -> int:
        return self.pick(0, 0, self.upto(127, -128))

    def window_term(self, n: int, outs: int, h: int, w: int) -> Term:
        """A convolution of any kind."""
        kernel = self.pick((1, 1), (3, 3), (1, 3), (2, 2), (5, 1), (3, 2))
        stride = self.pick((1, 1), (1, 1), (2, 2), (1, 2), (3, 1))
        dilation = self.pick((1, 1), (1, 1), (2, 1), (2, 2))
        pads = [self.upto((k - 1) * d + 1, 0) for k, d in zip(kernel, dilation, strict=True)]
        size = [
            max(1, (extent - 1) * s + (k - 1) * d + 1 - p - self.upto(3, 0))
            for extent, s, k, d, p in zip((h, w), stride, kernel, dilation, pads, strict=True)
        ]
        channels = self.upto(self.channels)
        one = self.pick(True, False, False)
        taps = tuple(
            Tap((0, 0), y * dilation[0] - pads[0], x * dilation[1] - pads[1],
                0 if one else y * kernel[1] + x)
            for y in range(kernel[0]) for x in range(kernel[1])
        )  # fmt: skip
        tiles, used = self.tiles(1 if one else len(taps), outs, channels)
        source = self.ref(n, channels, *size)
        return Term(source, taps, tiles, used, self.zero_point(), stride)

    def phase_term(self, n: int, outs: int, h: int, w: int) -> Term:
        """A transposed convolution or resize."""
        period = self.pick((2, 2), (2, 1), (3, 2))
        taps = []
        for y in range(period[0]):
            for x in range(period[1]):
                for _ in range(self.upto(3)):
                    taps.append(Tap((y, x), self.upto(1, -1), self.upto(1, -1), len(taps)))
        places: dict[tuple, Tap] = {}
        for tap in taps:
            places.setdefault((tap.phase, tap.dy, tap.dx), tap)
        taps = list(places.values())
        channels = self.upto(self.channels)
        tiles, used = self.tiles(max(t.weight for t in taps) + 1, outs, channels)
        source = self.ref(n, channels, -(-h // period[0]), -(-w // period[1]))
        return Term(source, tuple(taps), tiles, used, self.zero_point(), (1, 1), period)

    def copy_term(self, n: int, outs: int, h: int, w: int) -> Term:
        """A residual."""
        b = self.block
        blocks = -(-outs // b)
        tiles = np.zeros((1, blocks, blocks, b, b), np.int8)
        factor = self.pick(1, 64, -3)
        for channel in range(outs):
            k, lane = divmod(channel, b)
            tiles[0, k, k, lane, lane] = factor
        used = np.eye(blocks, dtype=bool)[None]
        return Term(
            self.ref(n, outs, h, w), (Tap((0, 0), 0, 0, 0),), tiles, used, self.zero_point()
        )

    def requantise(self, channels: int) -> Requantise:
        low = self.pick(0, 0, 0, -3)
        shifts = self.random.integers(low, 20, channels if self.pick(0, 1) else ())
        qmin, qmax = self.pick((-128, 127), (0, 127), (-5, 90))
        negative = None
        kind = self.pick("", "", "", "leaky", "any", "even")
        if kind == "leaky":
            negative = shifts + self.upto(5)
        elif kind == "any":
            negative = self.random.integers(0, 12, shifts.shape)
        elif kind == "even":
            shifts = np.maximum(shifts, 1)
        return Requantise(shifts, self.zero_point(), qmin, qmax, negative, kind == "even")

    def layer(self, name: str = "layer") -> Layer:
        n, c = self.pick(1, 1, 2, 3), self.upto(self.channels)
        h, w = self.upto(self.extent), self.upto(self.extent)
        steps: list[LayerStep] = []
        shape = h, w
        for _ in range(self.upto(2)):
            for _ in range(self.upto(2)):
                make = self.pick(
                    self.window_term, self.window_term, self.copy_term, self.phase_term
                )
                steps.append(make(n, c, *shape))
                if self.pick(0, 0, 1):
                    steps.append(ShiftLeft(self.upto(3)))
            closes = self.pick(False, False, True)
            if self.pick(0, 1):
                # Sums must fit 32 bits: a large bias only where nothing shifts it left any more.
                most = 2 ** self.upto(28 if closes else 14)
                steps.append(AddBias(self.random.integers(-most, most, c).astype(np.int32)))
            if closes:
                steps.append(self.requantise(c))
        if self.pick(0, 0, 1):
            steps.append(self.requantise(c))
            kernel = tuple(self.upto(min(3, s)) for s in shape)
            pads = tuple(self.upto(k - 1, 0) for k in (*kernel, *kernel))
            pool = Pool(kernel, (self.upto(3), self.upto(3)), pads)
            shape = tuple(pooled_extent(pool, axis, shape[axis]) for axis in range(2))
            steps.append(pool)
        planes = self.pick(1, 1, 4)
        if planes == 1 or self.pick(0, 1):
            steps.append(self.requantise(c))
        outputs = tuple(self.ref(n, c, *shape) for _ in range(planes))
        return Layer(name, (n, c, h, w), tuple(steps), outputs)
