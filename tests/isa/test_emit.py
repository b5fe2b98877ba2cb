"""The generated headers, compiled for many configurations, against the numpy encoder."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vta_pynq.config import HwConfig
from vta_pynq.config_export import derived_numbers, to_c
from vta_pynq.errors import ConfigError
from vta_pynq.isa import (
    FORMATS,
    INSN_DTYPE,
    UOP_DTYPE,
    UOP_FIELDS,
    Field,
    decode,
    decode_uops,
    encode,
    encode_uops,
    format_layout,
)
from vta_pynq.isa.emit import OUTPUTS

ROOT = Path(__file__).parent.parent.parent
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
NAMES = [
    "1x16_i8w8a32_15_15_18_17",
    "1x16_i8w8a32_8_15_18_17",  # dst_factor_out moves to word 0
    "1x16_i8w8a32_3_9_10_9",  # more fields follow it
    "4x32_i4w2a32_13_12_15_16",
    "1x8_i8w8a16_14_17_14_10",
    "2x16_i1w1a8_2_12_9_10",
    "1x4_i16w32a32_15_15_15_15",
    "1x16_i8w8a32_2_4_8_6",  # one element each: fields without bits
]
ROWS = 200
SEED = 2718  # of the random configurations; fixed, because test names must not change
C_COMPILERS = ("gcc", "clang")
CPP_COMPILERS = ("g++", "clang++")


def _random_names(count: int) -> Iterator[str]:
    """Names of legal configurations: random numbers, those refused drawn again."""
    rng = random.Random(SEED)
    while count:
        logs = [rng.randint(0, 5), rng.randint(0, 5), rng.randint(3, 5), rng.randint(0, 3)]
        sizes = [rng.randint(2, 20) for _ in range(4)]
        inp, wgt, acc, batch = (1 << log for log in logs)
        name = f"{batch}x{1 << rng.randint(0, 6)}_i{inp}w{wgt}a{acc}_{'_'.join(map(str, sizes))}"
        with contextlib.suppress(ConfigError):
            yield HwConfig.from_name(name).name
            count -= 1


def _builds() -> Iterator[object]:
    """Compiler and configuration; the second compiler of a language and random ones are slow."""
    for compiler in (*C_COMPILERS, *CPP_COMPILERS):
        if shutil.which(compiler):
            first = compiler in (C_COMPILERS[0], CPP_COMPILERS[0])
            for name in (*NAMES, *_random_names(8)):
                marks = () if first and name in NAMES else (pytest.mark.slow,)
                yield pytest.param(compiler, name, marks=marks)


@pytest.mark.parametrize("path", sorted(OUTPUTS))
def test_outputs_in_the_repository_are_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == OUTPUTS[path](), "run 'make gen'"


@pytest.mark.parametrize("path", sorted(OUTPUTS))
def test_outputs_are_deterministic(path: str) -> None:
    assert OUTPUTS[path]() == OUTPUTS[path]()


def _formats() -> list[tuple[str, tuple[Field, ...], int]]:
    """Name, fields and 64-bit words of each format; the micro-op comes last."""
    return [*((f.name, f.fields, 2) for f in FORMATS), ("UOP", UOP_FIELDS, 1)]


def _records(config: HwConfig, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """One int64 table (row, field) for each format, all values that the bits can hold."""
    for name, fields, _ in _formats():
        table = np.zeros((ROWS, len(fields)), np.int64)
        for column, field in enumerate(fields):
            low, high = field.value_range(config)
            table[:, column] = rng.integers(low, high, ROWS, endpoint=True)
            table[:2, column] = low, high
        if name != "UOP":
            opcodes = next(f.opcodes for f in FORMATS if f.name == name)
            table[:, 0] = rng.choice([int(o) for o in opcodes if o.name != "FINISH"], ROWS)
        yield table


def _bit_fields(name: str, fields: tuple[Field, ...], config: HwConfig) -> str:
    kept = [(f, f.width(config)) for f in fields if f.width(config)]
    members = "".join(
        f" {'int64_t' if f.signed else 'uint64_t'} {f.name} : {bits};" for f, bits in kept
    )
    members = members or " uint64_t nothing;"  # C has no empty struct
    return f"struct bits_{name.lower()} {{{members} }};\n"


def _c_program(config: HwConfig) -> str:
    text = to_c(config).replace("#pragma once\n", "")
    text += '#include "vta_isa.h"\n#include <stdio.h>\n#include <string.h>\n'
    main = ""
    for name, fields, words in _formats():
        text += _bit_fields(name, fields, config)
        low = name.lower()
        copies = "".join(f" b.{f.name} = row[{i}];" for i, f in enumerate(fields)
                         if f.width(config))  # fmt: skip
        loads = "".join(
            f" f.{field.name} = ({'int32_t' if field.signed else 'uint32_t'})row[{i}];"
            for i, field in enumerate(fields)
        )
        results = "".join(f" row[{i}] = f.{field.name};" for i, field in enumerate(fields))
        main += f"""
    for (int n = 0; n < {ROWS}; n++) {{
        int64_t row[{len(fields)}]; uint64_t w[{words}], c[{words}] = {{0}};
        struct vta_{low}_fields f; struct bits_{low} b; memset(&b, 0, sizeof b);
        if (fread(row, sizeof row, 1, stdin) != 1) return 1;
        {loads}{copies}
        if (sizeof b > sizeof c) return 2;
        memcpy(c, &b, sizeof b); vta_encode_{low}(&f, w); vta_decode_{low}(w, &f);
        {results}
        fwrite(w, sizeof w, 1, stdout); fwrite(c, sizeof c, 1, stdout);
        fwrite(row, sizeof row, 1, stdout);
    }}"""
    derived = ", ".join(f"VTA_ISA_{name.upper()}" for name in derived_numbers(config))
    return (
        f"{text}int main(void) {{{main}\n    const int64_t derived[] = {{{derived}}};\n"
        "    fwrite(derived, sizeof derived, 1, stdout);\n    return 0;\n}\n"
    )


def _cpp_program(config: HwConfig) -> str:
    primary = ", ".join(
        f"{key.lower()} = {value}" for key, value in config.to_dict().items() if key[:4] == "LOG_"
    )
    text = f"""#include "vta_isa.hpp"
