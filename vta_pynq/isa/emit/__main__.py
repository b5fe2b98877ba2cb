"""`python -m vta_pynq.isa.emit`: write the generated files of the instruction table."""

from __future__ import annotations

import pathlib

from vta_pynq.isa.emit import OUTPUTS

ROOT = pathlib.Path(__file__).resolve().parents[3]


def main() -> None:
    """Write every file of `OUTPUTS` into the source tree."""
    for name, text in OUTPUTS.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
