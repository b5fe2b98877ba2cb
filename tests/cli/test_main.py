"""The `vta` command: commands are found, errors are one paragraph, exit codes hold."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import types

import pytest

import vta_pynq
from tests.project.source_files import ROOT
from vta_pynq import cli
from vta_pynq.errors import ProgramError


@pytest.fixture
def probe(monkeypatch):
    """Registers a command `probe` whose `run` is the function given."""

    def register(run):
        module = types.ModuleType("probe_command")
        module.HELP = "a command for this test"
        module.add_arguments = lambda parser: parser.add_argument("--number", type=int, default=0)
        module.run = run
        monkeypatch.setitem(sys.modules, "probe_command", module)
        monkeypatch.setitem(cli.COMMANDS, "probe", "probe_command")

    return register


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_command_help_shows_its_line(name, capsys):
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: vta {name}")
    assert " ".join(cli._help_line(cli.COMMANDS[name]).split()) in " ".join(shown.split())


def test_commands_are_in_the_order_of_the_alphabet():
    assert list(cli.COMMANDS) == sorted(cli.COMMANDS)


def test_help_lists_every_command_with_its_line(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, module in cli.commands().items():
        line = cli._help_line(module)
        assert line, f"{module}: HELP must be a literal"
        assert f"  {name} " in shown
        assert line in shown


def test_version_is_the_package_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"vta {vta_pynq.__version__}\n"


def test_run_exit_code_is_passed_on(probe):
    probe(lambda args: args.number)
    assert cli.main(["probe", "--number", "1"]) == 1


@pytest.mark.parametrize("words", [[], ["nonsense"], ["probe", "--number", "x"], ["probe", "-q"]])
def test_wrong_use_exits_2(words, probe, capsys):
    probe(lambda args: 0)
    assert cli.main(words) == 2
    assert capsys.readouterr().err.startswith("usage: vta")


def test_unknown_command_names_the_known_ones(capsys):
    assert cli.main(["nonsense"]) == 2
    known = ", ".join(cli.commands())
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"vta: error: command must be one of {known}, not 'nonsense'; run 'vta --help'"
    )


def fail(error):
    def run(args):
        raise error

    return run


def test_vta_error_is_one_paragraph_and_exits_2(probe, capsys):
    probe(fail(ProgramError("net.vta: magic must be\n'VTA', not 'x';\nget another copy")))
    assert cli.main(["probe"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "vta probe: net.vta: magic must be 'VTA', not 'x'; get another copy\n"


def test_missing_file_is_named_and_exits_2(probe, capsys, tmp_path):
    path = tmp_path / "none.npy"
    probe(lambda args: len(path.read_bytes()))
    assert cli.main(["probe"]) == 2
    assert capsys.readouterr().err == f"vta probe: {path}: No such file or directory\n"


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="no /dev/full")
def test_full_disk_is_one_line():
    arguments = [sys.executable, "-m", "vta_pynq.cli", "config", "1x16_i8w8a32_15_15_18_17"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(arguments, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "vta config: No space left on device\n")


def test_missing_package_says_what_to_install(probe, capsys):
    probe(fail(ModuleNotFoundError("No module named 'onnx'", name="onnx")))
    assert cli.main(["probe"]) == 2
    assert capsys.readouterr().err == (
        "vta probe: package 'onnx' must be installed for this command; run pip install "
        "'vta-pynq[compiler]' on a computer, or use the Python of the PYNQ image on a board\n"
    )


@pytest.mark.parametrize("words", [["--debug", "probe"], ["probe", "--debug"]])
def test_debug_shows_the_traceback(words, probe):
    probe(fail(ProgramError("a message")))
    with pytest.raises(ProgramError, match="a message"):
        cli.main(words)


def test_own_bug_is_not_hidden(probe):
    probe(fail(KeyError("bug")))
    with pytest.raises(KeyError):
        cli.main(["probe"])


def test_interrupt_exits_130(probe, capsys):
    probe(fail(KeyboardInterrupt()))
    assert cli.main(["probe"]) == 130
    assert capsys.readouterr().err == ""


def test_broken_pipe_is_quiet():
    code = (
        "import sys, types, vta_pynq.cli as cli\n"
        "m = types.ModuleType('probe_command'); m.HELP = ''\n"
        "m.add_arguments = lambda parser: None\n"
        "m.run = lambda args: [print('x' * 70) for _ in range(100000)] and 0\n"
        "sys.modules['probe_command'] = m; cli.COMMANDS['probe'] = 'probe_command'\n"
        "sys.exit(cli.main(['probe']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


def test_plugin_of_another_package_is_a_command(monkeypatch, probe):
    entry = cli.importlib.metadata.EntryPoint("extra", "probe_command", cli.PLUGIN_GROUP)
    probe(lambda args: 1)
    monkeypatch.setattr(cli.importlib.metadata, "entry_points", lambda group: [entry])
    assert cli.main(["extra"]) == 1
