"""The notebooks, where `pynq get-notebooks` looks for them (entry point `pynq.notebooks`).

An installed package has them in this folder. In a source tree they lie beside the package, and
the first entry of the path, which PYNQ takes, leads there.
"""

from __future__ import annotations

from pathlib import Path

if not any(Path(__file__).parent.glob("*.ipynb")):
    __path__.insert(0, str(Path(__file__).resolve().parents[2] / "notebooks"))
