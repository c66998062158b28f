"""Ranges that all trainers' configurations share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from agents.learning.specs import EnvSpec
from reason_env.errors import choose

_FROM_ZERO = {
    "filter_rounds",
    "first_batch",
    "leaves",
    "lora",
    "micro_batch",
    "overlong_buffer",
    "seed",
    "warmup",
    "workers",
}
_SHARES = {
    "alternatives",
    "analysis",
    "checks",
    "corrections",
    "decay_from",
    "expert_share",
    "final",
    "gamma",
    "lam",
    "subgoals",
}


def check_config(config: Any) -> None:
    """Refuse a configuration that no run could follow.

    Whole numbers are 1 or more (those of `_FROM_ZERO`: 0 or more), shares and discounts from 0 to
    1, all other numbers 0 or more, and words among the field's `choices`.

    Raises:
        ValueError: names the field, what it must be and what it is.
    """
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            check_config(value)
        elif field.name == "envs":
            _check_envs(value, paid=hasattr(config, "reward"))
        elif "choices" in field.metadata:
            choose(value, field.metadata["choices"], field.name)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            continue
        elif isinstance(value, int) and field.type == "int":
            least = 0 if field.name in _FROM_ZERO else 1
            if value < least:
                raise ValueError(f"{field.name} must be {least} or more, received {value}")
        elif field.name in _SHARES and not 0 <= value <= 1:
            raise ValueError(f"{field.name} must be in 0..1, received {value}")
        elif not 0 <= value < math.inf:
            raise ValueError(f"{field.name} must be 0 or more, received {value}")


def _check_envs(envs: Sequence[EnvSpec], paid: bool) -> None:
    if not envs:
        raise ValueError("envs must name one environment or more")
    for spec in envs:
        split = dict(spec.kwargs).get("split", "train")
        if split != "train":
            raise ValueError(
                f"Training draws problems of the train split only, received split={split} in "
                f"{spec}: leave it out"
            )
        if paid and "reward" in dict(spec.kwargs):
            raise ValueError(f"The reward is a setting of the trainer's: leave it out of {spec}")
        # An id, argument or data file that can't serve is named here, before any work starts.
        spec.make(split="train").reset(seed=0)
