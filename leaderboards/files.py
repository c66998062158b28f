"""The files of a bundle, read one after the other without ever unpacking anything.

A bundle is a directory or a `.tar.gz` with exactly three regular files, in this order in an
archive: `manifest.json`, `run.json`, `episodes.jsonl`. The tar headers are read by hand: plain
`ustar` has no links to follow, no long names and no extended headers, so that whatever else is
in there is refused by its header alone. Nor is there room beside the files: other tools would find
what lies in a gzip header, behind the end, or in the unused parts of a tar header.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from leaderboards.strict import Refused, shown

MANIFEST, RUN, EPISODES = NAMES = ("manifest.json", "run.json", "episodes.jsonl")
MAX_BYTES = {MANIFEST: 16 * 2**10, RUN: 2**20, EPISODES: 256 * 2**20}
MAX_LINE = 256 * 2**10
"""Bytes of one line of episodes.jsonl: an episode of thousands of tokens takes a tenth."""
_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 64 * 2**10
_OWNER = re.compile(rb"[\w.-]*\0+")
"""Name of a user or group in a tar header."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file turned out to be, once read to its end."""

    bytes: int
    sha256: str


class Member:
    """One file of a bundle: read forward only, counted and hashed on the way."""

    def __init__(self, name: str, stream: Readable, size: int) -> None:
        if not 0 <= size <= MAX_BYTES[name]:
            raise Refused("too-big", f"{name}: {size} bytes, at most {MAX_BYTES[name]}")
        self.name = name
        self._stream = stream
        self._size = size
        self._left = size
        self._hash = hashlib.sha256()
        self._buffer = b""

    def lines(self) -> Iterator[bytes]:
        """The lines, without their newline; the last one has one too."""
        while self._left or self._buffer:
            end = self._buffer.find(b"\n")
            if end < 0 and self._left and len(self._buffer) <= MAX_LINE:
                self._buffer += self._more()
            elif not 0 <= end <= MAX_LINE:
                if len(self._buffer) > MAX_LINE:
                    raise Refused("long-line", f"{self.name}: a line of over {MAX_LINE} bytes")
                raise Refused("cut-off", f"{self.name}: the last line has no newline")
            else:
                line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
                yield line

    def whole(self) -> bytes:
        """All of it; for the small files."""
        parts = [self._buffer]
        self._buffer = b""
        while self._left:
            parts.append(self._more())
        return b"".join(parts)

    def finish(self) -> Seen:
        """Read what is left."""
        self._buffer = b""
        while self._left:
            self._more()
        return Seen(self._size, self._hash.hexdigest())

    def _more(self) -> bytes:
        try:
            data = self._stream.read(min(self._left, _CHUNK))
        except (OSError, EOFError, zlib.error) as error:
            raise Refused("cut-off", f"{self.name}: cannot be read on: {error}") from None
        if not data:
            raise Refused("cut-off", f"{self.name}: {self._left} bytes are missing")
        self._left -= len(data)
        self._hash.update(data)
        return data


def members(path: Path) -> Iterator[Member]:
    """The three files of a bundle, in order; each must be used before the next is asked for.

    Raises:
        Refused: the bundle has other files than these, or they are not plain files.
    """
    try:
        if path.is_dir():
            yield from _directory(path)
        elif path.is_file():
            if path.stat().st_size > sum(MAX_BYTES.values()):
                raise Refused("too-big", f"the archive has {path.stat().st_size} bytes")
            with path.open("rb") as stream:
                yield from _archive(stream)
        else:
            raise Refused("not-a-bundle", f"{shown(str(path))} is neither a directory nor a file")
    except PermissionError as error:
        raise Refused("unreadable", f"{shown(error.filename)}: permission denied") from None


def _directory(path: Path) -> Iterator[Member]:
    with os.scandir(path) as entries:
        # A directory of a million files is listed no further than this.
        found = {entry.name for entry, _ in zip(entries, range(len(NAMES) + 8))}
    _exactly(found)
    for name in NAMES:
        with _open(path / name) as stream:
            member = Member(name, stream, os.fstat(stream.fileno()).st_size)
            yield member
            member.finish()


