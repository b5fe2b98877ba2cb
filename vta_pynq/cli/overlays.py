"""`vta overlays`: list, fetch, verify, describe and recommend overlays."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from vta_pynq.cli import overlays_recommend
from vta_pynq.errors import ConfigError
from vta_pynq.hardware.provenance import PROVENANCE_FILE, read_provenance
from vta_pynq.overlay.bitfile import read_bit_header
from vta_pynq.overlay.catalogue import (
    Catalogue,
    Entry,
    check_file,
    fetch,
    file_sha256,
    read_catalogue,
)
from vta_pynq.overlay.descriptions import Variant, find_variant, get_board, overlay_folder, variants
from vta_pynq.overlay.locate import search_folders, user_folder

HELP = "list, fetch, verify, describe and recommend overlays (bitstreams)"

EXAMPLES = (
    "vta overlays list",
    "vta overlays info pynq/0.0.2/1x16_i8w8a32_15_15_18_17",
    "vta overlays recommend int8.onnx --board pynq-z2",
)
NO_MEANS = "a bitstream is not what it should be, or no overlay runs the model"

_ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    commands = parser.add_subparsers(dest="overlays_command", required=True, metavar="COMMAND")
    command = commands.add_parser("list", help="every known overlay, and which are installed")
    command.add_argument("--json", action="store_true", help="print JSON instead of text")
    command = commands.add_parser("fetch", help="install published bitstreams")
    command.add_argument("names", nargs="+", metavar="NAME", help=f"overlays, or '{_ALL}'")
    command.add_argument("--mirror", metavar="FOLDER|URL", help="where to fetch from instead")
    command.add_argument("--into", type=Path, metavar="FOLDER", help="where to install")
    command = commands.add_parser("verify", help="compare installed bitstreams with their hashes")
    command.add_argument("names", nargs="*", metavar="NAME", help="overlays (default: installed)")
    command = commands.add_parser("info", help="all about an overlay or a .bit file")
    command.add_argument("name", metavar="NAME|FILE.bit", help="an overlay, or a bitstream")
    command = commands.add_parser("recommend", help=overlays_recommend.HELP)
    overlays_recommend.add_arguments(command)


def run(args: argparse.Namespace) -> int:
    """Run a sub-command; 1 where a bitstream is not what it should be."""
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "list": _list,
        "fetch": _fetch,
        "verify": _verify,
        "info": _info,
        "recommend": overlays_recommend.run,
    }
    return commands[args.overlays_command](args)


def _entry_of(catalogue: Catalogue, variant: Variant) -> Entry | None:
    for entry in catalogue.entries:
        if entry.variant.name == variant.name:
            return entry
    return None


def _installed(variant: Variant) -> list[Path]:
    paths = (folder / f"{variant.name}.bit" for folder in search_folders())
    return [path for path in paths if path.is_file()]


def _list(args: argparse.Namespace) -> int:
    catalogue = read_catalogue()
    states = [(variant, _state(catalogue, variant)) for variant in variants()]
    if args.json:
        facts = [
            {
                "name": variant.name, "state": state, "config": variant.config.name,
                "boards": list(variant.boards), "files": list(map(str, _installed(variant))),
            }
            for variant, state in states
        ]  # fmt: skip
        print(json.dumps({"overlays": facts}))
        return 0
    width = max(len(variant.name) for variant, _ in states)
    for variant, state in states:
        print(f"{variant.name:{width}}  {state:14}  {', '.join(variant.boards)}")
    return 0


def _state(catalogue: Catalogue, variant: Variant) -> str:
    if _installed(variant):
        return "installed"
    return "published" if _entry_of(catalogue, variant) else "simulator only"


def _chosen(names: list[str], catalogue: Catalogue) -> list[Entry]:
    if names == [_ALL]:
        return list(catalogue.entries)
    return [catalogue.find(name) for name in names]


def _fetch(args: argparse.Namespace) -> int:
    folder = args.into or user_folder()
    catalogue = read_catalogue()

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{100 * done // total:3d} %")
            sys.stderr.flush()

    for entry in _chosen(args.names, catalogue):
        path = fetch(entry, folder, args.mirror, progress)
        if sys.stderr.isatty():
            sys.stderr.write("\r     \r")
        print(path)
    return 0


def _verify(args: argparse.Namespace) -> int:
    catalogue = read_catalogue()
    wrong = checked = 0
    for entry in _chosen(args.names or [_ALL], catalogue):
        paths = _installed(entry.variant)
        if args.names and not paths:
            print(f"{entry.variant.name}: not installed")
            wrong += 1
        for path in paths:
            checked += 1
            try:
                check_file(entry, path)
                print(f"{path}: as published")
            except ConfigError as error:
                print(error)
                wrong += 1
    if not checked and not wrong:
        print("no published bitstream is installed; run 'vta overlays fetch NAME'")
    return 1 if wrong else 0


def _info(args: argparse.Namespace) -> int:
    path = Path(args.name)
    if path.suffix == ".bit":
        return _info_file(path)
    variant = find_variant(args.name)
    if variant is None:
        known = ", ".join(v.name for v in variants())
        raise ConfigError(f"overlay: name must be a .bit file or one of {known}, not {args.name!r}")
    _print_variant(variant)
    for installed in _installed(variant):
        print(f"installed      {installed}")
    return 0


def _info_file(path: Path) -> int:
    header = read_bit_header(path)
    digest = file_sha256(path)
    print(f"part           {header.part}")
    print(f"design         {header.design}, built {header.date} {header.time}")
    print(f"sha256         {digest}")
    for entry in read_catalogue().entries:
        if entry.sha256 == digest:
            _print_variant(entry.variant)
            return 0
    return _info_provenance(path, digest)


def _info_provenance(path: Path, digest: str) -> int:
    """What the `vta.json` of a build says; 1 where it is about another file."""
    beside = path.with_name(PROVENANCE_FILE)
    if not beside.is_file():
        print("not a published bitstream")
        return 0
    content = read_provenance(beside)
    if content["sha256"].get(path.name) != digest:
        print(f"{beside}: is about another {path.name}; restore the files")
        return 1
    commit = content["source"]["commit"] or "unknown"
    changed = " with changes" if content["source"]["dirty"] else ""
    tools = ", ".join(f"{name} {version}" for name, version in content["tools"].items())
    print(f"variant        {content['variant']} on {content['board']}, ports {content['ports']}")
    print(f"configuration  {content['config']} (fingerprint {content['fingerprint']})")
    print(f"built          from {commit}{changed}, with {tools}")
    print(f"timing         {content['clock_mhz']:g} MHz, WNS {content['wns_ns']:g} ns")
    return 0


def _print_variant(variant: Variant) -> None:
    catalogue = read_catalogue()
    entry = _entry_of(catalogue, variant)
    board = get_board(variant.boards[0])
    rows = {
        "name": variant.name,
        "about": variant.doc,
        "configuration": f"{variant.config.name} (fingerprint {variant.config.fingerprint})",
        "design": f"{variant.design.name}, address map {variant.address_map.name}",
        "profile": variant.profile.name,
        "boards": ", ".join(variant.boards),
        "clock": f"{variant.clock_mhz:g} MHz",
        ".hwh file": str(overlay_folder() / f"{variant.name}.hwh"),
    }
    if entry is not None:
        rows["published by"] = f"{catalogue.project} ({catalogue.license})"
        rows["published as"] = f"{entry.path}, {entry.size} bytes"
        rows["expected hash"] = entry.sha256
    for title, text in rows.items():
        print(f"{title:14} {text}")
    for block in variant.design.blocks:
        base = board.pl_window + variant.address_map.offsets[block.name]
        print(f"  {block.name:12} 0x{base:08x}  {variant.address_map.range_bytes} bytes")
