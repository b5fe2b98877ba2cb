"""Installing published bitstreams: from a folder and a server, right or not at all."""

import dataclasses
import hashlib
import http.server
import stat
import threading

import pytest

from vta_pynq.cli import main
from vta_pynq.cli import overlays as command
from vta_pynq.errors import ConfigError
from vta_pynq.overlay import catalogue as module
from vta_pynq.overlay.bitfile import empty_bitfile
from vta_pynq.overlay.catalogue import Catalogue, Entry, check_file, fetch, read_catalogue
from vta_pynq.overlay.descriptions import find_variant
from vta_pynq.overlay.locate import SEARCH_VARIABLE

NAME = "pynq/0.0.2/1x16_i8w8a32_15_15_18_17"
DATA = empty_bitfile("published", "7z020clg484") + bytes(200_000)


@pytest.fixture(autouse=True)
def published(monkeypatch, tmp_path):
    """A catalogue with one small bitstream, and a mirror folder that holds it."""
    monkeypatch.delenv(SEARCH_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    digest = hashlib.sha256(DATA).hexdigest()
    entry = Entry(find_variant(NAME), f"{NAME}.bit", digest, len(DATA))
    catalogue = Catalogue("project", "Apache-2.0", "http://127.0.0.1:9/{path}", (entry,))
    for user in (module, command):
        monkeypatch.setattr(user, "read_catalogue", lambda: catalogue)
    write(tmp_path / "mirror", DATA)
    return entry


def write(folder, data):
    path = folder / f"{NAME}.bit"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


class Server:
    """A server on the loopback interface that answers every request as it is told."""

    def __init__(self, body=DATA, status=200, length=None):
        self.paths = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.paths.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(60)


@pytest.fixture
def real(monkeypatch):
    monkeypatch.undo()
    return read_catalogue()


def test_real_catalogue_lists_only_described_variants_with_whole_hashes(real):
    entries = real.entries
    assert len(entries) == 3
    assert all(len(bytes.fromhex(entry.sha256)) == 32 and entry.size > 0 for entry in entries)
    assert "{path}" in real.url


def test_fetch_from_a_folder_installs_bitstream_and_hwh_side_by_side(published, tmp_path):
    seen = []
    path = fetch(
        published, tmp_path / "to", str(tmp_path / "mirror"), lambda *now: seen.append(now)
    )
    assert path.read_bytes() == DATA
    assert files(tmp_path / "to") == [f"{NAME}.bit", f"{NAME}.hwh"]
    assert seen[-1] == (len(DATA), len(DATA))
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_fetch_from_a_server(published, tmp_path):
    with Server() as server:
        fetch(published, tmp_path / "to", server.url + "/some/")
    assert server.paths == [f"/some/{NAME}.bit"]
    assert files(tmp_path / "to") == [f"{NAME}.bit", f"{NAME}.hwh"]


def test_fetch_takes_a_pattern_as_mirror(published, tmp_path):
    with Server() as server:
        fetch(published, tmp_path / "to", server.url + "/{path}?raw=1")
    assert server.paths == [f"/{NAME}.bit?raw=1"]


def test_fetch_of_what_is_there_asks_nobody(published, tmp_path):
    write(tmp_path / "to", DATA)
    fetch(published, tmp_path / "to", "http://127.0.0.1:9")
    assert files(tmp_path / "to") == [f"{NAME}.bit", f"{NAME}.hwh"]


def test_fetch_replaces_a_damaged_file(published, tmp_path):
    write(tmp_path / "to", DATA[:100])
    fetch(published, tmp_path / "to", str(tmp_path / "mirror"))
    assert (tmp_path / "to" / f"{NAME}.bit").read_bytes() == DATA


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (
            {"status": 404},
            r": must be available: the server answers 404 Not Found; use --mirror FOLDER\|URL$",
        ),
        ({"body": b"x" * len(DATA)}, r": SHA-256 must be [0-9a-f]{64}, not [0-9a-f]{64}; try "),
        ({"body": DATA + b"x"}, r": must be \d+ bytes long, not at least \d+; try another mirror$"),
        ({"body": DATA[:-1]}, r": must be \d+ bytes long, not \d+; try another mirror$"),
        ({"body": DATA[:-1], "length": len(DATA)}, r"bytes long, not|must arrive whole"),
        ({"body": b""}, r": must be \d+ bytes long, not 0; try another mirror$"),
    ],
)
@pytest.mark.parametrize("before", [None, b"an older file"])
def test_fetch_of_anything_else_leaves_everything_as_it_was(
    published, tmp_path, server, message, before
):
    target = tmp_path / "to" / f"{NAME}.bit"
    if before is not None:
        write(tmp_path / "to", before)
    with Server(**server) as running, pytest.raises(ConfigError, match=message):
        fetch(published, tmp_path / "to", running.url)
    assert files(tmp_path / "to") == ([] if before is None else [f"{NAME}.bit"])
    assert before is None or target.read_bytes() == before


def test_fetch_offline_says_so(published, tmp_path):
    with Server() as server:
        pass
    with pytest.raises(ConfigError, match=r"it cannot be reached \(.*refused.*\); use --mirror"):
        fetch(published, tmp_path / "to", server.url)
    assert files(tmp_path / "to") == []


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        ("/no/such/folder", "must be available: No such file or directory"),
        ("ftp://127.0.0.1", "scheme must be one of http, https, file, not 'ftp'; use"),
    ],
)
def test_fetch_from_an_impossible_mirror(published, tmp_path, mirror, message):
    with pytest.raises(ConfigError, match=message):
        fetch(published, tmp_path / "to", mirror)


