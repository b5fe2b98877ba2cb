"""`vta.json`."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest

from tests.overlays.builds import own
from vta_pynq.errors import BuildError, ConfigError
from vta_pynq.hardware.provenance import (
    Source,
    check_files,
    provenance,
    read_provenance,
    source_of,
    write_provenance,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def written(tmp_path):
    (tmp_path / "x.bit").write_bytes(b"bits")
    (tmp_path / "x.hwh").write_bytes(b"hand-off")
    content = provenance(
        own(),
        Source(COMMIT, False),
        {"vivado": "2024.1"},
        {"wns": 0.5, "whs": 0.1},
        {"dsp": {"used": 188, "available": 220}},
        [tmp_path / "x.bit", tmp_path / "x.hwh"],
    )
    return write_provenance(tmp_path, content)


def test_provenance_tells_what_was_built_from_what(written):
    content = read_provenance(written)
    plan = own()
    assert content["config"] == plan.config.name
    assert content["fingerprint"] == plan.config.fingerprint
    assert content["source"] == {"commit": COMMIT, "dirty": False}
    assert content["sha256"]["x.bit"] == hashlib.sha256(b"bits").hexdigest()
    assert (content["clock_mhz"], content["wns_ns"]) == (plan.variant.clock_mhz, 0.5)


def test_check_files_finds_what_was_changed_or_lost(written):
    assert check_files(written) == []
    (written.parent / "x.bit").write_bytes(b"other")
    (written.parent / "x.hwh").unlink()
    changed, lost = check_files(written)
    assert "SHA-256 must be" in changed and "must lie beside vta.json" in lost


def test_read_provenance_refuses_another_format(written):
    values = json.loads(written.read_text())
    written.write_text(json.dumps({**values, "format": 9}))
    with pytest.raises(BuildError, match="format must be 1, not 9; build again"):
        read_provenance(written)
    written.write_text(json.dumps({**values, "config": None}))
    with pytest.raises(ConfigError, match="config must be a str, not None"):
        read_provenance(written)


def test_source_of_a_tree_tells_commit_and_changes(tmp_path):
    assert source_of(tmp_path) == Source(None, None)

    def git(*words):
        name = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, stdout=subprocess.PIPE)

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    clean = source_of(tmp_path)
    assert clean.commit is not None and clean.dirty is False
    assert clean.register == int(clean.commit[:8], 16)
    (tmp_path / "file").write_text("2")
    dirty = source_of(tmp_path)
    assert (dirty.commit, dirty.dirty, dirty.register) == (clean.commit, True, 0)


@pytest.mark.parametrize("source", [Source(None, None), Source(COMMIT, True)])
def test_source_register_is_zero_unless_a_commit_describes_all(source):
    assert source.register == 0
    assert Source(COMMIT, False).register == 0x01234567
