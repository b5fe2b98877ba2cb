"""VtaOverlay on the simulated device."""

import gc
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pynq
import pytest

from tests.sim_device.rig import CONFIG_NAME, DEADLINE_S, FINISH, AddOne, open_overlay, run, stream
from vta_pynq.conformance import load_case
from vta_pynq.errors import ConfigError, DeviceError, IdentityError, ShapeError
from vta_pynq.hwh import hwh_text
from vta_pynq.isa.registers import PUBLISHED
from vta_pynq.overlay import VtaOverlay
from vta_pynq.overlay.bitfile import empty_bitfile
from vta_pynq.overlay.buffers import device_address
from vta_pynq.overlay.descriptions import find_variant, get_board, variants
from vta_pynq.sim.device import SimDevice, activate

BOARD = get_board("Pynq-Z2")
CASES = Path(__file__).parents[1] / "conformance"


@pytest.mark.parametrize("variant", variants(), ids=lambda v: v.name)
def test_overlay_of_every_variant_loads_and_runs(variant):
    board = get_board(variant.boards[0])
    with open_overlay(variant.name, board=board) as overlay:
        assert overlay.identity.variant == variant.name
        assert overlay.config == variant.config
        assert overlay.identity.profile is variant.profile
        base = board.pl_window + variant.address_map.offsets["compute"]
        assert overlay.ip_dict["vta/compute_0"]["phys_addr"] == base
        assert overlay.is_loaded()
        assert isinstance(overlay, pynq.Overlay)
        assert overlay.accelerator.compute is overlay.vta.compute_0
        job = AddOne(overlay, tiles=3, addend=7)
        job.source[:] = np.arange(job.source.size).reshape(job.source.shape)
        job.source.flush()
        job.run()
        job.target.invalidate()
        assert (job.target == (job.source + 7).astype("i1")).all()


def test_overlay_by_configuration_takes_the_newest_variant():
    with open_overlay(CONFIG_NAME) as overlay:
        assert overlay.identity.variant == f"pynq/0.0.2/{CONFIG_NAME}"


@pytest.mark.parametrize("name", ["2x8_i8w8a32_12_12_15_14", "1x16_i8w8a32_15_15_18_17+alu_mul"])
def test_overlay_of_a_configuration_nobody_built_is_simulated(name):
    with open_overlay(name) as overlay:
        assert overlay.config.name == name
        run(overlay, stream([FINISH], overlay.config))


def test_overlay_by_path_uses_the_files_beside_it(tmp_path):
    variant = find_variant("4x8_i8w8a32_15_16_16_18")
    bitfile = tmp_path / "renamed.bit"
    bitfile.write_bytes(empty_bitfile("x", "7z020clg484"))
    bitfile.with_suffix(".hwh").write_text(hwh_text(variant, BOARD))
    with VtaOverlay(bitfile, device=activate(SimDevice(tag="test"))) as overlay:
        assert overlay.bitfile_name == str(bitfile)
        assert overlay.config == variant.config


def test_overlay_whose_name_contradicts_its_hwh_is_refused(tmp_path):
    bitfile = tmp_path / f"{CONFIG_NAME}.bit"
    bitfile.write_bytes(empty_bitfile("x", "7z020clg484"))
    other = find_variant("4x8_i8w8a32_15_16_16_18")
    bitfile.with_suffix(".hwh").write_text(hwh_text(other, BOARD))
    with pytest.raises(IdentityError) as caught:
        VtaOverlay(bitfile, device=activate(SimDevice(tag="test")))
    assert str(caught.value) == (
        f"{bitfile}: configuration must be the same in its .hwh file (4x8_i8w8a32_15_16_16_18) "
        f"and its name ({CONFIG_NAME}); restore the files or rename them"
    )


def test_overlay_without_an_accelerator_is_refused(tmp_path):
    text = hwh_text(find_variant(CONFIG_NAME), BOARD).replace("xilinx.com:hls:store", "a.com:b:c")
    bitfile = tmp_path / "other.bit"
    bitfile.write_bytes(empty_bitfile("x", "7z020clg484"))
    bitfile.with_suffix(".hwh").write_text(text)
    with pytest.raises(DeviceError, match="must hold fetch, load, compute and store"):
        VtaOverlay(bitfile, device=activate(SimDevice(tag="test")))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda text: text[:-20],
            ConfigError,
            r"x\.hwh: must be the XML that Vivado wrote: .*; re",
        ),
        (
            lambda text: text.replace("hls:load:1.0", "hls:load:9.0"),
            DeviceError,
            r"a block must be of type xilinx\.com:hls:load:1\.0.*, and none is; restore the \.hwh",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:IP vta/load_0")
def test_overlay_whose_hwh_is_damaged_is_refused(tmp_path, change, error, message):
    bitfile = tmp_path / "x.bit"
    bitfile.write_bytes(empty_bitfile("x", "7z020clg484"))
    bitfile.with_suffix(".hwh").write_text(change(hwh_text(find_variant(CONFIG_NAME), BOARD)))
    device = activate(SimDevice(tag="test"))
    with pytest.raises(error, match=message):
        VtaOverlay(bitfile, device=device)
    with VtaOverlay(CONFIG_NAME, device=device) as overlay:
        run(overlay, stream([FINISH]))


def test_overlay_of_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"not 'nonsense' \(.*; run 'vta") as caught:
        open_overlay("nonsense")
    assert f"pynq/0.0.2/{CONFIG_NAME}" in str(caught.value)


