"""Every private or version-dependent hook of pynq that the simulated device uses.

Supported are pynq 3.0.1 to 4.0. Nothing else in the project touches a name of pynq's that starts
with an underscore or exists in some releases only.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pynq
from pynq.pl_server.device import Device

__all__ = [
    "SYNC_WHOLE_BUFFER",
    "choose_clocks",
    "connect_uio",
    "make_default_device",
    "parse_hwh",
    "post_download",
    "real_device_exists",
]

_VERSION = tuple(int(word) for word in pynq.__version__.split(".")[:2])

SYNC_WHOLE_BUFFER = _VERSION >= (3, 1)
"""From 3.1 on, flushing or invalidating a slice moves the whole buffer."""


def real_device_exists(environment: Mapping[str, str]) -> bool:
    """Whether pynq would find a device of its own: a board's FPGA manager or a remote board."""
    from pynq.pl_server.embedded_device import EmbeddedDevice

    return Path(EmbeddedDevice.BS_FPGA_MAN).exists() or bool(environment.get("PYNQ_REMOTE_DEVICES"))


def make_default_device(device: Device) -> None:
    """Make `device` the one that pynq uses when none is named, and list it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "No devices found" may be true until the next line
        known = Device.devices
    if device not in known:
        known.append(device)
    Device.active_device = device
    choose_clocks(device)


def choose_clocks(device: Device) -> None:
    """Let `pynq.Clocks` belong to `device`; it remembers the first it met."""
    from pynq import ps

    if hasattr(ps.Clocks, "_real_instance"):
        del ps.Clocks._real_instance
    if hasattr(ps.Clocks, "set_device"):
        ps.Clocks.set_device(device)
    else:  # 3.0 asks the host's architecture instead
        kinds = {"armv7l": ps._ClocksZynq, "aarch64": ps._ClocksUltrascale}
        if device.arch in kinds:
            ps.Clocks._real_instance = kinds[device.arch]()


def parse_hwh(path: Path) -> Any:
    """The parser object that `Overlay` wants for a `.hwh` file."""
    from pynqmetadata.frontends import Metadata

    try:
        from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
    except ImportError:  # moved in 4.0
        from pynqmetadata.views.runtime import RuntimeMetadataParser
    parser = RuntimeMetadataParser(Metadata(input=path))
    if not hasattr(parser, "systemgraph"):
        parser.systemgraph = None
    parser.bin_data = parser.xclbin_data = parser.dtbo_data = None
    return parser


def post_download(device: Device, bitstream: Any, parser: Any) -> None:
    """What pynq does after every download; from 3.1 on it wants the device's name."""
    method = Device.post_download
    extra = (device.name,) if "name" in inspect.signature(method).parameters else ()
    method(device, bitstream, parser, *extra)


def connect_uio(interrupts: Iterable[Mapping[str, Any]], line: Any) -> None:
    """Let every interrupt in `interrupts` that reaches the PS wait on `line`."""
    from pynq.interrupt import _InterruptController

    _InterruptController._controllers.clear()
    for entry in interrupts:
        if "raw_irq" in entry:
            _InterruptController._uio_devices[entry["raw_irq"]] = line
