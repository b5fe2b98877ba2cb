"""Layers: everything of a run is in exactly one of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.profile.sources import PIXELS, kernel_run, program, program_run
from tests.timing.streams import CONFIG, FINISH, load, loop, words_of
from vta_pynq.isa.table import MemType, Module, Opcode
from vta_pynq.profile import REST, profile_run
from vta_pynq.profile.layers import StreamLayers
from vta_pynq.stream import InstructionStream, StreamLabel
from vta_pynq.timing import StallReason


def _stream(labels, count=6):
    words = words_of(*[load(MemType.INP)] * (count - 1), FINISH)
    return InstructionStream("s", CONFIG, words, labels=tuple(labels))


@pytest.mark.parametrize("run", [program_run, kernel_run])
def test_layers_add_up_to_the_run(run):
    run = run()
    parts = run.streams
    assert sum(layer.cycles for layer in run.layers) == run.cycles
    assert sum(layer.serial_cycles for layer in run.layers) == run.serial_cycles
    assert sum(layer.instructions for layer in run.layers) == sum(len(p.records) for p in parts)
    for memory in MemType:
        moved = sum(part.hidden.bytes_moved[memory] for part in parts)
        assert sum(layer.dram_bytes[memory] for layer in run.layers) == moved
    for module in (Module.LOAD, Module.COMPUTE, Module.STORE):
        busy = sum(part.hidden.modules[module].busy for part in parts)
        assert sum(layer.busy[module] for layer in run.layers) == busy
        for reason in StallReason:
            if reason is not StallReason.NONE:
                stall = sum(part.hidden.modules[module].stalls[reason] for part in parts)
                assert sum(layer.stalls[module][reason] for layer in run.layers) == stall


def test_layers_have_names_operators_and_order_of_the_program():
    found = [(layer.number, layer.name, layer.op) for layer in program_run().layers]
    assert found == [
        (1, "load_QuantizeLinear_Output", "MaxPool"), (2, "product", "Conv"), (3, "last", "Conv"),
        (4, REST, ""),
    ]  # fmt: skip


def test_layer_macs_are_the_products_of_the_streams():
    _, product, last, _ = program_run().layers
    block = program().config.block
    assert product.executed_macs == 3 * 2 * PIXELS * block**2
    assert last.executed_macs == 2 * PIXELS * block**2
    # Recomputed products count once; products that the compiler saved do not count.
    assert product.model_macs == 10_000 and product.macs == 10_000
    assert last.model_macs == 10**9 and last.macs == last.executed_macs
    assert last.ops == 2 * last.macs
    assert last.intensity == last.ops / sum(last.dram_bytes.values())


def test_layer_bytes_are_its_transfers():
    first, product, last, _ = program_run().layers
    config = program().config
    assert first.dram_bytes[MemType.WGT] == 6 * config.wgt_bytes
    assert first.dram_bytes[MemType.INP] == 3 * PIXELS * config.inp_bytes
    assert product.dram_bytes[MemType.OUT] == 2 * PIXELS * config.out_bytes
    assert last.dram_bytes[MemType.OUT] == PIXELS * config.out_bytes


def test_layer_begins_and_ends_count_from_the_start_of_the_run():
    run = program_run()
    last = run.layer("last")
    part = run.streams[1]
    assert last.begin == part.begin + int(part.hidden.rows["start"].min())
    assert last.end == part.begin + part.hidden.end_cycles


def test_stream_layers_outer_labels_win():
    labels = [StreamLabel(1, 4, "outer"), StreamLabel(2, 3, "inner"), StreamLabel(4, 9, "next")]
    layers = StreamLayers.of(_stream(labels))
    assert layers.owner.tolist() == [-1, 0, 0, 0, 1, 1]
    assert [label.name for label in layers.labels] == ["outer", "next"]
    assert [layers.name_of(k) for k in (0, 2, 5)] == [REST, "outer", "next"]


def test_stream_layers_overlap_belongs_to_the_first():
    layers = StreamLayers.of(_stream([StreamLabel(0, 3, "a"), StreamLabel(2, 5, "b")]))
    assert layers.owner.tolist() == [0, 0, 0, 1, 1, -1]


def test_stream_layers_without_labels_is_one():
    layers = StreamLayers.of(_stream([]))
    assert (layers.labels[0].name, layers.owner.tolist()) == ("s", [0] * 6)


def test_layers_of_one_name_are_one_layer():
    parts = [StreamLabel(0, 2, "tile"), StreamLabel(2, 4, "other"), StreamLabel(4, 6, "tile")]
    run = profile_run(_stream(parts))
    assert [layer.name for layer in run.layers] == ["tile", "other"]
    assert run.layers[0].instructions == 4
    assert sum(layer.cycles for layer in run.layers) == run.cycles


def test_layers_reset_multiplies_nothing():
    words = words_of(
        loop(Opcode.GEMM, 100, reset=1), loop(Opcode.GEMM, 7, iter_out=3), loop(Opcode.ALU, 9),
        FINISH,
    )  # fmt: skip
    run = profile_run(InstructionStream("s", CONFIG, words))
    assert run.layers[0].executed_macs == 21 * CONFIG.macs_per_cycle


def test_layers_serial_shares_are_of_the_serial_run():
    run = program_run()
    only = dataclasses.replace(run, streams=run.streams[:1])
    report = only.streams[0].serial
    ends = np.maximum.accumulate(report.rows["end"])
    assert only.layers[0].serial_cycles == int(ends[2])
