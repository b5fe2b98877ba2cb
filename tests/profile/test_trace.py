"""The trace against the rules of the trace event format, and against the run."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from tests.profile.sources import kernel_run, program_run
from tests.timing.streams import CONFIG, FINISH, load, nop, words_of
from vta_pynq.errors import ConfigError
from vta_pynq.isa.table import TOKENS, MemType, Module
from vta_pynq.profile import profile_run, sram_occupancy, trace_events, write_trace
from vta_pynq.profile.trace import COUNTER_SAMPLES, DEVICE_PID
from vta_pynq.stream import InstructionStream

REQUIRED = {
    "X": {"name", "cat", "ph", "pid", "tid", "ts", "dur", "args"},
    "M": {"name", "ph", "pid", "tid", "ts", "args"},
    "s": {"name", "cat", "ph", "id", "pid", "tid", "ts"},
    "f": {"name", "cat", "ph", "id", "pid", "tid", "ts", "bp"},
    "C": {"name", "ph", "pid", "ts", "args"},
}


def check_format(events):
    """What Perfetto's importer asks for: fields, order, slices that nest, flows that bind."""
    order = [event["ts"] for event in events if event["ph"] != "M"]
    assert order == sorted(order)
    ends = defaultdict(float)
    slices, flows, counters = defaultdict(list), defaultdict(dict), defaultdict(list)
    for event in events:
        assert set(event) == REQUIRED[event["ph"]], event
        assert event["pid"] == DEVICE_PID and event["ts"] >= 0
        if event["ph"] == "X":
            assert event["dur"] > 0
            # Slices of one thread must not cross; these even follow each other.
            assert event["ts"] >= ends[event["tid"]] - 1e-3
            ends[event["tid"]] = event["ts"] + event["dur"]
            slices[event["tid"]].append((event["ts"], event["ts"] + event["dur"], event["cat"]))
        elif event["ph"] in "sf":
            assert event["ph"] not in flows[event["id"]]
            flows[event["id"]][event["ph"]] = event
        elif event["ph"] == "C":
            assert isinstance(event["args"]["value"], (int, float))
            counters[event["name"]].append((event["ts"], event["args"]["value"]))
    for flow in flows.values():
        assert set(flow) == {"s", "f"} and flow["s"]["name"] == flow["f"]["name"]
        assert flow["s"]["ts"] <= flow["f"]["ts"] and flow["f"]["bp"] == "e"
        for event in flow.values():
            inside = [
                kind for begin, end, kind in slices[event["tid"]]
                if begin - 1e-6 <= event["ts"] < end - 1e-6
            ]  # fmt: skip
            assert inside == ["work"], event
    return slices, flows, counters


