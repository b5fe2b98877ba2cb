"""`vta completion`: print what makes a shell complete the command's words."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

__all__ = ["HELP", "add_arguments", "run"]

HELP = "print the script that lets bash or zsh complete commands, options, names and files"

EXAMPLES = (
    'eval "$(vta completion bash)"',
    "vta completion zsh > ~/.zfunc/_vta",
)

_SCRIPTS = Path(__file__).parent / "generated"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shell", choices=("bash", "zsh"), metavar="bash|zsh", help="the shell")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    sys.stdout.write((_SCRIPTS / f"vta.{args.shell}").read_text(encoding="utf-8"))
    return 0
