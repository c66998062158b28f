"""Ranges that all trainers' configurations share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import Field, fields, is_dataclass
from typing import Any

from agents.learning.specs import EnvSpec
from reason_env.errors import choose


def check_config(config: Any) -> None:
    """Refuse a configuration that no run could follow.

    Whole numbers are 1 or more, others 0 or more, unless the field's metadata have another `least`;
    none is above its `most`, and words are among its `choices`.

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
        elif isinstance(value, int | float) and not isinstance(value, bool):
            _check_number(field, value)


def _check_number(field: Field[Any], value: float) -> None:
    least = field.metadata.get("least", 1 if field.type == "int" else 0)
    most = field.metadata.get("most", math.inf)
    if not least <= value <= most or math.isinf(value):
        expected = f"{least} or more" if math.isinf(most) else f"in {least}..{most}"
        raise ValueError(f"{field.name} must be {expected}, received {value}")


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
