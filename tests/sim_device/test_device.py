"""SimDevice under pynq's own classes: what a user of pynq sees."""

import asyncio
import gc
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pynq
import pytest

from tests.sim_device.rig import CONFIG_NAME, DEADLINE_S, FINISH, AddOne, open_overlay, put, stream
from vta_pynq.drivers import FetchDriver
from vta_pynq.errors import DeviceError, SimError
from vta_pynq.hwh import hwh_text
from vta_pynq.isa.registers import PUBLISHED
from vta_pynq.isa.table import Module
from vta_pynq.overlay.bitfile import empty_bitfile
from vta_pynq.overlay.descriptions import find_variant, get_board
from vta_pynq.sim import _compat
from vta_pynq.sim.device import SimDevice, activate

BOARD = get_board("Pynq-Z2")
VARIANT = find_variant(CONFIG_NAME)


def write_design(folder, *, interrupt=False, part="7z020clg484", stem=CONFIG_NAME):
    """A bitstream with its .hwh file, as a user would have it; the path."""
    bitfile = folder / f"{stem}.bit"
    bitfile.write_bytes(empty_bitfile(stem, part))
    bitfile.with_suffix(".hwh").write_text(hwh_text(VARIANT, BOARD, interrupt=interrupt))
    return str(bitfile)


@pytest.fixture
def device():
    return activate(SimDevice(tag="test"))


