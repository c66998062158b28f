"""Bundles whose files are the attack: each is refused, and nothing is written or followed."""

from __future__ import annotations

import gzip
import io
import os
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


@pytest.mark.parametrize("data", [b"PK\x03\x04 a zip", b"{}", b"\x80\x04pickle", bytes(10_000)])
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
