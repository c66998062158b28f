"""What OpenRLHF hands an agent besides the prompt: which episode it is, and no solution."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from agents.learning.specs import EnvSpec
from reason_env.env import ReasonEnv
from reason_env.errors import choose
from reason_env.tokens import EpisodeEnv


@dataclass(frozen=True, slots=True)
class Label:
    """An episode that any process can start: the seed draws the same problem everywhere.

    Attributes:
        env: id of step granularity, with or without the `reason_env/` in front.
        kwargs: the environment's keyword arguments, JSON values.
        seed: of its reset.
        line_tokens: a line that is not ended within so many tokens is given up there; None: only
            the environment's own budget ends it.
    """

    env: str
    seed: int
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    line_tokens: int | None = None

    @classmethod
    def parse(cls, text: str) -> Label:
        """Read what `str` wrote.

        Raises:
            ValueError: no JSON object, an unknown field, or a missing one.
        """
        try:
            value = json.loads(text)
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"Expected a label with env, seed and kwargs as JSON, received {text!r:.200}. Is "
                "--data.label_key label set, and the prompt file one of ours?"
            ) from error
        if not isinstance(value, dict) or not {"env", "seed"} <= value.keys():
            raise ValueError(f"Expected a label with env and seed, received {text!r:.200}")
        for key in value:
            choose(key, [known.name for known in fields(cls)], "field of a label")
        return cls(**value)

    def __str__(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    def start(self) -> ReasonEnv:
        """The environment at the beginning of the episode.

        Raises:
            ValueError: no such id, argument or value, naming the nearest.
        """
        env = self._spec.make()
        env.reset(seed=self.seed)
        return env

    def start_text(self) -> EpisodeEnv:
        """The same problem at episode granularity: one action is the whole text."""
        env: EpisodeEnv = self._spec.make_at("Episode")
        env.reset(seed=self.seed)
        return env

    @property
    def _spec(self) -> EnvSpec:
        return EnvSpec(self.env, tuple(self.kwargs.items()))
