"""The argument parser of a command: its arguments, and a help text with examples and exit codes."""

from __future__ import annotations

import argparse
import textwrap
from types import ModuleType

__all__ = ["command_parser"]


class _HelpFormatter(argparse.HelpFormatter):
    """Wraps each line of a text by itself; lines that are set in stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            line
            if line.startswith(" ")
            else textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent)
            for line in text.splitlines()
        )


def command_parser(name: str, module: ModuleType) -> argparse.ArgumentParser:
    """The parser of `vta NAME`.

    Parameters
    ----------
    name
        The command, as it is typed after `vta`.
    module
        The command's module: `HELP` and `add_arguments`; `EXAMPLES`, command lines, and
        `NO_MEANS`, what exit code 1 says, go into the help text.
    """
    parser = argparse.ArgumentParser(
        prog=f"vta {name}",
        description=module.HELP,
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    module.add_arguments(parser)
    parser.epilog = _epilog(parser.epilog, module)
    return parser


def _epilog(written: str | None, module: ModuleType) -> str:
    lines = [] if written is None else [written, ""]
    examples = getattr(module, "EXAMPLES", ())
    if examples:
        lines += ["examples:", *(f"  {line}" for line in examples), ""]
    no = getattr(module, "NO_MEANS", None)
    answer = "" if no is None else f"1 {no}, "
    lines.append(f"exit codes: 0 fine, {answer}2 wrong use or unreadable input")
    return "\n".join(lines)
