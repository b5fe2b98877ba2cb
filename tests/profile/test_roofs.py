"""Roofs: ports, widths and clock, worked out by hand for each design."""

from __future__ import annotations

import dataclasses

import pytest

from tests.profile.sources import kernel, kernel_run
from vta_pynq.profile import BandwidthRoof, bandwidth_roofs, profile_run
from vta_pynq.profile.roofs import element_rate
from vta_pynq.timing import get_profile


def _roofs(run):
    return [(roof.name, round(roof.gb_s, 9)) for roof in bandwidth_roofs(run)]


def test_bandwidth_roofs_published_design_loads_weights_at_half_speed():
    # 8 bytes a cycle at 100 MHz for each module; a weight tile takes two cycles a beat.
    assert _roofs(kernel_run()) == [
        ("load, compute and store at once", 2.4), ("LOAD of inputs", 0.8), ("LOAD of weights", 0.4),
    ]  # fmt: skip


def test_bandwidth_roofs_shared_read_port_counts_once():
    # Chisel reads everything through one port. A store of a 16-byte element takes 2 beats and 1
    # cycle more: 16 bytes in 3 cycles.
    run = profile_run(kernel(), "chisel-64bit", clock_mhz=100)
    expected = round(0.8 + 1.6 / 3, 9)
    assert _roofs(run) == [("load, compute and store at once", expected), ("LOAD", 0.8)]


def test_bandwidth_roofs_wider_bus_and_faster_clock():
    run = profile_run(kernel(), "hls-128bit", clock_mhz=200)
    # 16 bytes a cycle: an input element is one beat, an accumulator four.
    assert _roofs(run)[0] == ("load, compute and store at once", 9.6)
    assert element_rate(run, "uop") == 4  # micro-ops are not packed into beats


def test_bandwidth_roofs_slow_memory_divides_the_rate():
    profile = get_profile("hls-64bit")
    ports = tuple(dataclasses.replace(p, cycles_per_beat=2) for p in profile.timing.ports)
    slow = dataclasses.replace(profile, timing=dataclasses.replace(profile.timing, ports=ports))
    assert _roofs(profile_run(kernel(), slow))[1] == ("LOAD of inputs", 0.4)


@pytest.mark.parametrize(("intensity", "gops"), [(1, 0.4), (100, 40)])
def test_bandwidth_roof_is_proportional_up_to_its_ridge(intensity, gops):
    roof = BandwidthRoof("r", 0.4)
    assert roof.gops(intensity) == gops
    assert roof.gops(roof.ridge(51.2)) == pytest.approx(51.2)
