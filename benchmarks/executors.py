"""Where the chunks of a run are played: in this process, or by workers side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.players import Played, Player, PlayerSpec
from benchmarks.suite import Item

Chunk = Sequence[tuple[Item, int]]
"""Items, each with the seed of its search."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A chunk that was played.

    Attributes:
        usage: what a server says of the requests for it; empty for other models.
    """

    pairs: Sequence[tuple[Item, Played]]
    usage: Mapping[str, Any] = field(default_factory=dict)


Executor = Callable[[Sequence[Chunk], Collection[int]], Iterator[Batch]]
"""Plays chunks and gives them back in any order, each once. The second argument has the indices of
the episodes whose search trees are asked for; others may be left out."""


def local(player: Player) -> Executor:
    """One chunk after the other, in this process."""

    def run(chunks: Sequence[Chunk], trees: Collection[int]) -> Iterator[Batch]:
        for chunk in chunks:
            yield play_chunk(player, chunk)

    return run


def play_chunk(player: Player, chunk: Chunk) -> Batch:
    """One chunk, with what it cost at a server if the player's model is one."""
    before = usage_of(player)
    played = player([item for item, _ in chunk], [seed for _, seed in chunk])
    pairs = list(zip((item for item, _ in chunk), played, strict=True))
    return Batch(pairs, _since(before, usage_of(player)))


def usage_of(player: Player) -> Mapping[str, Any]:
    """What the player's model has used so far, if it counts that."""
    count = getattr(getattr(player, "model", None), "usage", None)
    return count() if callable(count) else {}


def _since(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers less those of before; anything else as it is."""
    return {
        key: value - before[key]
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and before.get(key) is not None
        else value
        for key, value in after.items()
    }


def _local(spec: PlayerSpec, player: Player, workers: int | None) -> Executor:
    if workers is not None:
        raise ValueError(f"workers={workers} is for the executor ray; here it is local")
    return local(player)


def _ray(spec: PlayerSpec, player: Player, workers: int | None) -> Executor:
    from benchmarks.ray_executor import on_ray

    return on_ray(spec, player, workers)


EXECUTORS: dict[str, Callable[[PlayerSpec, Player, int | None], Executor]] = {
    "local": _local,
    "ray": _ray,
}
"""By name: makes an executor of what is to play, the player as loaded here, and a number of
workers."""
