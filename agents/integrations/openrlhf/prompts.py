"""Problems as OpenRLHF's prompt data sets: JSON lines of prompt, label and data source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.integrations.openrlhf.label import Label
from agents.integrations.problems import distinct_problems
from agents.learning.specs import EnvSpec


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
    found = distinct_problems(envs, count, seed, split, "openrlhf", reward=reward)
    return [
        Row(
            one.prompt,
            Label(
                one.spec.id,
                one.seed,
                {**dict(one.spec.kwargs), "split": split, "reward": reward},
                line_tokens,
            ),
            f"{one.spec.id.rpartition('/')[2]}-level{one.level}",
        )
        for one in found
    ]


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write a file of JSON lines."""
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
