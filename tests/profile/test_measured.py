"""Steps measured by the clock, through PYNQ, on the device that the tests run on."""

from __future__ import annotations

import pytest

from tests.profile.sources import kernel_run, program_run
from vta_pynq.errors import ProgramError
from vta_pynq.profile import accelerator_times
from vta_pynq.profile.measured import MeasuredRun, MeasuredStep, measure_steps, measured_table


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
