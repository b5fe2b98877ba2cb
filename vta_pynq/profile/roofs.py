"""The roofs of a design: what its matrix unit computes and its memory ports deliver at most."""

from __future__ import annotations

import dataclasses
import itertools

from vta_pynq.isa.table import MemType, Module, elem_bytes
from vta_pynq.profile.run import ProfiledRun
from vta_pynq.timing.parameters import Client, MoveTiming

__all__ = ["BandwidthRoof", "bandwidth_roofs", "element_rate"]

_MEMORY_OF_CLIENT: dict[Client, MemType] = {
    "uop": MemType.UOP,
    "wgt": MemType.WGT,
    "inp": MemType.INP,
    "acc": MemType.ACC,
    "out": MemType.OUT,
}
_CLIENTS: dict[Module, tuple[Client, ...]] = {
    Module.LOAD: ("inp", "wgt"),
    Module.COMPUTE: ("acc", "uop"),
    Module.STORE: ("out",),
}


@dataclasses.dataclass(frozen=True)
class BandwidthRoof:
    """A line of the roofline: `name` moves at most `gb_s` (10^9 bytes a second)."""

    name: str
    gb_s: float

    def gops(self, intensity: float) -> float:
        """Attainable GOPS at so many operations for each byte."""
        return self.gb_s * intensity

    def ridge(self, peak_gops: float) -> float:
        """Operations for each byte from which on the matrix unit is the limit."""
        return peak_gops / self.gb_s


def element_rate(run: ProfiledRun, client: Client) -> float:
    """Bytes a cycle that a client moves while data flow, whatever precedes and follows them."""
    move: MoveTiming = getattr(run.timing, client)
    port = run.timing.port_of(client)
    size = elem_bytes(run.config, _MEMORY_OF_CLIENT[client])
    if move.packed and size < port.bus_bytes:
        beats = size / port.bus_bytes
    else:
        beats = float(-(-size // port.bus_bytes))
    return size / (beats * port.cycles_per_beat * move.beat_interval + move.elem_extra)


def bandwidth_roofs(run: ProfiledRun) -> tuple[BandwidthRoof, ...]:
    """The roofs from the highest to the lowest.

    The first is all three modules moving data at the same time, each at the rate of its fastest
    client; modules that share a port get it once. The others are LOAD alone, of inputs and of
    weights, which is what most layers depend on.
    """

    def gb_s(rate: float) -> float:
        return rate * run.clock.mhz / 1e3

    inputs, weights = (gb_s(element_rate(run, client)) for client in _CLIENTS[Module.LOAD])
    roofs = [BandwidthRoof("load, compute and store at once", gb_s(_all_at_once(run)))]
    if inputs == weights:
        roofs.append(BandwidthRoof("LOAD", inputs))
    else:
        roofs += [
            BandwidthRoof("LOAD of inputs", inputs),
            BandwidthRoof("LOAD of weights", weights),
        ]
    return tuple(sorted(roofs, key=lambda roof: -roof.gb_s))


def _all_at_once(run: ProfiledRun) -> float:
    best = 0.0
    for clients in itertools.product(*_CLIENTS.values()):
        by_port: dict[int, float] = {}
        for client in clients:
            port = run.timing.ports.index(run.timing.port_of(client))
            by_port[port] = max(by_port.get(port, 0.0), element_rate(run, client))
        best = max(best, sum(by_port.values()))
    return best
