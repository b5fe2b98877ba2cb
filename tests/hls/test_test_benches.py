"""The C++ test benches of `hls/tb`, compiled without vendor tools."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from vta_pynq.config import HwConfig
from vta_pynq.conformance import load_case
from vta_pynq.hls_macros import with_operations
from vta_pynq.sim.case_list import main, write_case_list
from vta_pynq.sim.csim_build import compile_command

pytestmark = pytest.mark.csim

HLS = ROOT / "hls"
CONFIG = with_operations(HwConfig())
CASES = sorted(p for p in (ROOT / "tests/conformance").iterdir() if p.is_dir())
TOPS = tuple(f"src/{name}.cpp" for name in ("fetch", "load", "compute", "store"))


def _compile(folder, bench, *sources, more=()):
    compiler = shutil.which("g++")
    assert compiler, "g++ must be installed"
    program = folder / bench
    words = [w for w in compile_command(CONFIG, compiler) if w not in ("-shared", "-fPIC")]
    files = [str(HLS / name) for name in (f"tb/{bench}.cpp", *sources)]
    done = subprocess.run(
        [*words, *more, f"-I{HLS / 'tb/portable'}", *files, "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return program


@pytest.fixture(scope="module", params=["arrays", "bursts"])
def conformance_tb(request, tmp_path_factory):
    """The bench with plain arrays as memory ports, and as Vitis HLS would see it."""
    more = ["-D__VITIS_HLS__"] if request.param == "bursts" else []
    return _compile(tmp_path_factory.mktemp("tb"), "conformance_tb", *TOPS, more=more)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.name)
def test_conformance_tb_case_passes(path, conformance_tb, tmp_path):
    case = load_case(path)
    if case.stream.config.base_name != HwConfig().base_name:
        pytest.skip("another configuration than the one that was compiled")
    listed = write_case_list(case, tmp_path)
    done = subprocess.run([conformance_tb, listed], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_conformance_tb_wrong_expectation_fails(conformance_tb, tmp_path):
    case = load_case(CASES[0])
    listed = write_case_list(case, tmp_path)
    expected = tmp_path / f"{case.name}.expected0.bin"
    data = bytearray(expected.read_bytes())
    data[-1] ^= 1
    expected.write_bytes(data)
    done = subprocess.run([conformance_tb, listed], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith(": 1 bytes differ\n")


@pytest.mark.parametrize("top", TOPS)
def test_top_gives_the_tool_whole_pragmas(top):
    compiler = shutil.which("g++")
    assert compiler, "g++ must be installed"
    words = [w for w in compile_command(CONFIG, compiler) if w not in ("-shared", "-fPIC")]
    more = ["-D__VITIS_HLS__", "-DVTA_ARRAY_PORTS", "-E", f"-I{HLS / 'tb/portable'}"]
    done = subprocess.run(
        [*words, *more, str(HLS / top)], capture_output=True, text=True, check=True
    )
    pragmas = [line for line in done.stdout.splitlines() if "#pragma HLS" in line]
    assert len(pragmas) > 20
    assert not [line for line in pragmas if "VTA_" in line], "a macro that was not replaced"
    ports = [line for line in pragmas if "m_axi" in line]
    assert ports and all("burst_length = 16" in line for line in ports)


def test_packed_multiply_is_exact_for_all_int8(tmp_path):
    program = _compile(tmp_path, "packed_multiply_tb")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0 of 16777216 triples are wrong\n")


def test_case_list_without_case_tells(capsys):
    assert main(["folder"]) == 2
    expected = "case_list: FOLDER and at least one CASE must be given\n"
    assert capsys.readouterr().err == expected
