"""`vta roofline`: how far each layer is from what the hardware could do."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from vta_pynq.cli.profile import add_source_arguments, check_pictures, profiled, write_bars

if TYPE_CHECKING:
    from vta_pynq.profile.run import ProfiledRun

__all__ = ["HELP", "add_arguments", "run"]

HELP = "draw the roofline of a program's layers, with and without latency hiding"

EXAMPLES = ("vta roofline net.vta -o roofline.png",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_source_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="picture to write, .png or .svg")


def run(args: argparse.Namespace) -> int:
    """Draw and print; 0, or an error."""
    from vta_pynq.profile.roofline import roofline_picture

    check_pictures(args.output, args.bars)
    found = profiled(args)
    if args.output is not None:
        roofline_picture(found).save(args.output)
    if args.bars is not None:
        write_bars(args, found)
    if args.json:
        print(json.dumps(_facts(found)))
        return 0
    print("\n".join(_lines(found)))
    for path in (args.output, args.bars):
        if path is not None:
            print(f"wrote {path}")
    return 0


def _facts(found: ProfiledRun) -> dict[str, object]:
    from vta_pynq.profile.roofline import roofline_layers
    from vta_pynq.profile.roofs import bandwidth_roofs
    from vta_pynq.profile.table import layer_facts

    return {
        "model": found.name,
        "profile": found.profile.name,
        "memory_latency": found.latency,
        "clock_mhz": found.clock.mhz,
        "peak_gops": found.peak_gops,
        "roofs": [{"name": roof.name, "gb_s": roof.gb_s} for roof in bandwidth_roofs(found)],
        "layers": [layer_facts(found, layer) for layer in roofline_layers(found)],
    }


def _lines(found: ProfiledRun) -> list[str]:
    from vta_pynq.profile.names import short_name
    from vta_pynq.profile.roofline import roofline_layers
    from vta_pynq.profile.roofs import bandwidth_roofs

    lines = [found.heading, f"matrix unit: {found.peak_gops:g} GOPS"]
    lines += [f"{roof.name}: {roof.gb_s:g} GB/s" for roof in bandwidth_roofs(found)]
    lines.append(f"{'#':>3}  {'layer':28}  {'ops/byte':>9}  {'GOPS':>6}  {'without':>7}  % of peak")
    for layer in roofline_layers(found):
        gops = found.gops(layer.ops, layer.cycles)
        serial = found.gops(layer.ops, layer.serial_cycles)
        lines.append(
            f"{layer.number:>3}  {short_name(layer.name):28}  {layer.intensity:9.1f}  {gops:6.2f}  "
            f"{serial:7.2f}  {100 * gops / found.peak_gops:9.1f}"
        )
    return lines
