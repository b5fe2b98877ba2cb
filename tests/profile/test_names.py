"""Short layer names."""

from __future__ import annotations

import pytest

from vta_pynq.profile.names import short_name


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("relu_6_QuantizeLinear_Output", "relu_6"),
        ("/3/body/body.2/Relu_output_0_QuantizeLinear_Output", "3/body/body.2/Relu"),
        ("y_QuantizeLinear_Output:unpack", "y:unpack"),
        ("_output_0", "_output_0"),
        ("a" * 40, "a" * 13 + "…" + "a" * 14),
        ("plain", "plain"),
    ],
)
def test_short_name_drops_what_quantisation_appended(name, short):
    assert short_name(name) == short
    assert len(short_name(name)) <= 28
