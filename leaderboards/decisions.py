"""Decisions on entries, in a log that only grows: `decisions.jsonl` in the folder of the entries.

    {"number": 1, "date": "2026-01-02", "entry": "...", "action": "remove", "reason": "...",
     "previous": "0000..."}

An entry is removed or reinstated; or it was checked further than by replay, which raises its tier
(see `leaderboards.regenerate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from leaderboards import strict
from leaderboards.chain import Chain, common
from leaderboards.strict import Refused

DECISIONS = "decisions.jsonl"
REMOVE, REINSTATE = "remove", "reinstate"
REPLAYED, SPOT_REGENERATED, RERUN = TIERS = ("replayed", "spot-regenerated", "rerun")
"""How far an entry was checked, from the least to the most."""
ACTIONS = (REMOVE, REINSTATE, *TIERS[1:])
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the log.

    Attributes:
        number, date, previous: see `leaderboards.chain.Line`.
        entry: id of the entry.
        action: `remove`, `reinstate` for one that was removed, or the tier that it has from then
            on.
        reason: for the public; the rules for submitters' texts hold.
    """

    number: int
    date: str
    entry: str
    action: str
    reason: str
    previous: str


class Log(Chain[Decision]):
    """All decisions, checked."""

    @property
    def removed(self) -> Mapping[str, Decision]:
        """The entries that are removed as things stand, with the decision that did it."""
        last = {line.entry: line for line in self.lines if line.action in (REMOVE, REINSTATE)}
        return {entry: by for entry, by in last.items() if by.action == REMOVE}

    def of(self, entry: str) -> tuple[Decision, ...]:
        """What was decided on an entry."""
        return tuple(line for line in self.lines if line.entry == entry)

    def decide(self, entry: str, action: str, reason: str, date: str) -> Decision:
        """Add a line to the file.

        Raises:
            Refused: the decision breaks a rule, or does not follow from the ones before.
        """
        decision = Decision(len(self.lines) + 1, date, entry, action, reason, self.head)
        self.append(decision)
        return decision

    def parse(self, line: bytes, where: str) -> Decision:
        value = common(line, where, Decision)
        return Decision(
            value["number"],
            value["date"],
            strict.line_of_text(value["entry"], f"{where}: entry", 100),
            strict.one_of(value["action"], f"{where}: action", ACTIONS),
            strict.line_of_text(value["reason"], f"{where}: reason", MAX_REASON),
            value["previous"],
        )

    def check(self, line: Decision, where: str) -> None:
        removed, tier = line.entry in self.removed, tier_of(self.of(line.entry))
        state = ""
        if line.action == REINSTATE and not removed:
            state = "not removed"
        elif line.action != REINSTATE and removed:
            state = "removed already" if line.action == REMOVE else "removed"
        elif line.action in TIERS and TIERS.index(line.action) <= TIERS.index(tier):
            state = f"{tier} already"
        if state:
            raise Refused("wrong-action", f"{where}: {line.action} {line.entry}, which is {state}")


def tier_of(decisions: Iterable[Decision]) -> str:
    """How far an entry was checked that these decisions are about."""
    reached = [TIERS.index(by.action) for by in decisions if by.action in TIERS]
    return TIERS[max(reached, default=0)]


def read_log(entries: str | Path) -> Log:
    """The log of a folder of entries; without a file there: no decisions.

    Raises:
        Refused: the log is damaged (see `Chain.read`).
    """
    return Log.read(Path(entries) / DECISIONS)
