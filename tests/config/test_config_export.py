"""What `vta config` prints, read back by the languages that it is meant for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given

from tests.strategies import hw_configs
from vta_pynq.cli import main
from vta_pynq.config import HwConfig
from vta_pynq.config_export import (
    EXPORTS,
    derived_numbers,
    load_config,
    to_c,
    to_json,
    to_table,
    to_tcl,
)
from vta_pynq.errors import ConfigError

NAME = "2x8_i8w4a32_12_12_14_14+alu_mul"


@given(hw_configs())
def test_to_json_is_read_back(config: HwConfig) -> None:
    assert HwConfig.from_json(to_json(config)) == config
    assert json.loads(to_json(config))["DERIVED"]["acc_depth"] == config.acc_depth


@given(hw_configs())
def test_every_export_gives_every_number(config: HwConfig) -> None:
    numbers = {name: value for name, (value, _) in derived_numbers(config).items()}
    assert numbers["wgt_bytes"] == config.wgt_bytes
    c = dict(re.findall(r"#define VTA_(\w+) (\d+)$", to_c(config), re.M))
    tcl = dict(re.findall(r"set VTA_(\w+) (\d+)$", to_tcl(config), re.M))
    table = dict(re.findall(r"^(\w+) +(\d+)(?:  .*)?$", to_table(config), re.M))
    primary = {key: value for key, value in config.to_dict().items() if key.startswith("LOG_")}
    for name, value in {**primary, **numbers}.items():
        assert int(c[name.upper()]) == int(tcl[name.upper()]) == int(table[name]) == value


def test_derived_numbers_all_have_a_meaning() -> None:
    assert all(meaning for _, meaning in derived_numbers(HwConfig()).values())


def test_to_c_compiles(tmp_path: Path) -> None:
    config = HwConfig.from_name(NAME)
    source = tmp_path / "config.c"
    source.write_text(
        f"{to_c(config).replace('#pragma once', '')}"
        f'_Static_assert(VTA_ACC_DEPTH == {config.acc_depth}, "depth");\n'
        '_Static_assert(VTA_HAS_ALU_MUL && !VTA_HAS_COUNTERS, "capabilities");\n'
        f'_Static_assert(VTA_CONFIG_FINGERPRINT == 0x{config.fingerprint}, "fingerprint");\n'
        "const char *name = VTA_CONFIG_NAME;\n"
    )
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(source)]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not installed")
def test_to_tcl_runs() -> None:
    script = to_tcl(HwConfig.from_name(NAME)) + "puts $VTA_ACC_DEPTH$VTA_CONFIG_NAME\n"
    done = subprocess.run(["tclsh"], input=script, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == f"{HwConfig.from_name(NAME).acc_depth}{NAME}\n"


@pytest.mark.parametrize("form", sorted(EXPORTS))
def test_cli_prints_the_export(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", NAME, f"--{form}"]) == 0
    assert capsys.readouterr().out == EXPORTS[form](HwConfig.from_name(NAME))


def test_cli_prints_the_table_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "vta_config.json"
    path.write_text(HwConfig.from_name(NAME).to_json())
    assert main(["config", str(path)]) == 0
    assert capsys.readouterr().out == to_table(HwConfig.from_name(NAME))


def test_cli_impossible_name_exits_2_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "1x12_i8w8a32_15_15_18_17"]) == 2
    error = capsys.readouterr().err
    assert error == (
        "vta config: configuration '1x12_i8w8a32_15_15_18_17': block must be a power of two, "
        "not 12\n"
    )


def test_load_config_names_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    with pytest.raises(ConfigError) as caught:
        load_config(missing)
    assert str(caught.value) == (
        f"configuration file {missing} must be readable: No such file or directory"
    )
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"LOG_BATCH": 99}')
    with pytest.raises(ConfigError) as caught:
        load_config(wrong)
    assert str(caught.value) == (
        f"{wrong}: configuration: LOG_BATCH must be in 0..8 "
        "(the GEMM core takes 1 to 256 rows), not 99"
    )
    wrong.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"it is not UTF-8 text$"):
        load_config(wrong)
