"""Decisions on entries, in a log that only grows: `decisions.jsonl` in the folder of the entries.

    {"number": 1, "date": "2026-01-02", "entry": "...", "action": "remove", "reason": "...",
     "previous": "0000..."}

`previous` is the SHA-256 of the line before, without its newline (of the first line: 64 zeros), so
that a change of an earlier line is noticed. Nothing in a file vouches for its last line: for that
the board shows its hash (`Log.head`), and Git has the history.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leaderboards import strict
from leaderboards.strict import Refused

DECISIONS = "decisions.jsonl"
REMOVE, REINSTATE = ACTIONS = ("remove", "reinstate")
MAX_REASON = 500
_START = "0" * 64


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the log.

    Attributes:
        number: from 1 on, without a gap.
        date: day, as YYYY-MM-DD; never before that of the line above.
        entry: id of the entry.
        action: `remove`, or `reinstate` for one that was removed.
        reason: for the public; the rules for submitters' texts hold.
        previous: SHA-256 of the line before.
    """

    number: int
    date: str
    entry: str
    action: str
    reason: str
    previous: str

    def to_line(self) -> bytes:
        """The line, without its newline."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True, slots=True)
class Log:
    """All decisions, checked.

    Attributes:
        head: SHA-256 of the last line.
    """

    path: Path
    decisions: tuple[Decision, ...] = ()
    head: str = _START

    @property
    def removed(self) -> Mapping[str, Decision]:
        """The entries that are removed as things stand, with the decision that did it."""
        last = {decision.entry: decision for decision in self.decisions}
        return {entry: by for entry, by in last.items() if by.action == REMOVE}

    def of(self, entry: str) -> tuple[Decision, ...]:
        """What was decided on an entry."""
        return tuple(decision for decision in self.decisions if decision.entry == entry)

    def where(self, number: int) -> str:
        """A line of the log, for messages."""
        return f"{self.path}, line {number}"

    def append(self, entry: str, action: str, reason: str, date: str) -> Decision:
        """Add a line to the file.

        Raises:
            Refused: the decision breaks a rule, or does not follow from the ones before.
        """
        decision = Decision(len(self.decisions) + 1, date, entry, action, reason, self.head)
        _follow(self, decision.to_line())
        with self.path.open("ab") as file:
            file.write(decision.to_line() + b"\n")
        return decision


def read_log(entries: str | Path) -> Log:
    """The log of a folder of entries; without a file there: no decisions.

    Raises:
        Refused: a line that is not valid, does not follow from the ones before, or whose
            `previous` is not the hash of the line before.
    """
    path = Path(entries) / DECISIONS
    log = Log(path)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Refused("not-a-file", f"{path}: not a plain file")
    if not path.exists():
        return log
    *lines, rest = path.read_bytes().split(b"\n")
    for line in lines:
        log = _follow(log, line)
    if rest:
        raise Refused("cut-off", f"{log.where(len(lines) + 1)}: it has no newline")
    return log


def _follow(log: Log, line: bytes) -> Log:
    """The log with one more line.

    Raises:
        Refused: names the line and the rule that is broken.
    """
    number = len(log.decisions) + 1
    where = log.where(number)
    decision = _parse(line, where)
    if decision.number != number:
        raise Refused("wrong-number", f"{where}: number is {decision.number}, expected {number}")
    if decision.previous != log.head:
        before = f"the SHA-256 of line {number - 1} is" if log.decisions else "a first line has"
        raise Refused(
            "broken-chain",
            f"{where}: previous is {decision.previous[:12]}..., but {before} "
            f"{log.head[:12]}...: a line above was changed, put in or taken out",
        )
    if log.decisions and decision.date < log.decisions[-1].date:
        raise Refused(
            "wrong-date",
            f"{where}: {decision.date} is before {log.decisions[-1].date}, the day "
            "of the line above",
        )
    is_removed = decision.entry in log.removed
    if is_removed == (decision.action == REMOVE):
        state = "removed already" if is_removed else "not removed"
        raise Refused(
            "wrong-action", f"{where}: {decision.action} {decision.entry}, which is {state}"
        )
    return Log(log.path, (*log.decisions, decision), hashlib.sha256(line).hexdigest())


def _parse(line: bytes, where: str) -> Decision:
    value: dict[str, Any] = strict.fields(
        strict.loads(line, where), where, [*Decision.__dataclass_fields__]
    )
    return Decision(
        strict.whole(value["number"], f"{where}: number", 1),
        strict.day(value["date"], f"{where}: date"),
        strict.line_of_text(value["entry"], f"{where}: entry", 100),
        strict.one_of(value["action"], f"{where}: action", ACTIONS),
        strict.line_of_text(value["reason"], f"{where}: reason", MAX_REASON),
        strict.digest(value["previous"], f"{where}: previous"),
    )
