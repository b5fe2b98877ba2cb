"""Block drivers: the exact register traffic of each call."""

import numpy as np
import pynq
import pytest

from vta_pynq.drivers import ComputeDriver, FetchDriver, LoadDriver, StoreDriver
from vta_pynq.drivers.blocks import ControlStatus
from vta_pynq.errors import DeviceError
from vta_pynq.isa.registers import PUBLISHED


class Bus:
    """The MMIO of a block: answers reads from a list, logs everything."""

    def __init__(self, answers=()):
        self.answers = list(answers)
        self.traffic = []

    def read(self, offset):
        self.traffic.append(("r", offset))
        return self.answers.pop(0)

    def write(self, offset, value):
        assert type(value) is int, "pynq refuses everything else"
        self.traffic.append(("w", offset, value))


class Device(pynq.Device):
    """Enough of a device to make a DefaultIP."""

    def __init__(self):
        super().__init__("traffic")
        self.capabilities = {"MEMORY_MAPPED": True}

    def mmap(self, base, length):
        return np.zeros(length // 4, np.uint32)


def make(kind, answers=()):
    name = kind.bindto[0].split(":")[2]
    driver = kind(
        {
            "device": Device(),
            "phys_addr": 0x43C0_0000,
            "addr_range": 0x1000,
            "type": kind.bindto[0],
            "fullpath": f"vta/{name}_0",
        }
    )
    driver.mmio = Bus(answers)
    return driver


@pytest.mark.parametrize("kind", [FetchDriver, LoadDriver, ComputeDriver, StoreDriver])
def test_driver_binds_to_the_published_vlnv(kind):
    name = kind.__name__.removesuffix("Driver").lower()
    assert f"xilinx.com:hls:{name}:1.0" in kind.bindto
    assert make(kind).block in PUBLISHED.blocks


def test_fetch_submit_writes_count_address_and_start():
    fetch = make(FetchDriver)
    fetch.submit(0x1680_0000, 7)
    assert fetch.mmio.traffic == [("w", 0x10, 7), ("w", 0x18, 0x1680_0000), ("w", 0x00, 0x01)]


def test_load_prepare_zeroes_bases_and_starts_for_ever():
    load = make(LoadDriver)
    load.prepare()
    assert load.mmio.traffic == [("w", 0x10, 0), ("w", 0x18, 0), ("w", 0x00, 0x81)]


def test_compute_prepare_zeroes_bases_and_starts_for_ever():
    compute = make(ComputeDriver)
    compute.prepare()
    assert compute.mmio.traffic == [("w", 0x20, 0), ("w", 0x28, 0), ("w", 0x00, 0x81)]


def test_store_prepare_zeroes_its_base_and_starts_for_ever():
    store = make(StoreDriver)
    store.prepare()
    assert store.mmio.traffic == [("w", 0x10, 0), ("w", 0x00, 0x81)]


@pytest.mark.parametrize(("value", "done"), [(0, False), (1, True)])
def test_compute_done_reads_the_flag(value, done):
    compute = make(ComputeDriver, [value])
    assert compute.done() is done
    assert compute.mmio.traffic == [("r", 0x18)]


@pytest.mark.parametrize(("value", "written"), [(0, False), (1, True), (0xFFFF_FFFE, False)])
def test_compute_take_done_written_looks_at_the_valid_bit_only(value, written):
    compute = make(ComputeDriver, [value])
    assert compute.take_done_written() is written
    assert compute.mmio.traffic == [("r", 0x1C)]


def test_status_reads_control_once_and_names_its_bits():
    load = make(LoadDriver, [0x83, 0x04])
    assert load.status() == ControlStatus(started=True, done=True, idle=False, auto_restart=True)
    assert load.status() == ControlStatus(started=False, done=False, idle=True, auto_restart=False)
    assert load.mmio.traffic == [("r", 0), ("r", 0)]


def test_set_takes_numpy_integers_and_passes_an_exact_int():
    fetch = make(FetchDriver)
    fetch.set("insns", np.uint64(0xFFFF_FFFF))
    assert fetch.mmio.traffic == [("w", 0x18, 0xFFFF_FFFF)]


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_set_out_of_range_is_refused_before_any_access(value):
    fetch = make(FetchDriver)
    with pytest.raises(DeviceError) as caught:
        fetch.set("insns", value)
    assert str(caught.value) == (
        f"fetch.insns: value must be in 0..4294967295, not {value}; use buffers below 4 GiB"
    )
    assert fetch.mmio.traffic == []


def test_driver_of_a_foreign_block_is_refused():
    with pytest.raises(DeviceError, match="VLNV must be one of the register table's"):
        FetchDriver(
            {
                "device": Device(), "phys_addr": 0, "addr_range": 0x1000,
                "type": "xilinx.com:hls:other:1.0",
            }
        )  # fmt: skip
