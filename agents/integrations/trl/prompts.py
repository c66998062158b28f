"""Problems as prompts, and back."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from agents.integrations.problems import distinct_problems
from agents.learning.specs import EnvSpec
from reason_env.env import ReasonEnv
from reason_env.errors import choose, require
from reason_env.rewards import RewardConfig

PROBLEM = "problem"
"""The column that says which problem a prompt is: JSON of environment id, kwargs and seed."""


def prompt_dataset(
    specs: Sequence[EnvSpec | str],
    count: int,
    seed: int,
    split: str = "train",
    feedback: bool = False,
    chat: bool = False,
) -> Any:
    """Problems that differ in content, from the environments in turn.

    Args:
        specs: of step granularity, `EnvSpec` or their text.
        count: problems in all.
        seed: of the draws; the first rows of a longer data set are those of a shorter one.
        split: `train`, or `dev` for `eval_dataset`. (Test problems are for `reason-bench`.)
        feedback: take environments that answer (`feedback=state`, `on_invalid=feedback`): the
            model sees what they say under `rollout_function`, and only there.
        chat: make each prompt a user's message, for models with a chat template.

    Returns:
        A `datasets.Dataset` with `prompt` and `problem`; the solution is in neither.

    Raises:
        ValueError: no problem asked for, a spec that cannot be made or does not suit, or too few
            problems.
        MissingExtra: datasets is not installed.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be a whole number of 1 or more, received {count!r}")
    if isinstance(specs, str | EnvSpec):
        specs = [specs]
    if not specs:
        raise ValueError("Expected one or more environments, received none")
    choose(split, ["train", "dev"], "split of a prompt data set")
    parsed = [EnvSpec.parse(spec) if isinstance(spec, str) else spec for spec in specs]
    for spec in parsed:
        _check_spec(spec, split, feedback)
    rows: dict[str, list[Any]] = {"prompt": [], PROBLEM: []}
    for one in distinct_problems(parsed, count, seed, split, "trl"):
        prompt = [{"role": "user", "content": one.prompt}] if chat else one.prompt
        kwargs = {**dict(one.spec.kwargs), "split": split}
        value = {"env": one.spec.id, "kwargs": kwargs, "seed": one.seed}
        rows["prompt"].append(prompt)
        rows[PROBLEM].append(json.dumps(value, sort_keys=True))
    return require("datasets", "trl").Dataset.from_dict(rows)


def _check_spec(spec: EnvSpec, split: str, feedback: bool) -> None:
    kwargs = dict(spec.kwargs)
    if kwargs.get("split", split) != split:
        raise ValueError(f"Expected {split} problems, received {spec}: leave out its split")
    if "reward" in kwargs:
        raise ValueError(f"The reward is reward_function's: leave it out of {spec}")
    env = spec.make(split=split)
    if not feedback and (env.feedback != "none" or env.on_invalid != "end"):
        raise ValueError(
            f"GRPOTrainer lets a model write in one go, so it would not see the feedback of "
            f"{spec}: leave out its feedback and on_invalid, or give feedback=True and train with "
            "rollout_function"
        )
    try:
        json.dumps(kwargs)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The arguments of {spec} must be JSON values: {error}") from error


@lru_cache(maxsize=1024)
def begun(problem: str, granularity: str, gamma: float) -> ReasonEnv:
    """An environment reset to a problem: to be copied, never to be stepped.

    Args:
        problem: as in that column.
        granularity: `` (lines) or `Episode`.
        gamma: discount of the shaping.

    Raises:
        ValueError: the problem is not one of ours.
    """
    try:
        value = json.loads(problem)
        name, kwargs, seed = value["env"], json.dumps(value["kwargs"]), int(value["seed"])
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"Expected a {PROBLEM!r} made by prompt_dataset, received {problem!r:.200}"
        ) from error
    env = copy.copy(_made(name, kwargs, granularity, gamma))
    env.reset(seed=seed)
    return env


@lru_cache(maxsize=64)
def _made(name: str, kwargs: str, granularity: str, gamma: float) -> ReasonEnv:
    """The environment of an id of step granularity, or the same at another granularity."""
    spec = EnvSpec(name, tuple(json.loads(kwargs).items()))
    reward = RewardConfig(gamma=gamma)
    if not granularity:
        return spec.make(reward=reward)
    other: ReasonEnv = spec.make_at(granularity, reward=reward)
    return other
