"""The `vta` command: finds the command named on the command line and runs it.

A command is a module with `HELP: str` (one line, a literal), `add_arguments(parser)` and
`run(args) -> int`; `EXAMPLES: tuple[str, ...]`, command lines, and `NO_MEANS: str`, what exit code
1 says, go into its help. It is imported only when it was asked for, so that `vta --help` stays
fast on a board. Other packages add commands through the entry-point group `vta_pynq.commands`,
whose entries name such a module.

Exit codes: 0 fine, 1 the answer is no, 2 wrong use or unreadable input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.metadata
import importlib.util
import os
import pathlib
import signal
import sys
from collections.abc import Sequence

import vta_pynq
from vta_pynq.cli.command_parser import command_parser
from vta_pynq.errors import VtaError

__all__ = ["COMMANDS", "EXIT_NO", "EXIT_OK", "EXIT_USAGE", "PLUGIN_GROUP", "commands", "main"]

COMMANDS: dict[str, str] = {
    # One line a command, in the order of the alphabet: name, module.
    "asm": "vta_pynq.cli.asm",
    "bench": "vta_pynq.cli.bench",
    "completion": "vta_pynq.cli.completion",
    "config": "vta_pynq.cli.config",
    "disasm": "vta_pynq.cli.disasm",
    "doctor": "vta_pynq.cli.doctor",
    "info": "vta_pynq.cli.info",
    "lint": "vta_pynq.cli.lint",
    "overlays": "vta_pynq.cli.overlays",
    "profile": "vta_pynq.cli.profile",
    "replay": "vta_pynq.cli.replay",
    "roofline": "vta_pynq.cli.roofline",
    "run": "vta_pynq.cli.run",
    "selftest": "vta_pynq.cli.selftest",
    "serve": "vta_pynq.cli.serve",
}
"""The commands of this package; those of other packages come on top (`commands`)."""

PLUGIN_GROUP = "vta_pynq.commands"
"""Entry-point group of the commands that other packages add."""

EXIT_OK = 0
EXIT_NO = 1
EXIT_USAGE = 2
_EXIT_INTERRUPTED = 128 + signal.SIGINT
_EXIT_BROKEN_PIPE = 128 + signal.SIGPIPE
_OUR_PACKAGES = ("vta_pynq", "host_compiler")


def commands() -> dict[str, str]:
    """Name and module of every command: those of `COMMANDS` and those of installed plugins."""
    found = {
        entry.name: entry.module for entry in importlib.metadata.entry_points(group=PLUGIN_GROUP)
    }
    return dict(sorted({**found, **COMMANDS}.items()))


def _help_line(module: str) -> str:
    """The literal `HELP` of a command module, read from its source: importing it may be slow."""
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        return "(not installed)"
    for node in ast.parse(pathlib.Path(spec.origin).read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "HELP" for target in targets):
            return str(ast.literal_eval(node.value))  # type: ignore[attr-defined]
    return ""


class _TopHelp(argparse.Action):
    """`vta --help`: the list of commands is only gathered when it is shown."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(
            option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="show this and exit"
        )

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        table = commands()
        width = max(map(len, table), default=0)
        lines = [f"  {name:<{width}}  {_help_line(module)}" for name, module in table.items()]
        parser.epilog = "\n".join(["commands:", *lines, "", "'vta COMMAND --help' tells more."])
        parser.print_help()
        parser.exit()


def _top_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vta",
        description="Work with VTA programs, hardware configurations and devices.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-h", "--help", action=_TopHelp)
    parser.add_argument("--version", action="version", version=f"vta {vta_pynq.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("command", metavar="COMMAND", nargs="?", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _module_of(name: str | None, parser: argparse.ArgumentParser) -> str:
    if name is None:
        parser.error("COMMAND must be given; run 'vta --help'")
    # Looking plugins up reads the metadata of every installed package: not for our own commands.
    module = COMMANDS.get(name) or commands().get(name)
    if module is None:
        parser.error(
            f"command must be one of {', '.join(commands())}, not {name!r}; run 'vta --help'"
        )
    return module


def _missing_package(error: ModuleNotFoundError) -> str | None:
    """What to say about a package of others that is not installed; None for a bug of ours."""
    package = (error.name or "").partition(".")[0]
    if not package or package in _OUR_PACKAGES:
        return None
    return (
        f"package '{package}' must be installed for this command; run pip install "
        f"'vta-pynq[compiler]' on a computer, or use the Python of the PYNQ image on a board"
    )


def _drop_stdout() -> None:
    """Python flushes stdout once more at exit: give it somewhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(name: str, message: str) -> int:
    try:
        sys.stdout.flush()
    except OSError:  # a full disk, which is what there is to complain about
        _drop_stdout()
    print(f"vta {name}: {' '.join(message.split())}", file=sys.stderr)
    return EXIT_USAGE


def _run(argv: Sequence[str] | None) -> int:
    top = _top_parser()
    options = top.parse_args(argv)
    name = options.command
    module_name = _module_of(name, top)
    debug = options.debug
    try:
        module = importlib.import_module(module_name)
        arguments = command_parser(name, module).parse_args(options.arguments)
        debug = arguments.debug = debug or arguments.debug
        code = int(module.run(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        raise
    except VtaError as error:
        if debug:
            raise
        return _complain(name, str(error))
    except ModuleNotFoundError as error:
        message = _missing_package(error)
        if debug or message is None:
            raise
        return _complain(name, message)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        return _complain(name, f"{where}{error.strerror or error}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `vta` with these arguments (those of the process by default); the exit code."""
    try:
        return _run(argv)
    except SystemExit as stop:  # argparse: 0 after --help and --version, 2 after wrong use
        return stop.code if isinstance(stop.code, int) else EXIT_OK
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`vta disasm … | head`).
        _drop_stdout()
        return _EXIT_BROKEN_PIPE
