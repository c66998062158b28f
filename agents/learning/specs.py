"""Which environments to train on, as one line of text: `Countdown-v0:level=1,feedback=state`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from reason_env.env import ReasonEnv, make_env


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


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