def test_plain_overlay_binds_the_drivers_and_shows_registers(device, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        overlay = pynq.Overlay(write_design(tmp_path))
    assert overlay.is_loaded()
    assert pynq.Device.active_device is device
    names = ["compute_0", "fetch_0", "load_0", "store_0"]
    assert sorted(overlay.hierarchy_dict["vta"]["ip"]) == names
    assert overlay.ip_dict["vta/store_0"]["phys_addr"] == 0x43C0_3000
    fetch = overlay.vta.fetch_0
    assert isinstance(fetch, FetchDriver)
    assert fetch.register_map.CTRL.AP_IDLE == 1
    fetch.register_map.insn_count = 9
    assert fetch.read(0x10) == 9 == int(fetch.register_map.insn_count)
    assert "AP_IDLE=1" in repr(overlay.vta.load_0.register_map)


def test_mmio_reads_and_writes_like_on_a_board(device, tmp_path):
    pynq.Overlay(write_design(tmp_path))
    mmio = pynq.MMIO(0x43C0_0000, 0x1000)
    mmio.write(0x18, 0xFFFF_FFF0)
    assert mmio.read(0x18) == 0xFFFF_FFF0
    mmio.write(0x10, b"\x01\x00\x00\x00")
    assert mmio.read(0x10) == 1
    assert mmio.read(0x18, length=1) == 0xF0
    with pytest.raises(ValueError, match="int or bytes"):
        mmio.write(0x10, np.uint32(3))
    with pytest.raises(MemoryError):
        mmio.read(0x11)


def test_mmio_where_nothing_answers_raises(device, tmp_path):
    pynq.Overlay(write_design(tmp_path))
    with pytest.raises(RuntimeError, match="bus error: 16 bytes at 0x50000000"):
        pynq.MMIO(0x5000_0000, 16)


def test_mapping_made_before_a_download_reaches_the_new_design(device, tmp_path):
    overlay = pynq.Overlay(write_design(tmp_path))
    mmio = pynq.MMIO(0x43C0_0000, 0x1000)
    mmio.write(0x10, 5)
    overlay.download()
    assert mmio.read(0x10) == 0
    mmio.write(0x10, 6)
    assert overlay.vta.fetch_0.read(0x10) == 6


def test_allocate_gives_pynq_buffers_at_physical_addresses(device):
    buffer = pynq.allocate((4, 100), "i1", cacheable=1)
    assert isinstance(buffer, pynq.buffer.PynqBuffer)
    assert (buffer.shape, buffer.dtype, buffer.coherent) == ((4, 100), np.dtype("i1"), False)
    assert buffer.device_address % 4096 == 0
    assert buffer.physical_address == buffer.device_address >= BOARD.cma_base
    assert buffer[1:].device_address == buffer.device_address + 100


def test_buffers_are_given_back_with_their_last_view(device):
    buffer = pynq.allocate(4096, "u1")
    view = buffer[10:]
    used = len(device.dram.used)
    del buffer
    gc.collect()
    assert len(device.dram.used) == used
    del view
    gc.collect()
    assert len(device.dram.used) == used - 1
    with pynq.allocate(16) as other:
        other.freebuffer()
        other.freebuffer()
    assert len(device.dram.used) == used - 1


def test_allocate_more_than_there_is_raises(device):
    with pytest.raises(RuntimeError, match="Allocate failed"):
        pynq.allocate((1 << 30,), "u1")


def test_flush_and_invalidate_are_needed_for_cacheable_buffers_only():
    overlay = open_overlay()
    job = AddOne(overlay, tiles=4)
    job.source[:] = 1
    job.source.flush()
    job.target[:] = 99
    job.target.flush()
    job.run()
    assert (job.target == 99).all(), "the CPU still sees its cache"
    job.target.invalidate()
    assert (job.target == 2).all()
    job.source[:] = 5  # not flushed
    job.run()
    job.target.invalidate()
    assert (job.target == 2).all(), "the accelerator saw what was flushed before"
    job.source.flush()
    job.run()
    job.target.sync_from_device()
    assert (job.target == 6).all()
    direct = pynq.allocate((4,), "u1")
    direct[:] = 3
    offset = direct.device_address - BOARD.cma_base
    assert overlay.device.dram.device[offset : offset + 4].tolist() == [3] * 4


def test_flush_of_a_slice_moves_what_the_installed_pynq_moves(device):
    buffer = pynq.allocate(8192, "u1", cacheable=1)
    buffer[:] = 1
    buffer[4096:].flush()
    start = buffer.device_address - BOARD.cma_base
    first = int(device.dram.device[start])
    assert device.dram.device[start + 4096] == 1
    assert first == (1 if _compat.SYNC_WHOLE_BUFFER else 0)


def test_clocks_follow_the_overlay(device, tmp_path):
    pynq.Overlay(write_design(tmp_path))
    assert pynq.Clocks.fclk0_mhz == VARIANT.clock_mhz
    pynq.Clocks.fclk0_mhz = 50
    assert pynq.Clocks.fclk0_mhz == 50


def test_clocks_belong_to_the_device_that_was_loaded_last(tmp_path):
    first, second = SimDevice(tag="one"), SimDevice(tag="two")
    bitfile = write_design(tmp_path)
    pynq.Overlay(bitfile, device=first)
    activate(second)
    pynq.Overlay(bitfile, device=second)
    pynq.Clocks.fclk0_mhz = 25
    assert pynq.Clocks.fclk0_mhz == 25
    pynq.Overlay(bitfile, device=second)
    assert pynq.Clocks.fclk0_mhz == VARIANT.clock_mhz


def test_two_devices_share_nothing(tmp_path):
    one, two = activate(SimDevice(tag="one")), SimDevice(tag="two")
    bitfile = write_design(tmp_path)
    first, second = pynq.Overlay(bitfile, device=one), pynq.Overlay(bitfile, device=two)
    first.vta.fetch_0.write(0x10, 1)
    second.vta.fetch_0.write(0x10, 2)
    assert (first.vta.fetch_0.read(0x10), second.vta.fetch_0.read(0x10)) == (1, 2)
    assert pynq.allocate(16, target=two).device is two


def test_download_for_another_part_is_refused(device, tmp_path):
    bitfile = write_design(tmp_path, part="7z045ffg900")
    with pytest.raises(DeviceError) as caught:
        pynq.Overlay(bitfile)
    assert str(caught.value) == (
        f"{bitfile}: the bitstream's part must start with 7z020 (Pynq-Z2), not 7z045ffg900"
    )


def test_download_of_a_cut_bitstream_is_refused(device, tmp_path):
    bitfile = write_design(tmp_path)
    Path(bitfile).write_bytes(Path(bitfile).read_bytes()[:-1])
    with pytest.raises(
        DeviceError, match=r"the bitstream must be \d+ bytes long, not \d+; fetch it again"
    ):
        pynq.Overlay(bitfile)


def test_download_without_hwh_raises_what_the_real_device_raises(device, tmp_path):
    bitfile = tmp_path / "x.bit"
    bitfile.write_bytes(empty_bitfile("x", "7z020"))
    with pytest.raises(RuntimeError, match="Unable to find metadata for bitstream"):
        pynq.Overlay(str(bitfile))


def test_partial_bitstream_is_refused(device, tmp_path):
    bitfile = write_design(tmp_path)
    with pytest.raises(DeviceError, match="must be a full bitstream"):
        pynq.Bitstream(bitfile, partial=True).download()


def test_download_writes_nothing_into_pynq(device, tmp_path):
    folder = os.path.dirname(pynq.pl_server.__file__)
    before = set(os.listdir(folder))
    pynq.Overlay(write_design(tmp_path))
    assert {name for name in set(os.listdir(folder)) - before if name != "__pycache__"} == set()


def test_interrupt_of_a_block_ends_an_await(tmp_path):
    device = SimDevice(tag="test")

    async def main():
        activate(device)
        overlay = pynq.Overlay(write_design(tmp_path, interrupt=True))
        words = stream([FINISH])
        buffer = pynq.allocate(words.shape, "u8")
        buffer[:] = words
        vta = overlay.vta
        for block in (vta.load_0, vta.compute_0, vta.store_0):
            block.write(0x00, 0x81)
        vta.compute_0.write(0x04, 1)
        vta.compute_0.write(0x08, 1)
        vta.fetch_0.write(0x10, len(words))
        vta.fetch_0.write(0x18, buffer.device_address)
        for _ in range(5):
            vta.fetch_0.write(0x00, 1)
            # The controller keeps what it saw of the level, so a wake-up may be spurious.
            while not vta.compute_0.read(0x0C):
                await asyncio.wait_for(vta.compute_0.interrupt.wait(), DEADLINE_S)
            assert vta.compute_0.read(0x0C) == 1
            vta.compute_0.write(0x0C, 1)
            assert vta.compute_0.read(0x18) == 1

    asyncio.run(main())


def test_design_without_interrupt_controller_has_no_interrupt_attribute(device, tmp_path):
    overlay = pynq.Overlay(write_design(tmp_path))
    assert not hasattr(overlay.vta.compute_0, "interrupt")


def test_master_outside_dram_stops_with_an_error_and_a_download_mends_it():
    overlay = open_overlay()
    job = AddOne(overlay)
    below = BOARD.cma_base - 4096
    compute = PUBLISHED.block(Module.COMPUTE)
    overlay.vta.compute_0.write(compute.register("biases").offset, (1 << 32) - below)
    with pytest.raises(SimError, match="insn 1 "):
        job.run()
    job.source[:] = 3
    job.source.flush()
    job.run()
    job.target.invalidate()
    assert (job.target == 4).all()


def test_instructions_outside_dram_stop_with_an_error():
    overlay = open_overlay()
    with pytest.raises(SimError):
        overlay.accelerator.run(0x1000, 1, DEADLINE_S)
    words = stream([FINISH])
    overlay.accelerator.run(put(overlay, words).device_address, 1, DEADLINE_S)


def test_tokens_and_sram_stay_between_runs_and_go_with_a_download():
    overlay = open_overlay()
    engine = overlay.device.accelerator.engine
    give = stream([{"opcode": 0, "memory_type": 2, "push_next": 1}, FINISH])
    take = stream([{**FINISH, "pop_prev": 1}])
    for words in (give, take, give):
        buffer = put(overlay, words)
        overlay.accelerator.run(buffer.device_address, len(words), DEADLINE_S)
    assert sum(engine.tokens) == 1
    overlay.download()
    assert overlay.device.accelerator.engine is not engine
    assert sum(overlay.device.accelerator.engine.tokens) == 0


def test_allocation_from_many_threads(device):
    errors = []

    def work(value):
        try:
            for _ in range(50):
                buffer = pynq.allocate(1000, "u4", cacheable=1)
                buffer[:] = value
                assert (buffer == value).all()
                del buffer
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_download_where_the_engine_was_not_built_says_so(tmp_path):
    def missing(config, profile, dram):
        raise ImportError("No module named 'vta_pynq.sim._engine'")

    device = activate(SimDevice(tag="unbuilt", engine=missing))
    with pytest.raises(SimError, match=r"vta_pynq\.sim\._engine must be built .*; run 'pip"):
        pynq.Overlay(write_design(tmp_path), device=device)
    activate(SimDevice(tag="built"))  # later tests take the active device
