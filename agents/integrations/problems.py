"""Problems for somebody else's trainer: distinct, of one split, each drawn again by its seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as numbers
from typing import Any

from agents.learning.specs import EnvSpec
from reason_env.splits import stream_seed

_DRAWS_PER_PROBLEM = 300
"""Repeated draws after which a level is held to have no more problems."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A problem.

    Attributes:
        spec: its environment, as asked for.
        seed: `reset` with it, and the split that was asked for, gives the problem again.
        prompt: as the environment shows it.
        level: of the environment.
    """

    spec: EnvSpec
    seed: int
    prompt: str
    level: int


def distinct_problems(
    specs: Sequence[EnvSpec], count: int, seed: int, split: str, stream: str, **overrides: Any
) -> list[Drawn]:
    """Problems that differ in content, from the environments in turn.

    Args:
        count: how many in all.
        seed: of the draws: the first problems of a longer list are those of a shorter one.
        split: `train` or `dev`.
        stream: name of the trainer, so that no two see the same.
        overrides: keyword arguments that win over the specs' own.

    Raises:
        ValueError: an environment's level has too few problems.
    """
    draws = [_draws(spec, seed, split, stream, overrides) for spec in specs]
    seen: set[tuple[str, str]] = set()
    found: list[Drawn] = []
    while len(found) < count:
        turn = len(found) % len(specs)
        for _ in range(_DRAWS_PER_PROBLEM):
            content, drawn = next(draws[turn])
            if content not in seen:
                break
        else:
            raise ValueError(
                f"{specs[turn]} has too few {split} problems: after {len(found)} of {count}, "
                f"{_DRAWS_PER_PROBLEM} draws gave nothing new. Ask for fewer, or add levels"
            )
        seen.add(content)
        found.append(drawn)
    return found


def _draws(
    spec: EnvSpec, seed: int, split: str, stream: str, overrides: dict[str, Any]
) -> Iterator[tuple[tuple[str, str], Drawn]]:
    """Problems of one environment, and what they are; they may repeat."""
    env = spec.make(**{"split": split, **overrides})
    for number in numbers():
        drawn = stream_seed(stream, split, str(spec), seed, number)
        env.reset(seed=drawn)
        content = (env.task.name, str(env.task.canonical(env.episode.problem)))
        yield content, Drawn(spec, drawn, env.episode.text, env.level)