def test_fetch_into_a_folder_that_cannot_be_written(published, tmp_path):
    (tmp_path / "to").write_text("a file, not a folder")
    with pytest.raises(ConfigError, match="must be writable: .*; choose a folder with --into"):
        fetch(published, tmp_path / "to", str(tmp_path / "mirror"))


def test_fetch_has_nothing_on_the_disk_until_all_is_there_and_right(published, tmp_path):
    # A process that is killed cannot clean up.
    seen = []

    def look(done, total):
        seen.append(list((tmp_path / "to").rglob("*")))

    fetch(published, tmp_path / "to", str(tmp_path / "mirror"), look)
    assert len(seen) > 1
    assert not any(seen)


def test_fetch_that_is_interrupted_leaves_nothing(published, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(published, tmp_path / "to", str(tmp_path / "mirror"), stop)
    assert files(tmp_path / "to") == []


def test_check_file_of_another_file_names_both_hashes(published, tmp_path):
    path = write(tmp_path, b"other")
    with pytest.raises(ConfigError) as caught:
        check_file(published, path)
    assert str(caught.value) == (
        f"{path}: SHA-256 must be {published.sha256}, not {hashlib.sha256(b'other').hexdigest()}; "
        f"run 'vta overlays fetch {NAME}' again"
    )


def test_read_catalogue_damaged(monkeypatch, tmp_path):
    monkeypatch.undo()
    read_catalogue.cache_clear()
    monkeypatch.setattr(module, "overlay_folder", lambda: tmp_path)
    for text in ("", "{}", '{"project": 1, "license": 1, "url": 1, "bitstreams": [{}]}'):
        (tmp_path / "catalogue.json").write_text(text)
        with pytest.raises(ConfigError, match="must be a whole catalogue"):
            read_catalogue()
    read_catalogue.cache_clear()


# ---- the command -----------------------------------------------------------------------------


def vta(*words):
    return main(["overlays", *words])


def test_command_list_shows_state(capsys, tmp_path):
    assert vta("list") == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert lines[NAME].startswith("published")
    assert lines["pynq/0.0.0/1x16x16_8bx8b_15_15_18_17_100MHz_7ns_v0_0_0"].startswith("simulator")
    write(tmp_path / "data/vta_pynq/overlays", DATA)
    assert vta("list") == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert lines[NAME].startswith("installed")


def test_command_fetch_installs_for_the_user_and_verify_agrees(capsys, tmp_path):
    assert vta("fetch", NAME, "--mirror", str(tmp_path / "mirror")) == 0
    installed = tmp_path / "data/vta_pynq/overlays" / f"{NAME}.bit"
    assert capsys.readouterr().out == f"{installed}\n"
    assert vta("verify") == 0
    assert capsys.readouterr().out == f"{installed}: as published\n"
    installed.write_bytes(b"damaged")
    assert vta("verify", NAME) == 1
    assert "SHA-256 must be" in capsys.readouterr().out


def test_command_fetch_all_into_a_folder(capsys, tmp_path, monkeypatch):
    to = tmp_path / "to"
    assert vta("fetch", "all", "--mirror", str(tmp_path / "mirror"), "--into", str(to)) == 0
    assert files(to) == [f"{NAME}.bit", f"{NAME}.hwh"]
    monkeypatch.setenv(SEARCH_VARIABLE, str(to))
    assert vta("verify", NAME) == 0


def test_command_fetch_failing_is_one_paragraph_and_exit_code_two(capsys, tmp_path):
    assert vta("fetch", NAME, "--mirror", str(tmp_path / "none")) == 2
    error = capsys.readouterr().err
    assert error.startswith("vta overlays: ") and error.count("\n") == 1


def test_command_verify_of_what_is_not_installed(capsys):
    assert vta("verify", NAME) == 1
    assert capsys.readouterr().out == f"{NAME}: not installed\n"
    assert vta("verify") == 0
    assert "no published bitstream is installed" in capsys.readouterr().out


def test_command_info_of_a_variant_and_of_a_file(capsys, tmp_path, published):
    assert vta("info", NAME) == 0
    variant_text = capsys.readouterr().out
    assert "0x43c02000" in variant_text and published.sha256 in variant_text
    path = tmp_path / "x.bit"
    path.write_bytes(empty_bitfile("demo", "7z020clg484"))
    assert vta("info", str(path)) == 0
    text = capsys.readouterr().out
    assert "7z020clg484" in text and text.endswith("not a published bitstream\n")


@pytest.mark.parametrize("words", [("info", "none"), ("fetch", "none"), ("info", "none.bit")])
def test_command_with_an_unknown_name_is_wrong_use(words, capsys):
    assert vta(*words) == 2
    assert "must be" in capsys.readouterr().err


def test_command_info_recognises_a_renamed_published_file(capsys, tmp_path, monkeypatch, published):
    data = empty_bitfile("demo", "7z020clg484")
    path = tmp_path / "renamed.bit"
    path.write_bytes(data)
    entry = dataclasses.replace(published, sha256=hashlib.sha256(data).hexdigest())
    catalogue = dataclasses.replace(command.read_catalogue(), entries=(entry,))
    monkeypatch.setattr(command, "read_catalogue", lambda: catalogue)
    assert vta("info", str(path)) == 0
    assert f"name           {entry.variant.name}" in capsys.readouterr().out
