"""`python -m vta_pynq.isa.emit` writes the generated files of the instruction set."""

from pathlib import Path

from vta_pynq.isa.emit import OUTPUTS

_ROOT = Path(__file__).resolve().parents[3]


def _main() -> None:
    for path, text in OUTPUTS.items():
        target = _ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text(), encoding="utf-8", newline="\n")
        print(path)


if __name__ == "__main__":
    _main()
