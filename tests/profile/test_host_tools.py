"""Tools of the host compiler, found by their entry points."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profile.sources import program
from vta_pynq.errors import ConfigError, VtaError
from vta_pynq.profile.host_tools import (
    TOOL_GROUP,
    host_tool,
    is_onnx,
    load_source,
    onnx_operator_times,
)

DIGITS = Path(__file__).parents[2] / "examples/digits/digits_residual.onnx"
CASE = Path(__file__).parents[1] / "conformance/isa_double_buffer"


def test_host_tools_are_those_of_the_compiler():
    assert host_tool("compile_file", "x").__module__ == "host_compiler.tools"
    assert host_tool("time_operators", "x").__module__ == "host_compiler.tools"
    assert TOOL_GROUP == "vta_pynq.host_tools"


def test_host_tool_that_is_not_installed_is_explained():
    with pytest.raises(ConfigError) as caught:
        host_tool("brew_coffee", "making a model")
    assert str(caught.value) == (
        "making a model: host_compiler must be installed, and is not; do this on a computer, after "
        "pip install 'vta-pynq[compiler]'"
    )


def test_load_source_reads_programs_and_cases(tmp_path):
    program().save(tmp_path / "net.vta")
    assert load_source(str(tmp_path / "net.vta")) == program()
    assert load_source(str(CASE)).name == "isa_double_buffer"
    with pytest.raises(VtaError, match="must be readable"):
        load_source(str(tmp_path / "none.vta"))


def test_load_source_compiles_a_model():
    found = load_source(str(DIGITS), ["batch=1"], "hls-64bit")
    assert found.model == "digits_residual"
    assert is_onnx(str(DIGITS)) and not is_onnx("net.vta")


def test_onnx_operator_times_are_of_this_machine():
    times = onnx_operator_times(str(DIGITS), ["batch=1"], repeat=1)
    assert times.seconds["Conv"] > 0 or times.seconds.get("FusedConv", 0) > 0
    assert times.how.startswith("digits_residual.onnx, measured, onnxruntime ")