def test_overlay_attached_without_a_download_keeps_the_logic(tmp_path):
    with open_overlay() as first:
        before = first.device.downloads
        second = VtaOverlay(first.bitfile_name, device=first.device, download=False)
        assert first.device.downloads == before
        run(second, stream([FINISH]))


def test_overlay_loaded_later_takes_the_logic_away():
    first = open_overlay()
    second = VtaOverlay("4x8_i8w8a32_15_16_16_18", device=first.device)
    assert second.is_loaded() and not first.is_loaded()
    with pytest.raises(RuntimeError, match="not currently loaded"):
        _ = first.vta


def test_accelerator_of_an_overlay_that_was_replaced_refuses_to_run():
    first = open_overlay()
    words = stream([FINISH])
    run(first, words)
    VtaOverlay("4x8_i8w8a32_15_16_16_18", device=first.device)
    with pytest.raises(DeviceError, match="must be the one that is loaded"):
        run(first, words)


def test_download_again_leaves_the_overlay_usable():
    with open_overlay() as overlay:
        overlay.download()
        run(overlay, stream([FINISH]))


def test_temporary_files_go_with_the_overlay():
    overlay = open_overlay()
    folder = Path(overlay.bitfile_name).parent
    assert folder.is_dir()
    overlay.close()
    assert not folder.exists()
    overlay = open_overlay()
    folder = Path(overlay.bitfile_name).parent
    del overlay
    gc.collect()
    assert not folder.exists()


def test_accelerator_of_a_closed_overlay_refuses_to_run():
    overlay = open_overlay()
    overlay.close()
    overlay.close()
    with pytest.raises(DeviceError, match="must be open, but was closed"):
        run(overlay, stream([FINISH]))


def test_allocate_gives_cacheable_buffers_and_says_when_there_is_no_room():
    with open_overlay() as overlay:
        buffer = overlay.allocate((2, 3), "i2")
        assert buffer.shape == (2, 3) and buffer.device is overlay.device
        assert overlay.device.dram.is_cpu_pointer(buffer.virtual_address)
        assert device_address(buffer, 6) == buffer.device_address + 6
        assert not overlay.device.dram.is_cpu_pointer(
            overlay.allocate(16, cacheable=False).virtual_address
        )
        with pytest.raises(DeviceError, match="1073741824 bytes of contiguous memory must be free"):
            overlay.allocate(1 << 30)


def test_allocate_of_a_negative_length_is_refused():
    with open_overlay() as overlay, pytest.raises(ShapeError) as caught:
        overlay.allocate((2, -1))
    assert str(caught.value) == "Pynq-Z2: lengths of a buffer must be at least 0, not (2, -1)"


def test_import_of_the_package_does_not_import_pynq():
    code = "import sys, vta_pynq, vta_pynq.overlay, vta_pynq.overlay.catalogue, vta_pynq.hwh\n"
    code += "import vta_pynq.cli.overlays\nprint('pynq' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "False"


def _base_registers(overlay, base):
    for block in PUBLISHED.blocks:
        driver = getattr(overlay.vta, f"{block.name}_0")
        for master in block.masters:
            if block.name != "fetch":
                driver.set(master.base_register, base)


PORTABLE = [
    folder
    for folder in sorted(CASES.glob("*/"))
    if (folder / "meta.json").is_file()
    and json.loads((folder / "meta.json").read_text())["portable"]
]
assert len(PORTABLE) > 20, "the conformance cases must be in the repository"


def _case(index, folder):
    marks = [] if index % 8 == 0 else [pytest.mark.slow]
    return pytest.param(folder, id=folder.name, marks=marks)


@pytest.mark.parametrize("folder", [_case(*item) for item in enumerate(PORTABLE)])
def test_conformance_case_through_drivers_and_registers_gives_the_expected_bytes(folder):
    """The case's addresses are shifted into contiguous memory by the base pointers."""
    case = load_case(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        overlay = open_overlay(case.stream.config.name)
    top = max(segment.phys + segment.size for segment in case.stream.segments)
    memory = overlay.allocate(top + 4096)
    memory[:] = 0
    for segment in case.stream.segments:
        if segment.data is not None:
            memory[segment.phys : segment.phys + segment.data.size] = segment.data
    memory.flush()
    base = memory.device_address
    _base_registers(overlay, base)
    (insns,) = case.stream.segments_of("INSN")
    overlay.accelerator.run(base + insns.phys, len(case.stream), DEADLINE_S, case.stream.words)
    memory.invalidate()
    for output in case.outputs:
        actual = memory[output.phys : output.phys + output.expected.size]
        assert np.array_equal(actual, output.expected), case.name
    assert case.outputs
