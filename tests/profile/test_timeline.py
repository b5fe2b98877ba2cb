"""The timeline: spans fill each module's time, and agree with the report."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from tests.profile.sources import kernel, kernel_run, program_run
from tests.timing.streams import CONFIG, FINISH, load, nop, words_of
from vta_pynq.errors import ProgramError
from vta_pynq.isa.table import MemType, Module
from vta_pynq.profile import profile_run
from vta_pynq.profile.bands import layer_bands
from vta_pynq.profile.timeline import (
    FULL_QUEUE,
    KINDS,
    Window,
    is_wait,
    merge_spans,
    spans_of,
    window_of,
)
from vta_pynq.stream import InstructionStream
from vta_pynq.timing import StallReason

MODULES = (Module.LOAD, Module.COMPUTE, Module.STORE)
WHOLE = Window(0, 10**9, "")


def totals(spans):
    """Cycles of each module by kind."""
    found = Counter()
    for module, kind, begin, end, _ in spans.tolist():
        found[Module(module), KINDS[kind]] += end - begin
    return found


@pytest.mark.parametrize("run", [program_run, kernel_run])
def test_spans_fill_each_module_from_launch_to_its_last_end(run):
    run = run()
    spans = spans_of(run)
    for part in run.streams:
        inside = spans[(spans["begin"] >= part.begin) & (spans["begin"] < part.end)]
        for module in MODULES:
            own = inside[inside["module"] == module]
            rows = part.hidden.rows
            last = int(rows["end"][rows["module"] == module].max())
            assert own["begin"][0] == part.begin
            assert (own["begin"][1:] == own["end"][:-1]).all()
            assert own["end"][-1] == part.begin + last


@pytest.mark.parametrize("profile", ["hls-64bit", "chisel-64bit"])
def test_spans_add_up_to_busy_and_stalls_of_the_report(profile):
    run = profile_run(kernel(), profile)
    found = totals(spans_of(run))
    (part,) = run.streams
    for module in MODULES:
        cycles = part.hidden.modules[module]
        for reason, stall in cycles.stalls.items():
            assert found[module, reason] == stall
        work = [n for (m, kind), n in found.items() if m is module and isinstance(kind, str)]
        assert sum(work) == cycles.busy


def test_spans_name_the_work():
    kinds = {
        Module(m): {str(KINDS[k]) for k, n in spans_of(kernel_run())[["kind", "module"]].tolist()
                    if n == m and not is_wait(k)}
        for m in Module
    }  # fmt: skip
    assert kinds[Module.FETCH] == {"fetch"}
    assert kinds[Module.LOAD] == {"LOAD.INP", "LOAD.WGT"}
    assert kinds[Module.COMPUTE] == {"LOAD.UOP", "GEMM", "ALU", "other"}  # other: FINISH
    assert kinds[Module.STORE] == {"STORE"}


def test_spans_full_queue_is_what_fetch_waits_for():
    words = words_of(load(MemType.WGT, 100), *[nop(MemType.INP)] * 600, FINISH)
    run = profile_run(InstructionStream("s", CONFIG, words))
    found = totals(spans_of(run))
    issue = run.streams[0].hidden.rows["issue"]
    # The first takes 44 cycles, each other one; the rest of the time there was no room.
    assert found[Module.FETCH, FULL_QUEUE] == int(issue[-1]) - 44 - 601
    assert found[Module.FETCH, "fetch"] == 44 + 601


def test_spans_chunked_fetch_reads_before_it_hands_out():
    words = words_of(*[nop()] * 200, FINISH)
    run = profile_run(InstructionStream("s", CONFIG, words), "chisel-64bit", clock_mhz=100)
    spans = spans_of(run)
    fetch = spans[spans["module"] == Module.FETCH]
    lengths = (fetch["end"] - fetch["begin"]).tolist()
    assert lengths[0] == 2 * 128 + 10 + 4
    assert lengths[128] == 2 * 73 + 10 + 4
    assert not is_wait(int(fetch["kind"][128]))


def test_merge_spans_few_are_cut_to_the_window():
    spans = spans_of(kernel_run())
    window = Window(1000, 3000, "")
    merged = merge_spans(spans, window, 10_000)
    assert merged["begin"].min() == 1000 and merged["end"].max() == 3000
    compute = merged[merged["module"] == Module.COMPUTE]
    assert (compute["end"] - compute["begin"]).sum() == 2000


def test_merge_spans_many_take_the_colour_of_most_of_a_column():
    spans = spans_of(kernel_run())
    window = window_of(kernel_run())
    merged = merge_spans(spans, window, 7)
    edges = np.rint(np.linspace(0, window.end, 8)).astype(int)
    for module in (Module.LOAD, Module.COMPUTE):
        own = merged[merged["module"] == module]
        assert len(own) <= 7 and (own["insn"] < 0).all()
        for column in range(7):
            begin, end = edges[column], edges[column + 1]
            found = own[(own["begin"] <= begin) & (own["end"] >= end)]["kind"].tolist()
            cut = merge_spans(spans, Window(begin, end, ""), 10**6)
            cut = cut[cut["module"] == module]
            share = np.bincount(
                cut["kind"], weights=cut["end"] - cut["begin"], minlength=len(KINDS)
            )
            share[0] = end - begin - share.sum()
            best = share.max()
            # Columns end between cycles: a tie may go either way by one cycle.
            assert share[found[0] if found else 0] >= best - 2


def test_window_of_layer_is_its_time_in_the_run():
    run = program_run()
    layer = run.layer("product")
    assert window_of(run, "2") == Window(layer.begin, layer.end, "layer 2, product")
    assert window_of(run) == Window(0, run.cycles, "whole run")


@pytest.mark.parametrize("cycles", [(5, 5), (-1, 4), (0, 10**9)])
def test_window_of_cycles_outside_the_run_is_refused(cycles):
    run = program_run()
    with pytest.raises(ProgramError) as caught:
        window_of(run, cycles=cycles)
    assert str(caught.value) == (
        f"program 'small': window must lie within cycles 0..{run.cycles} and not be empty, not "
        f"{cycles[0]}..{cycles[1]}"
    )


def test_layer_bands_follow_each_other_to_the_end():
    run = program_run()
    bands = layer_bands(run, WHOLE)
    assert [number for _, _, number in bands] == ["1", "2", "3"]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(bands))
    assert bands[-1][1] == run.layer("last").end


def test_is_wait_tells_waits_from_work():
    waits = [KINDS[k] for k in range(len(KINDS)) if is_wait(k)]
    assert waits == [r for r in StallReason if r is not StallReason.NONE] + [FULL_QUEUE]
