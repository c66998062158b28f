"""How much of a bundle is another entry's? For those who review it; a count, not a verdict.

Two bundles with the same lines in every episode, white space aside, are one submission, and
`leaderboards.entries` refuses the second. A copyist who changes more than that is not found by a
rule: a line of thought added everywhere is no proof of anything, and on easy problems honest runs
write the same. So the closest entry is named with the number of episodes that are equal to its own,
and how many of those are mistakes: two may find the same right lines, but hardly the same wrong
ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from leaderboards import strict
from leaderboards.files import EPISODES, members
from leaderboards.strict import Refused

Episodes: TypeAlias = Mapping[int, tuple[Sequence[str], bool]]
"""Lines of each episode without their white space, and whether it is solved; by index."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a bundle shares with an entry.

    Attributes:
        entry: its id.
        episodes: of the bundle.
        same: episodes whose lines are the entry's, but for white space and added lines.
        mistakes: those of them that are not solved.
        equal: whether all lines of all episodes are the entry's, white space aside.
    """

    entry: str
    episodes: int
    same: int
    mistakes: int
    equal: bool

    def __str__(self) -> str:
        return (
            f"{self.same} of {self.episodes} episodes have the lines of {self.entry}, but for "
            f"white space and added lines; {self.mistakes} of these are not solved (the same "
            "mistakes are hardly made twice, the same right lines may be)"
        )


def closest(bundle: Path, others: Mapping[str, Path]) -> Overlap | None:
    """The entry that shares the most episodes with a bundle, if it shares at least half of them.

    Args:
        bundle: verified, and accepted.
        others: bundles of the entries to compare with, of the same suite, by id.
    """
    own = _read(bundle)
    found = []
    for entry, path in others.items():
        try:
            found.append(_overlap(own, entry, _read(path)))
        except (Refused, ValueError, TypeError, KeyError, OSError):
            continue  # it was removed, and perhaps because it cannot be read
    best = max(found, key=lambda overlap: (overlap.equal, overlap.same), default=None)
    return best if best is not None and 2 * best.same >= best.episodes else None


def _read(bundle: Path) -> Episodes:
    episodes = {}
    for file in members(bundle):
        if file.name == EPISODES:
            for line in file.lines():
                value: dict[str, Any] = strict.loads(line, EPISODES)
                written = ("".join(action.split()) for action in value["actions"])
                episodes[value["index"]] = ([text for text in written if text], value["solved"])
    return episodes


def _overlap(own: Episodes, entry: str, its: Episodes) -> Overlap:
    nothing: tuple[list[str], bool] = ([], False)
    pairs = [(lines, its.get(index, nothing)[0], solved) for index, (lines, solved) in own.items()]
    same = [solved for lines, others, solved in pairs if _is_same(lines, others)]
    equal = len(own) == len(its) and all(lines == others for lines, others, _ in pairs)
    return Overlap(entry, len(own), len(same), same.count(False), equal)


def _is_same(lines: Sequence[str], others: Sequence[str]) -> bool:
    """Whether one is the other, with or without more lines in between."""
    short, long = sorted((lines, others), key=len)
    rest = iter(long)
    return bool(short) and all(line in rest for line in short)
