"""The benchmark's convolution streams compute a convolution, on every path and in both dialects."""

from __future__ import annotations

import numpy as np
import pytest

from bench.conv_streams import TAPS, ConvLayer, Dialect, conv_stream
from vta_pynq.config import HwConfig
from vta_pynq.sim.engine import Dram, Engine, available_paths

CONFIG = HwConfig()
LAYER = ConvLayer("small", size=6, channels=32, rows=3, cols=6, group=2)
BASES = {"INSN": 1 << 20, "UOP": 2 << 20, "INP": 3 << 20, "WGT": 4 << 20, "OUT": 5 << 20}


def convolve(inp: np.ndarray, wgt: np.ndarray) -> np.ndarray:
    """Blocks of 16 channels: inp (ci, y, x, 16), wgt (co, ci, tap, 16 out, 16 in)."""
    padded = np.pad(inp.astype(np.int32), ((0, 0), (1, 1), (1, 1), (0, 0)))
    size = inp.shape[1]
    total = np.zeros((wgt.shape[0], size, size, wgt.shape[3]), np.int32)
    for tap in range(TAPS):
        y, x = divmod(tap, 3)
        window = padded[:, y : y + size, x : x + size]
        total += np.einsum("iyxk,oick->oyxc", window, wgt[:, :, tap].astype(np.int32))
    return np.clip(total >> 8, 0, 127).astype(np.int8)


@pytest.mark.parametrize("path", available_paths())
@pytest.mark.parametrize("dialect", ["unrolled", "looped"])
def test_conv_stream_gives_the_convolution(dialect: Dialect, path: str) -> None:
    stream = conv_stream(LAYER, dialect, CONFIG, BASES)
    rng = np.random.default_rng(11)
    parts = {kind: rng.integers(0, 256, n, np.uint8) for kind, n in stream.sizes.items()}
    parts["UOP"] = stream.uops.view(np.uint8).copy()
    blocks, block = LAYER.channels // CONFIG.block, CONFIG.block
    inp = parts["INP"].view(np.int8).reshape(blocks, LAYER.size, LAYER.size, block)
    wgt = parts["WGT"].view(np.int8).reshape(blocks, blocks, TAPS, block, block)
    segments = [(BASES[kind], data) for kind, data in parts.items()]
    insns = stream.words.view(np.uint8).reshape(-1).copy()
    engine = Engine(CONFIG, path=path)
    engine.run(Dram([*segments, (BASES["INSN"], insns)]), BASES["INSN"], len(stream.words))
    assert engine.tokens == (0, 0, 0, 0)
    found = parts["OUT"].view(np.int8).reshape(blocks, LAYER.size, LAYER.size, block)
    np.testing.assert_array_equal(found, convolve(inp, wgt))
