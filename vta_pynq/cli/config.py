"""`vta config`: print a hardware configuration and everything that follows from it."""

from __future__ import annotations

import argparse
import sys

from vta_pynq.config_export import EXPORTS, load_config

HELP = "print a hardware configuration and every number that follows from it"

EXAMPLES = (
    "vta config 1x16_i8w8a32_15_15_18_17",
    "vta config vta_config.json --c > config.h",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "config",
        metavar="NAME|FILE",
        help="a name such as 1x16_i8w8a32_15_15_18_17, or a JSON file (vta_config.json keys)",
    )
    form = parser.add_mutually_exclusive_group()
    for option in EXPORTS:
        text = {"table": "a table for people (default)", "json": "JSON", "c": "C macros"}.get(
            option, "Tcl variables"
        )
        form.add_argument(f"--{option}", dest="form", action="store_const", const=option, help=text)
    parser.set_defaults(form="table")


def run(args: argparse.Namespace) -> int:
    """Print the configuration."""
    sys.stdout.write(EXPORTS[args.form](load_config(args.config)))
    return 0
