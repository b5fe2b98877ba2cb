"""What a layer is compiled for."""

from __future__ import annotations

import dataclasses

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import CompileError
from vta_pynq.timing.parameters import Client, MoveTiming, Timing
from vta_pynq.timing.profiles import DEFAULT_PROFILE, HwProfile, get_profile

__all__ = ["Target", "element_cycles"]

_WIDTHS = (8, 8, 32)


@dataclasses.dataclass(frozen=True)
class Target:
    """A hardware configuration and the profile of the implementation that it runs on.

    Raises
    ------
    CompileError
        The compiler does not support the configuration on that profile.
    """

    config: HwConfig
    profile: HwProfile = dataclasses.field(default_factory=lambda: get_profile(DEFAULT_PROFILE))

    def __post_init__(self) -> None:
        config, profile = self.config, self.profile
        widths = config.inp_width, config.wgt_width, config.acc_width
        if widths != _WIDTHS:
            raise CompileError(
                f"target {config.name}: input, weight and accumulator must have {_WIDTHS} bits, "
                f"not {widths}; choose another configuration"
            )
        if profile.batch_limit is not None and config.batch > profile.batch_limit:
            raise CompileError(
                f"target {config.name}: batch must be at most {profile.batch_limit} for profile "
                f"{profile.name}, not {config.batch}; choose another configuration"
            )

    @property
    def multiplies(self) -> bool:
        """Whether the ALU multiplies."""
        return self.config.has(Capability.ALU_MUL)

    @property
    def acc_source_depth(self) -> int:
        """Accumulators that an ALU operation can name as its second operand."""
        config = self.config
        if self.profile.alu_src_limit:
            return min(config.inp_depth, config.acc_depth)
        return config.acc_depth

    @property
    def timing(self) -> Timing:
        """The profile's timing, or the default profile's where it has no notion of time."""
        timing = self.profile.timing or get_profile(DEFAULT_PROFILE).timing
        assert timing is not None, "the default profile has timing"
        return timing

    @property
    def input_gap_elems(self) -> int:
        """Input elements that are loaded in the time that a further row costs."""
        timing = self.timing
        row = timing.inp.next_row
        if timing.inp.latency != "once":
            row += timing.inp.unit + timing.memory_latency
        return row // element_cycles(timing, timing.inp, self.config.inp_bytes, "inp")

    @property
    def uop_depth(self) -> int:
        """Micro-ops in the SRAM."""
        limit = self.profile.uop_depth_limit
        return self.config.uop_depth if limit is None else min(limit, self.config.uop_depth)


def element_cycles(timing: Timing, move: MoveTiming, elem_bytes: int, client: Client) -> int:
    """Cycles that one element of a long row takes."""
    port = timing.port_of(client)
    if move.packed and elem_bytes < port.bus_bytes:
        return 1
    beats = -(-elem_bytes // port.bus_bytes)
    return max(1, beats * move.beat_interval * port.cycles_per_beat) + move.elem_extra
