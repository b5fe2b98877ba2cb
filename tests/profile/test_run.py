"""Profiled runs: what is timed, for which clock, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.profile.sources import kernel, kernel_run, program, program_run
from tests.timing.streams import FINISH, words_of
from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError, ProgramError, SimError
from vta_pynq.overlay.descriptions import find_variant
from vta_pynq.profile import profile_run
from vta_pynq.profile.run import clock_of
from vta_pynq.stream import InstructionStream
from vta_pynq.timing import simulate


def test_profile_run_program_has_its_submissions_one_after_the_other():
    run = program_run()
    reports = [simulate(stream, "hls-64bit") for stream in program().streams()]
    assert [part.begin for part in run.streams] == [0, reports[0].total_cycles]
    assert run.cycles == sum(report.total_cycles for report in reports)
    assert run.cycles < run.serial_cycles
    assert (run.name, run.profile.name, run.latency) == ("small", "hls-64bit", 32)
    assert run.program is program()


def test_profile_run_kernel_and_its_streams_agree():
    run = kernel_run()
    single, several = profile_run(kernel().stream()), profile_run(list(kernel().streams()))
    assert run.cycles == single.cycles == several.cycles
    assert (run.name, run.program) == ("matmul_latency_hiding", None)


def test_profile_run_latency_profile_and_clock_are_taken():
    run = profile_run(kernel(), "chisel-64bit", memory_latency_cycles=77, clock_mhz=50)
    expected = simulate(kernel().stream(), "chisel-64bit", memory_latency_cycles=77)
    assert run.cycles == expected.total_cycles
    assert run.clock.us(100) == 2.0
    assert run.peak_gops == 2 * 256 * 50 / 1000
    assert run.gops(1000, 10) == 100 * 50 / 1000
    assert "chisel-64bit, memory latency 77 cycles, 50 MHz" in run.heading


def test_profile_run_nothing_to_run_is_refused():
    empty = InstructionStream("none", HwConfig(), np.zeros((0, 2), np.uint64))
    with pytest.raises(ProgramError) as caught:
        profile_run(empty)
    assert str(caught.value) == (
        "profile of 'none': instructions must be at least one, not none; nothing of it runs on the "
        "accelerator"
    )


def test_profile_run_profile_without_timing_is_refused():
    with pytest.raises(SimError, match="profile must have cycle parameters, not 'functional'"):
        profile_run(kernel(), "functional")


def test_clock_of_known_configuration_is_that_of_its_overlay():
    variant = find_variant(HwConfig().name)
    clock = clock_of(HwConfig())
    assert (clock.mhz, clock.source) == (variant.clock_mhz, f"overlay {variant.name}")
    assert str(clock_of(HwConfig(), 142)) == "142 MHz (as given)"


def test_clock_of_configuration_without_overlay_is_assumed_and_says_so():
    clock = clock_of(dataclasses.replace(HwConfig(), log_block=5))
    assert clock.source == "assumed, that of the published builds"


@pytest.mark.parametrize("mhz", [0, -1, float("nan"), float("inf")])
def test_clock_of_no_frequency_is_refused(mhz):
    with pytest.raises(ConfigError) as caught:
        clock_of(HwConfig(), mhz)
    assert str(caught.value) == f"clock: frequency must be a number of MHz above 0, not {mhz}"


def test_clock_axis_takes_milliseconds_for_long_runs():
    clock = clock_of(HwConfig(), 100)
    assert clock.axis(1000) == (0.01, "time (µs at 100 MHz)")
    assert clock.axis(1_000_000) == (1e-5, "time (ms at 100 MHz)")


def test_run_layer_by_name_and_number_and_unknown():
    run = program_run()
    assert run.layer("2") is run.layer("product")
    with pytest.raises(ProgramError) as caught:
        run.layer("nope")
    assert str(caught.value) == (
        "program 'small': layer must be a number in 1..4 or a name that 'vta profile' lists, "
        "not 'nope'"
    )


def test_run_finish_only_is_one_layer():
    run = profile_run(InstructionStream("f", HwConfig(), words_of(FINISH)))
    assert [(layer.name, layer.cycles) for layer in run.layers] == [("f", 59)]
