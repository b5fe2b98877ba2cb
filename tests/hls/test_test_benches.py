"""The C++ test benches of `hls/tb`, compiled without vendor tools."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from vta_pynq.config import Capability, HwConfig
from vta_pynq.conformance import load_case
from vta_pynq.hls_macros import with_operations
from vta_pynq.isa.table import Module
from vta_pynq.sim.case_list import main, write_case_list
from vta_pynq.sim.csim_build import compile_command

pytestmark = pytest.mark.csim

HLS = ROOT / "hls"
CONFIG = with_operations(HwConfig().with_capabilities(Capability.ALU_REQUANT))
CASES = sorted(p for p in (ROOT / "tests/conformance").iterdir() if p.is_dir())
MODULES = tuple(module.name.lower() for module in Module)
TOPS = tuple(f"src/{name}.cpp" for name in MODULES)
PORTS = {
    # As Vitis HLS sees the code, with `hls::burst_maxi`; and with plain arrays as memory ports.
    "bursts": ["-D__VITIS_HLS__"],
    "arrays": [
        "-fsanitize=address,undefined",
        "-fno-sanitize=shift",  # the ap_int headers shift negative values left
        "-fno-sanitize-recover=all",
    ],
}


def _compile(folder, bench, *sources, root=HLS, more=()):
    compiler = shutil.which("g++")
    assert compiler, "g++ must be installed"
    program = folder / bench
    words = [w for w in compile_command(CONFIG, compiler) if w not in ("-shared", "-fPIC")]
    files = [str(root / name) for name in (f"tb/{bench}.cpp", *sources)]
    done = subprocess.run(
        [*words, *more, f"-I{HLS / 'tb/portable'}", *files, "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return program


def _run(program, listed):
    done = subprocess.run([program, listed], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _run_cases(program, folder):
    ran = 0
    for path in CASES:
        case = load_case(path)
        if case.stream.config.base_name != CONFIG.base_name:
            continue  # another configuration than the one that was compiled
        if case.stream.config.capabilities - CONFIG.capabilities:
            continue
        code, out, err = _run(program, write_case_list(case, folder))
        assert (code, err) == (0, ""), f"{path.name}: {out}"
        ran += 1
    return ran


# Compiling a bench takes longer than running every case on it: one of them stands for all in
# `make test`; the others are slow.


@pytest.fixture(scope="module")
def fetch_tb(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tb")
    return _compile(folder, "fetch_tb", "src/fetch.cpp", more=PORTS["bursts"])


def test_fetch_tb_cases_pass(fetch_tb, tmp_path):
    assert _run_cases(fetch_tb, tmp_path) > 80


def test_fetch_tb_without_case_tells(fetch_tb):
    done = subprocess.run([fetch_tb], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "fetch_tb: one case list must be given\n"


@pytest.fixture(scope="module")
def conformance_tb(tmp_path_factory):
    return _compile(tmp_path_factory.mktemp("tb"), "conformance_tb", *TOPS, more=PORTS["bursts"])


@pytest.mark.slow
def test_conformance_tb_cases_pass(conformance_tb, tmp_path):
    assert _run_cases(conformance_tb, tmp_path) > 80


@pytest.mark.slow
def test_conformance_tb_with_arrays_as_ports_cases_pass(tmp_path):
    program = _compile(tmp_path, "conformance_tb", *TOPS, more=PORTS["arrays"])
    assert _run_cases(program, tmp_path) > 80


@pytest.mark.slow
@pytest.mark.parametrize("ports", PORTS)
@pytest.mark.parametrize("module", MODULES)
def test_module_tb_cases_pass(module, ports, tmp_path):
    program = _compile(tmp_path, f"{module}_tb", f"src/{module}.cpp", more=PORTS[ports])
    assert _run_cases(program, tmp_path) > 80


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_module_tb_broken_module_is_found(module, tmp_path):
    # Each source with one mistake: the benches see what a module does, not only that it ends.
    mistakes = {
        "fetch": ("fetch.hpp", "block.is(MemType::WGT)", "block.is(MemType::ACC)"),
        "load": ("block_reader.hpp", "index += gap + 1;", "index += gap + 2;"),
        "compute": ("alu_lane.hpp", "by > x ? acc_t(by) : x", "by >= x ? x : acc_t(by)"),
        "store": ("store.hpp", "row += stride;", "row += row_beats;"),
    }
    header, good, bad = mistakes[module]
    copy = tmp_path / "hls"
    shutil.copytree(HLS, copy)
    text = (copy / "src" / header).read_text(encoding="utf-8")
    assert good in text
    (copy / "src" / header).write_text(text.replace(good, bad), encoding="utf-8")
    program = _compile(tmp_path, f"{module}_tb", f"src/{module}.cpp", root=copy)
    codes = []
    for path in CASES:
        case = load_case(path)
        if case.stream.config.base_name == CONFIG.base_name:
            codes.append(_run(program, write_case_list(case, tmp_path))[0])
    assert 1 in codes and set(codes) <= {0, 1}


@pytest.mark.slow
def test_conformance_tb_wrong_expectation_fails(conformance_tb, tmp_path):
    case = load_case(CASES[0])
    listed = write_case_list(case, tmp_path)
    expected = tmp_path / f"{case.name}.expected0.bin"
    data = bytearray(expected.read_bytes())
    data[-1] ^= 1
    expected.write_bytes(data)
    code, out, _ = _run(conformance_tb, listed)
    assert code == 1
    assert out.endswith(": 1 differences\n")


def test_simulator_tb_every_rule_is_kept(tmp_path):
    program = _compile(tmp_path, "simulator_tb")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0 rules were missed\n")


def test_packed_multiply_is_exact_for_all_int8(tmp_path):
    program = _compile(tmp_path, "packed_multiply_tb")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0 of 16777216 triples are wrong\n")


def test_case_list_without_case_tells(capsys):
    assert main(["folder"]) == 2
    expected = "case_list: FOLDER and at least one CASE must be given\n"
    assert capsys.readouterr().err == expected
