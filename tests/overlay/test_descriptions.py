"""Board and variant files."""

import json

import pytest

from vta_pynq.errors import ConfigError
from vta_pynq.overlay import descriptions
from vta_pynq.overlay.descriptions import (
    boards,
    find_variant,
    get_board,
    overlay_folder,
    read_variant,
    variants,
)

NEWEST = "pynq/0.0.2/1x16_i8w8a32_15_15_18_17"


def test_every_variant_names_boards_that_are_described():
    known = {board.name for board in boards()}
    assert all(set(variant.boards) <= known for variant in variants())


def test_every_address_map_of_every_design_has_a_variant():
    used = {(v.design.name, v.address_map.name) for v in variants()}
    assert used == {(v.design.name, m) for v in variants() for m in v.design.address_maps}


@pytest.mark.parametrize("name", ["Pynq-Z2", "pynq z2", "PYNQZ2"])
def test_get_board_ignores_case_and_punctuation(name):
    assert get_board(name).name == "Pynq-Z2"


def test_get_board_unknown_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        get_board("Arty")
    assert str(caught.value) == (
        "board must be one of KV260, Pynq-Z1, Pynq-Z2, Ultra96-V2, ZCU104, not 'Arty'"
    )


def test_board_accepts_parts_of_its_die():
    assert get_board("Pynq-Z2").accepts("7z020clg484")
    assert not get_board("Pynq-Z2").accepts("7z045ffg900")


@pytest.mark.parametrize("name", [NEWEST, "1x16_i8w8a32_15_15_18_17"])
def test_find_variant_prefers_the_newest(name):
    assert find_variant(name).name == NEWEST


def test_find_variant_restricted_to_a_board_it_was_not_built_for(monkeypatch):
    board = get_board("Pynq-Z2")
    foreign = descriptions.dataclasses.replace(board, name="Other")
    assert find_variant(NEWEST, foreign) is None
    assert find_variant(NEWEST, board) is not None


@pytest.mark.parametrize("variant", variants(), ids=lambda v: v.name)
def test_read_variant_reads_back_what_to_dict_says(variant, tmp_path):
    path = tmp_path / "v.json"
    path.write_text(json.dumps(variant.to_dict()))
    assert read_variant(path) == variant


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"design": "mine"}, "design must be one of published, vta1, not 'mine'"),
        ({"address_map": "8k"}, "address_map must be one of 4k, 64k, not '8k'"),
        ({"config": "big"}, "configuration name must read"),
        ({"profile": "fast"}, "profile must be one of"),
        ({"boards": []}, "boards must be a list of strings, not []"),
        ({"clock_mhz": "fast"}, "clock_mhz must be a float, not 'fast'"),
        ({"clock_mhz": True}, "clock_mhz must be a float, not True"),
        ({"doc": None}, "doc must be a str, not None"),
    ],
)
def test_read_variant_refuses_what_it_does_not_understand(change, message, tmp_path):
    path = tmp_path / "v.json"
    path.write_text(json.dumps({**variants()[-1].to_dict(), **change}))
    with pytest.raises(ConfigError) as caught:
        read_variant(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_read_variant_refuses_what_is_not_an_object(text, tmp_path):
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_variant(path)


def test_overlay_folder_holds_the_catalogue():
    assert (overlay_folder() / "catalogue.json").is_file()
