"""Headers of .bit files, against pynq's own reading of them."""

import pytest
from pynq.pl_server.embedded_device import parse_bit_header

from vta_pynq.errors import ConfigError
from vta_pynq.overlay.bitfile import empty_bitfile, read_bit_header


def test_empty_bitfile_is_one_to_pynq_and_to_us(tmp_path):
    path = tmp_path / "x.bit"
    path.write_bytes(empty_bitfile("demo", "7z020clg400"))
    ours, theirs = read_bit_header(path), parse_bit_header(path.read_bytes())
    assert (ours.part, ours.date, ours.time) == (theirs["part"], theirs["date"], theirs["time"])
    assert ours.data_bytes == int(theirs["length"])
    assert ours.design.startswith("demo;")


@pytest.mark.parametrize("length", [0, 5, 12, 13, 14, 30, 60])
def test_read_bit_header_of_a_cut_header_is_refused(length, tmp_path):
    path = tmp_path / "x.bit"
    path.write_bytes(empty_bitfile("demo", "7z020clg400")[:length])
    with pytest.raises(ConfigError, match=r"x\.bit: must be a Xilinx bitstream: "):
        read_bit_header(path)


@pytest.mark.parametrize("change", [-1, 1])
def test_read_bit_header_checks_the_files_length(change, tmp_path):
    data = empty_bitfile("demo", "7z020clg400")
    path = tmp_path / "x.bit"
    path.write_bytes(data[:-1] if change < 0 else data + b"\0")
    with pytest.raises(ConfigError) as caught:
        read_bit_header(path)
    assert str(caught.value) == (
        f"{path}: the bitstream must be {len(data)} bytes long, not {len(data) + change}; "
        "fetch it again"
    )


def test_read_bit_header_of_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="must be readable: No such file or directory"):
        read_bit_header(tmp_path / "none.bit")
