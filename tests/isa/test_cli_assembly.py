"""`vta disasm` and `vta asm`: files in, files out, exit codes and messages."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from tests.program.strategies import random_program
from vta_pynq.assembler import assemble
from vta_pynq.cli import main
from vta_pynq.config import HwConfig
from vta_pynq.conformance import load_case
from vta_pynq.disassembler import disassemble

CASE = Path(__file__).parent.parent / "conformance" / "isa_double_buffer"
NAME = HwConfig().name


def test_disasm_case_then_asm_gives_a_case_with_the_same_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disasm", str(CASE)]) == 0
    text = capsys.readouterr().out
    assert text == disassemble(load_case(CASE).stream)
    source, folder = tmp_path / "double.s", tmp_path / "again"
    source.write_text(text)
    assert main(["asm", str(source), "-o", str(folder)]) == 0
    again, first = load_case(folder).stream, load_case(CASE).stream
    assert again.words.tobytes() == first.words.tobytes()
    assert again.name == first.name
    ours, theirs = (next(s.segments_of("UOP")) for s in (again, first))
    assert (ours.phys, ours.data.tobytes()) == (theirs.phys, theirs.data.tobytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "double.s"]
    capsys.readouterr()
    assert main(["disasm", str(folder)]) == 0
    assert capsys.readouterr().out == text
    assert main(["replay", str(folder)]) == 0


def test_disasm_program_file_prints_each_step_and_its_text_assembles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = random_program(random.Random(seed := 3))
    print("seed", seed)
    path = tmp_path / "net.vta"
    program.save(path)
    capsys.readouterr()
    assert main(["disasm", str(path)]) == 0
    text = capsys.readouterr().out
    streams = program.streams()
    assert text == "\n".join(disassemble(stream) for stream in streams)
    assert streams
    for stream in streams:
        assert assemble(disassemble(stream)).words.tobytes() == stream.words.tobytes()


def test_disasm_numbered_gives_each_instruction_its_index(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["disasm", str(CASE), "--number"]) == 0
    lines = capsys.readouterr().out.split("\n\n", 1)[1].splitlines()
    count = len(load_case(CASE).stream)
    assert [int(line.split(":")[0]) for line in lines] == list(range(count))


def test_raw_binary_round_trips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = CASE / "instructions.bin"
    assert main(["disasm", str(raw), "--config", NAME]) == 0
    source, out = tmp_path / "raw.s", tmp_path / "raw.bin"
    source.write_text(capsys.readouterr().out)
    assert main(["asm", str(source), "-o", str(out)]) == 0
    assert out.read_bytes() == raw.read_bytes()


def test_disasm_part_of_an_instruction_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(bytes(17))
    assert main(["disasm", str(raw), "--config", NAME]) == 2
    assert capsys.readouterr().err == (
        f"vta disasm: {raw}: instructions: length must be a multiple of 16 bytes, not 17\n"
    )


def test_asm_reads_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("FINISH\n"))
    out = tmp_path / "one.bin"
    assert main(["asm", "-", "-o", str(out), "--config", NAME]) == 0
    assert out.read_bytes() == bytes([3]) + bytes(15)


def test_asm_mistakes_are_all_printed_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "wrong.s"
    source.write_text(f".config {NAME}\nJUMP\nFINISH 5\n")
    assert main(["asm", str(source), "-o", str(tmp_path / "out.bin")]) == 2
    assert capsys.readouterr().err == (
        f"vta asm: {source}: line 2: mnemonic must be one of LOAD, STORE, GEMM, FINISH, ALU, "
        "REQUANT, not 'JUMP'\n"
        f"vta asm: {source}: line 3: FINISH: operand must be one of pop_prev, pop_next, "
        "push_prev, push_next, not '5'\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.s"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["disasm", str(CASE / "instructions.bin")],
            f"vta disasm: {CASE / 'instructions.bin'}: configuration must be given for raw "
            "instructions; add --config\n",
        ),
        (
            ["disasm", str(CASE), "--config", NAME],
            f"vta disasm: {CASE}: --config must be given for raw instructions (.bin) only; "
            "programs and cases bring their own\n",
        ),
        (
            ["asm", str(CASE / "meta.json"), "-o", str(CASE), "--config", NAME],
            None,
        ),
    ],
)
def test_wrong_use_exits_2(
    arguments: list[str], message: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("vta ")
    assert message is None or error == message


def test_asm_existing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "one.s"
    source.write_text("FINISH\n")
    assert main(["asm", str(source), "-o", str(tmp_path), "--config", NAME]) == 2
    assert capsys.readouterr().err == (
        f"vta asm: {tmp_path}: output folder must not exist yet; remove it or name another one\n"
    )


@pytest.mark.parametrize("name", ["missing.bin", "missing.vta"])
def test_missing_file_exits_2(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--config", NAME] if name.endswith(".bin") else []
    assert main(["disasm", str(tmp_path / name), *config]) == 2
    assert str(tmp_path / name) in capsys.readouterr().err
