"""The generated .hwh files, as both of pynq's parsers read them."""

import dataclasses
from pathlib import Path

import pytest
from pynq.pl_server.hwh_parser import _HWHUltrascale, _HWHZynq

from vta_pynq.errors import ConfigError
from vta_pynq.hwh import IDENTITY_PARAMETERS, hwh_text, main, write_all
from vta_pynq.overlay.descriptions import find_variant, get_board, overlay_folder, variants
from vta_pynq.sim import _compat

BOARD = get_board("Pynq-Z1")
OWN = find_variant("vta1/1x16_i8w8a32_15_15_18_17")


def metadata(variant, folder, **options):
    path = folder / "x.hwh"
    path.write_text(hwh_text(variant, get_board(variant.boards[0]), **options))
    return _compat.parse_hwh(path)


@pytest.mark.parametrize("variant", variants(), ids=lambda v: v.name)
def test_hwh_gives_every_block_its_address_registers_and_identity(variant, tmp_path):
    parser = metadata(variant, tmp_path)
    window = get_board(variant.boards[0]).pl_window
    for block in variant.design.blocks:
        entry = parser.ip_dict[f"vta/{block.name}_0"]
        assert entry["type"] == block.vlnv
        assert entry["phys_addr"] == window + variant.address_map.offsets[block.name]
        assert entry["addr_range"] == variant.address_map.range_bytes
        offsets = {name: r["address_offset"] for name, r in entry["registers"].items()}
        assert offsets == {r.name: r.offset for r in block.registers}
        for register in block.registers:
            fields = entry["registers"][register.name].get("fields", {})
            assert {n: (f["bit_offset"], f["bit_width"]) for n, f in fields.items()} == {
                field.name: (field.bit, field.width) for field in register.fields
            }
    where = "compute" if variant.design.control is None else variant.design.control.name
    parameters = parser.ip_dict[f"vta/{where}_0"]["parameters"]
    assert parameters[IDENTITY_PARAMETERS["config"]] == variant.config.name
    assert parameters[IDENTITY_PARAMETERS["fingerprint"]] == variant.config.fingerprint


@pytest.mark.parametrize("variant", variants(), ids=lambda v: v.name)
def test_hwh_is_also_read_by_the_older_parser(variant):
    board = get_board(variant.boards[0])
    kind = {"zynq7000": _HWHZynq, "zynqmp": _HWHUltrascale}[board.family]
    parser = kind(hwh_data=hwh_text(variant, board))
    parser.get_ip() if hasattr(parser, "get_ip") else None
    assert set(parser.ip_dict) >= {f"vta/{block.name}_0" for block in variant.design.blocks}
    assert "vta" in parser.hierarchy_dict
    assert parser.clock_dict[0]["enable"]


def test_hwh_with_interrupts_connects_every_block_to_the_controller(tmp_path):
    parser = metadata(variants()[-1], tmp_path, interrupt=True)
    names = ("fetch", "load", "compute", "store")
    pins = [parser.interrupt_pins[f"vta/{name}_0/interrupt"] for name in names]
    assert [pin["controller"] for pin in pins] == ["axi_intc_0"] * 4
    assert [pin["index"] for pin in pins] == [0, 1, 2, 3]
    assert "raw_irq" in parser.interrupt_controllers["axi_intc_0"]


def test_hwh_of_a_published_design_has_no_interrupt(tmp_path):
    parser = metadata(variants()[-1], tmp_path)
    assert not parser.interrupt_pins and not parser.interrupt_controllers


def test_hwh_of_the_own_design_has_the_interrupt_of_the_control_block(tmp_path):
    parser = metadata(OWN, tmp_path)
    assert [name for name in parser.interrupt_pins if name.startswith("vta/")] == [
        "vta/control_0/irq"
    ]
    pin = parser.interrupt_pins["vta/control_0/irq"]
    assert (pin["controller"], pin["index"]) == ("axi_intc_0", 0)
    assert parser.ip_dict["axi_intc_0"]["phys_addr"] == BOARD.pl_window + OWN.address_map.intc
    assert parser.interrupt_controllers["axi_intc_0"]["raw_irq"] == 61  # IRQ_F2P[0] of Zynq-7000


def test_hwh_of_the_own_design_says_what_the_control_block_was_built_with(tmp_path):
    parameters = metadata(OWN, tmp_path).ip_dict["vta/control_0"]["parameters"]
    halves = (parameters["FINGERPRINT_HI"], parameters["FINGERPRINT_LO"])
    assert "".join(half[2:] for half in halves).lower() == OWN.config.fingerprint
    assert int(parameters["CAPABILITIES"], 16) == 0x7F


def test_hwh_clock_divisors_make_the_clock():
    text = hwh_text(dataclasses.replace(variants()[-1], clock_mhz=142.857), BOARD)
    assert 'NAME="PCW_FCLK0_PERIPHERAL_DIVISOR0" VALUE="7"' in text


@pytest.mark.parametrize("clock_mhz", [0.1, 700.0])
def test_hwh_clock_that_the_pll_cannot_make_is_refused(clock_mhz):
    with pytest.raises(ConfigError, match="clock_mhz must be the PLL's 1000 MHz over two divisors"):
        hwh_text(dataclasses.replace(variants()[-1], clock_mhz=clock_mhz), BOARD)


def test_committed_files_are_what_the_generator_writes(tmp_path):
    written = write_all(tmp_path)
    assert len(written) == len(variants())
    for path in written:
        committed = overlay_folder() / path.relative_to(tmp_path)
        assert committed.read_bytes() == path.read_bytes(), f"{committed}: run 'make gen'"


def test_main_prints_what_it_wrote(tmp_path, capsys):
    assert main(["--folder", str(tmp_path)]) == 0
    assert all(Path(line).is_file() for line in capsys.readouterr().out.splitlines())
