"""What the tests build: every variant of the own design, on each of its boards, by each option."""

from __future__ import annotations

import dataclasses

from vta_pynq.config import HwConfig
from vta_pynq.hardware.plan import BuildPlan
from vta_pynq.isa.registers import VTA1
from vta_pynq.overlay.boards import boards, get_board
from vta_pynq.overlay.descriptions import Variant, variants
from vta_pynq.timing.profiles import get_profile

DEFAULT = "1x16_i8w8a32_15_15_18_17"
ALL = "+alu_mul+alu_requant+counters+identity+interrupt+load_acc8+soft_reset"

OWN = Variant(
    name="test/1x16",
    design=VTA1,
    address_map=VTA1.address_maps["4k"],
    config=HwConfig.from_name(DEFAULT + ALL),
    profile=get_profile("vta1"),
    boards=tuple(board.name for board in boards()),
    clock_mhz=100.0,
    ports="hp",
)
"""A variant for every board."""


def own(
    board: str = "Pynq-Z2", ports: str = "hp", config: str = "", **changes: object
) -> BuildPlan:
    """A plan of `OWN`, or of another configuration."""
    if config:
        changes["config"] = HwConfig.from_name(config)
    return BuildPlan(get_board(board), dataclasses.replace(OWN, **changes), ports)


def every_build() -> list[BuildPlan]:
    """Each own variant of `overlays/`, on each of its boards, by each option."""
    found = [
        BuildPlan(get_board(name), variant, ports)
        for variant in variants()
        if variant.design.control is not None
        for name in variant.boards
        for ports in get_board(name).memory_ports
    ]
    # Boards that no variant names must be buildable too.
    missing = {board.name for board in boards()} - {plan.board.name for plan in found}
    return found + [own(name, ports) for name in sorted(missing) for ports in ("hp", "acp")]
