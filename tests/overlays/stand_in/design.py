"""A block design as it is being built: cells, nets, addresses. It refuses what Vivado refuses."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Callable, Sequence

from tests.overlays.stand_in.parts import Interface, IpModel, Pin
from tests.overlays.stand_in.serve import CommandError

__all__ = ["Assignment", "Cell", "Design"]


@dataclasses.dataclass
class Cell:
    """An instance of an IP."""

    vlnv: str
    make: Callable[[dict[str, str]], IpModel]
    settings: dict[str, str]
    model: IpModel


@dataclasses.dataclass(frozen=True)
class Assignment:
    """A segment in the address space of a master."""

    space: str
    segment: str
    offset: int
    size: int


class Design:
    """Names are paths: `cell/pin`, with the hierarchy in front where there is one."""

    def __init__(self) -> None:
        self.cells: dict[str, Cell] = {}
        self.nets: list[set[str]] = []
        self.interface_nets: list[tuple[str, str]] = []
        self.external: set[str] = set()
        self.assignments: list[Assignment] = []
        self.validated = False

    # ---- cells ---------------------------------------------------------------------------

    def create(self, name: str, vlnv: str, make: Callable[[dict[str, str]], IpModel]) -> None:
        if name in self.cells:
            raise CommandError(f"cell {name} exists already")
        try:
            model = make({})
        except CommandError:  # settings that have no legal default come next
            model = IpModel()
        self.cells[name] = Cell(vlnv, make, {}, model)

    def configure(self, name: str, settings: dict[str, str]) -> None:
        cell = self.cells[name]
        cell.settings.update(settings)
        cell.model = cell.make(cell.settings)
        joined = {pin for net in self.nets for pin in net}
        for pin in joined:
            if pin.startswith(f"{name}/"):
                self.pin(pin)  # a setting must not take away what is joined

    def group(self, hierarchy: str, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.cells:
                raise CommandError(f"cell {name} does not exist")

        def moved(path: str) -> str:
            return f"{hierarchy}/{path}" if path.split("/")[0] in names else path

        self.cells = {moved(name): cell for name, cell in self.cells.items()}
        self.nets = [set(map(moved, net)) for net in self.nets]
        self.interface_nets = [(moved(a), moved(b)) for a, b in self.interface_nets]
        self.external = set(map(moved, self.external))

    # ---- looking up ----------------------------------------------------------------------

    def split(self, path: str) -> tuple[Cell, str]:
        """The cell that a path lies in, and the rest of the path."""
        at = path.find("/")
        while at >= 0:
            if path[:at] in self.cells:
                return self.cells[path[:at]], path[at + 1 :]
            at = path.find("/", at + 1)
        raise CommandError(f"{path} does not exist")

    def pin(self, path: str) -> Pin:
        cell, name = self.split(path)
        if name not in cell.model.pins:
            raise CommandError(f"pin {path} does not exist")
        return cell.model.pins[name]

    def interface(self, path: str) -> Interface:
        cell, name = self.split(path)
        if name not in cell.model.interfaces:
            raise CommandError(f"interface {path} does not exist")
        return cell.model.interfaces[name]

    def find(self, kind: str, pattern: str) -> list[str]:
        """Paths of pins, interfaces, cells, spaces or segments that a pattern names."""
        pattern = pattern.lstrip("/")
        if not set(pattern) & set("*?[") and kind != "cells":
            try:
                cell, name = self.split(pattern)
            except CommandError:
                return []
            return [pattern] if name in getattr(cell.model, kind) else []
        if kind == "cells":
            names = list(self.cells)
        else:
            names = [
                f"{cell_name}/{name}"
                for cell_name, cell in self.cells.items()
                for name in getattr(cell.model, kind)
            ]
        return [name for name in names if fnmatch.fnmatchcase(name, pattern)]

    # ---- joining -------------------------------------------------------------------------

    def join(self, paths: Sequence[str]) -> None:
        if len(set(paths)) < 2:
            raise CommandError(f"connect_bd_net needs two pins, not {list(paths)}")
        for path in paths:
            self.pin(path)
        merged = set(paths)
        for net in [net for net in self.nets if net & merged]:
            merged |= net
            self.nets.remove(net)
        drivers = [path for path in merged if self.pin(path).output]
        if len(drivers) > 1:
            raise CommandError(f"net has more than one driver: {sorted(drivers)}")
        self.nets.append(merged)

    def join_interfaces(self, paths: Sequence[str]) -> None:
        if len(paths) != 2:
            raise CommandError(f"connect_bd_intf_net needs two interfaces, not {list(paths)}")
        taken = {path for net in self.interface_nets for path in net} | self.external
        for path in paths:
            if path in taken:
                raise CommandError(f"interface {path} is joined already")
        ends = [self.interface(path) for path in paths]
        if ends[0].kind != ends[1].kind or ends[0].master is ends[1].master:
            raise CommandError(f"interfaces {list(paths)} do not match")
        first, second = paths if ends[0].master else reversed(paths)
        self.interface_nets.append((first, second))

    def net_of(self, path: str) -> set[str]:
        return next((net for net in self.nets if path in net), set())

    # ---- addresses -----------------------------------------------------------------------

    def reached(self, interface: str) -> set[str]:
        """The slave interfaces that a master leads to, through interconnects."""
        found: set[str] = set()
        for first, second in self.interface_nets:
            if first != interface:
                continue
            cell_name = second.rsplit("/", 1)[0]
            cell = self.cells[cell_name]
            if ":smartconnect:" in cell.vlnv:
                for name, other in cell.model.interfaces.items():
                    if other.master:
                        found |= self.reached(f"{cell_name}/{name}")
            else:
                found.add(second)
        return found

    def assign(self, space: str, segment: str, offset: int, size: int) -> None:
        space_cell, space_name = self.split(space)
        cell, name = self.split(segment)
        if space_name not in space_cell.model.spaces or name not in cell.model.segments:
            raise CommandError(f"no such space or segment: {space} {segment}")
        if size < 4096 or size & (size - 1) or offset % size:
            raise CommandError(f"segment at 0x{offset:x} of {size} bytes is not aligned")
        master = f"{space.removesuffix(space_name)}{space_cell.model.spaces[space_name]}"
        interface, low, high = cell.model.segments[name]
        slave = f"{segment.removesuffix(name)}{interface}"
        if slave not in self.reached(master):
            raise CommandError(f"{master} does not lead to {slave}")
        windows = [(low, high)] if low is not None else []
        if space_name in space_cell.model.segments:
            windows.append(space_cell.model.segments[space_name][1:])
        for least, greatest in windows:
            if not least <= offset <= offset + size - 1 <= greatest:
                raise CommandError(f"segment at 0x{offset:x} lies outside of its window")
        for other in self.assignments:
            if other.space == space and (
                offset < other.offset + other.size and other.offset < offset + size
            ):
                raise CommandError(f"segments {segment} and {other.segment} overlap")
        self.assignments.append(Assignment(space, segment, offset, size))
