"""The register tables: what must hold for every design, and the two designs' own facts."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.isa.control_block import (
    CAPABILITY_BITS,
    CONTROL,
    COUNTERS,
    ERROR_LANE_BITS,
    HARDWARE_ERRORS,
    PORTS,
    CounterKind,
)
from vta_pynq.isa.emit.register_headers import pragma_header
from vta_pynq.isa.registers import (
    AP_CTRL_HS,
    AXI_INTC,
    DESIGNS,
    PUBLISHED,
    REGISTER_BYTES,
    VTA1,
    Access,
    get_design,
)
from vta_pynq.isa.table import TOKENS, Module

BLOCKS = [(d.name, b) for d in DESIGNS.values() for b in d.blocks] + [("", AXI_INTC)]
HLS = ROOT / "hls" / "src"


@pytest.mark.parametrize(("design", "block"), BLOCKS, ids=lambda x: getattr(x, "name", x))
def test_registers_of_a_block_neither_overlap_nor_misalign(design, block):
    offsets = [register.offset for register in block.registers]
    assert len(set(offsets)) == len(offsets)
    assert all(offset % REGISTER_BYTES == 0 for offset in offsets)
    names = [register.name for register in block.registers]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("design", "block"), BLOCKS, ids=lambda x: getattr(x, "name", x))
def test_fields_of_a_register_do_not_overlap(design, block):
    for register in block.registers:
        seen = 0
        for field in register.fields:
            assert not seen & field.mask, f"{register.name}.{field.name}"
            assert field.mask < 1 << register.bits
            if register.access is Access.READ_ONLY:
                assert field.access is Access.READ_ONLY
            seen |= field.mask


@pytest.mark.parametrize("design", DESIGNS.values(), ids=lambda d: d.name)
def test_address_maps_place_every_block_apart(design):
    for address_map in design.address_maps.values():
        places = [address_map.offsets[block.name] for block in design.blocks]
        places.append(address_map.intc)
        assert len(set(places)) == len(places)
        assert all(place % address_map.range_bytes == 0 for place in places)
        for block in design.blocks:
            assert max(r.offset for r in block.registers) < address_map.range_bytes


def test_block_is_that_of_the_module_and_control_is_none_of_them():
    for design in DESIGNS.values():
        assert [design.block(module).name for module in Module] == [
            module.name.lower() for module in Module
        ]
        assert design.control not in design.modules
    assert PUBLISHED.control is None and PUBLISHED.blocks == PUBLISHED.modules
    assert VTA1.control is CONTROL and VTA1.blocks == (*VTA1.modules, CONTROL)


def test_block_of_vlnv_takes_any_version_and_tells_designs_apart():
    assert VTA1.block_of_vlnv("vta_pynq:rtl:vta_control:9.9") is CONTROL
    assert VTA1.block_of_vlnv("xilinx.com:hls:fetch:1.0") is None
    assert PUBLISHED.block_of_vlnv("vta_pynq:hls:vta_fetch:1.0") is None


def test_get_design_of_an_unknown_name_names_the_known():
    with pytest.raises(ConfigError) as caught:
        get_design("chisel")
    assert str(caught.value) == "design must be one of published, vta1, not 'chisel'"


def test_published_registers_lie_where_the_bitstreams_have_them():
    # docs/isa.md, "Registers and driver sequence": measured on the published RTL.
    expected = {
        "fetch": {"insn_count": 0x10, "insns": 0x18},
        "load": {"inputs": 0x10, "weights": 0x18},
        "compute": {"done_i": 0x10, "done_o": 0x18, "done_o_ctrl": 0x1C, "uops": 0x20,
                    "biases": 0x28},
        "store": {"outputs": 0x10},
    }  # fmt: skip
    common = {register.name for register in AP_CTRL_HS}
    for block in PUBLISHED.blocks:
        found = {r.name: r.offset for r in block.registers if r.name not in common}
        assert found == expected[block.name]


# ---- the project's own design --------------------------------------------------------------


@pytest.mark.parametrize("module", Module, ids=lambda m: m.name)
def test_vta1_registers_are_the_arguments_that_the_source_exports(module):
    block = VTA1.block(module)
    text = (HLS / f"{block.name}.cpp").read_text(encoding="utf-8")
    exported = re.findall(r"VTA_AXI_LITE\((\w+), (\w+)\)", text)
    assert {top for top, _ in exported} == {block.name}
    common = {register.name for register in AP_CTRL_HS}
    names = {r.name for r in block.registers if not r.name.endswith("_ctrl")} - common
    assert {name for _, name in exported} == names
    assert "VTA_AXI_LITE_CONTROL" in text
    ports = set(re.findall(r"VTA_AXI_(?:READ|WRITE)\((\w+)\)", text))
    assert {f"m_axi_{port}" for port in ports} == {master.name for master in block.masters}
    header = pragma_header()
    for name in names:
        line = f"#define VTA_AT_{block.name}_{name} {block.register(name).offset:#04x}\n"
        assert line in header


@pytest.mark.parametrize("module", Module, ids=lambda m: m.name)
def test_vta1_outputs_have_a_valid_register_and_room_behind_it(module):
    block = VTA1.block(module)
    by_name = {register.name: register for register in block.registers}
    offsets = {register.offset for register in block.registers}
    arguments = set(by_name) - {register.name for register in AP_CTRL_HS}
    outputs = [n for n in arguments if f"{n}_ctrl" in by_name]
    assert {"errors", "executed", "busy"} <= set(outputs)
    for name in outputs:
        register = by_name[name]
        assert register.access is Access.READ_ONLY and register.offset % 16 == 0
        assert by_name[f"{name}_ctrl"].offset == register.offset + REGISTER_BYTES
        assert not {register.offset + 8, register.offset + 12} & offsets
    for name in arguments - set(outputs):
        if not name.endswith("_ctrl"):
            assert by_name[name].access is Access.READ_WRITE


def test_control_capabilities_are_all_there_and_fixed():
    assert set(CAPABILITY_BITS) == set(Capability)
    assert [CAPABILITY_BITS[c] for c in (Capability.ALU_MUL, Capability.SOFT_RESET)] == [0, 6]


def test_control_ports_are_the_masters_of_the_design():
    masters = [m.name for block in VTA1.modules for m in block.masters]
    assert [f"m_axi_{port}" for port in PORTS] == masters


def test_control_counters_cover_every_token_queue_and_module():
    waits = {c.channel: c.module for c in COUNTERS if c.kind is CounterKind.WAIT}
    pushes = {c.channel: c.module for c in COUNTERS if c.kind is CounterKind.PUSH}
    assert waits == {token.name: token.consumer for token in TOKENS}
    queues = {m.name.lower(): Module.FETCH for m in Module if m is not Module.FETCH}
    assert pushes == {**{token.name: token.producer for token in TOKENS}, **queues}
    for kind in (CounterKind.BUSY, CounterKind.STARVED):
        assert [c.module for c in COUNTERS if c.kind is kind] == list(Module)
    offsets = [CONTROL.register(c.register).offset for c in COUNTERS]
    assert offsets == list(range(offsets[0], offsets[0] + 4 * len(offsets), 4))


def test_control_errors_have_a_lane_for_each_module():
    assert len(HARDWARE_ERRORS) <= ERROR_LANE_BITS
    errors = CONTROL.register("ERRORS")
    assert errors.field("COMPUTE_UNKNOWN_ALU_OP").bit == 2 * ERROR_LANE_BITS + 2
    assert len(errors.fields) == len(Module) * len(HARDWARE_ERRORS)


def test_control_fingerprint_registers_hold_all_of_it():
    bits = 4 * len(HwConfig().fingerprint)
    names = ("FINGERPRINT_LO", "FINGERPRINT_HI")
    assert sum(CONTROL.register(name).bits for name in names) == bits
