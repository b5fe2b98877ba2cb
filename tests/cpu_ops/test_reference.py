"""Accumulators are requantised as the compiler's integer reference says."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.ir import Requant
from host_compiler.reference import requantise
from tests.cpu_ops.test_paths import accumulators, rng_of
from vta_pynq import cpu_ops


@pytest.mark.parametrize("rounding", ["half_even", "half_up"])
@pytest.mark.parametrize("seed", range(8))
def test_requantize_is_the_reference_bit_for_bit(seed, rounding):
    rng = rng_of(seed)
    channels = int(rng.integers(1, 40))
    acc = accumulators(rng, 2, channels, 9, 11)
    multiplier = [
        rng.uniform(1e-4, 1, channels),
        2.0 ** rng.integers(-12, 1, channels),
        np.array(rng.uniform(1e-4, 1)),
    ][seed % 3]
    leak = None if seed % 2 else multiplier * 0.125
    low, high = sorted(rng.integers(-128, 128, 2).tolist())
    zero_point = int(rng.integers(-128, 128))
    stage = Requant(multiplier, zero_point, low, high, rounding, leak)
    attributes = {
        "scale": multiplier.tolist(), "axis": 1, "zero_point": zero_point, "qmin": low,
        "qmax": high, "rounding": rounding,
        **({} if leak is None else {"negative_scale": leak.tolist()}),
    }  # fmt: skip
    ours = cpu_ops.run("requantize", [acc], attributes)[0]
    assert ours.dtype == np.int8
    np.testing.assert_array_equal(ours, requantise(acc.astype(np.int64), stage))
