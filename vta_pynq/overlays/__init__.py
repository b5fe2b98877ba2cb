"""The overlays, where `pynq.Overlay` looks up a relative file name (entry point `pynq.overlays`).

An installed package has them in this folder. In a source tree they lie beside the package, and
the first entry of the path, which PYNQ takes, leads there.
"""

from __future__ import annotations

from pathlib import Path

if not (Path(__file__).parent / "boards").is_dir():
    __path__.insert(0, str(Path(__file__).resolve().parents[2] / "overlays"))
