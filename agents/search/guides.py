"""Guides: who tells a search how good a node is.

| guide | reads | division |
|---|---|---|
| `policy` | the model's own log-probability per token | open |
| `value` | the model's value head; at the end, the verifier where it is public | open |
| `public` | the verifier, at the end of episodes, where the prompt alone lets anyone check | open |
| `oracle` | the verifier and the exact potential | oracle |
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agents.models.base import LanguageModel
from agents.search.ledger import Ledger
from agents.search.requests import Node, Value
from reason_env.env import ReasonEnv
from reason_env.errors import choose

GUIDES = ("policy", "value", "public", "oracle")


def check_guide(guide: str, model: LanguageModel, env: ReasonEnv) -> None:
    """Refuse a guide that cannot serve, before any work starts.

    Raises:
        ValueError: unknown, not public for this task, or the model has no value head.
    """
    choose(guide, GUIDES, "guide")
    if guide == "public" and not env.task.public_verifier:
        raise ValueError(
            f"The guide 'public' needs a task whose prompt alone lets anyone check a solution; "
            f"{env.task.name} is not one: use 'policy', 'value', or 'oracle' (its own division)"
        )
    if guide == "value" and not model.has_values:
        raise ValueError(
            "The guide 'value' needs a model with a value head, as reason-train expert-iteration "
            "and ppo make; this one has none: use 'policy' or 'public'"
        )


def default_guide(model: LanguageModel, env: ReasonEnv) -> str:
    """The strongest guide of the open division that the model and the task can serve."""
    if model.has_values:
        return "value"
    return "public" if env.task.public_verifier else "policy"


def verdicts(
    guide: str, nodes: Sequence[Node], env: ReasonEnv
) -> tuple[list[Value | None], Ledger]:
    """What the verifier lets this guide know; None where it is left to the model."""
    task = env.task
    reads_end = guide == "oracle" or (guide in ("value", "public") and task.public_verifier)
    values: list[Value | None] = []
    calls = 0
    for node in nodes:
        episode = node.snapshot.episode
        if node.done and not episode.stopped:
            # Its last line was cut and never played: it is no solution, nor can it become one.
            values.append(Value(0.0))
        elif guide == "policy":
            values.append(_by_policy(node))
        elif node.done and reads_end:
            calls += 1
            solved = task.is_solved(episode.problem, episode.state)
            values.append(Value(0.0, reward=float(solved), solved=solved))
        elif guide == "oracle":
            calls += 1
            values.append(Value(task.potential(episode.problem, episode.state)))
        elif guide == "public":
            values.append(Value(0.0))
        else:
            values.append(None)
    return values, Ledger(verifier_calls=calls)


def _by_policy(node: Node) -> Value:
    """Geometric mean probability of the tokens written so far, in [0, 1]."""
    tokens = sum(len(line) for line in node.tokens)
    return Value(math.exp(node.logprob / tokens) if tokens else 1.0)
