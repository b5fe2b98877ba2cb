"""`compile_model`: a model in, a program out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import vta_pynq
from host_compiler.assembly import assemble
from host_compiler.emission import Emitted, emit, emitted_cycles
from host_compiler.ir import Graph
from host_compiler.layout import Tasks
from host_compiler.layout.first_conv import pack_first_convolutions
from host_compiler.layout.order import order_tasks
from host_compiler.lower.plan import LayerPlan
from host_compiler.lower.target import Target
from host_compiler.passes import prepare
from host_compiler.placement import Placement, place_nodes, weigh_islands
from host_compiler.planner import DEFAULT_CANDIDATES, Planner
from host_compiler.progress import Progress
from host_compiler.report import layer_reports
from host_compiler.tune import SHIPPED, ScheduleBook
from vta_pynq.config import HwConfig
from vta_pynq.errors import CompileError
from vta_pynq.lint import lint_stream
from vta_pynq.program import Program
from vta_pynq.program.layout import MAX_RANK
from vta_pynq.timing.profiles import DEFAULT_PROFILE, get_profile

if TYPE_CHECKING:
    import onnx

__all__ = [
    "TIES",
    "Compilation",
    "PlannedModel",
    "compile_graph",
    "compile_model",
    "load_graph",
    "make_target",
    "plan_model",
]

TIES = ("even", "up")
"""How the accelerator may round values halfway between two integers."""

_NAME_CHARS = 200
"""Longest name of a model that leaves room for what the compiler appends."""


_SLOWER = (
    "the tuned schedules of single layers make this network slower as a whole: the scheduler's own "
    "were taken; tune the model to find schedules that go together"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Compilation:
    """A program and how it came about.

    Attributes
    ----------
    program
        The result.
    graph
        The graph that the program computes bit for bit (`host_compiler.reference.run`).
    placement
        Where each node runs.
    notes
        For people: tuned schedules that were of no use, and why.
    plans
        The layers on the accelerator, in order.
    """

    program: Program
    graph: Graph
    placement: Placement
    notes: tuple[str, ...] = ()
    plans: tuple[LayerPlan, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class PlannedModel:
    """A model whose layers have schedules, before any instruction.

    Attributes
    ----------
    exact
        The graph that a program computes bit for bit.
    placement
        Where each node runs.
    tasks, plans
        What there is to do; the plans of the layers by task number.
    """

    exact: Graph
    placement: Placement
    tasks: Tasks
    plans: Mapping[int, LayerPlan]


def compile_model(
    model: str | PathLike[str] | bytes | onnx.ModelProto | Graph,
    config: HwConfig | str | None = None,
    target: str = DEFAULT_PROFILE,
    shapes: Mapping[str, Sequence[int] | int] | None = None,
    *,
    name: str | None = None,
    candidates: int = DEFAULT_CANDIDATES,
    ties: str = "even",
    schedules: ScheduleBook | str | PathLike[str] = SHIPPED,
    progress: bool = False,
) -> Program:
    """Compile a quantised model.

    Parameters
    ----------
    model
        Path or bytes of an ONNX model, the loaded model, or a graph of the importer.
    config
        The hardware configuration or its name; the published PYNQ builds' by default.
    target
        Name of the hardware profile.
    shapes
        What fixes dynamic shapes: see `host_compiler.importer.import_model`.
    name
        The program's name; the model's by default.
    candidates
        How many schedules of each layer that is not in `schedules` the cycle model times: fewer
        compile faster, more may run faster.
    ties
        "even" rounds values halfway between two integers as ONNX does; "up" takes fewer steps on
        the accelerator and is off by 1 in each of them (docs/quantization.md).
    schedules
        Tuned schedules of layers: "shipped", "none", a `ScheduleBook`, or the path of what `vta
        tune` made (docs/tuning.md).
    progress
        Show progress bars where standard error is a terminal.

    Raises
    ------
    CompileError
        The model is damaged, or it or the configuration is not supported.
    ScheduleError
        `schedules` names a file that is missing, damaged or foreign.
    """
    return compile_graph(
        load_graph(model, shapes),
        make_target(config, target),
        name=name,
        candidates=candidates,
        ties=ties,
        schedules=schedules,
        progress=progress,
    ).program


def load_graph(
    model: str | PathLike[str] | bytes | onnx.ModelProto | Graph,
    shapes: Mapping[str, Sequence[int] | int] | None = None,
) -> Graph:
    """The imported graph of whatever `compile_model` takes."""
    if isinstance(model, Graph):
        return model
    from host_compiler.importer import import_model

    graph = import_model(model, shapes)
    if isinstance(model, (str, PathLike)):
        graph.name = Path(model).stem
    return graph


def make_target(config: HwConfig | str | None, profile: str) -> Target:
    """The target of a configuration (or its name; None: the default) and a profile's name."""
    if config is None:
        config = HwConfig()
    elif isinstance(config, str):
        config = HwConfig.from_name(config)
    return Target(config, get_profile(profile))


