"""Whole networks: compile times, modelled cycles, ResNet-18 layer by layer, onnxruntime beside.

Weights are seeded and random; neither cycles nor times depend on them. Cycles are the cycle
model's and the same on every machine. onnxruntime runs the same int8 model on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from examples.models.topologies import TOPOLOGIES, build
from host_compiler.compile import Compilation, compile_graph, make_target
from host_compiler.importer import import_model
from host_compiler.onnx_session import exact_session
from host_compiler.quantize import quantize_model
from host_compiler.schedule.account import account_of
from vta_pynq.config import HwConfig
from vta_pynq.profile.figures import Row, median_s
from vta_pynq.timing import simulate

NAME = "networks"
OWN = f"{HwConfig().name}+alu_mul+alu_requant+load_acc8"
TARGETS = {"hls-64bit": HwConfig().name, "vta1": OWN}
MOST_CYCLES = {("resnet18", "hls-64bit"): 10_500_000, ("resnet18", "vta1"): 8_500_000}
QUICK = "tiny_yolo"
QUICK_SIZE = 64


def _cycles(compilation: Compilation) -> int:
    program = compilation.program
    return sum(simulate(stream, program.profile).total_cycles for stream in program.streams())


def _layers(compilation: Compilation, target: str) -> Iterator[Row]:
    """Share of the bound and traffic of each layer on its own."""
    for plan in compilation.plans:
        account = account_of(plan)
        share = 100 * account.bound.cycles / account.cycles
        name = plan.layer.name.replace("_QuantizeLinear_Output", "")
        yield Row(
            f"{target} {name}", account.cycles, "cycles", spread=0.0,
            note=f"{share:.1f} % of its bound, {account.bytes_moved / 1e6:.2f} MB, "
            f"{account.bytes_moved / max(1, account.bound.bytes):.2f} x compulsory",
        )  # fmt: skip


def run(quick: bool) -> list[Row]:
    """Every topology on both profiles."""
    rows: list[Row] = []
    for name in [QUICK] if quick else TOPOLOGIES:
        model = build(name, QUICK_SIZE if quick else None)
        shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        images = np.random.default_rng(18).uniform(-1, 1, (2, *shape[1:])).astype(np.float32)
        quantised = quantize_model(model, images).model
        graph = import_model(quantised)
        for target, config in TARGETS.items():
            begin = time.thread_time()
            compilation = compile_graph(graph, make_target(config, target))
            seconds = time.thread_time() - begin
            rows.append(
                Row(f"{name} {target}: compile", seconds, "s", note="with shipped schedules")
            )
            rows.append(
                Row(
                    f"{name} {target}: cycles", _cycles(compilation), "cycles",
                    MOST_CYCLES.get((name, target)), spread=0.0,
                )
            )  # fmt: skip
            if name == "resnet18":
                rows += _layers(compilation, target)
        session = exact_session(quantised, options=_one_thread())
        feeds = {session.get_inputs()[0].name: images[:1]}
        seconds, spread = median_s(lambda: session.run(None, feeds), 5)  # noqa: B023
        rows.append(Row(f"{name}: onnxruntime int8", 1e3 * seconds, "ms", spread=spread,
                        note="one thread of this machine"))  # fmt: skip
    return rows


def _one_thread():  # type: ignore[no-untyped-def]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options
