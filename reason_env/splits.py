"""Content-addressed splits and independent random streams.

A problem's split follows from what the problem is, not from the seed that drew it, so no train
seed can ever yield a test problem.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from reason_env.errors import choose
from reason_env.problem import Problem
from reason_env.task import Task

SPLITS = {"train": range(800), "dev": range(800, 900), "test": range(900, 1000)}
_MAX_DRAWS = 10_000
_MASK = 2**64 - 1


def bucket(task: Task, problem: Problem) -> int:
    """A number in 0..999 that depends only on the problem's content."""
    text = f"{task.name}:{task.canonical(problem)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") % 1000


def split_of(task: Task, problem: Problem) -> str:
    """`train`, `dev` or `test`."""
    home = task.home(problem)
    if home is not None:
        return choose(home, SPLITS, "split")
    b = bucket(task, problem)
    return next(name for name, buckets in SPLITS.items() if b in buckets)


def draw(task: Task, rng: np.random.Generator, level: int, split: str) -> Problem:
    """Draw a problem of a split: from the family's pool, or by rejection.

    Raises:
        ValueError: an unknown level or split, naming the nearest, or one without problems.
        RuntimeError: the level has next to no problem in that split.
    """
    choose(level, task.levels, f"level of {task.name}")
    wanted = choose(split, SPLITS, "split")
    pool = task.pool(level, split)
    if pool is not None:
        return pool[int(rng.integers(len(pool)))]
    for _ in range(_MAX_DRAWS):
        problem = task.generate(rng, level)
        if split_of(task, problem) == wanted:
            return problem
    raise RuntimeError(
        f"{_MAX_DRAWS} draws of {task.name} level {level} gave no {split} problem: "
        "the level has too few distinct problems"
    )


def stream_seed(*key: int | str) -> int:
    """A seed for the stream that `key` names; streams of different keys are independent.

    Never add an index to a seed: seed 1 item 1 would be seed 2 item 0.
    """
    # Hashed as a whole: SeedSequence by itself takes [1] and [1, 0] for the same.
    text = json.dumps([part if isinstance(part, str) else int(part) for part in key])
    entropy = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    # Gymnasium and JSON readers take signed 63-bit seeds.
    return int(state[0]) >> 1


def numbered_seed(seed: int, number: int) -> int:
    """Seed `number` (0, 1, ...) of the stream that a seed starts: `stream_seed` in a microsecond,
    for where there is one for every line that a model writes.

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    """
    z = (seed + 0x9E3779B97F4A7C15 * (number + 1)) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) >> 1
