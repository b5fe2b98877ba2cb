"""Board files, and the processing systems that they name."""

from __future__ import annotations

import dataclasses
import json

import pytest

from vta_pynq.errors import ConfigError
from vta_pynq.overlay.boards import boards, get_board, overlay_folder, read_board
from vta_pynq.overlay.descriptions import find_variant, variants
from vta_pynq.overlay.processing_system import (
    memory_groups,
    processing_system,
    read_processing_system,
)

FILE = overlay_folder() / "boards" / "pynq-z2.json"
SYSTEMS = overlay_folder() / "processing_systems"


def changed(tmp_path, source, change):
    values = json.loads(source.read_text())
    for key, value in change.items():
        part = values
        *path, last = key.split(".")
        for word in path:
            part = part[word]
        part[last] = value
    path = tmp_path / source.name
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize("board", boards(), ids=lambda b: b.name)
def test_board_has_a_file_of_its_name_and_a_processing_system(board):
    assert (overlay_folder() / "boards" / f"{board.name.lower()}.json").is_file()
    system = processing_system(board)
    assert set(board.memory_ports) == {"hp", "acp"}
    coherent = {
        option: {system.memory_ports[name].coherent for name in names}
        for option, names in board.memory_ports.items()
    }
    assert coherent == {"hp": {False}, "acp": {True}}
    assert board.accepts(board.part.removeprefix("xc") if "7z" in board.part else board.part)


def test_board_is_called_by_what_pynq_says():
    assert get_board("Ultra96") is get_board("Ultra96-V2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cma.base": "0x1F000000"},
         "cma must lie in dram, 0x0 to 0x20000000, not at 0x1f000000 to 0x27000000"),
        ({"dram.bytes": 1 << 33},
         "dram must end below 4 GiB, not at 0x200000000; give the part that 32 address bits reach"),
        ({"dram.bytes": 0}, "dram.bytes must be greater than 0, not 0"),
        ({"pl_window": "here"}, "pl_window must be a hexadecimal address, not 'here'"),
        ({"board_parts": []}, "board_parts must be a list of strings, not []"),
        ({"board_connections": {"a": 1}},
         "board_connections must have strings as values, not {'a': 1}"),
        ({"memory_ports": {}}, "memory_ports must name at least one option, not none"),
        ({"memory_ports": {"hp": []}}, "memory_ports.hp must be a list of strings, not []"),
        ({"logic": {"lut": 5}}, "logic.ff must be a int, not None"),
        ({"clock_mhz": -1}, "clock_mhz must be greater than 0, not -1.0"),
        ({"part": None}, "part must be a str, not None"),
    ],
)  # fmt: skip
def test_read_board_refuses_what_cannot_be(change, message, tmp_path):
    path = changed(tmp_path, FILE, change)
    with pytest.raises(ConfigError) as caught:
        read_board(path)
    assert str(caught.value) == f"{path}: {message}"


def test_read_board_reads_what_the_file_says():
    assert read_board(FILE) == get_board("Pynq-Z2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_ports.S_AXI_HP0.coherent": "no"},
         "memory_ports.S_AXI_HP0.coherent must be a bool, not 'no'"),
        ({"settings.PCW_USE_M_AXI_GP0": 1}, "settings must have strings as values, not {"),
        ({"control": {}}, "control.port must be a str, not None"),
    ],
)  # fmt: skip
def test_read_processing_system_refuses_what_it_does_not_understand(change, message, tmp_path):
    path = changed(tmp_path, SYSTEMS / "zynq7000.json", change)
    with pytest.raises(ConfigError) as caught:
        read_processing_system(path)
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "versal"},
         "board Pynq-Z2: family must be one of zynq7000, zynqmp, not 'versal'"),
        ({"memory_ports": {"hp": ("S_AXI_HP7",)}},
         "board Pynq-Z2: memory port must be one of S_AXI_HP0, S_AXI_HP1, S_AXI_HP2, S_AXI_HP3, "
         "S_AXI_ACP (of zynq7000), not 'S_AXI_HP7'"),
    ],
)  # fmt: skip
def test_processing_system_of_a_board_that_names_what_is_not_there(change, message):
    with pytest.raises(ConfigError) as caught:
        processing_system(dataclasses.replace(get_board("Pynq-Z2"), **change))
    assert str(caught.value) == message


@pytest.mark.parametrize("variant", variants(), ids=lambda v: v.name)
def test_memory_groups_hold_every_master_once(variant):
    found = memory_groups(variant, get_board(variant.boards[0]))
    masters = [master for group in found.values() for master in group]
    assert sorted(masters) == sorted(
        {(block.name, m.name) for block in variant.design.modules for m in block.masters}
    )


def test_memory_groups_of_published_builds_are_all_on_the_coherent_port():
    published = find_variant("pynq/0.0.2/1x16_i8w8a32_15_15_18_17")
    assert list(memory_groups(published, get_board("Pynq-Z2"))) == ["S_AXI_ACP"]
