"""Builds the HLS C++ of one configuration into a shared library that runs on this machine.

The library is kept in a cache folder under a name that depends on the configuration, the sources
and the compiler's options, so a stale one is never loaded. Needed are g++ (or `CXX`), the sources
in `hls/` of the source tree, and the `ap_int` headers that the wheel of hls4ml carries.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError, VtaError
from vta_pynq.hls_macros import compiler_options

__all__ = ["CACHE_VARIABLE", "build_csim", "compile_command", "find_ap_types"]

CACHE_VARIABLE = "VTA_CSIM_CACHE"
"""Environment variable that names the cache folder; default: `build/csim` in the source tree."""

_ROOT = Path(__file__).resolve().parents[2]
_HLS = _ROOT / "hls"
_MAIN = _HLS / "sim" / "engine.cpp"
_AP_TYPES = Path("templates/vivado/ap_types")
_FLAGS = ("-std=c++14", "-O2", "-fPIC", "-shared", "-pthread")
# The default constructors of `ap_int` mask a value that nobody has set.
_WARNINGS = ("-Wall", "-Wextra", "-Wno-unused-label", "-Wno-unknown-pragmas", "-Wno-uninitialized")
_COMPILE_S = 600.0


def find_ap_types() -> Path:
    """The folder with AMD's `ap_int.h`, from the installed wheel of hls4ml.

    Raises
    ------
    SimError
        hls4ml is not installed.
    """
    # The package itself is not imported: it would load more than its headers need.
    spec = importlib.util.find_spec("hls4ml")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / _AP_TYPES
        if (folder / "ap_int.h").is_file():
            return folder
    raise SimError(
        "csim: the ap_int headers of hls4ml must be installed; "
        "run 'pip install --no-deps hls4ml' or 'make env'"
    )


def compile_command(config: HwConfig, compiler: str, more: Sequence[str] = ()) -> list[str]:
    """Compiler, options and macros for any source of `hls/`, without sources and output."""
    macros = compiler_options(config)
    # The wheel's headers are not ours to mend: no warnings from them.
    return [compiler, *_FLAGS, *_WARNINGS, "-isystem", str(find_ap_types()), *macros, *more]


def _sources() -> list[Path]:
    if not _MAIN.is_file():
        raise SimError(
            f"csim: the HLS sources must be in {_HLS}, and there are none; "
            "use a source tree of the project"
        )
    return sorted(p for p in _HLS.rglob("*") if p.suffix in (".hpp", ".cpp", ".h"))


def _compiler() -> str:
    name = os.environ.get("CXX", "g++")
    found = shutil.which(name)
    if found is None:
        raise SimError(f"csim: a C++ compiler must be installed, and there is no {name}; set CXX")
    return found


def _cache() -> Path:
    return Path(os.environ.get(CACHE_VARIABLE) or _ROOT / "build" / "csim")


def build_csim(config: HwConfig, more: Sequence[str] = ()) -> Path:
    """The shared library of a configuration, compiled if the cache has none.

    Parameters
    ----------
    config
        The configuration. Its capabilities decide which optional operations are built.
    more
        Further options of the compiler, such as those of sanitizers.

    Raises
    ------
    SimError
        Sources, headers or compiler are missing, or the compiler refuses the sources.
    """
    command = compile_command(config, _compiler(), more)
    digest = hashlib.sha256(" ".join(command).encode())
    for source in _sources():
        digest.update(source.read_bytes())
    folder = _cache()
    library = folder / f"{config.base_name}-{digest.hexdigest()[:16]}.so"
    if library.is_file():
        return library
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        made = Path(place) / library.name
        try:
            done = subprocess.run(
                [*command, str(_MAIN), "-o", str(made)],
                capture_output=True,
                text=True,
                check=False,
                timeout=_COMPILE_S,
            )
        except subprocess.TimeoutExpired:
            raise SimError(
                f"csim: {config.name} must compile within {_COMPILE_S:g} s; use a smaller block"
            ) from None
        if done.returncode:
            raise SimError(
                f"csim: {_MAIN.name} must compile for {config.name}, and does not:\n{done.stderr}"
            )
        # Another process may have been quicker; replacing its equal file is fine.
        os.replace(made, library)
    return library


def main(names: Sequence[str]) -> int:
    """Build the named configurations (default: that of the published bitstreams)."""
    try:
        for config in [HwConfig.from_name(name) for name in names] or [HwConfig()]:
            print(build_csim(config))
    except VtaError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
