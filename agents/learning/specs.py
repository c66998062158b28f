"""Which environments to train on, as one line of text: `Countdown-v0:level=1,feedback=state`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gymnasium

from reason_env.env import ReasonEnv, make_env
from reason_env.errors import choose


@dataclass(frozen=True, slots=True)
class EnvSpec:
    """An environment id (step granularity) and its keyword arguments.

    Attributes:
        id: with or without the `reason_env/` in front.
        kwargs: pairs of name and value.
    """

    id: str
    kwargs: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def parse(cls, text: str) -> EnvSpec:
        """Read `ID:name=value,name=value`; values are JSON, or plain words.

        Raises:
            ValueError: an entry without `=`.
        """
        name, _, rest = text.partition(":")
        pairs = []
        for entry in rest.split(",") if rest else []:
            key, equals, value = entry.partition("=")
            if not equals:
                raise ValueError(f"Expected name=value in {text!r}, received {entry!r}")
            pairs.append((key.strip(), _value(value.strip())))
        return cls(name.strip(), tuple(pairs))

    def __str__(self) -> str:
        pairs = ",".join(f"{key}={value}" for key, value in self.kwargs)
        return f"{self.id}:{pairs}" if pairs else self.id

    def make(self, **overrides: Any) -> ReasonEnv:
        """The bare environment; `overrides` win over the spec's own arguments.

        Raises:
            ValueError: no such id, argument or value, naming the nearest.
        """
        name = self.id if "/" in self.id else f"reason_env/{self.id}"
        return make_env(name, {**dict(self.kwargs), **overrides})

    def make_at(self, granularity: str, **overrides: Any) -> Any:
        """The same at another granularity: a `TokenEnv` for `Token`, an `EpisodeEnv` for `Episode`.

        Raises:
            ValueError: as for `make`, and another granularity.
        """
        choose(granularity, ("Token", "Episode"), "granularity")
        step = self.make(**overrides)
        assert step.spec is not None
        family, _, version = step.spec.id.rpartition("-")
        kwargs = {**dict(self.kwargs), **overrides}
        name = f"{family}-{granularity}-{version}"
        return gymnasium.make(name, disable_env_checker=True, **kwargs).unwrapped


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
