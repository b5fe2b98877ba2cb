"""Arguments of commands that load an overlay on a device."""

from __future__ import annotations

import argparse

from vta_pynq.config import HwConfig

__all__ = ["add_device_arguments"]


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--device` and `--overlay`."""
    parser.add_argument(
        "--device",
        metavar="D",
        help="board, sim, csim, grpc://HOST[:PORT] (default: as VTA_DEVICE says)",
    )
    parser.add_argument(
        "--overlay",
        metavar="NAME",
        default=HwConfig().name,
        help="overlay to load: a name of 'vta overlays list' or a .bit file (default: %(default)s)",
    )
