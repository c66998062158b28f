"""Guides: who tells a search how good a node is.

| guide | reads | division |
|---|---|---|
| `policy` | the model's own log-probability per token | open |
| `value` | a value head; at the end, the verifier where it is public | open |
| `prm` | a process reward model: is the goal still in reach, is the last line right | open |
| `public` | the verifier, at the end of episodes, where the prompt alone lets anyone check | open |
| `oracle` | the verifier and the exact potential | oracle |
| `none` | nothing, for strategies that ask nobody | open |

Guides can be added up: `0.5*value+0.5*prm`, `prm+public`. A sum with the oracle in it is an oracle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agents.models.base import LanguageModel
from agents.search.ledger import Ledger
from agents.search.requests import Node, Value
from reason_env.env import ReasonEnv
from reason_env.errors import choose

GUIDES = ("policy", "value", "prm", "public", "oracle")
LEARNED = ("value", "prm")
"""Guides that a model serves."""
NOBODY = "none"
"""No guide: whoever asks it is told so. The default where nothing else can serve."""


class Unguided(ValueError):
    """A strategy asked a guide, and there is none."""


class Asked(NamedTuple):
    """A number that a model has to say.

    Attributes:
        place: of the node among those to be valued.
        weight: of the number in the node's value.
        name: the guide, one of `LEARNED`.
    """

    place: int
    weight: float
    name: str


@dataclass(frozen=True, slots=True)
class Guide:
    """One guide, or a weighted sum of several.

    Attributes:
        parts: weight (above 0) and name of each, names all different; none for `NOBODY`.
    """

    parts: tuple[tuple[float, str], ...]

    @classmethod
    def parse(cls, text: str) -> Guide:
        """Read `value`, `prm+public` or `0.5*value+0.5*prm`.

        Raises:
            ValueError: an unknown guide, naming the nearest, a guide named twice, or a weight that
                is not a number above 0.
        """
        if text.strip() == NOBODY:
            return cls(())
        parts: list[tuple[float, str]] = []
        for part in text.split("+"):
            weight, star, name = part.rpartition("*")
            name = choose(name.strip(), GUIDES, "guide")
            try:
                number = float(weight) if star else 1.0
            except ValueError:
                number = math.nan
            if not 0 < number < math.inf:
                raise ValueError(
                    f"Expected a weight above 0 before {name!r}, as in 0.5*value+0.5*prm; "
                    f"received {weight.strip()!r} in {text!r}"
                )
            if name in [known for _, known in parts]:
                raise ValueError(f"The guide {name!r} is named twice in {text!r}")
            parts.append((number, name))
        return cls(tuple(parts))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.parts)

    @property
    def oracle(self) -> bool:
        """Whether it puts a run in the oracle division."""
        return "oracle" in self.names

    @property
    def learned(self) -> bool:
        """Whether it reads a head of a model."""
        return not set(LEARNED).isdisjoint(self.names)

    def check(
        self, critic: LanguageModel, env: ReasonEnv, writer: LanguageModel | None = None
    ) -> None:
        """Refuse a guide that cannot serve, before any work starts.

        Args:
            critic: serves `value` and `prm`.
            writer: serves `policy`; None: the critic itself.

        Raises:
            ValueError: not public for this task, or the model lacks the head or log-probabilities.
        """
        if "policy" in self.names and not (writer or critic).has_logprobs:
            raise ValueError(
                "The guide 'policy' needs a model that gives log-probabilities, and this server "
                "gives none: use 'public' where the task has it, give a reward model, or use a "
                "strategy that asks no guide (greedy, sample, self_consistency)"
            )
        if "public" in self.names and not env.task.public_verifier:
            raise ValueError(
                f"The guide 'public' needs a task whose prompt alone lets anyone check a solution; "
                f"{env.task.name} is not one: use 'policy', 'value', or 'oracle' (its own division)"
            )
        if "value" in self.names and not critic.has_values:
            raise ValueError(
                "The guide 'value' needs a model with a value head, as reason-train "
                "expert-iteration, ppo and reward-model make; this one has none: use 'policy' or "
                "'public', or give a reward model"
            )
        if "prm" in self.names and not critic.has_rewards:
            raise ValueError(
                "The guide 'prm' needs a process reward model, as reason-train reward-model makes; "
                "this model is none: use 'policy' or 'public', or give a reward model"
            )

    def _reads_ends(self, public: bool) -> bool:
        """Whether it asks the verifier what finished episodes are worth."""
        return self.oracle or (public and not {"value", "public"}.isdisjoint(self.names))

    def judge(
        self, nodes: Sequence[Node], env: ReasonEnv, ledger: Ledger
    ) -> tuple[list[Value], list[Asked]]:
        """What can be said without a model, charged to the ledger.

        Returns:
            A value per node as far as it goes, and what a model has to add to them.

        Raises:
            Unguided: there is nobody to ask.
        """
        if not self.parts:
            raise Unguided(
                f"This strategy asks a guide which way is better, and for {env.task.name} there is "
                "none: its verifier is private and the model gives neither values nor "
                "log-probabilities. Give a reward model, or use a strategy that asks no guide "
                "(greedy, sample, self_consistency)"
            )
        public = env.task.public_verifier
        values: list[Value] = []
        wanted: list[Asked] = []
        for index, node in enumerate(nodes):
            episode = node.episode
            if node.done and not node.lines:
                # Its last line was cut and never played: it is no solution, nor can it become one.
                # (Whether the episode goes on would tell if a private claim before it was right.)
                values.append(Value(0.0))
                continue
            solved = False
            if node.done and self._reads_ends(public):
                ledger.verifier_calls += 1
                solved = env.task.is_solved(episode.problem, episode.state)
            value = reward = 0.0
            for weight, name in self.parts:
                if name == "policy":
                    value += weight * _by_policy(node)
                elif name == "prm" or (name == "value" and not (node.done and public)):
                    wanted.append(Asked(index, weight, name))
                elif node.done:
                    reward += weight * solved
                elif name == "oracle":
                    ledger.verifier_calls += 1
                    value += weight * env.task.potential(episode.problem, episode.state)
            values.append(Value(value, reward, solved))
        return values, wanted


def check_guide(
    guide: str, critic: LanguageModel, env: ReasonEnv, writer: LanguageModel | None = None
) -> Guide:
    """The guide of that name, refused if it cannot serve (see `Guide.parse`, `Guide.check`)."""
    parsed = Guide.parse(guide)
    parsed.check(critic, env, writer)
    return parsed


def default_guide(
    critic: LanguageModel, env: ReasonEnv, writer: LanguageModel | None = None
) -> str:
    """The strongest guide of the open division that the models and the task can serve."""
    if critic.has_values:
        return "value"
    if env.task.public_verifier:
        return "public"
    return "policy" if (writer or critic).has_logprobs else NOBODY


def _by_policy(node: Node) -> float:
    """Geometric mean probability of the tokens written so far, in [0, 1]."""
    return math.exp(node.logprob / node.size) if node.size else 1.0
