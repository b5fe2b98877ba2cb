"""Takes the place of the file of this name in pynq's own tests.

The classes have the names and methods that those tests use, but each of them is a simulated
device: allocation, mapping, register access and downloads go through SimDevice's own code, and
only what a test scripts (which address, which answer) is added.
"""

import collections
import dataclasses
import struct
import weakref

from vta_pynq.overlay.descriptions import get_board
from vta_pynq.sim.device import SimDevice

BOARD = dataclasses.replace(get_board("Pynq-Z2"), cma_bytes=1 << 24)
WHOLE_BUS = 1 << 32


class MockDeviceBase(SimDevice):
    def __init__(self, tag):
        super().__init__(tag=tag, board=BOARD)
        self.capabilities = {}


class _Script:
    """A slave that expects accesses in an order, and takes wide ones in words."""

    def __init__(self, device):
        self.device = device

    def read(self, offset):
        address, data = self.device.reads.popleft()
        data = bytes(memoryview(data))
        assert address == offset
        if len(data) > 4:
            self.device.reads.appendleft((address + 4, data[4:]))
        return struct.unpack("I", data[:4])[0]

    def write(self, offset, value):
        address, data = self.device.writes.popleft()
        assert address == offset
        assert data[:4] == struct.pack("I", value)
        if len(data) > 4:
            self.device.writes.appendleft((address + 4, data[4:]))


class MockRegisterDevice(MockDeviceBase):
    def __init__(self, tag):
        super().__init__(tag)
        self.capabilities = {"REGISTER_RW": True}
        self.reads = collections.deque()
        self.writes = collections.deque()
        self.attach(0, WHOLE_BUS, _Script(self))

    def check_transactions(self, reads, writes):
        self.reads = collections.deque(reads)
        self.writes = collections.deque(writes)
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert self.reads == collections.deque()
        assert self.writes == collections.deque()

    def find_slave(self, address, length):
        # What a test puts at an address of the processing system is the test's.
        return _Script(self), address


class MockMemoryMappedDevice(MockDeviceBase):
    def __init__(self, tag):
        super().__init__(tag)
        self.capabilities = {"MEMORY_MAPPED": True}
        self.regions = {}

    def mmap(self, base_addr, length):
        for base, size in self.regions:
            if base <= base_addr < base + size:
                if base_addr + length > base + size:
                    raise RuntimeError("Map failed - allocate largest region first")
                return super().mmap(base_addr, length)
        self.regions[(base_addr, length)] = bytearray(length)
        self.attach_memory(base_addr, self.regions[(base_addr, length)])
        return super().mmap(base_addr, length)


class MockAllocateDevice(MockDeviceBase):
    def __init__(self, tag):
        super().__init__(tag)
        self.allocates = collections.deque()
        self.flushes = collections.deque()
        self.invalidates = collections.deque()
        self._allocated = []

    def allocate(self, shape, dtype):
        bo, coherent, address = self.allocates.popleft()
        buffer = super().allocate(shape, dtype)
        # The test wants a handle and an address of its own; ours goes back when the buffer does.
        weakref.finalize(buffer, self.dram.release, buffer.bo)
        buffer.freed = True
        buffer.bo, buffer.coherent, buffer.device_address = bo, coherent, address
        self._allocated.append(weakref.ref(buffer))
        return buffer

    def flush(self, bo, offset, vaddr, length):
        assert self.flushes.popleft() == (bo, offset, length)

    def invalidate(self, bo, offset, vaddr, length):
        assert self.invalidates.popleft() == (bo, offset, length)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert not self.allocates and not self.flushes and not self.invalidates

    def check_memops(self, allocates=(), flushes=(), invalidates=()):
        self.allocates = collections.deque(allocates)
        self.flushes = collections.deque(flushes)
        self.invalidates = collections.deque(invalidates)
        return self

    def check_allocated(self):
        for reference in self._allocated:
            assert reference() is None


class MockDownloadableDevice(MockDeviceBase):
    def __init__(self, tag):
        super().__init__(tag)
        self.operations = []
        del self.name  # the tests name a device where they want one looked up

    def download(self, bitstream, parser=None):
        self.operations.append(("download", bitstream, parser))

    def remove_device_tree(self, dtbo):
        self.operations.append(("remove_device_tree", dtbo))

    def insert_device_tree(self, dtbo):
        self.operations.append(("insert_device_tree", dtbo))


class _IpSlave:
    """One of the tests' own blocks as a slave of the bus."""

    def __init__(self, ip):
        self.ip = ip

    def read(self, offset):
        return int.from_bytes(self.ip.read(offset, 4), "little")

    def write(self, offset, value):
        self.ip.write(offset, value.to_bytes(4, "little"))


class MockIPDevice(MockDeviceBase):
    def __init__(self, ip, tag):
        super().__init__(tag)
        self.capabilities = {"REGISTER_RW": True}
        self.ip = ip

    def find_slave(self, address, length):
        for ip in self.ip:  # the tests add blocks at any time
            if ip.lo_address <= address < ip.hi_address:
                assert address + length <= ip.hi_address
                return _IpSlave(ip), address - ip.lo_address
        return super().find_slave(address, length)
