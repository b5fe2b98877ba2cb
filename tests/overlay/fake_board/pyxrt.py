"""A stand-in for XRT's Python binding: what pynq's own device for boards (3.1 and later) calls.

Buffer objects lie in the simulated DRAM that `board.set_up` puts into `DRAM`.
"""

import enum

DRAM = []


class xclBOSyncDirection(enum.IntEnum):  # noqa: N801  # XRT's name
    XCL_BO_SYNC_BO_TO_DEVICE = 0
    XCL_BO_SYNC_BO_FROM_DEVICE = 1


xrt_info_device = enum.IntEnum(
    "xrt_info_device",
    "bdf dynamic_regions electrical host m2m max_clock_frequency_mhz mechanical memory name "
    "pcie_info thermal vmr",
)


class device:  # noqa: N801
    def __init__(self, index):
        self.index = index

    def get_info(self, key):
        return {xrt_info_device.name: "edge", xrt_info_device.pcie_info: 0}.get(key, "")

    def load_xclbin(self, name):
        return "uuid"


class bo:  # noqa: N801
    class flags(enum.IntEnum):  # noqa: N801
        normal = 0
        cacheable = 1

    def __init__(self, handle, size, flags, index):
        self._dram = DRAM[0]
        self._size = size
        self._cacheable = flags == bo.flags.cacheable
        self._offset = self._dram.allocate(size)

    def map(self):
        return self._dram.memory(self._offset, self._size, cacheable=self._cacheable)

    def size(self):
        return self._size

    def address(self):
        return self._dram.base + self._offset

    def sync(self, direction):
        if not self._cacheable:
            return
        if direction == xclBOSyncDirection.XCL_BO_SYNC_BO_TO_DEVICE:
            self._dram.clean(self._offset, self._size)
        else:
            self._dram.refresh(self._offset, self._size)
