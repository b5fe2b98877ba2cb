"""Steps measured by the clock, through PYNQ, on the device that the tests run on."""

from __future__ import annotations

import pytest

from tests.profile.sources import kernel_run, program, program_run
from vta_pynq.errors import ProgramError
from vta_pynq.isa.table import Module
from vta_pynq.overlay import VtaOverlay
from vta_pynq.profile import accelerator_times, profile_run
from vta_pynq.profile.hardware_counts import Count, HardwareCounts, counts_facts
from vta_pynq.profile.measured import MeasuredRun, MeasuredStep, measure_steps, measured_table

OWN = "vta1/1x16_i8w8a32_15_15_18_17"


@pytest.mark.simulator
def test_measure_steps_has_each_step_and_the_model_beside_it():
    run = program_run()
    found = measure_steps(run, "sim", repeat=1)
    assert [(s.name, s.op) for s in found.steps] == [
        ("quantise", "quantize"), ("pack", "pack"), ("first", "accelerator"), ("relu", "relu"),
        ("second", "accelerator"),
    ]  # fmt: skip
    assert all(step.seconds > 0 for step in found.steps)
    modelled = [step.modelled_s for step in found.steps]
    assert [m is None for m in modelled] == [True, True, False, True, False]
    assert modelled[2] == pytest.approx(run.streams[0].hidden.total_cycles / 100e6)
    assert found.simulated and "the simulator's own speed" in found.how
    assert set(found.processor_times().seconds) == {"quantize", "pack", "relu"}


@pytest.mark.simulator
def test_counters_of_the_own_design_are_those_of_one_run_beside_the_model():
    with VtaOverlay(OWN, device="sim") as overlay, overlay.load(program()) as model:
        model.run(*(port.buffer for port in model.inputs))  # counted before: must not show
    run = profile_run(program(), "vta1")
    found = measure_steps(run, "sim", overlay=OWN, repeat=2).counts
    assert found is not None
    assert (found.hardware, found.profile) == ("vta1", "vta1")
    assert found.cycles == found.modelled_cycles == run.cycles
    for count in found.counts:
        if count.module is Module.FETCH:
            assert count.modelled is None
        else:  # the simulated device counts by this model
            assert count.counted == count.modelled, count
    for module in (Module.LOAD, Module.COMPUTE, Module.STORE):
        mine = [count for count in found.counts if count.module is module]
        assert sum(count.counted for count in mine) == found.cycles
    counted = {(c.module.name, c.what): c.counted for c in found.counts}
    assert counted["COMPUTE", "works"] > 0
    assert counted["STORE", "waits for result"] > 0
    assert counted["FETCH", "works"] >= sum(len(part.records) for part in run.streams)


@pytest.mark.simulator
def test_counters_are_the_hardwares_also_where_the_model_is_of_other_hardware():
    own = measure_steps(profile_run(program(), "vta1"), "sim", overlay=OWN, repeat=1).counts
    run = profile_run(program(), "hls-64bit")
    other = measure_steps(run, "sim", overlay=OWN, repeat=1).counts
    assert own is not None and other is not None
    assert [c.counted for c in other.counts] == [c.counted for c in own.counts]
    assert other.modelled_cycles == run.cycles != other.cycles
    assert (other.hardware, other.profile) == ("vta1", "hls-64bit")


@pytest.mark.simulator
def test_counters_of_the_published_design_are_none():
    found = measure_steps(program_run(), "sim", overlay="pynq/0.0.2/" + OWN[5:], repeat=1)
    assert found.counts is None
    assert "counters" not in measured_table(found)


_COUNTS = HardwareCounts(
    "vta1", "hls-64bit", 1000, 1100,
    (
        Count(Module.FETCH, "works", 31, None),
        Count(Module.COMPUTE, "waits for data", 0, 12),
    ),
)  # fmt: skip


def test_measured_table_prints_counters_and_whose_model_it_is():
    steps = (MeasuredStep("a", "accelerator", 0.02, 0.019),)
    lines = measured_table(MeasuredRun(steps, "Pynq-Z2", False, 3, _COUNTS)).splitlines()
    assert lines[-5:] == [
        "counters of vta1 in one run, beside the cycle model of hls-64bit:",
        "  all      cycles                  1000          1100",
        "  fetch    works                     31             -",
        "  compute  waits for data             0            12",
        "  (the model is of other hardware: --profile vta1 for that of this one)",
    ]
    simulated = measured_table(MeasuredRun(steps, "Pynq-Z2", True, 3, _COUNTS)).splitlines()
    assert simulated[-1] == "  (a simulated device: its counters are the cycle model's account)"


def test_counts_facts_are_by_module():
    assert counts_facts(_COUNTS) == {
        "hardware": "vta1",
        "profile": "hls-64bit",
        "cycles": 1000,
        "modelled_cycles": 1100,
        "modules": {
            "fetch": {"works": {"counted": 31, "modelled": None}},
            "compute": {"waits for data": {"counted": 0, "modelled": 12}},
        },
    }


def test_measured_table_prints_both_times():
    steps = (MeasuredStep("in", "pack", 0.001, None), MeasuredStep("a", "accelerator", 0.02, 0.019))
    table = measured_table(MeasuredRun(steps, "Pynq-Z2", False, 3))
    assert table == (
        "steps: measured by the clock on Pynq-Z2, fastest of 3 runs\n"
        "  in         pack              1.000 ms\n"
        "  a          accelerator      20.000 ms      19.000 ms by the cycle model\n"
        "  all steps                   21.000 ms"
    )


def test_measured_table_simulated_device_says_so():
    steps = (MeasuredStep("a", "accelerator", 0.02, 0.019),)
    last = measured_table(MeasuredRun(steps, "Pynq-Z2", True, 3)).splitlines()[-1]
    assert last == "  (a simulated device: accelerator steps take what the simulator takes)"


def _measured(simulated):
    steps = (
        MeasuredStep("in", "pack", 0.001, None), MeasuredStep("a", "accelerator", 0.5, 0.019),
        MeasuredStep("b", "accelerator", 0.25, 0.019),
    )  # fmt: skip
    return MeasuredRun(steps, "Pynq-Z2", simulated, 3)


def test_accelerator_times_of_a_board_add_up_to_the_measured_steps():
    run = program_run()
    found, model = _measured(False).accelerator_times(run), accelerator_times(run)
    assert found.total_s == pytest.approx(0.75)
    assert found.seconds["Conv"] / found.total_s == pytest.approx(
        model.seconds["Conv"] / model.total_s
    )
    assert found.where == "Pynq-Z2"
    assert found.how == (
        "measured by the clock on Pynq-Z2, fastest of 3 runs, divided among operators as the cycle "
        "model does"
    )


def test_accelerator_times_of_a_simulated_device_are_the_models():
    run = program_run()
    assert _measured(True).accelerator_times(run) == accelerator_times(run)


def test_measure_steps_of_a_kernel_is_refused():
    with pytest.raises(ProgramError) as caught:
        measure_steps(kernel_run())
    assert str(caught.value) == (
        "measuring 'matmul_latency_hiding': source must be a program file, not a kernel; compile "
        "or save one"
    )