@pytest.mark.parametrize("run", [program_run, kernel_run])
def test_trace_keeps_the_rules_of_the_format(run):
    events = json.loads(json.dumps(trace_events(run())))
    check_format(events)
    names = {e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    assert names == {"layers", "fetch", "load", "compute", "store"}


def test_trace_has_a_slice_for_each_instruction_with_text_and_layer():
    run = program_run()
    work = {
        e["args"]["insn"]: e
        for e in trace_events(run)
        if e["ph"] == "X" and e["cat"] == "work" and e["tid"] != Module.FETCH
    }
    first, count = run.streams[0], sum(len(part.records) for part in run.streams)
    assert sorted(work) == list(range(count))
    rows = first.hidden.rows
    for insn in range(len(first.records)):
        event = work[insn]
        assert event["ts"] == pytest.approx(int(rows["start"][insn]) / 100)  # µs at 100 MHz
        assert event["dur"] == pytest.approx(int(rows["end"][insn] - rows["start"][insn]) / 100)
        assert event["tid"] == rows["module"][insn]
        assert event["name"] == event["args"]["text"].split()[0]
        assert event["args"]["layer"] == first.layers.name_of(insn)
    second = work[len(first.records)]
    assert second["ts"] * 100 >= run.streams[1].begin
    assert second["args"]["layer"] == "last"


def test_trace_has_an_arrow_for_each_token():
    run = kernel_run()
    (part,) = run.streams
    _, flows, _ = check_format(trace_events(run))
    found = Counter(flow["f"]["name"] for flow in flows.values())
    for token in TOKENS:
        pops = (part.records[token.pop_flag] != 0) & (part.hidden.rows["module"] == token.consumer)
        assert found[token.name] == int(pops.sum())


def test_trace_tokens_that_were_there_have_no_arrow():
    words = words_of(
        load(MemType.INP, 4, pop_next=1), load(MemType.INP, 4, pop_next=1),
        nop(push_prev=1), FINISH,
    )  # fmt: skip
    run = profile_run(InstructionStream("s", CONFIG, words, tokens_in=(0, 1, 0, 0)))
    starts = [e for e in trace_events(run) if e["ph"] == "f"]
    assert [e["ts"] * 100 for e in starts] == [
        pytest.approx(int(run.streams[0].hidden.rows["start"][1]))
    ]


def test_trace_counters_agree_with_occupancy_and_bytes():
    run = program_run()
    _, _, counters = check_format(trace_events(run))
    occupancy = sram_occupancy(run)[MemType.WGT]
    assert [value for _, value in counters["SRAM WGT live bytes"]] == [
        live * 256 for live in occupancy.live.tolist()
    ]
    for memory in (MemType.INP, MemType.WGT, MemType.OUT):
        steps = counters[f"DRAM {memory.name} MB/s"]
        assert steps[-1] == (pytest.approx(run.clock.us(run.cycles)), 0.0)
        us = np.diff([ts for ts, _ in steps])
        moved = float(np.sum(us * np.array([rate for _, rate in steps[:-1]])))
        exact = sum(part.hidden.bytes_moved[memory] for part in run.streams)
        assert moved == pytest.approx(exact, rel=0.02)  # rates are rounded to 0.1 MB/s


@pytest.mark.parametrize("pairs", [500, pytest.param(15_000, marks=pytest.mark.slow)])
def test_trace_of_many_instructions_is_of_bounded_size(tmp_path, pairs):
    body = [load(MemType.INP, 4, push_next=1), nop(pop_prev=1)]
    words = words_of(*body, FINISH)
    words = np.concatenate([np.tile(words[:2], (pairs, 1)), words[2:]])
    run = profile_run(InstructionStream("long", CONFIG, words))
    path = tmp_path / "long.json"
    count = write_trace(run, path)
    # A slice of fetch, of work and of waiting for each instruction, an arrow for each token.
    assert count <= 3 * (2 * pairs + 1) + 2 * pairs + 12 * COUNTER_SAMPLES
    assert path.stat().st_size < 1000 * pairs + 1e6  # 16 MB for 30 000 instructions
    assert len(json.loads(path.read_text())["traceEvents"]) == count


def test_write_trace_is_reproducible_and_may_be_compressed(tmp_path):
    run = program_run()
    plain, again, packed = (tmp_path / n for n in ("a.json", "b.json", "c.json.gz"))
    counts = {write_trace(run, path) for path in (plain, again, packed)}
    assert len(counts) == 1
    assert plain.read_bytes() == again.read_bytes() == gzip.decompress(packed.read_bytes())
    document = json.loads(plain.read_text())
    assert document["displayTimeUnit"] == "ns"
    assert document["otherData"]["run"] == run.heading


def test_write_trace_other_suffix_is_refused(tmp_path):
    with pytest.raises(ConfigError) as caught:
        write_trace(program_run(), tmp_path / "a.txt")
    assert str(caught.value) == (
        f"trace {tmp_path / 'a.txt'}: suffix must be .json or .json.gz; rename it"
    )
    with pytest.raises(ConfigError, match="folder .* must exist; create it first"):
        write_trace(program_run(), tmp_path / "none" / "a.json")