def compile_graph(
    graph: Graph,
    target: Target,
    *,
    name: str | None = None,
    candidates: int = DEFAULT_CANDIDATES,
    ties: str = "even",
    schedules: ScheduleBook | str | PathLike[str] = SHIPPED,
    progress: bool = False,
) -> Compilation:
    """Compile a graph of the importer; see `compile_model`."""
    if candidates < 1:
        raise CompileError(f"option candidates: value must be at least 1, not {candidates}")
    book = schedules if isinstance(schedules, ScheduleBook) else ScheduleBook.load(schedules)
    shown = Progress(progress)
    planner = Planner(target, candidates, shown, book)
    title = name or graph.name or "model"
    planned = plan_model(graph, target, planner, ties)
    emitted = _emit(planned, target, title, shown)
    if planner.tuned and not planner.measured and target.profile.timing is not None:
        cycles = emitted_cycles(emitted, target)
        if cycles != planner.promised_cycles:
            # Each layer is no slower than with the default schedule, but layers overlap.
            plain = Planner(target, candidates, shown, ScheduleBook())
            other = plan_model(graph, target, plain, ties)
            other_emitted = _emit(other, target, title, shown)
            if emitted_cycles(other_emitted, target) < cycles:
                planned, emitted = other, other_emitted
                planner.notes.append(_SLOWER)
    tasks, plans, placement = planned.tasks, planned.plans, planned.placement
    phases = order_tasks(tasks)
    with shown.bar("check", 1) as advance:
        program = assemble(
            title, target, tasks, phases, emitted,
            lambda step_of: layer_reports(tasks, plans, placement, step_of, target),
            {"compiler": f"vta-pynq {vta_pynq.__version__}", "ties": ties},
        )  # fmt: skip
        _lint(program)
        advance()
    ordered = tuple(plans[number] for number in sorted(plans))
    return Compilation(program, planned.exact, placement, tuple(planner.notes), ordered)


def _emit(planned: PlannedModel, target: Target, title: str, shown: Progress) -> Emitted:
    with shown.bar("emit", len(planned.plans)) as advance:
        phases = order_tasks(planned.tasks)
        return emit(planned.tasks, phases, planned.plans, target, title, advance)


def plan_model(graph: Graph, target: Target, planner: Planner, ties: str = "even") -> PlannedModel:
    """Bring a graph into the form that is compiled, place its nodes, plan its layers.

    Raises
    ------
    CompileError
        As for `compile_model`.
    """
    if ties not in TIES:
        raise CompileError(f"option ties: value must be {' or '.join(TIES)}, not {ties!r}")
    _check_graph(graph)
    exact = prepare(graph, target, ties_up=ties == "up")
    graph = pack_first_convolutions(exact, target.config)
    graph.verify()
    placement = place_nodes(graph, target.config)
    tasks, plans = planner.plan(graph, placement)
    weighed = weigh_islands(graph, placement, planner.node_cycles(tasks, plans))
    if weighed != placement:
        placement = weighed
        tasks, plans = planner.plan(graph, placement)
    return PlannedModel(exact, placement, tasks, plans)


def _check_graph(graph: Graph) -> None:
    """Refuse what a program file has no place for."""
    where = f"model {graph.name or 'model'}"
    for names in (graph.inputs, graph.outputs):
        if len(set(names)) != len(names):
            raise CompileError(f"{where}: inputs and outputs must differ from each other; rename")
    for name in (*graph.values, *(s for node in graph.nodes for s in (node.name, *node.source))):
        if not name.isprintable() or len(name) > _NAME_CHARS:
            raise CompileError(
                f"{where}: name must be printable and at most {_NAME_CHARS} characters, not "
                f"{name[:40]!a}; rename it"
            )
    for value in graph.values.values():
        if 0 in value.shape or len(value.shape) > MAX_RANK:
            raise CompileError(
                f"{where}: {value.name} must have elements and at most {MAX_RANK} dimensions, not "
                f"shape {list(value.shape)}; change the model"
            )


def _lint(program: Program) -> None:
    """Check every stream; what the linter finds is a bug of the compiler."""
    for stream in program.streams():
        for finding in lint_stream(stream, program.profile).findings:
            if finding.severity == "error":
                raise CompileError(
                    f"model {program.model}: instructions must pass the linter for "
                    f"{program.profile}, not fail rule {finding.rule} ({finding.message}); this "
                    "is a bug of the compiler: please report it with the model"
                )
