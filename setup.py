"""Build of the C extensions; the metadata are in setup.cfg, where setuptools 59 reads them too."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import shutil
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parent
_FFIBUILDER = re.compile(r"^ffibuilder\b", re.MULTILINE)


def cffi_modules() -> list[str]:
    """Every `vta_pynq/<room>/build_<name>.py` with an `ffibuilder`, in cffi's notation."""
    scripts = sorted(ROOT.glob("vta_pynq/**/build_*.py"))
    return [
        f"{script.relative_to(ROOT).as_posix()}:ffibuilder"
        for script in scripts
        if _FFIBUILDER.search(script.read_text(encoding="utf-8"))
    ]


DATA = {
    # folder in the source tree: its place in the package
    "overlays": "overlays",
    "notebooks": "notebooks",
    "examples": "notebooks/examples",
    "tests/conformance": "selftest/cases",
}


class BuildWithData(build_py):
    """Also puts into the package what lies beside it in the source tree."""

    def run(self) -> None:
        """Copy the modules, then the data, unless the install uses the source tree itself."""
        super().run()
        if getattr(self, "editable_mode", False):
            return
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        for folder, place in DATA.items():
            target = pathlib.Path(self.build_lib) / "vta_pynq" / place
            shutil.copytree(ROOT / folder, target, ignore=ignored, dirs_exist_ok=True)


for package in ("cffi", "numpy"):
    # Without cffi, setuptools would only warn about the keyword and install a package that lacks
    # its extensions; the build scripts import the instruction table, which loads numpy.
    if importlib.util.find_spec(package) is None:
        sys.exit(
            f"setup.py: {package} must be installed in the building interpreter; "
            "run pip install cffi 'numpy<2'"
        )

# Build scripts say where their sources are relative to the root, and may import vta_pynq.
sys.path.insert(0, str(ROOT))
setup(cffi_modules=cffi_modules(), cmdclass={"build_py": BuildWithData})
