"""Strict mode against what hardware was seen to do with the conformance cases."""

from __future__ import annotations

import pathlib

import pytest

from vta_pynq.conformance import load_case
from vta_pynq.sim.engine import Dram, Engine, FaultKind, StreamError

CASES = pathlib.Path(__file__).parents[1] / "conformance"
IMPLEMENTATIONS = {
    "hls-64bit": ("hls_c", "hls_rtl_zcu104"),
    "chisel-64bit": ("chisel_rtl",),
}
ANOTHER_DESIGN_DIFFERS = {
    # Right on this design; strict mode refuses it because another one does otherwise.
    "hls-64bit": {"isa_zero_iter"},
    "chisel-64bit": {"isa_load_wgt_pad", "isa_load_x0_with_pad", "isa_uop_load_2d"},
}


@pytest.mark.parametrize("profile", sorted(IMPLEMENTATIONS))
def test_strict_refuses_exactly_what_hardware_gets_wrong(profile: str) -> None:
    for meta in sorted(CASES.glob("*/meta.json")):
        case = load_case(meta.parent)
        if "requant" in case.meta["tags"]:  # no published design has it
            continue
        engine = Engine(case.stream.config, strict=True, profile=profile)
        engine.tokens = case.stream.tokens_in
        right = all(case.meta["verified"][name] == "ok" for name in IMPLEMENTATIONS[profile])
        problem = ""
        try:
            engine.run(
                Dram.of_stream(case.stream), int(case.meta["insn"]["phys"], 0), len(case.stream)
            )
        except StreamError as error:
            problem = str(error)
        wanted = right and case.name not in ANOTHER_DESIGN_DIFFERS[profile]
        assert (not problem) == wanted, f"{case.name}: {problem or 'accepted'}"


@pytest.mark.parametrize("profile", ["vta1", *sorted(IMPLEMENTATIONS)])
def test_strict_refuses_requant_only_where_a_distance_is_too_short(profile: str) -> None:
    folders = sorted(CASES.glob("isa_requant_*"))
    assert folders
    for folder in folders:
        case = load_case(folder)
        engine = Engine(case.stream.config, strict=True, profile=profile)
        short = "hazard" in case.meta["tags"] and profile == "hls-64bit"
        short |= profile == "chisel-64bit" and folder.name == "isa_requant_raw_src"
        try:
            engine.run(Dram.of_stream(case.stream), case.insn_phys, len(case.stream))
        except StreamError as error:
            assert short and error.kind is FaultKind.STRICT_DISTANCE, f"{folder.name}: {error}"
        else:
            assert not short, folder.name
