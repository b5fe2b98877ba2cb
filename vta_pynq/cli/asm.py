"""`vta asm`: assemble text into a case folder or a raw binary."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vta_pynq.assembler import assemble
from vta_pynq.config_export import load_config
from vta_pynq.conformance import save_case
from vta_pynq.errors import AsmError
from vta_pynq.whole_file import whole_file

HELP = "assemble text into a case folder, or into a raw binary of instructions"

EXAMPLES = (
    "vta asm add.s -o add",
    "vta disasm add | vta asm - -o copy",
)

_RAW_SUFFIX = ".bin"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="assembler text; - reads stdin")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=Path,
        required=True,
        help="a new folder (instructions, micro-ops, meta.json), or FILE.bin: instructions only",
    )
    parser.add_argument(
        "--config", metavar="NAME|FILE", help="the configuration of text without a .config line"
    )


def run(args: argparse.Namespace) -> int:
    """Assemble and write; every mistake in the text is printed."""
    try:
        text = sys.stdin.read() if str(args.file) == "-" else args.file.read_text("utf-8")
    except UnicodeDecodeError:
        raise AsmError(f"{args.file}: text must be UTF-8") from None
    config = None if args.config is None else load_config(args.config)
    try:
        stream = assemble(text, config, name=args.file.stem)
    except AsmError as error:
        for line in str(error).splitlines():
            print(f"vta asm: {args.file}: {line}", file=sys.stderr)
        return 2
    if args.output.suffix == _RAW_SUFFIX:
        with whole_file(args.output) as file:
            file.write(stream.words.tobytes())
    else:
        save_case(args.output, stream)
    return 0
