"""Bundles whose files are the attack: each is refused, and nothing is written or followed."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from leaderboards import files
from leaderboards.verify import verify

NAMES = ("manifest.json", "run.json", "episodes.jsonl")


def codes(path: Path) -> set[str]:
    result = verify(path)
    assert not result.accepted
    return {discrepancy.code for discrepancy in result.discrepancies}


def member(name: str, data: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.size = len(data)
    for key, value in attributes.items():
        setattr(header, key, value)
    return header, data


@pytest.fixture
def contents(honest: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [member(name, (honest / name).read_bytes()) for name in NAMES]


@pytest.fixture
def tar(tmp_path: Path):
    def write(items: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.USTAR_FORMAT) -> Path:
        path = tmp_path / "attack.tar.gz"
        with tarfile.open(path, "w:gz", format=form) as archive:
            for header, data in items:
                archive.addfile(header, io.BytesIO(data))
        return path

    return write


# -- directories ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_missing_file(forge, name):
    (forge.save() / name).unlink()
    assert codes(forge.folder) == {"missing-file"}


@pytest.mark.parametrize("name", ["extra.json", "RUN.JSON", ".hidden", "model.pkl", "a\x1b[31m\n"])
def test_extra_file(forge, name):
    (forge.save() / name).write_text("{}")
    result = verify(forge.folder)
    assert {d.code for d in result.discrepancies} == {"extra-file"}
    assert str(result.discrepancies[0]).isprintable()


def test_many_files(forge):
    for number in range(3000):
        (forge.folder / str(number)).touch()
    assert codes(forge.folder) <= {"extra-file", "missing-file"}


@pytest.mark.parametrize("name", NAMES)
def test_symlink_is_not_followed(forge, tmp_path, name):
    target = tmp_path / name
    (forge.save() / name).rename(target)
    (forge.folder / name).symlink_to(target)
    assert codes(forge.folder) == {"not-a-file"}


@pytest.mark.parametrize("name", NAMES)
def test_pipe_does_not_hang(forge, name):
    (forge.save() / name).unlink()
    os.mkfifo(forge.folder / name)
    assert codes(forge.folder) == {"not-a-file"}


def test_directory_in_place_of_a_file(forge):
    (forge.save() / "run.json").unlink()
    (forge.folder / "run.json").mkdir()
    assert codes(forge.folder) == {"not-a-file"}


def test_device(tmp_path):
    assert codes(Path("/dev/zero")) == {"not-a-bundle"}


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        verify(tmp_path / "nothing")


@pytest.mark.parametrize("name", NAMES)
def test_sparse_giant(forge, name):
    with (forge.save() / name).open("r+b") as file:
        file.truncate(2**40)
    assert codes(forge.folder) == {"too-big"}


# -- archives ------------------------------------------------------------------------------------


def test_honest_archive_passes(tar, contents):
    result = verify(tar(contents))
    assert result.accepted, result.discrepancies


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../b", "./run.json", "Run.json", "run.json/", "x\0y"]
)
def test_path_outside_the_bundle(tar, contents, tmp_path, name):
    before = sorted(tmp_path.rglob("*"))
    path = tar([*contents, member(name, b"evil")])
    assert codes(path) == ({"extra-file"})
    path.rename(tmp_path / "other.tar.gz")
    assert codes(tar([member(name, b"evil"), *contents])) <= {"extra-file", "not-a-file"}
    assert len(sorted(tmp_path.rglob("*"))) == len(before) + 2


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_link_or_device_in_an_archive(tar, contents, kind):
    contents[1] = member("run.json", type=kind, linkname="/etc/passwd")
    assert codes(tar(contents)) == {"not-a-file"}


def test_extended_headers(tar, contents):
    """Where a name could be given a second time."""
    contents[1][0].pax_headers = {"path": "../run.json"}
    assert codes(tar(contents, tarfile.PAX_FORMAT)) == {"not-a-file"}


def test_long_names(tar, contents):
    contents[1] = member("a" * 300, b"")
    assert codes(tar(contents, tarfile.GNU_FORMAT)) == {"not-a-file"}


def test_duplicate_member(tar, contents):
    assert codes(tar([*contents, contents[2]])) == {"duplicate-file"}


def test_other_order(tar, contents):
    assert codes(tar([contents[1], contents[0], contents[2]])) == {"wrong-order"}


def test_missing_member(tar, contents):
    assert codes(tar(contents[:2])) == {"missing-file"}


def test_size_of_a_giant(tar, contents):
    header, _ = member("run.json")
    header.size = 2**40
    block = header.tobuf(tarfile.GNU_FORMAT)
    path = tar(contents[:1])
    data = gzip.decompress(path.read_bytes())
    first = 512 * (1 + -(-contents[0][0].size // 512))
    path.write_bytes(gzip.compress(data[:first] + block))
    assert codes(path) == {"too-big"}


def test_negative_size(tar, contents):
    path = tar(contents)
    data = bytearray(gzip.decompress(path.read_bytes()))
    header = tarfile.TarInfo("manifest.json")
    header.size = -512
    data[:512] = header.tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(gzip.compress(bytes(data)))
    assert codes(path) == {"too-big"}


def test_gzip_bomb(tmp_path, soon):
    path = tmp_path / "bomb.tar.gz"
    header, _ = member("manifest.json")
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(300):
            file.write(bytes(2**20))
    # A header, then zeros without end: refused at the first file that is not there.
    assert soon(5, codes, path) & {"missing-file", "not-json"}


def test_bomb_after_the_end(tar, contents):
    path = tar(contents)
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(50 * 2**20)))
    assert codes(path) == {"extra-file"}


def test_something_hidden_after_the_end(tar, contents):
    path = tar(contents)
    data = gzip.decompress(path.read_bytes())
    extra = member("evil")[0].tobuf(tarfile.USTAR_FORMAT)
    path.write_bytes(gzip.compress(data + extra))
    assert codes(path) == {"extra-file"}


@pytest.mark.parametrize("size", [0, 5, 30, 600, -20])
def test_cut_off_archive(tar, contents, size):
    path = tar(contents)
    path.write_bytes(path.read_bytes()[:size])
    assert codes(path) <= {"not-a-bundle", "cut-off", "missing-file"}


def test_archive_of_other_tools(tar, contents, tmp_path):
    """As `tar` writes it: owners, times, a name in the gzip header, or none."""
    for header, _ in contents:
        header.uname, header.gname, header.uid, header.mtime = "ada", "users", 1000, 1.7e9
        header.mode = 0o664
    path = tar(contents, tarfile.GNU_FORMAT)
    assert verify(path).accepted
    data = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(data, mtime=0))
    assert verify(path).accepted


@pytest.mark.parametrize(
    "change",
    [
        {"uname": "\x1b[31mred"},
        {"gname": "../../etc"},
        {"uname": "a\0b"},
        {"linkname": "/etc/passwd"},
        {"mode": 0o4755},
        {"mode": 0o1777},
    ],
)
def test_more_in_a_tar_header(tar, contents, change):
    for key, value in change.items():
        setattr(contents[1][0], key, value)
    assert codes(tar(contents)) == {"hidden-data"}


@pytest.mark.parametrize("place", [90, 200, 290, 320, 400, 505])
def test_payload_in_unused_parts_of_a_tar_header(tar, contents, place):
    """Behind the NUL that ends a name, where nobody looks."""
    path = tar(contents)
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[place : place + 4] = b"evil"
    data[148:156] = b"%06o\0 " % (256 + sum(data[:148]) + sum(data[156:512]))
    path.write_bytes(gzip.compress(bytes(data)))
    assert codes(path) & {"hidden-data", "extra-file"}


def test_payload_between_files(tar, contents):
    path = tar(contents)
    data = bytearray(gzip.decompress(path.read_bytes()))
    size = contents[0][0].size
    assert size % 512
    data[512 + size : 512 + size + 4] = b"evil"
    path.write_bytes(gzip.compress(bytes(data)))
    assert codes(path) == {"hidden-data"}


def gzip_header(flags: int, fields: bytes) -> bytes:
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + fields


@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        (4, b"\x04\0evil"),  # an extra field
        (16, b"a comment\0"),
        (8, b"../../evil\0"),
        (8, b"\x1b[31m\0"),
        (8, b"a" * 600 + b"\0"),
        (2, b"\0\0"),
        (0xE0, b""),
    ],
)
def test_more_in_the_gzip_header(tar, contents, flags, fields):
    path = tar(contents)
    data = gzip.decompress(path.read_bytes())
    plain = gzip.compress(data, mtime=0)
    path.write_bytes(gzip_header(0, b"") + plain[10:])
    assert verify(path).accepted
    path.write_bytes(gzip_header(flags, fields) + plain[10:])
    assert codes(path) == {"not-a-bundle"}


@pytest.mark.parametrize("more", [b"x", b"\0" * 10, gzip.compress(b""), gzip.compress(b"\0" * 512)])
def test_more_behind_the_gzip_stream(tar, contents, more):
    path = tar(contents)
    path.write_bytes(path.read_bytes() + more)
    assert codes(path) == {"extra-file"}


def test_archive_in_two_gzip_streams(tar, contents):
    path = tar(contents)
    data = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(data[:2000]) + gzip.compress(data[2000:]))
    assert codes(path) <= {"cut-off", "not-a-bundle"}


def test_wrong_checksum(tar, contents):
    path = tar(contents)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(bytes(data))
    assert codes(path) == {"not-a-bundle"}


def test_socket_in_place_of_a_file(forge, monkeypatch):
    (forge.save() / "run.json").unlink()
    monkeypatch.chdir(forge.folder)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as own:
        own.bind("run.json")
        assert codes(forge.folder) == {"not-a-file"}


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 a zip",
        b"{}",
        b"\x80\x04pickle",
        b"!!python/object/apply:os.system [true]",
        b"BZh91AY&SY",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        bytes(10_000),
    ],
)
def test_other_formats(tmp_path, data):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    assert codes(path) == {"not-a-bundle"}
    path.write_bytes(gzip.compress(data))
    assert codes(path) & {"not-a-bundle", "cut-off", "missing-file"}


def test_oversized_line(forge):
    forge.episodes[0]["actions"] = ["1" * files.MAX_LINE]
    assert "long-line" in forge.codes()


def test_no_newline_at_the_end(forge):
    folder = forge.save()
    path = folder / "episodes.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut-off" in codes(forge.hash())


def test_too_many_lines(forge, soon):
    (forge.save() / "episodes.jsonl").write_bytes(b"\n" * 2**22)
    assert "too-many" in soon(5, codes, forge.hash())
