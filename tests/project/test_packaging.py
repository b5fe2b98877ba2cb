"""The package installs as PYNQ images do it, and from a source distribution."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

import vta_pynq
from tests.project.source_files import ROOT, project_files

IMAGE = ("setuptools==59.6.0", "numpy==1.21.6", "wheel<0.38", "cffi", "pycparser<3")
"""What an image of PYNQ 3 ships, as far as the build depends on it."""

_PROBE = """
import importlib.metadata, pathlib
import numpy, vta_pynq
assert importlib.metadata.version("vta-pynq") == vta_pynq.__version__ == VERSION
assert "site-packages" in vta_pynq.__file__, vta_pynq.__file__
from vta_pynq import HwConfig
from vta_pynq.conformance import load_case
from vta_pynq.isa import decode, encode
from vta_pynq.lint import lint_stream
from vta_pynq.sim import replay
from vta_pynq.timing import simulate
case = load_case(pathlib.Path(CASE))
words = case.stream.words
assert numpy.array_equal(encode(decode(words, case.stream.config), case.stream.config), words)
assert lint_stream(case.stream, "hls-64bit").ok
assert simulate(case.stream, "hls-64bit").total_cycles > 0
assert HwConfig.from_name("1x16_i8w8a32_15_15_18_17") == HwConfig()
"""


_BOARDS = "from vta_pynq.overlay.descriptions import overlay_folder as f; print(*f().rglob('*'))"


_FILES = "import importlib.metadata as m; print(*m.files('vta-pynq'), sep='\\n')"

_RUN = """
import numpy
from vta_pynq import Program
program = Program.load(PROGRAM)
(x,) = program.input_tensors
numpy.save("x.npy", numpy.zeros(x.shape, x.dtype))
"""


def interpreter(version: str) -> str:
    """A Python of this version that runs, on PATH or where a version manager keeps it."""
    versions = pathlib.Path.home() / ".pyenv" / "versions"
    kept = sorted(versions.glob(f"{version}.*/bin/python{version}"))
    for candidate in (shutil.which(f"python{version}"), *map(str, kept)):
        if (
            candidate
            and not subprocess.run(
                [candidate, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL, check=False
            ).returncode
        ):
            return candidate
    pytest.skip(f"no Python {version} here")


def sources(folder: pathlib.Path) -> pathlib.Path:
    """A copy of the project's files alone, as a clone would give them."""
    for path in project_files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return folder


def run(*words: object, cwd: pathlib.Path, path: str | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An environment with the versions of a PYNQ image."""
    return environment(tmp_path_factory.mktemp("image") / "venv", "3.10", *IMAGE)


def environment(venv: pathlib.Path, version: str, *packages: object) -> pathlib.Path:
    """The programs of a new environment with these packages from an index."""
    run(interpreter(version), "-m", "venv", venv, cwd=ROOT)
    done = subprocess.run(
        [venv / "bin/python", "-m", "pip", "install", "-q", *map(str, packages)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=900,
    )
    if done.returncode:
        pytest.skip(f"packages for Python {version} cannot be had here: {done.stderr[-300:]}")
    return venv / "bin"


def check_files(listed: str) -> None:
    """What an installed package must hold beside its modules, and what it must not."""
    files = set(listed.split())
    assert not [f for f in files if f.startswith(("tests/", "docs/", "hls/", "bench/", "scripts/"))]
    cases = "vta_pynq/selftest/cases/"
    assert f"{cases}isa_gemm_loops/meta.json" in files
    assert not [f for f in files if f.endswith((".bit", ".bin")) and not f.startswith(cases)]
    wanted = {
        f"vta_pynq/{path.relative_to(ROOT).as_posix()}"
        for pattern in ("overlays/**/*.hwh", "overlays/**/*.json", "notebooks/**/*.ipynb",
                        "notebooks/programs/*.vta")
        for path in ROOT.glob(pattern)
    }  # fmt: skip
    assert len(wanted) > 30
    wanted |= {f"vta_pynq/cli/generated/vta.{shell}" for shell in ("bash", "zsh")}
    wanted |= {"host_compiler/tune/schedules.json"}
    assert not wanted - files


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The source distribution, built from the project's files alone."""
    folder = tmp_path_factory.mktemp("sdist")
    tree = sources(folder / "tree")
    run(sys.executable, "setup.py", "-q", "sdist", "-d", folder / "dist", cwd=tree)
    (archive,) = (folder / "dist").glob("*.tar.gz")
    return archive


@pytest.mark.slow
def test_sdist_holds_what_the_project_holds(sdist):
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    unpacked = {".gitignore", ".ci/run"}
    assert not {p.relative_to(ROOT).as_posix() for p in project_files()} - packed - unpacked


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("origin", ["tree", "sdist"])
def test_install_with_the_versions_of_an_image(origin, image, sdist, tmp_path):
    what = sources(tmp_path / "tree") if origin == "tree" else sdist
    pip = (image / "python", "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall")
    run(*pip, "--no-build-isolation", what, cwd=tmp_path, path=str(image))
    listed = run(image / "python", "-m", "pip", "list", cwd=tmp_path)
    assert f"vta-pynq {vta_pynq.__version__}" in " ".join(listed.split())
    assert "UNKNOWN" not in listed
    case = ROOT / "tests/conformance/isa_double_buffer"
    values = f"VERSION = {vta_pynq.__version__!r}\nCASE = {str(case)!r}\n"
    run(image / "python", "-c", values + _PROBE, cwd=tmp_path)
    shown = run(image / "vta", "--version", cwd=tmp_path)
    assert shown == f"vta {vta_pynq.__version__}\n"
    assert run(image / "vta", "replay", case, cwd=tmp_path).startswith(f"ok    {case.name}:")
    assert "pynq-z2" in run(image / "python", "-c", _BOARDS, cwd=tmp_path)
    check_files(run(image / "python", "-c", _FILES, cwd=tmp_path))
    assert "complete -F _vta vta" in run(image / "vta", "completion", "bash", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_install_from_an_index_on_the_newest_python(sdist, tmp_path):
    constraints = ROOT / "requirements" / "constraints.txt"
    # What the package needs comes first: an index that cannot be had is no fault of the package.
    needs = ("-c", constraints, "pynq>=4", "numpy", "cffi", "setuptools", "wheel")
    newest = environment(tmp_path / "venv", "3.12", *needs)
    before = run(newest / "python", "-m", "pip", "freeze", cwd=tmp_path).splitlines()
    run(
        newest / "python", "-m", "pip", "install", "-q", "--no-build-isolation", sdist, cwd=tmp_path
    )
    after = run(newest / "python", "-m", "pip", "freeze", cwd=tmp_path).splitlines()
    assert {line.partition(" @")[0].partition("==")[0] for line in set(after) - set(before)} == {
        "vta-pynq"
    }
    check_files(run(newest / "python", "-c", _FILES, cwd=tmp_path))
    program = ROOT / "notebooks" / "programs" / "digits_residual.vta"
    run(newest / "python", "-c", f"PROGRAM = {str(program)!r}\n{_RUN}", cwd=tmp_path)
    words = ("run", program, "--input", "x.npy", "--top", 3, "--device", "sim")
    assert " ms (1 run) on Pynq-Z2, " in run(newest / "vta", *words, cwd=tmp_path)
