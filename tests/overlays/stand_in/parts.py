"""What a cell of a block design has: pins, interfaces, address spaces and segments."""

from __future__ import annotations

import dataclasses

__all__ = ["AXI_SIGNALS", "Interface", "IpModel", "Pin", "axi_interface"]


@dataclasses.dataclass(frozen=True)
class Pin:
    """A pin. `width` None: it takes the width of what it is joined to.

    `role` is "clock", "reset" (active low) or "". An input that is `optional` has a value in the
    IP where nothing is joined to it. An output that is `optional` need not be used.
    """

    name: str
    output: bool
    width: int | None = 1
    role: str = ""
    optional: bool = False


@dataclasses.dataclass(frozen=True)
class Interface:
    """An interface of `kind`; `pins` maps the signals of its protocol to pins."""

    name: str
    kind: str
    master: bool
    pins: dict[str, str] = dataclasses.field(default_factory=dict)
    optional: bool = False


@dataclasses.dataclass
class IpModel:
    """Pins and interfaces of an IP with its settings; spaces and segments by name.

    A segment has the interface that leads to it, and its least and greatest address, which None
    leaves open. `memories` gives bits, depth and side of memory ports by the prefix of their pins.
    """

    pins: dict[str, Pin] = dataclasses.field(default_factory=dict)
    interfaces: dict[str, Interface] = dataclasses.field(default_factory=dict)
    spaces: dict[str, str] = dataclasses.field(default_factory=dict)
    """Address space: interface of the master."""
    segments: dict[str, tuple[str, int | None, int | None]] = dataclasses.field(
        default_factory=dict
    )
    depths: dict[str, int] = dataclasses.field(default_factory=dict)
    """Words behind an address pin."""

    def add(self, *pins: Pin) -> None:
        self.pins.update((pin.name, pin) for pin in pins)

    def add_interface(self, interface: Interface) -> None:
        self.interfaces[interface.name] = interface


AXI_SIGNALS = {
    # signal: driven by the master?, bits (0: data, -1: strobes)
    "AWADDR": (True, 32), "AWLEN": (True, 8), "AWVALID": (True, 1), "AWREADY": (False, 1),
    "WDATA": (True, 0), "WSTRB": (True, -1), "WLAST": (True, 1), "WVALID": (True, 1),
    "WREADY": (False, 1), "BRESP": (False, 2), "BVALID": (False, 1), "BREADY": (True, 1),
    "ARADDR": (True, 32), "ARLEN": (True, 8), "ARVALID": (True, 1), "ARREADY": (False, 1),
    "RDATA": (False, 0), "RRESP": (False, 2), "RLAST": (False, 1), "RVALID": (False, 1),
    "RREADY": (True, 1),
}  # fmt: skip


def axi_interface(
    model: IpModel,
    name: str,
    *,
    master: bool,
    bits: int | None,
    upper: bool,
    optional: bool = False,
) -> None:
    """Add an AXI interface and its pins, in the case in which the IP names them."""
    pins = {}
    for signal, (from_master, width) in AXI_SIGNALS.items():
        pin = f"{name}_{signal if upper else signal.lower()}"
        size = {0: bits, -1: None if bits is None else bits // 8}.get(width, width)
        # Widths of addresses and data are the interconnect's business.
        model.add(Pin(pin, from_master is master, None if width in (0, -1, 32, 12) else size))
        pins[signal] = pin
    model.add_interface(Interface(name, "aximm", master, pins, optional))
