"""Which entries may be compared, in what order, and how each did by family of problems."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics import Estimate, wilson
from leaderboards.entries import Entry
from leaderboards.replays import Part
from leaderboards.verify import Score


@dataclass(frozen=True, slots=True)
class Share:
    """The score on a part of the suite: one family of problems, or one level of it.

    Attributes:
        accuracy: fraction solved, with Wilson's 95 % interval.
    """

    name: str
    episodes: int
    solved: int
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Row:
    """An entry and its place; entries with equal accuracy share a rank, and the next rank counts
    them all (1, 1, 3).

    Attributes:
        families, levels: the score in parts, in the suite's order.
    """

    rank: int
    entry: Entry
    families: tuple[Share, ...] = ()
    levels: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Entries that may be compared: one suite, one division."""

    suite: str
    division: str
    rows: tuple[Row, ...]


def rank(entries: Sequence[Entry]) -> tuple[Table, ...]:
    """Tables by suite and division, rows by accuracy and then by tokens spent."""
    groups: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        result = entry.result
        # A suite whose problems changed is another suite, whatever it is called.
        groups[result.suite, result.comparable, result.division].append(entry)
    tables = []
    # By name; the open division, which is what the board is about, before the oracle's.
    for (suite, _, division), group in sorted(groups.items(), key=_place):
        group.sort(key=lambda e: (-score(e).accuracy.value, score(e).tokens, e.id))
        values = [score(entry).accuracy.value for entry in group]
        rows = tuple(_row(1 + values.index(value), entry) for value, entry in zip(values, group))
        tables.append(Table(suite, division, rows))
    return tuple(tables)


def _place(group: tuple[tuple[str, str, str], list[Entry]]) -> tuple[str, str, bool]:
    suite, digest, division = group[0]
    return suite, digest, division == "oracle"


def _row(place: int, entry: Entry) -> Row:
    parts = score(entry).parts
    families: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        families[part.family].append(part)
    return Row(
        place,
        entry,
        tuple(_share(name, group) for name, group in families.items()),
        tuple(_share(part.name, [part]) for part in parts),
    )


def _share(name: str, parts: Sequence[Part]) -> Share:
    episodes, solved = sum(part.episodes for part in parts), sum(part.solved for part in parts)
    return Share(name, episodes, solved, wilson(solved, episodes))


def score(entry: Entry) -> Score:
    """The score of an entry, which always has one: nothing else is accepted."""
    assert entry.result.score is not None
    return entry.result.score
