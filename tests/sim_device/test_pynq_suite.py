"""PYNQ's own tests give the same results with its mock devices replaced by the simulated one.

The tests are in pynq's source package, not in the installed one. `VTA_PYNQ_SDIST` names that
file, or a folder with it (`make test-all` fetches it once, into the environment's folder).
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pynq
import pytest

SDIST_VARIABLE = "VTA_PYNQ_SDIST"
ROOT = Path(__file__).parents[2]
SUITE = Path(__file__).parent / "pynq_suite"
LEAST_PASSED = 100
"""Fewer would mean that the suite did not run."""


def find_sdist():
    """The source package of the installed release, or None."""
    name = f"pynq-{pynq.__version__}.tar.gz"
    chosen = os.environ.get(SDIST_VARIABLE)
    folders = [Path(chosen)] if chosen else []
    folders.append(Path(sys.prefix) / "pynq-sdist")
    for place in folders:
        for path in (place, place / name):
            if path.is_file() and path.name == name:
                return path
    return None


def unpack(sdist, folder):
    """The `tests` folder of the source package."""
    prefix = sdist.name.removesuffix(".tar.gz") + "/tests/"
    with tarfile.open(sdist) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith(prefix) and ".." not in member.name:
                target = folder / "tests" / member.name.removeprefix(prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.extractfile(member).read())
    (folder / "tests" / "__init__.py").touch()
    return folder


def outcomes(folder):
    """The outcome of every test of the suite in `folder`."""
    result = folder / "outcomes.json"
    plugin = folder / "plugin"
    plugin.mkdir()
    shutil.copy(SUITE / "coroutines.py", plugin)
    run = subprocess.run(
        [
            sys.executable, "-m", "pytest", "tests", "-q", "-p", "coroutines", "-c", os.devnull,
            "--rootdir", str(folder), "--continue-on-collection-errors", "-p", "no:cacheprovider",
        ],
        cwd=folder, capture_output=True, text=True, timeout=280,
        env={
            **os.environ, "OUTCOMES": str(result),
            "PYTHONPATH": os.pathsep.join([str(plugin), str(ROOT)]),
        },
    )  # fmt: skip
    assert result.is_file(), run.stdout + run.stderr
    return json.loads(result.read_text())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_pynqs_own_tests_agree_on_the_simulated_device(tmp_path):
    sdist = find_sdist()
    if sdist is None:
        pytest.skip(f"pynq-{pynq.__version__}.tar.gz is not there; {SDIST_VARIABLE} may name it")
    reference = outcomes(unpack(sdist, tmp_path / "reference"))
    simulated_folder = unpack(sdist, tmp_path / "simulated")
    shutil.copy(SUITE / "mock_devices.py", simulated_folder / "tests")
    simulated = outcomes(simulated_folder)
    assert simulated == reference
    passed = sum(outcome == "passed" for outcome in reference.values())
    assert passed >= LEAST_PASSED, reference
    print(f"{passed} passed of {len(reference)}")
