"""`vta asm`: assemble text into a case folder or a raw binary."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from vta_pynq.assembler import assemble
from vta_pynq.config_export import load_config
from vta_pynq.errors import AsmError
from vta_pynq.stream import InstructionStream
from vta_pynq.whole_file import whole_file

HELP = "assemble text into a case folder, or into a raw binary of instructions"

EXAMPLES = (
    "vta asm add.s -o add",
    "vta disasm add | vta asm - -o copy",
)

_RAW_SUFFIX = ".bin"
_INSN_FILE = "instructions.bin"


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
        _write_folder(args.output, stream)
    return 0


def _write_folder(path: Path, stream: InstructionStream) -> None:
    """Write a case without expected outputs (docs/conformance.md)."""
    if path.exists():
        raise AsmError(f"{path}: output folder must not exist yet; remove it or name another one")
    if not path.parent.is_dir():
        raise AsmError(f"{path}: folder {path.parent} must exist; create it first")
    scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        (scratch / _INSN_FILE).write_bytes(stream.words.tobytes())
        buffers = []
        for number, segment in enumerate(stream.segments):
            file = None if segment.data is None else f"segment_{number}{_RAW_SUFFIX}"
            if file is not None and segment.data is not None:
                (scratch / file).write_bytes(segment.data.tobytes())
            buffers.append(
                {
                    "type": segment.kind,
                    "name": segment.name,
                    "file": file,
                    "phys": segment.phys,
                    "size": segment.size,
                }
            )
        meta = json.dumps(_meta(stream, buffers), indent=1)
        (scratch / "meta.json").write_text(meta + "\n", encoding="utf-8")
        scratch.chmod(0o755)
        scratch.rename(path)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _meta(stream: InstructionStream, buffers: list[dict[str, Any]]) -> dict[str, Any]:
    place = next(stream.segments_of("INSN"), None)
    return {
        "name": stream.name,
        "vta_config": stream.config.to_dict(),
        "buffers": buffers,
        "insn": {
            "file": _INSN_FILE,
            "phys": place.phys if place is not None else 0,
            "count": len(stream),
        },
        "outputs": [],
        "tokens_in": list(stream.tokens_in),
    }
