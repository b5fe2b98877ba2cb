"""What is refused before the device is touched."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.runtime.programs import Dense, Maker, random_weights, vta_only
from vta_pynq.config import HwConfig
from vta_pynq.errors import IdentityError, ProgramError, ShapeError
from vta_pynq.isa.encode import decode, encode
from vta_pynq.overlay import VtaOverlay
from vta_pynq.program import ArenaKind, Program

RNG = np.random.default_rng(7)


def dense(overlay: VtaOverlay) -> Dense:
    block = overlay.config.block
    return Dense(random_weights(RNG, block, block), config=overlay.config)


def without_token(program: Program, field: str) -> Program:
    """The program with one token flag cleared, where it is first set."""
    records = decode(program.words, program.config)
    index = int(np.flatnonzero(records[field])[0])
    records[field][index] = 0
    return dataclasses.replace(program, words=encode(records, program.config))


def test_load_other_configuration_is_refused_naming_both(overlay: VtaOverlay):
    other = dataclasses.replace(overlay.config, log_inp_buff_size=14)
    layer = Dense(random_weights(RNG, other.block, other.block), config=other)
    with pytest.raises(IdentityError) as caught:
        overlay.load(vta_only(layer))
    assert str(caught.value) == (
        f"model 'net': configuration must be {overlay.config.name} [{overlay.config.fingerprint}] "
        f"(overlay {overlay.identity}), not {other.name} [{other.fingerprint}]; load the overlay "
        f"{other.name}, or compile the model for {overlay.config.name}"
    )


def test_load_capability_that_the_overlay_lacks_is_refused(overlay: VtaOverlay):
    program = vta_only(dense(overlay))
    config = HwConfig.from_name(overlay.config.base_name + "+alu_mul")
    if config.capabilities <= overlay.config.capabilities:
        pytest.skip("the overlay has it")
    with pytest.raises(IdentityError, match=r"not .*\+alu_mul \["):
        overlay.load(dataclasses.replace(program, config=config))


def test_load_file_of_another_configuration_names_the_file(overlay: VtaOverlay, tmp_path):
    other = dataclasses.replace(overlay.config, log_inp_buff_size=14)
    layer = Dense(random_weights(RNG, other.block, other.block), config=other)
    vta_only(layer).save(tmp_path / "other.vta")
    with pytest.raises(IdentityError, match=r"model 'net' \(.*other\.vta\): configuration"):
        overlay.load(tmp_path / "other.vta")


def test_load_missing_file_is_a_program_error(overlay: VtaOverlay, tmp_path):
    with pytest.raises(ProgramError, match=r"none\.vta"):
        overlay.load(tmp_path / "none.vta")


def test_load_instructions_that_hang_are_refused(overlay: VtaOverlay):
    program = without_token(vta_only(dense(overlay)), "push_next")
    with pytest.raises(ProgramError) as caught:
        overlay.load(program)
    text = str(caught.value)
    assert text.startswith("model 'net', step 0 'dense': instructions must be free of errors on ")
    assert "[token-deadlock]; run 'vta lint' on the program" in text


def test_load_unknown_operator_is_refused(overlay: VtaOverlay):
    layer = dense(overlay)
    maker = Maker("net", overlay.config)
    maker.tensor("x", layer.x_shape(), ArenaKind.INPUT, layout="NCHW")
    maker.tensor("y", layer.y_shape(), ArenaKind.OUTPUT)
    maker.tensor("a", layer.x_shape())
    maker.cpu("warp", "hyperspace", ["x"], ["a"])
    maker.vta("dense", layer.kernel(), x="a", y="y")
    with pytest.raises(ProgramError, match="model 'net', step 0 'warp': .*hyperspace"):
        overlay.load(maker.build())


def test_load_depth_zero_is_refused(overlay: VtaOverlay):
    with pytest.raises(ShapeError, match="depth must be at least 1, not 0"):
        overlay.load(vta_only(dense(overlay)), depth=0)
