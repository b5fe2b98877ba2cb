"""VtaOverlay through pynq's own device for boards, above a fake FPGA manager.

`VTA_TEST_BITSTREAMS` may name a folder of published bitstreams (as `vta overlays fetch --into`
makes one); they are then loaded as well.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pynq
import pytest

from tests.sim_device.rig import AddOne, open_overlay
from vta_pynq.hwh import hwh_text
from vta_pynq.overlay.bitfile import empty_bitfile, read_bit_header
from vta_pynq.overlay.catalogue import file_sha256, read_catalogue
from vta_pynq.overlay.descriptions import get_board, variants
from vta_pynq.overlay.locate import SEARCH_VARIABLE

BOARD = get_board("Pynq-Z2")
BOARD_SCRIPT = str(Path(__file__).parent / "fake_board" / "board.py")
FOLDER_VARIABLE = "VTA_TEST_BITSTREAMS"
VERSION = tuple(int(word) for word in pynq.__version__.split(".")[:2])

needs_pynq_31 = pytest.mark.skipif(
    VERSION < (3, 1), reason="pynq 3.0 talks to XRT through another binding than the fake one"
)


def load(tmp_path, overlays, name, *bitfiles):
    """What the scenario saw."""
    work = tmp_path / "board"
    work.mkdir()
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, BOARD_SCRIPT, str(work), name, *map(str, bitfiles)],
        env={
            **os.environ, SEARCH_VARIABLE: str(overlays), "PYTHONPATH": str(root),
            "TMPDIR": str(tmp_path),
        },
        cwd=work, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@needs_pynq_31
def test_every_variant_loads_and_runs_through_the_device_for_boards(tmp_path):
    overlays = tmp_path / "overlays"
    built = [variant for variant in variants() if BOARD.name in variant.boards]
    for variant in built:
        path = overlays / f"{variant.name}.bit"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(empty_bitfile(variant.stem, "7z020clg484"))
        path.with_suffix(".hwh").write_text(hwh_text(variant, BOARD))
    seen = load(tmp_path, overlays, *(variant.name for variant in built))
    assert seen["devices"] == ["EmbeddedDevice"], "the simulator keeps away from a board"
    assert len(seen["runs"]) == len(built)
    downloads = 0
    for variant, found in zip(built, seen["runs"], strict=True):
        # A reset is a second one, unless the design has a soft reset.
        downloads += 2 if variant.design.control is None else 1
        header = read_bit_header(overlays / f"{variant.name}.bit")
        assert found == {
            "device": "EmbeddedDevice",
            "identity": variant.name,
            "config": variant.config.name,
            "compute": BOARD.pl_window + variant.address_map.offsets["compute"],
            "binary_bytes": header.data_bytes,
            "flags": "0",
            "fclk0_mhz": variant.clock_mhz,
            "downloads": downloads,
            "lock": True,
        }


def published():
    """The folder of published bitstreams and its catalogue entries."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    entries = [e for e in read_catalogue().entries if (folder / e.path).is_file()]
    assert entries, f"{folder} must hold at least one published bitstream"
    for entry in entries:
        assert file_sha256(folder / entry.path) == entry.sha256
    return folder, entries


needs_bitstreams = pytest.mark.skipif(
    not os.environ.get(FOLDER_VARIABLE), reason=f"{FOLDER_VARIABLE} names no folder of bitstreams"
)


@needs_bitstreams
@needs_pynq_31
def test_published_bitstreams_load_through_the_device_for_boards(tmp_path):
    folder, entries = published()
    seen = load(tmp_path, folder, *(folder / entry.path for entry in entries))
    assert [run["config"] for run in seen["runs"]] == [e.variant.config.name for e in entries]
    for entry, run in zip(entries, seen["runs"], strict=True):
        assert run["binary_bytes"] == read_bit_header(folder / entry.path).data_bytes


@needs_bitstreams
def test_published_bitstreams_load_on_the_simulated_device(tmp_path):
    folder, entries = published()
    for entry in entries:
        alone = tmp_path / Path(entry.path).name
        alone.write_bytes((folder / entry.path).read_bytes())  # without a .hwh file beside it
        with open_overlay(str(alone)) as overlay:
            assert overlay.config == entry.variant.config
            job = AddOne(overlay, addend=2)
            job.source[:] = 5
            job.source.flush()
            job.run()
            job.target.invalidate()
            assert (job.target == 7).all()
