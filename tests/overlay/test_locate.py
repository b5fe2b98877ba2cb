"""From a name to files."""

import os
from pathlib import Path

import pytest

from vta_pynq.errors import ConfigError
from vta_pynq.overlay.bitfile import empty_bitfile
from vta_pynq.overlay.descriptions import get_board
from vta_pynq.overlay.locate import SEARCH_VARIABLE, locate, search_folders, user_folder

BOARD = get_board("Pynq-Z1")
CONFIG = "1x16_i8w8a32_15_15_18_17"
NEWEST = f"pynq/0.0.2/{CONFIG}"


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv(SEARCH_VARIABLE, raising=False)


def install(folder, name, hwh=True):
    path = folder / f"{name}.bit"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(empty_bitfile("x", "7z020"))
    if hwh:
        path.with_suffix(".hwh").write_text("hwh")
    return path


def test_search_folders_are_the_variables_then_the_users_then_the_packages(monkeypatch, tmp_path):
    monkeypatch.setenv(SEARCH_VARIABLE, os.pathsep.join(["/a", "", "/b"]))
    assert search_folders()[:3] == [Path("/a"), Path("/b"), user_folder()]
    assert user_folder() == tmp_path / "data" / "vta_pynq" / "overlays"


def test_user_folder_without_a_data_home(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "")
    assert user_folder() == Path.home() / ".local/share/vta_pynq/overlays"


@pytest.mark.parametrize("name", [CONFIG, NEWEST])
def test_locate_installed_variant(name):
    path = install(user_folder(), NEWEST)
    assert locate(name, BOARD, simulated=False).bitfile == path


def test_locate_prefers_the_folders_of_the_variable(monkeypatch, tmp_path):
    install(user_folder(), NEWEST)
    mine = install(tmp_path / "mine", NEWEST)
    monkeypatch.setenv(SEARCH_VARIABLE, str(tmp_path / "mine"))
    assert locate(CONFIG, BOARD, simulated=False).bitfile == mine


def test_locate_on_a_board_without_the_bitstream_says_how_to_get_it():
    with pytest.raises(ConfigError) as caught:
        locate(CONFIG, BOARD, simulated=False)
    text = str(caught.value)
    assert text.startswith(f"overlay {CONFIG}: the bitstream {NEWEST}.bit must be installed in ")
    assert text.endswith(f"; run 'vta overlays fetch {NEWEST}'")


def test_locate_on_a_board_of_a_configuration_nobody_built():
    with pytest.raises(ConfigError, match="name must be a .bit file or one of"):
        locate("2x8_i8w8a32_12_12_15_14", BOARD, simulated=False)


def test_locate_for_the_simulator_makes_what_is_missing_and_removes_it():
    located = locate(CONFIG, BOARD, simulated=True)
    assert located.bitfile.is_file() and located.bitfile.with_suffix(".hwh").is_file()
    located.close()
    located.close()
    assert not located.bitfile.parent.exists()


def test_locate_bitstream_without_hwh_of_a_known_variant_gets_ours(tmp_path):
    path = install(tmp_path, CONFIG, hwh=False)
    located = locate(path, BOARD, simulated=False)
    assert located.bitfile.read_bytes() == path.read_bytes()
    assert "VTA_CONFIG" in located.bitfile.with_suffix(".hwh").read_text()
    located.close()
    assert path.is_file()


def test_locate_bitstream_without_hwh_that_nobody_knows(tmp_path):
    path = install(tmp_path, "mine", hwh=False)
    with pytest.raises(ConfigError, match=r"mine\.bit: a \.hwh file must lie beside it"):
        locate(path, BOARD, simulated=True)


def test_locate_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.bit: the file must exist; check the path"):
        locate(tmp_path / "none.bit", BOARD, simulated=True)


def test_locate_of_an_impossible_configuration_gives_the_reason():
    with pytest.raises(ConfigError, match=r"not '1x16.*_99' \(configuration: LOG_ACC_BUFF_SIZE"):
        locate("1x16_i8w8a32_15_15_18_99", BOARD, simulated=True)
