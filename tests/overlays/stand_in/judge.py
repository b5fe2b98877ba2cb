"""What is wrong with a finished block design, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from tests.overlays.stand_in.design import Design

__all__ = ["problems"]


def problems(design: Design) -> list[str]:
    """Everything that a build would fail of, or that would not work."""
    return [
        *_nets(design), *_overridden(design), *_unconnected(design), *_clocks_and_resets(design),
        *_addresses(design),
    ]  # fmt: skip


def _nets(design: Design) -> Iterator[str]:
    for net in design.nets:
        pins = {path: design.pin(path) for path in net}
        shown = ", ".join(sorted(net))
        if sum(pin.output for pin in pins.values()) != 1:
            yield f"net without driver: {shown}"
        widths = {pin.width for pin in pins.values()} - {None}
        if len(widths) > 1:
            yield f"widths {sorted(widths)} differ: {shown}"
        depths = set()
        for path in net:
            cell, name = design.split(path)
            depths |= {cell.model.depths[name]} if name in cell.model.depths else set()
        if len(depths) > 1:
            yield f"depths {sorted(depths)} differ: {shown}"


def _overridden(design: Design) -> Iterator[str]:
    """A pin of a joined interface that is joined by itself leaves the interface's connection."""
    nets = {path: number for number, net in enumerate(design.nets) for path in net}
    for ends in design.interface_nets:
        sides = [design.interface(path).pins for path in ends]
        cells = [path.rsplit("/", 1)[0] for path in ends]
        for signal in sides[0].keys() & sides[1].keys():
            paths = [f"{cell}/{side[signal]}" for cell, side in zip(cells, sides, strict=True)]
            joined = {nets.get(path) for path in paths}
            if len(joined) > 1:
                yield f"overridden on one side only: {', '.join(paths)}"


def _in_interfaces(design: Design) -> set[str]:
    """Pins that are joined as parts of interfaces."""
    joined = {path for net in design.interface_nets for path in net} | design.external
    return {
        f"{path.rsplit('/', 1)[0]}/{pin}"
        for path in joined
        for pin in design.interface(path).pins.values()
    }


def _unconnected(design: Design) -> Iterator[str]:
    inside = _in_interfaces(design)
    whole = {path for net in design.interface_nets for path in net} | design.external
    alone = set().union(*design.nets) if design.nets else set()
    for cell_name, cell in design.cells.items():
        streams = {
            pin for i in cell.model.interfaces.values() if i.kind == "axis" for pin in
            i.pins.values()
        }  # fmt: skip
        for pin in cell.model.pins.values():
            path = f"{cell_name}/{pin.name}"
            if path not in inside | alone and not pin.optional:
                yield f"unconnected: {path}"
        for name, interface in cell.model.interfaces.items():
            by_pins = set(interface.pins.values()) <= streams
            if f"{cell_name}/{name}" not in whole and not interface.optional and not by_pins:
                yield f"unconnected: {cell_name}/{name}"


def _clocks_and_resets(design: Design) -> Iterator[str]:
    for net in design.nets:
        for role in ("clock", "reset"):
            found = {path for path in net if design.pin(path).role == role}
            if found and found != net:
                yield f"{role} joined to something else: {', '.join(sorted(net))}"


def _addresses(design: Design) -> Iterator[str]:
    assigned = {a.space for a in design.assignments}
    for space in design.find("spaces", "*"):
        if space not in assigned:
            yield f"address space without segment: {space}"
    for cell_name, cell in design.cells.items():
        for segment, (interface, *_) in cell.model.segments.items():
            if segment in cell.model.spaces:
                continue
            path = f"{cell_name}/{segment}"
            leading = [
                space for space in design.find("spaces", "*")
                if f"{cell_name}/{interface}" in design.reached(_master(design, space))
            ]  # fmt: skip
            there = {a.space for a in design.assignments if a.segment == path}
            for space in leading:
                if space not in there:
                    yield f"{space} leads to {path} without an address"
    if not design.validated:
        yield "the design was not validated"


def _master(design: Design, space: str) -> str:
    cell, name = design.split(space)
    return f"{space.removesuffix(name)}{cell.model.spaces[name]}"
