"""Hardware profiles and the cycle model."""

from vta_pynq.timing.costs import instruction_cycles
from vta_pynq.timing.model import simulate
from vta_pynq.timing.profiles import DEFAULT_PROFILE, PROFILES, HwProfile, get_profile
from vta_pynq.timing.report import (
    DETAIL_DTYPE,
    CycleReport,
    LabelCycles,
    ModuleCycles,
    StallReason,
)

__all__ = [
    "DEFAULT_PROFILE",
    "DETAIL_DTYPE",
    "PROFILES",
    "CycleReport",
    "HwProfile",
    "LabelCycles",
    "ModuleCycles",
    "StallReason",
    "get_profile",
    "instruction_cycles",
    "simulate",
]
