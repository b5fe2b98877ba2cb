"""The set-up of the Makefile's environment: what it refuses, how it says so, what it rebuilds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.project.source_files import ROOT


@pytest.fixture
def setup_env():
    spec = importlib.util.spec_from_file_location("setup_env", ROOT / "scripts/setup_env.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_probe_of_the_running_interpreter_tells_its_version(setup_env):
    assert setup_env.probe(sys.executable)["version"] == list(sys.version_info[:2])


def test_interpreter_that_does_not_run_is_passed_over(setup_env, tmp_path):
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    assert setup_env.probe(str(shim)) is None


def test_no_supported_interpreter_is_refused(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, "probe", lambda interpreter: None)
    have = ".".join(map(str, sys.version_info[:2]))
    with pytest.raises(setup_env.SetupError) as caught:
        setup_env.find_interpreter()
    assert str(caught.value) == (
        f"Python must be 3.10, 3.11 or 3.12, not {have}, and none of python3.12, python3.11, "
        "python3.10 on PATH runs; install one of them, or name it: "
        "make PYTHON=/path/to/python3.11"
    )


def test_missing_headers_without_root_give_the_apt_command(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: f"/usr/bin/{name}")
    facts = {"version": [3, 11], "header": False, "cc": "cc", "executable": "python3"}
    with pytest.raises(setup_env.SetupError) as caught:
        setup_env.require_toolchain(facts)
    assert str(caught.value) == (
        "needed and missing: run 'sudo apt-get install -y --no-install-recommends "
        "python3.11-dev', then this again"
    )


def test_missing_compiler_is_noticed(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env.shutil, "which", lambda name: None)
    facts = {"version": [3, 11], "header": True, "cc": "cc", "executable": "python3"}
    with pytest.raises(setup_env.SetupError, match="build-essential"):
        setup_env.require_toolchain(facts)


def test_venv_without_ensurepip_takes_pip_from_a_wheel(setup_env, monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(setup_env, "run", lambda *words: commands.append(words))
    monkeypatch.setattr(setup_env, "wheel_of_pip", lambda python, folder: tmp_path / "pip.whl")
    setup_env.create_venv({"executable": "py", "venv_whole": False}, tmp_path / "venv")
    assert commands[0][:4] == ("py", "-m", "venv", "--without-pip")
    assert commands[1][1] == f"{tmp_path / 'pip.whl'}/pip"


def test_changed_c_source_changes_the_build_digest(setup_env, monkeypatch, tmp_path):
    source = tmp_path / "vta_pynq" / "room" / "kernel.c"
    source.parent.mkdir(parents=True)
    source.write_text("int a;", encoding="utf-8")
    (source.parent / "build_kernels.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(setup_env, "ROOT", tmp_path)
    before = setup_env.digest(setup_env.build_inputs())
    (source.parent / "_kernels.c").write_text("written by cffi", encoding="utf-8")
    assert setup_env.digest(setup_env.build_inputs()) == before
    source.write_text("int b;", encoding="utf-8")
    assert setup_env.digest(setup_env.build_inputs()) != before


def test_makefile_help_lists_every_phony_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = text.partition(".PHONY:")[2].partition("\n")[0].split()
    done = subprocess.run(["make", "-s", "help"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(targets)
