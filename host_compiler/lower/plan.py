"""`plan_layer` and `emit_layer`: one layer in normal form to instructions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

from host_compiler.layer import Layer
from host_compiler.lower.constants import Constant, ConstantPlan
from host_compiler.lower.emit import Emitter
from host_compiler.lower.lowered import Lowered
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.target import Target
from host_compiler.schedule.parameters import Schedule
from vta_pynq.isa.table import MemType
from vta_pynq.kernel import DramBuffer, DramView, KernelBuilder

__all__ = ["LayerPlan", "declare_constants", "emit_layer", "lower_layer"]


@dataclasses.dataclass(frozen=True, eq=False)
class LayerPlan:
    """How one layer runs on a target.

    Attributes
    ----------
    layer, target, schedule
        What is lowered, for what, and with which parameters.
    estimated_cycles
        Cycles of the layer on its own by the cycle model, or by the scheduler's estimate where
        the profile has no notion of time.
    """

    layer: Layer
    target: Target
    schedule: Schedule
    estimated_cycles: int
    lowered: Lowered = dataclasses.field(repr=False)

    @functools.cached_property
    def constant_plan(self) -> ConstantPlan:
        """Where in the constants things lie."""
        return ConstantPlan(self.lowered)

    @functools.cached_property
    def constants(self) -> tuple[Constant, ...]:
        """What must lie in DRAM besides the tensors; `emit_layer` looks for it by name."""
        return self.constant_plan.build()

    def explain(self) -> str:
        """The schedule in words, one line each, and where the cycles go."""
        from host_compiler.schedule.account import account_of  # it builds on this module

        s, lowered = self.schedule, self.lowered
        order = "channels outside, weights stay" if s.channels_outer else "places outside"
        lines = [
            f"{self.layer.name}: {self.estimated_cycles} cycles estimated",
            f"  tile {s.rows}x{s.cols} of {s.blocks} output blocks, {s.group} at a time; {order}",
            f"  {len(lowered.tiles)} tiles, {len(lowered.work)} items and finishing steps",
            f"  slots: {s.inp_slots} input, {s.wgt_slots} weight (of {lowered.places.wgt_slot}), "
            f"{s.acc_slots} accumulator (of {lowered.places.acc_slot} elements)",
            f"  loads: {sum(lowered.inp_loads)} input pieces, {sum(lowered.wgt_loads)} weight "
            "pieces",
        ]
        return "\n".join([*lines, *(f"  {line}" for line in account_of(self).lines())])


def lower_layer(
    layer: Layer, target: Target, schedule: Schedule, most_tiles: int | None = None
) -> LayerPlan:
    """A plan for a given schedule, without an estimate.

    Raises
    ------
    CompileError
        The schedule does not fit the target, or the layer cannot run there.
    """
    lowered = Lowered(Prepared(layer, target, most_tiles), schedule)
    return LayerPlan(layer, target, schedule, 0, lowered)


def declare_constants(builder: KernelBuilder, plan: LayerPlan) -> dict[str, DramBuffer]:
    """Declare a plan's constants on a builder, with their data; buffers by name."""
    return {c.name: builder.dram(c.name, c.mem, c.elems, c.data) for c in plan.constants}


def emit_layer(
    builder: KernelBuilder, plan: LayerPlan, buffers: Mapping[str, DramBuffer | DramView]
) -> None:
    """Append a layer to a stream.

    Parameters
    ----------
    builder
        A builder of the plan's configuration and profile that places the tokens (`auto_sync`).
        It may hold earlier layers, whose SRAM contents are overwritten.
    buffers
        For every tensor of the layer (`TensorRef.buffer`) and every constant of the plan, by
        name: where it lies. Elements of tensors are input elements (`MemType.INP`).
    """
    with builder.label(plan.layer.name):
        Emitter(builder, plan.lowered, plan.constant_plan, buffers).run()


def tensor_elems(plan: LayerPlan) -> dict[str, int]:
    """Elements that each tensor's buffer must at least have, by name."""
    batch = plan.target.config.batch
    refs = [t.source for t in plan.layer.terms] + list(plan.layer.outputs)
    need: dict[str, int] = {}
    for ref in refs:
        n, _, h, w = ref.shape
        elems = -(-n // batch) * ref.buffer_blocks * h * w
        need[ref.buffer] = max(need.get(ref.buffer, 0), elems)
    return need


def layer_kernel_builder(plan: LayerPlan) -> KernelBuilder:
    """A builder that holds the layer alone, without the data of its constants: for timing."""
    target = plan.target
    builder = KernelBuilder(
        target.config, target.profile, auto_sync=True, insn_limit=1 << 20, name=plan.layer.name
    )
    buffers: dict[str, DramBuffer | DramView] = {
        name: builder.dram(name, MemType.INP, elems) for name, elems in tensor_elems(plan).items()
    }
    for name, mem, elems in plan.constant_plan.sizes():
        buffers[name] = builder.dram(name, mem, elems)
    emit_layer(builder, plan, buffers)
    return builder