def _open(path: Path) -> BinaryIO:
    """Open a plain file; neither follow a link nor wait for the other end of a pipe."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        raise
    except OSError:
        raise Refused("not-a-file", f"{path.name}: a link or device, not a plain file") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Refused("not-a-file", f"{path.name}: not a plain file")
    return os.fdopen(number, "rb")


def _exactly(found: set[str]) -> None:
    for name in sorted(found - set(NAMES)):
        raise Refused("extra-file", f"{shown(name)} does not belong in a bundle")
    for name in NAMES:
        if name not in found:
            raise Refused("missing-file", f"{name} is missing")


class _Gunzip:
    """One gzip stream and nothing else, read forward."""

    def __init__(self, compressed: BinaryIO) -> None:
        start = compressed.read(4)
        # The flags: a name is the only field that ordinary tools write (and never read here).
        if start[:3] != b"\x1f\x8b\x08" or start[3:] not in (b"\0", b"\x08"):
            raise Refused("not-a-bundle", "not a gzip archive, or one with extra fields")
        self._compressed = compressed
        self._zlib = zlib.decompressobj(wbits=31)
        self._waiting = start + compressed.read(_BLOCK)
        if start[3:] == b"\x08":
            name, end, _ = self._waiting[10:].partition(b"\0")
            if not end or not re.fullmatch(rb"[ -.0-\[\]-~]*", name):
                raise Refused("not-a-bundle", f"{shown(name)} is no plain name in a gzip header")

    def read(self, size: int, /) -> bytes:
        parts: list[bytes] = []
        while size and not self._zlib.eof:
            waiting = self._waiting or self._compressed.read(_CHUNK)
            if not waiting:
                raise EOFError("it ends before its end marker")
            parts.append(self._zlib.decompress(waiting, size))
            self._waiting = self._zlib.unconsumed_tail
            size -= len(parts[-1])
        return b"".join(parts)

    def end(self) -> None:
        """Refuse whatever is left."""
        if self.read(1) or self._zlib.unused_data or self._compressed.read(1):
            raise Refused("extra-file", "the archive goes on after its end")


def _archive(compressed: BinaryIO) -> Iterator[Member]:
    try:
        stream = _Gunzip(compressed)
        for name in NAMES:
            header = _header(stream, name)
            member = Member(name, stream, header.size)
            yield member
            member.finish()
            if _exact(stream, -header.size % _BLOCK, name).strip(b"\0"):
                raise Refused(
                    "hidden-data", f"{name}: something stands between its end and the next"
                )
        # The end: blocks of zeros, of which `tarfile` writes up to 20.
        rest = stream.read(64 * _BLOCK)
        if rest[:_BLOCK].strip(b"\0"):
            raise _extra(rest[:_BLOCK])
        if rest.strip(b"\0"):
            raise Refused("extra-file", "the archive goes on after its end")
        stream.end()
    except (OSError, EOFError, zlib.error) as error:
        raise Refused("not-a-bundle", f"not a whole gzip archive: {error}") from None


def _header(stream: _Gunzip, name: str) -> tarfile.TarInfo:
    block = _exact(stream, _BLOCK, name)
    if not block.strip(b"\0"):
        raise Refused("missing-file", f"{name} is missing")
    header = _parse(block)
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise Refused(
            "not-a-file", f"{shown(header.name)}: tar type {header.type!r}, expected a plain file"
        )
    if header.name != name:
        if header.name in NAMES:
            raise Refused("wrong-order", f"{name} expected here, received {header.name}")
        raise Refused("extra-file", f"{shown(header.name)} does not belong in a bundle")
    # Link target, prefix, and what follows the names of file, owner and group.
    unused = block[len(name) : 100] + block[157:257] + block[345:]
    owners = (block[265:297], block[297:329])
    if unused.strip(b"\0") or header.mode & ~0o777 or not all(map(_OWNER.fullmatch, owners)):
        raise Refused("hidden-data", f"{name}: its tar header has more than a plain file's")
    return header


def _extra(block: bytes) -> Refused:
    header = _parse(block)
    if header.name in NAMES:
        return Refused("duplicate-file", f"{header.name} comes twice")
    return Refused("extra-file", f"{shown(header.name)} does not belong in a bundle")


def _parse(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "ascii", "backslashreplace")
    except tarfile.HeaderError as error:
        raise Refused("not-a-bundle", f"not a tar header: {error}") from None


def _exact(stream: _Gunzip, size: int, name: str) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise Refused("cut-off", f"the archive ends before or inside {name}")
    return data


def write_archive(out: Path, contents: Mapping[str, Path | bytes]) -> None:
    """Write files as a `.tar.gz`, the same bytes for the same contents."""
    with (
        out.open("xb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in NAMES:
            content = contents[name]
            header = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))
            else:
                header.size = content.stat().st_size
                with content.open("rb") as stream:
                    archive.addfile(header, stream)
