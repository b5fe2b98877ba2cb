"""Every command of `vta` with its arguments, as the generators of `command_line.py` need them."""

from __future__ import annotations

import argparse
import configparser
import dataclasses
import importlib
from collections.abc import Iterator

from source_copy import ROOT

from vta_pynq.cli import COMMANDS, PLUGIN_GROUP
from vta_pynq.cli.command_parser import command_parser
from vta_pynq.overlay.descriptions import boards, variants
from vta_pynq.timing.profiles import PROFILES

__all__ = ["FILES", "FOLDERS", "Argument", "Command", "command_tree"]

FILES, FOLDERS = "@files", "@folders"
"""Words that stand for the files and folders that are there; `@files.vta`: with this suffix."""

_DEVICES = ("board", "sim", "csim")


@dataclasses.dataclass(frozen=True)
class Argument:
    """An option (`names`) or a positional argument (none)."""

    names: tuple[str, ...]
    metavar: str
    help: str
    takes_value: bool
    repeatable: bool
    offers: tuple[str, ...]
    """What its value may be, `FILES` and `FOLDERS` among it; empty: nothing can be offered."""


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, or a sub-command (`overlays fetch`), whose parent has its name too."""

    name: str
    help: str
    text: str
    """What its help says below the arguments."""
    arguments: tuple[Argument, ...]
    subcommands: tuple[str, ...]


def _offers(action: argparse.Action) -> tuple[str, ...]:
    """What completes the value of an argument, by its choices and the words of its help text."""
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    if action.choices is not None:
        return tuple(map(str, action.choices))
    named = {
        "device": _DEVICES,
        "measure": _DEVICES,
        "board": tuple(board.name for board in boards()),
        "overlay": (*(v.name for v in variants()), f"{FILES}.bit"),
        "names": tuple(v.name for v in variants()),
        "name": (*(v.name for v in variants()), f"{FILES}.bit"),
        "config": (*sorted({v.config.name for v in variants()}), f"{FILES}.json"),
        "target": tuple(PROFILES),
        "profile": tuple(PROFILES),
        "cycles": tuple(PROFILES) if metavar == "PROFILE" else (),
    }
    if action.dest in named:
        return named[action.dest]
    if metavar.replace("|", "").islower() and "|" in metavar:
        return tuple(metavar.split("|"))
    if metavar == "CASE" or metavar.startswith("FOLDER"):
        return (FOLDERS,)
    if metavar in ("MODEL", "MODEL.onnx"):
        return (f"{FILES}.onnx",)
    if metavar in ("PROGRAM", "PROGRAM|CASE", "NET.vta"):
        return (f"{FILES}.vta",)
    return (FILES,) if "FILE" in metavar or metavar in ("SOURCE", "OUT") else ()


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Argument:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    takes_value = action.nargs != 0
    if action.choices is not None and action.metavar is None:
        metavar = "|".join(map(str, action.choices))
    return Argument(
        tuple(action.option_strings),
        metavar if takes_value else "",
        parser._get_formatter()._expand_help(action) if action.help else "",
        takes_value,
        action.nargs in ("*", "+") or isinstance(action, argparse._AppendAction),
        _offers(action) if takes_value else (),
    )


def _commands(parser: argparse.ArgumentParser, name: str, help_line: str) -> Iterator[Command]:
    arguments, children = [], {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            children = {key: (child, helps[key]) for key, child in action.choices.items()}
        elif action.help != argparse.SUPPRESS:
            arguments.append(_argument(parser, action))
    yield Command(name, help_line, parser.epilog or "", tuple(arguments), tuple(children))
    for key, (child, text) in children.items():
        yield from _commands(child, f"{name} {key}", text)


def command_tree() -> list[Command]:
    """The commands of this project in the order of the alphabet, sub-commands after theirs."""
    # Metadata of an installed package may be older than the sources.
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = metadata["options.entry_points"][PLUGIN_GROUP].split("\n")
    plugins = dict(map(str.strip, line.split("=")) for line in lines if line.strip())
    found = []
    for name, path in sorted({**plugins, **COMMANDS}.items()):
        module = importlib.import_module(path)
        found += _commands(command_parser(name, module), name, module.HELP)
    return found
