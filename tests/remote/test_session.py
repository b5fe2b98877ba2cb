"""One client at a time."""

from __future__ import annotations

import pytest

from vta_pynq.errors import DeviceError
from vta_pynq.remote.session import Sessions


def test_sessions_let_anybody_in_until_one_holds():
    released = []
    sessions = Sessions(lambda: released.append(1))
    sessions.check("a")
    sessions.acquire("a", "ann")
    assert released == [1]  # what clients without a session left behind
    released.clear()
    sessions.check("a")
    with pytest.raises(DeviceError, match="session must hold it once, not again"):
        sessions.acquire("a", "ann")
    with pytest.raises(DeviceError, match=r"device: must be free, but ann has had it since"):
        sessions.check("b")
    with pytest.raises(DeviceError, match="ann"):
        sessions.acquire("b", "bob")
    sessions.release("b")
    assert not released
    sessions.release("a")
    sessions.release("a")
    assert released == [1]
    sessions.acquire("b", "bob")
