"""Float biases that are no whole number of the sum's units."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from host_compiler.importer.carriers import Pending
from host_compiler.ir import Requant, Rounding, SumPool

__all__ = ["plus_constant", "whole_units", "with_bias_fraction"]

Floats = npt.NDArray[np.float64]

_FLOAT32_NOISE = 1e-6


def whole_units(units: Floats) -> tuple[npt.NDArray[np.int64], Floats | None]:
    """Split a bias into whole units and fractions 0 <= f < 1; None where all are whole."""
    # Scales such as 0.1 * 0.3 leave noise of the last float32 digit on what is a whole number.
    whole = np.rint(units)
    if np.all(np.abs(units - whole) <= _FLOAT32_NOISE * np.maximum(np.abs(units), 1)):
        return whole.astype(np.int64), None
    whole = np.floor(units)
    return whole.astype(np.int64), units - whole


def plus_constant(pending: Pending, real: Floats) -> Pending | None:
    """The sum plus a constant for each channel (or one for all), shape () or (channels,).

    None where the sum has no place for it.
    """
    units = real / pending.scale
    if pending.fraction is not None:
        units = units + pending.fraction
    whole, fraction = whole_units(units)
    if "bias" not in pending.fields:
        return None if np.any(whole) else dataclasses.replace(pending, fraction=fraction)
    channels = pending.channels
    old = pending.fields["bias"]
    bias = np.broadcast_to(whole, (channels,)) + (0 if old is None else old.astype(np.int64))
    if np.abs(bias).max(initial=0) > np.iinfo(np.int32).max:
        return None
    if fraction is not None:
        fraction = np.broadcast_to(fraction, (channels,))
    fields = {**pending.fields, "bias": bias.astype(np.int32)}
    return dataclasses.replace(pending, fields=fields, fraction=fraction)


def with_bias_fraction(pending: Pending, final: Requant) -> tuple[Pending, Rounding]:
    """The sum with its float bias settled, and how its rescale rounds then.

    With shifts, round_half_even((acc + f) / 2^s) for whole acc, s >= 1 and 0 < f < 1 is
    floor((acc + 2^(s-1)) / 2^s): the fraction decides every tie upwards, and that is all it
    does. The same holds for a mean, (acc + f) / (count * 2^s) with s >= 0 and f < 1/2. Otherwise
    the bias is rounded to whole units of the sum.
    """
    fraction = pending.fraction
    if fraction is None:
        return pending, "half_even"
    settled = dataclasses.replace(pending, fraction=None)
    if fraction.min() > 0 and _only_breaks_ties(pending, final, fraction):
        return settled, "half_up"
    if "bias" not in pending.fields:
        return settled, "half_even"
    bias = pending.fields["bias"] + (fraction >= 0.5)
    fields = {**pending.fields, "bias": bias.astype(np.int32)}
    return dataclasses.replace(settled, fields=fields), "half_even"


def _only_breaks_ties(pending: Pending, final: Requant, fraction: Floats) -> bool:
    shifts = [final.shifts]
    if final.negative_multiplier is not None:
        shifts.append(final.negative_shifts)
    if all(s is not None and bool((s >= 1).all()) for s in shifts):
        return "divisors" not in pending.fields
    if pending.kind is not SumPool or final.negative_multiplier is not None:
        return False
    kernel = pending.fields["kernel"]
    exponent = float(np.log2(final.multiplier * kernel[0] * kernel[1]))
    is_power = abs(exponent - round(exponent)) < _FLOAT32_NOISE
    whole = "divisors" not in pending.fields and round(exponent) <= 0
    return is_power and whole and bool(fraction.max() < 0.5)
