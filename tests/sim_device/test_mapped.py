"""Mapped registers: every access reaches the slave once, nothing else does."""

import numpy as np
import pytest

from vta_pynq.sim.mapped import RegisterArray


class Log:
    """A slave that counts upwards on reads and logs everything."""

    def __init__(self):
        self.seen = []

    def read(self, offset):
        self.seen.append(("r", offset))
        return len(self.seen)

    def write(self, offset, value):
        self.seen.append(("w", offset, value))


@pytest.fixture
def log():
    return Log()


def test_scalar_read_and_write_access_once(log):
    array = RegisterArray(log, 0x10, 4)
    assert array[1] == 1
    assert isinstance(array[1], np.uint32)
    array[2] = np.uint32(0xDEADBEEF)
    assert log.seen == [("r", 0x14), ("r", 0x14), ("w", 0x18, 0xDEADBEEF)]


def test_negative_index_counts_from_the_end_and_bounds_are_checked(log):
    array = RegisterArray(log, 0, 4)
    array[-1] = 5
    assert log.seen == [("w", 12, 5)]
    with pytest.raises(IndexError):
        array[4]
    with pytest.raises(IndexError):
        array[-5]


def test_slices_and_views_access_nothing_until_indexed(log):
    array = RegisterArray(log, 0, 8)
    part = array[2:6][1:]
    assert log.seen == []
    part[0] = 3
    assert log.seen == [("w", 12, 3)]


def test_slice_assignment_writes_each_register_in_order(log):
    array = RegisterArray(log, 0, 8)
    array[2:5] = [7, 8, 9]
    array[0:8:4] = 1
    assert log.seen == [("w", 8, 7), ("w", 12, 8), ("w", 16, 9), ("w", 0, 1), ("w", 16, 1)]


def test_sixty_four_bit_view_accesses_two_registers_low_first(log):
    array = RegisterArray(log, 0, 8)[2:4].view("u8")
    assert array[0] == 1 | 2 << 32
    array[0] = 0x1_0000_0002
    assert log.seen == [("r", 8), ("r", 12), ("w", 8, 2), ("w", 12, 1)]


def test_narrow_write_is_refused_because_axi_lite_registers_are_words(log):
    array = RegisterArray(log, 0, 2).view("u1")
    with pytest.raises(TypeError, match="an access must be 4 or 8 bytes wide, not 1"):
        array[0] = 1
    assert log.seen == []


@pytest.mark.parametrize(
    "read",
    [
        lambda a: a.tolist(),
        lambda a: a.copy().tolist(),
        lambda a: list(a),
        lambda a: np.frombuffer(a.tobytes(), "u4").tolist(),
        lambda a: (a + 0).tolist(),
        lambda a: np.concatenate([a]).tolist(),
        lambda a: a.astype("u8").tolist(),
        lambda a: a[[0, 1, 2]].tolist(),
    ],
)
def test_whole_array_reads_access_each_register_once(log, read):
    assert [int(v) for v in read(RegisterArray(log, 0, 3))] == [1, 2, 3]
    assert log.seen == [("r", 0), ("r", 4), ("r", 8)]


def test_repr_shows_what_the_hardware_says(log):
    assert repr(RegisterArray(log, 0, 2)) == "array([1, 2], dtype=uint32)"
