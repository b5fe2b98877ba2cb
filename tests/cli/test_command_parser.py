"""Help texts: every command shows examples that its parser takes, and its exit codes."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import types

import pytest

from vta_pynq import cli
from vta_pynq.cli.command_parser import command_parser

COMMANDS = cli.commands()


EXAMPLES = [
    pytest.param(line, id=line)
    for path in COMMANDS.values()
    for line in getattr(importlib.import_module(path), "EXAMPLES", ())
]


@pytest.mark.parametrize("line", EXAMPLES)
def test_example_is_taken_by_its_parser(line):
    # Calls of vta in a pipe, in a substitution, and before a redirection.
    calls = re.findall(r"\bvta (\w+)([^|>)]*)", line)
    assert calls
    for name, words in calls:
        module = importlib.import_module(COMMANDS[name])
        command_parser(name, module).parse_args(shlex.split(words))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_and_exit_codes(name, capsys):
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    module = importlib.import_module(COMMANDS[name])
    assert getattr(module, "EXAMPLES", ()), f"{COMMANDS[name]}: give EXAMPLES, command lines"
    assert all(f"\n  {line}\n" in shown for line in module.EXAMPLES)
    assert "exit codes: 0 fine, " in shown
    assert ("1 " + getattr(module, "NO_MEANS", "no such") in " ".join(shown.split())) == hasattr(
        module, "NO_MEANS"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_says_what_it_is(name):
    parsers = [command_parser(name, importlib.import_module(COMMANDS[name]))]
    for parser in parsers:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
            else:
                assert action.help, f"{parser.prog}: {action.dest}"


def test_module_without_examples_has_its_codes_only():
    module = types.ModuleType("bare")
    module.HELP = "does little"
    module.add_arguments = lambda parser: None
    shown = command_parser("bare", module).format_help()
    assert shown.endswith("\nexit codes: 0 fine, 2 wrong use or unreadable input\n")
    assert "examples:" not in shown
