"""What tells the configuration of a bitstream, and what happens when it is told twice."""

import json
from pathlib import Path

import pytest

from vta_pynq.errors import ConfigError, IdentityError
from vta_pynq.hwh import IDENTITY_PARAMETERS
from vta_pynq.isa.registers import PUBLISHED
from vta_pynq.overlay.descriptions import find_variant
from vta_pynq.overlay.identity import read_identity

SMALL = "4x8_i8w8a32_15_16_16_18"
LARGE = "1x16_i8w8a32_15_15_18_17"
OLD = "1x16x16_8bx8b_15_15_18_17_100MHz_7ns_v0_0_0"


def ip_dict(**parameters):
    entries = {b.name: {"type": b.vlnv, "parameters": {}} for b in PUBLISHED.blocks}
    entries["compute"]["parameters"] = {
        IDENTITY_PARAMETERS[name]: value for name, value in parameters.items()
    }
    return entries


def test_identity_from_the_hwh_parameters():
    identity = read_identity(
        Path("any.bit"), ip_dict(config=SMALL, variant="a/b", profile="hls-128bit")
    )
    assert (identity.config.name, identity.variant, identity.profile.name) == (
        SMALL, "a/b", "hls-128bit",
    )  # fmt: skip
    assert identity.design is PUBLISHED
    assert str(identity) == f"a/b ({SMALL})"


@pytest.mark.parametrize("parameters", [{"config": "huge"}, {"config": SMALL, "profile": "fast"}])
def test_identity_of_a_hwh_with_unknown_names_says_which_file(parameters):
    with pytest.raises(ConfigError, match=r"^any\.bit: its \.hwh file: .*; restore the file$"):
        read_identity(Path("any.bit"), ip_dict(**parameters))


def test_identity_from_a_variant_file_beside_the_bitstream(tmp_path):
    bitfile = tmp_path / "x.bit"
    bitfile.with_suffix(".json").write_text(json.dumps(find_variant(SMALL).to_dict()))
    identity = read_identity(bitfile, ip_dict())
    assert (identity.config.name, identity.variant) == (SMALL, f"pynq/0.0.1/{SMALL}")


@pytest.mark.parametrize(("stem", "config"), [(SMALL, SMALL), (OLD, LARGE)])
def test_identity_from_the_name(stem, config):
    assert read_identity(Path(f"{stem}.bit"), ip_dict()).config.name == config


def test_identity_from_nowhere_says_where_it_could_come_from():
    with pytest.raises(ConfigError) as caught:
        read_identity(Path("x.bit"), ip_dict())
    assert str(caught.value) == (
        "x.bit: the configuration must be given by the .hwh file, by x.json next to it or by the "
        "name; name it like 1x16_i8w8a32_15_15_18_17.bit"
    )


def test_identity_with_capabilities_may_have_the_plain_name():
    identity = read_identity(Path(f"{LARGE}.bit"), ip_dict(config=f"{LARGE}+alu_mul"))
    assert identity.config.name == f"{LARGE}+alu_mul"


def test_identity_told_twice_and_differently_names_both_sources():
    with pytest.raises(IdentityError) as caught:
        read_identity(Path(f"{LARGE}.bit"), ip_dict(config=SMALL))
    assert str(caught.value) == (
        f"{LARGE}.bit: configuration must be the same in its .hwh file ({SMALL}) and its name "
        f"({LARGE}); restore the files or rename them"
    )


def test_identity_with_a_wrong_fingerprint_is_refused():
    with pytest.raises(IdentityError, match="fingerprint must be"):
        read_identity(Path("x.bit"), ip_dict(config=SMALL, fingerprint="0123456789abcdef"))


def test_identity_of_a_design_without_our_blocks_is_none():
    entries = ip_dict(config=SMALL)
    del entries["store"]
    assert read_identity(Path("x.bit"), entries) is None
