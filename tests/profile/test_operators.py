"""Operators by family, and times of the processor at hand."""

from __future__ import annotations

import os

import pytest

from tests.profile.sources import program, program_run
from vta_pynq.errors import ProgramError
from vta_pynq.profile import OperatorTimes, accelerator_times, cpu_step_times
from vta_pynq.profile.operators import FAMILIES, family_of, machine_name


@pytest.mark.parametrize(
    ("operator", "family"),
    [
        ("Conv", "convolution"),
        ("QLinearConv", "convolution"),
        ("QGemm", "fully connected"),
        ("matmul", "fully connected"),
        ("Conv.Add", "convolution with addition"),
        ("Conv.MaxPool", "convolution with pooling"),
        ("Conv.MaxPool.Add", "convolution with pooling"),
        ("Gemm.Add", "fully connected"),
        ("SumPool", "pooling"),
        ("QLinearGlobalAveragePool", "pooling"),
        ("WeightedSum", "addition"),
        ("QLinearAdd", "addition"),
        ("DequantizeLinear", "quantise, change layout"),
        ("pack_first", "quantise, change layout"),
        ("ReorderInput", "quantise, change layout"),
        ("LeakyRelu", "activation"),
        ("argmax", "other"),
    ],
)
def test_family_of_operators_of_onnx_program_and_processor(operator, family):
    assert family_of(operator) == family
    assert family in FAMILIES


def test_operator_times_by_family_add_up():
    times = OperatorTimes({"Conv": 1.0, "QLinearConv": 2.0, "Add": 4.0, "Mystery": 8.0}, "m", "h")
    assert times.by_family() == {
        "convolution": 3.0, "addition": 4.0, "other": 8.0,
    }  # fmt: skip
    assert times.total_s == 15.0


def test_accelerator_times_are_the_layers_by_operator():
    run = program_run()
    times = accelerator_times(run)
    assert list(times.seconds) == ["MaxPool", "Conv", "(rest)"]
    conv = run.layer("product").cycles + run.layer("last").cycles
    assert times.seconds["Conv"] == pytest.approx(conv / 100e6)
    assert times.total_s == pytest.approx(run.cycles / 100e6)


def test_cpu_step_times_has_every_operator_of_the_processor():
    times = cpu_step_times(program(), repeat=1)
    assert list(times.seconds) == ["quantize", "pack", "relu"]
    assert all(seconds > 0 for seconds in times.seconds.values())
    assert times.where == machine_name()
    assert "1 thread" in times.how and "measured" in times.how


def test_cpu_step_times_without_runs_is_refused():
    with pytest.raises(ProgramError) as caught:
        cpu_step_times(program(), repeat=0)
    assert str(caught.value) == "program 'small': runs must be at least 1, not 0"


def test_machine_name_counts_cores_and_says_something():
    assert machine_name().endswith(f"{os.cpu_count()} cores")
    assert len(machine_name()) > len(f", {os.cpu_count()} cores")