#include <cstdio>
struct Config {{ static constexpr int {primary}; }};
using I = vta::Isa<Config>;
"""
    main = ""
    for name, fields, words in _formats():
        loads = "".join(
            f" f.{field.name} = static_cast<std::{'' if field.signed else 'u'}int32_t>(row[{i}]);"
            for i, field in enumerate(fields)
        )
        results = "".join(f" row[{i}] = f.{field.name};" for i, field in enumerate(fields))
        kind = f"I::{name.capitalize()}"
        main += f"""
    for (int n = 0; n < {ROWS}; n++) {{
        std::int64_t row[{len(fields)}]; std::uint64_t w[{words}]; {kind} f;
        if (std::fread(row, sizeof row, 1, stdin) != 1) return 1;
        {loads} f.encode(w); f = {kind}::decode(w); {results}
        std::fwrite(w, sizeof w, 1, stdout); std::fwrite(w, sizeof w, 1, stdout);
        std::fwrite(row, sizeof row, 1, stdout);
    }}"""
    derived = ", ".join(f"I::{name}" for name in derived_numbers(config))
    return (
        f"{text}int main() {{{main}\n    const std::int64_t derived[] = {{{derived}}};\n"
        "    std::fwrite(derived, sizeof derived, 1, stdout);\n    return 0;\n}\n"
    )


def _run(command: list[str], source: Path, text: str, stdin: bytes) -> bytes:
    source.write_text(text)
    program = source.with_suffix("")
    subprocess.run([*command, str(source), "-o", str(program)], check=True, timeout=120)
    return subprocess.run(
        [str(program)], input=stdin, stdout=subprocess.PIPE, check=True, timeout=60
    ).stdout


def _numpy_words(name: str, fields: tuple[Field, ...], table: np.ndarray, config: HwConfig):  # type: ignore[no-untyped-def]
    records = np.zeros(ROWS, UOP_DTYPE if name == "UOP" else INSN_DTYPE)
    for column, field in enumerate(fields):
        records[field.name] = table[:, column]
    if name == "UOP":
        words = encode_uops(records, config)
        assert np.array_equal(decode_uops(words, config), records)
        return words.astype(np.uint64).reshape(-1, 1)
    words = encode(records, config, check="width")
    assert np.array_equal(decode(words, config), records)
    return words


def _compare(config: HwConfig, tables: list[np.ndarray], output: bytes) -> None:
    """Both encodings of the program, and what it decoded, against numpy."""
    at = 0
    for (name, fields, words), table in zip(_formats(), tables, strict=True):
        row = np.dtype(
            [("header", "<u8", (words,)), ("other", "<u8", (words,)), ("back", "<i8", len(fields))]
        )
        rows = np.frombuffer(output, row, ROWS, at)
        at += ROWS * row.itemsize
        expected = _numpy_words(name, fields, table, config)
        assert np.array_equal(rows["header"].reshape(ROWS, -1), expected), name
        assert np.array_equal(rows["other"].reshape(ROWS, -1), expected), name
        assert np.array_equal(rows["back"], table), name
    derived = [value for value, _ in derived_numbers(config).values()]
    assert np.frombuffer(output, "<i8", offset=at).tolist() == derived


@pytest.mark.parametrize(("compiler", "name"), list(_builds()))
def test_header_encodes_and_decodes_as_numpy_does(compiler: str, name: str, tmp_path: Path) -> None:
    config = HwConfig.from_name(name)
    rng = np.random.default_rng(seed := sum(name.encode()))
    print("seed", seed)
    tables = list(_records(config, rng))
    stdin = b"".join(table.tobytes() for table in tables)
    if compiler in C_COMPILERS:
        # The program also packs real bit-fields: the compiler's own rule for where fields move.
        command = [compiler, "-std=c11", *WARNINGS, f"-I{ROOT / 'vta_pynq/isa/generated'}"]
        output = _run(command, tmp_path / "isa.c", _c_program(config), stdin)
    else:
        command = [compiler, "-std=c++11", *WARNINGS, f"-I{ROOT / 'hls/generated'}"]
        output = _run(command, tmp_path / "isa.cc", _cpp_program(config), stdin)
    _compare(config, tables, output)


def test_names_include_configurations_in_which_fields_move() -> None:
    moved = set()
    for name in NAMES:
        config = HwConfig.from_name(name)
        words = [slot.word for slot in format_layout(config, FORMATS[1])]
        moved.add(words.index(1) if 1 in words else len(words))
    assert len(moved) >= 3


def test_c_header_without_macros_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "bare.c"
    source.write_text('#include "vta_isa.h"\n')
    command = ["gcc", f"-I{ROOT / 'vta_pynq/isa/generated'}", "-fsyntax-only", str(source)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode != 0
    assert "the nine VTA_LOG_* macros must be defined" in done.stderr
