"""The pool: first come, first served, and nothing is lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from vta_pynq.errors import DeviceError
from vta_pynq.runtime.fair import FairPool

DEADLINE_S = 20.0


def start(call: Any) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def wait_for_queue(pool: FairPool[Any], length: int) -> None:
    """Wait until `length` threads stand in the queue."""
    tick = threading.Event()
    for _ in range(int(DEADLINE_S * 1000)):
        if len(pool._queue) == length:
            return
        tick.wait(1e-3)
    raise AssertionError(f"queue: {len(pool._queue)}")


def test_lend_waiting_threads_are_served_in_order():
    pool = FairPool("lock")
    order: list[int] = []

    def use(number: int) -> None:
        with pool.lend():
            order.append(number)

    with pool.lend():
        threads = []
        for number in range(8):
            threads.append(start(lambda n=number: use(n)))
            wait_for_queue(pool, number + 1)
    for thread in threads:
        thread.join(DEADLINE_S)
    assert order == list(range(8))


def test_lend_grows_up_to_the_limit():
    made = iter("bcd")
    pool = FairPool("a", lambda: next(made), limit=3)
    with pool.lend() as first, pool.lend() as second, pool.lend() as third:
        assert [first, second, third] == ["a", "b", "c"]
        late: list[str] = []

        def use() -> None:
            with pool.lend() as item:
                late.append(item)

        thread = start(use)
        wait_for_queue(pool, 1)
    thread.join(DEADLINE_S)
    assert len(late) == 1 and late[0] in "abc"


def test_lend_no_memory_for_another_shares_what_there_is():
    def make() -> str:
        raise DeviceError("full")

    pool = FairPool("a", make, limit=2)
    used: list[str] = []

    def use() -> None:
        with pool.lend() as item:
            used.append(item)

    with pool.lend():
        thread = start(use)
        wait_for_queue(pool, 1)
    thread.join(DEADLINE_S)
    assert used == ["a"]


def test_lend_other_failure_reaches_the_caller_and_keeps_the_pool():
    def make() -> str:
        raise ZeroDivisionError

    pool = FairPool("a", make, limit=2)
    with pool.lend(), pytest.raises(ZeroDivisionError), pool.lend():
        pass
    with pool.lend() as item:
        assert item == "a"


def test_lend_wanted_item_waits_for_that_item():
    pool = FairPool("a", lambda: "b", limit=2)
    got: list[str] = []

    def use() -> None:
        with pool.lend(0) as item:
            got.append(item)

    with pool.lend() as first, pool.lend() as second:
        assert (first, second) == ("a", "b")
        thread = start(use)
        wait_for_queue(pool, 1)
    thread.join(DEADLINE_S)
    assert got == ["a"]


def test_close_waits_for_what_is_lent_and_refuses_the_rest():
    pool = FairPool("a", name="model 'm'")
    refused: list[str] = []

    def use() -> None:
        try:
            with pool.lend():
                pass
        except DeviceError as error:
            refused.append(str(error))

    with pool.lend():
        waiting = start(use)
        wait_for_queue(pool, 1)
        closing = start(pool.close)
        waiting.join(DEADLINE_S)
        assert closing.is_alive()
    closing.join(DEADLINE_S)
    assert not closing.is_alive() and pool.closed
    use()
    assert refused == ["model 'm': it must be open, not closed; load it again"] * 2
    pool.close()
