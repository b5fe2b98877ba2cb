"""REQUANT in the kernel builder: what one operation does, and which values it takes."""

from __future__ import annotations

import dataclasses

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import KernelError
from vta_pynq.isa.table import REQUANT_FORMAT

__all__ = ["CLIP_INT8", "Requant"]

CLIP_INT8 = (-128, 127)
"""The widest bounds."""


@dataclasses.dataclass(frozen=True)
class Requant:
    """Bias, multiplier, rounding shift and clip of one REQUANT (docs/isa.md, "REQUANT").

    `bias` adds accumulator `src`; `mul` multiplies by the low 16 bits of the accumulator after
    it, or of `src` itself where there is no bias.
    """

    shift: int = 0
    clip_lo: int = CLIP_INT8[0]
    clip_hi: int = CLIP_INT8[1]
    bias: bool = False
    mul: bool = False

    @property
    def sources(self) -> tuple[int, ...]:
        """The accumulators that are read, as distances from the source index."""
        return tuple(range(int(self.bias) + int(self.mul)))

    def fields(self) -> dict[str, int]:
        """The instruction's fields."""
        return {
            "use_bias": int(self.bias),
            "use_mul": int(self.mul),
            "shift": int(self.shift),
            "clip_lo": int(self.clip_lo),
            "clip_hi": int(self.clip_hi),
        }

    def check(self, config: HwConfig) -> None:
        """Refuse values that the fields cannot hold, and a build without the operation.

        Raises
        ------
        KernelError
            The message names the value.
        """
        if not config.has(Capability.ALU_REQUANT):
            raise KernelError(
                f"REQUANT: {config.name} must have the capability {Capability.ALU_REQUANT}, not "
                "lack it; use ADD, SHR, MAX and MIN"
            )
        values = self.fields()
        for field in REQUANT_FORMAT.fields:
            if field.name in values:
                low, high = field.value_range(config)
                if not low <= values[field.name] <= high:
                    raise KernelError(
                        f"REQUANT: {field.name} must be in {low}..{high}, not {values[field.name]}"
                    )
        if self.clip_lo > self.clip_hi:
            raise KernelError(
                f"REQUANT: clip_lo must be at most clip_hi {self.clip_hi}, not {self.clip_lo}; "
                "exchange them"
            )
