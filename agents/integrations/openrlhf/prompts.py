"""Problems as OpenRLHF's prompt data sets: JSON lines of prompt, label and data source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as numbers
from pathlib import Path

from agents.integrations.openrlhf.label import Label
from agents.learning.specs import EnvSpec
from reason_env.splits import stream_seed

_DRAWS_PER_PROBLEM = 100
"""Repeated draws after which a level is held to have no more problems."""


@dataclass(frozen=True, slots=True)
class Row:
    """A problem.

    Attributes:
        prompt: as the environment shows it.
        label: which problem it is, without its solution.
        datasource: the environment, as the trainer's evaluation names it.
    """

    prompt: str
    label: Label
    datasource: str

    def __str__(self) -> str:
        row = {"prompt": self.prompt, "label": str(self.label), "datasource": self.datasource}
        return json.dumps(row)


def problems(
    envs: Sequence[EnvSpec],
    count: int,
    seed: int,
    split: str = "train",
    reward: str = "process",
    line_tokens: int | None = None,
) -> list[Row]:
    """Problems that differ in content, from the environments in turn.

    Args:
        count: how many in all.
        seed: of the draws: the first rows of a longer list are those of a shorter one.
        split: `train`, or `dev` for an evaluation.
        reward: preset that the agent is paid by.
        line_tokens: see `Label`.

    Raises:
        ValueError: an environment's level has too few problems.
    """
    streams = [_draws(spec, seed, split, reward, line_tokens) for spec in envs]
    seen: set[tuple[str, str]] = set()
    rows: list[Row] = []
    while len(rows) < count:
        spec = envs[len(rows) % len(envs)]
        for _ in range(_DRAWS_PER_PROBLEM):
            content, row = next(streams[len(rows) % len(envs)])
            if content not in seen:
                break
        else:
            raise ValueError(
                f"{spec} has too few {split} problems: after {len(rows)} of {count} rows, "
                f"{_DRAWS_PER_PROBLEM} draws gave nothing new. Ask for fewer, or add levels"
            )
        seen.add(content)
        rows.append(row)
    return rows


def _draws(
    spec: EnvSpec, seed: int, split: str, reward: str, line_tokens: int | None
) -> Iterator[tuple[tuple[str, str], Row]]:
    """Problems of one environment, and what they are; they may repeat."""
    env = spec.make(split=split, reward=reward)
    kwargs = {**dict(spec.kwargs), "split": split, "reward": reward}
    for number in numbers():
        drawn = stream_seed("openrlhf", split, str(spec), seed, number)
        env.reset(seed=drawn)
        problem = env.episode.problem
        label = Label(spec.id, drawn, kwargs, line_tokens)
        row = Row(env.episode.text, label, f"{spec.id.rpartition('/')[2]}-level{env.level}")
        yield (env.task.name, str(env.task.canonical(problem))), row


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write a file of JSON lines."""
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
