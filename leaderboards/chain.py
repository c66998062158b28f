"""Logs that only grow: JSON lines, each with the SHA-256 of the one before.

`previous` is the hash of the line before, without its newline (of the first line: 64 zeros), so
that a change of an earlier line is noticed. Nothing in a file vouches for its last line: for that
its hash is published (`Chain.head`), and Git has the history.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from leaderboards import strict
from leaderboards.strict import Refused

START = "0" * 64


class Line(Protocol):
    """What every line has.

    Attributes:
        number: from 1 on, without a gap.
        date: day, as YYYY-MM-DD; never before that of the line above.
        previous: SHA-256 of the line before.
    """

    @property
    def number(self) -> int: ...
    @property
    def date(self) -> str: ...
    @property
    def previous(self) -> str: ...

    __dataclass_fields__: ClassVar[dict[str, Any]]


L = TypeVar("L", bound=Line)


@dataclass(frozen=True)
class Chain(ABC, Generic[L]):
    """The lines of a log, checked.

    Attributes:
        head: SHA-256 of the last line.
    """

    path: Path
    lines: tuple[L, ...] = ()
    head: str = START

    @abstractmethod
    def parse(self, line: bytes, where: str) -> L:
        """A line as a record, each field checked.

        Raises:
            Refused: names the line and the field.
        """

    @abstractmethod
    def check(self, line: L, where: str) -> None:
        """Whether what the line says can come after the lines so far.

        Raises:
            Refused: it cannot.
        """

    @classmethod
    def read(cls, path: Path) -> Self:
        """The log in a file; no file: no lines.

        Raises:
            Refused: a line that is not valid, does not follow from the ones before, or whose
                `previous` is not the hash of the line before.
        """
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise Refused("not-a-file", f"{path}: not a plain file")
        return cls(path).extended(path.read_bytes() if path.exists() else b"")

    def extended(self, data: bytes) -> Self:
        """With more lines, as they stand in a file.

        Raises:
            Refused: as for `read`.
        """
        log = self
        *lines, rest = data.split(b"\n")
        for line in lines:
            log = log._follow(line)
        if rest:
            raise Refused("cut-off", f"{log.where(len(log.lines) + 1)}: it has no newline")
        return log

    def append(self, line: L) -> None:
        """Add a line to the file.

        Raises:
            Refused: it breaks a rule, or does not follow from the ones before; nothing is written.
        """
        data = json.dumps(asdict(line)).encode()
        self._follow(data)
        with self.path.open("ab") as file:
            file.write(data + b"\n")

    def where(self, number: int) -> str:
        """A line of the log, for messages."""
        return f"{self.path}, line {number}"

    def _follow(self, data: bytes) -> Self:
        number = len(self.lines) + 1
        where = self.where(number)
        line = self.parse(data, where)
        if line.number != number:
            raise Refused("wrong-number", f"{where}: number is {line.number}, expected {number}")
        if line.previous != self.head:
            before = f"the SHA-256 of line {number - 1} is" if self.lines else "a first line has"
            raise Refused(
                "broken-chain",
                f"{where}: previous is {line.previous[:12]}..., but {before} "
                f"{self.head[:12]}...: a line above was changed, put in or taken out",
            )
        if self.lines and line.date < self.lines[-1].date:
            raise Refused(
                "wrong-date",
                f"{where}: {line.date} is before {self.lines[-1].date}, the day of the line above",
            )
        self.check(line, where)
        return replace(self, lines=(*self.lines, line), head=hashlib.sha256(data).hexdigest())


def common(line: bytes, where: str, kind: type[L]) -> dict[str, Any]:
    """A line as an object with just the fields of its record, those of every line checked."""
    value = strict.fields(strict.loads(line, where), where, [*kind.__dataclass_fields__])
    return {
        **value,
        "number": strict.whole(value["number"], f"{where}: number", 1),
        "date": strict.day(value["date"], f"{where}: date"),
        "previous": strict.digest(value["previous"], f"{where}: previous"),
    }
