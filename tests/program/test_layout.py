"""Layouts against index arithmetic written out."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vta_pynq.errors import ProgramError
from vta_pynq.program import Layout, activation_layout, plain_layout, weight_layout


def test_activation_layout_places_every_value() -> None:
    layout = Layout.parse(activation_layout(2, 16))
    array = np.arange(3 * 20 * 2 * 5, dtype=np.int32).reshape(3, 20, 2, 5) + 1
    stored = layout.pack(array)
    assert stored.shape == layout.stored_shape(array.shape) == (2, 2, 2, 5, 2, 16)
    for n, c, h, w in itertools.product(range(4), range(32), range(2), range(5)):
        expected = array[n, c, h, w] if n < 3 and c < 20 else 0
        assert stored[n // 2, c // 16, h, w, n % 2, c % 16] == expected


def test_weight_layout_has_output_channels_as_rows() -> None:
    array = np.arange(32 * 16, dtype=np.int16).reshape(32, 16, 1, 1)
    stored = Layout.parse(weight_layout(16)).pack(array)
    assert stored.shape == (2, 1, 1, 1, 16, 16)
    assert (stored[1, 0, 0, 0] == array[16:, :, 0, 0]).all()


@given(st.data())
def test_unpack_reverses_pack(data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, 5))
    axes = plain_layout(rank)
    split = data.draw(st.permutations(axes))[: data.draw(st.integers(0, rank))]
    name = axes + "".join(f"{data.draw(st.integers(1, 5))}{axis.lower()}" for axis in split)
    layout = Layout.parse(name)
    assert layout.name == name
    shape = data.draw(st.lists(st.integers(1, 5), min_size=rank, max_size=rank))
    array = np.arange(1, 1 + int(np.prod(shape))).reshape(shape)
    stored = layout.pack(array)
    assert stored.shape == layout.stored_shape(shape)
    assert stored.size == layout.stored_elems(shape)
    assert np.count_nonzero(stored) == array.size
    assert (layout.unpack(stored.reshape(-1), shape) == array).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nchw", "layout must be capital letters, then blocks such as 16c, not 'nchw'"),
        ("NCHW0c", "layout must be capital letters, then blocks such as 16c, not 'NCHW0c'"),
        ("NN", "layout must name an axis once, not 'NN'"),
        ("NC2c2c", "layout must name an axis once, not 'NC2c2c'"),
        ("N2c", "layout must split axes that it has, not 'N2c'"),
    ],
)
def test_layout_with_odd_name_is_refused(name: str, message: str) -> None:
    with pytest.raises(ProgramError, match=f"^{re.escape(message)}$"):
        Layout.parse(name)
