"""The audits of `reason_env.checks` as a table: what is true of each level of a family."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reason_env import Task
from reason_env.checks import (
    audit_expert,
    audit_exploits,
    audit_potential,
    audit_problems,
    audit_shaping,
)
from reason_env.splits import draw

HEADER = (
    "level",
    "solved",
    "lines",
    "tokens",
    "prompt",
    "repeats",
    "exploit",
    "chance",
    "states",
)


def audit_rows(task: Task, problems: int = 200, seed: int = 0) -> Iterator[list[str]]:
    """A row of `HEADER` for every level.

    Columns: problems that the expert solves; mean lines and tokens of its solutions and tokens of
    the compact prompt; share of repeated problems among 1,000 draws; the largest share that an
    exploit solves, and the stated chance; states of five problems in which the potential was
    compared with exhaustive search.

    Raises:
        ConformanceError: an audit fails.
        ValueError: only the answers of the family are verified.
    """
    if not task.has_steps:
        raise ValueError(f"The steps of {task.name} are not verified: there is nothing to audit")
    for level in task.levels:
        solved = len(audit_expert(task, level, problems, seed))
        facts = audit_problems(task, level, draws=1000, seed=seed)
        exploits = audit_exploits(task, level, problems, seed)
        worst = max(exploits, key=exploits.__getitem__)
        audit_shaping(task, level, seed=seed)
        rng = np.random.default_rng([seed, level])
        small = [draw(task, rng, level, "train") for _ in range(5)]
        states = sum(audit_potential(task, problem) for problem in small)
        yield [
            str(level),
            f"{solved}/{problems}",
            f"{facts.lines:.1f}",
            f"{facts.tokens:.0f}",
            f"{facts.prompt_tokens:.0f}",
            f"{100 * facts.duplicates:.1f} %",
            f"{100 * exploits[worst]:.1f} % ({worst})" if exploits[worst] else "0",
            f"{100 * task.chance(level):.1f} %",
            f"{states:,}" if states else "-",
        ]
