"""Simulated DRAM: two images and an allocator."""

import random
import threading

import numpy as np
import pytest

from vta_pynq.isa.table import PAGE_BYTES
from vta_pynq.sim.dram import DramImages

BASE = 0x1680_0000


def test_allocate_rounds_to_pages_and_reuses_released_memory():
    dram = DramImages(BASE, 4 * PAGE_BYTES)
    first, second = dram.allocate(1), dram.allocate(PAGE_BYTES + 1)
    assert (first, second) == (0, PAGE_BYTES)
    assert dram.used == {0: PAGE_BYTES, PAGE_BYTES: 2 * PAGE_BYTES}
    dram.release(first)
    assert dram.allocate(PAGE_BYTES) == 0


def test_allocate_zero_bytes_gives_a_distinct_page():
    dram = DramImages(BASE, 4 * PAGE_BYTES)
    assert dram.allocate(0) != dram.allocate(0)


def test_allocate_without_room_raises_like_xrt_and_says_what_is_free():
    dram = DramImages(BASE, 4 * PAGE_BYTES)
    keep = dram.allocate(PAGE_BYTES)
    with pytest.raises(RuntimeError) as caught:
        dram.allocate(4 * PAGE_BYTES)
    assert str(caught.value) == (
        "Allocate failed: 16384 bytes must fit the largest free range of 12288 bytes in 16384 "
        "bytes of contiguous memory; free buffers that are not in use"
    )
    dram.release(keep)
    assert dram.allocate(4 * PAGE_BYTES) == 0


@pytest.mark.parametrize("seed", range(3))
def test_allocator_random_traffic_never_overlaps_and_leaves_one_range(seed):
    print("seed", seed)
    rng = random.Random(seed)
    dram = DramImages(BASE, 256 * PAGE_BYTES)
    held: dict[int, int] = {}
    for _ in range(600):
        if held and rng.random() < 0.5:
            offset = rng.choice(list(held))
            dram.release(offset)
            del held[offset]
            continue
        size = rng.randrange(1, 9) * PAGE_BYTES
        try:
            offset = dram.allocate(size)
        except RuntimeError:
            continue
        assert all(offset + size <= o or o + s <= offset for o, s in held.items())
        held[offset] = size
        assert dram.used == held
    for offset in held:
        dram.release(offset)
    assert dram.used == {}
    assert dram.allocate(256 * PAGE_BYTES) == 0


def test_allocator_from_many_threads_stays_consistent():
    dram = DramImages(BASE, 512 * PAGE_BYTES)
    errors = []

    def work() -> None:
        try:
            for _ in range(200):
                offset = dram.allocate(2 * PAGE_BYTES)
                dram.release(offset)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert dram.used == {}


def test_images_only_meet_in_clean_and_refresh():
    dram = DramImages(BASE, 4 * PAGE_BYTES)
    cpu = np.frombuffer(dram.memory(0, 16, cacheable=True), np.uint8)
    cpu[:] = 7
    assert not dram.device[:16].any()
    dram.clean(0, 8)
    assert dram.device[:16].tolist() == [7] * 8 + [0] * 8
    dram.device[:16] = 9
    assert cpu.tolist() == [7] * 16
    dram.refresh(8, 8)
    assert cpu.tolist() == [7] * 8 + [9] * 8


def test_uncached_memory_is_the_device_image():
    dram = DramImages(BASE, 4 * PAGE_BYTES)
    view = np.frombuffer(dram.memory(PAGE_BYTES, 4, cacheable=False), np.uint8)
    view[:] = 5
    assert dram.device[PAGE_BYTES : PAGE_BYTES + 4].tolist() == [5] * 4
    assert not dram.is_cpu_pointer(view.__array_interface__["data"][0])
