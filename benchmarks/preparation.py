"""What a run plays and who plays it, all checked before any work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.players import Player, PlayerSpec, Searcher, defaults_of
from benchmarks.suite import Item, Resolved, Suite, load_suite, resolve
from reason_env.errors import choose
from reason_env.splits import stream_seed


def check_arguments(
    spec: PlayerSpec,
    *,
    seed: int,
    chunk: int = 1,
    trees: int = 0,
    workers: int | None = None,
) -> None:
    """Refuse what cannot be run, before any work.

    Raises:
        ValueError: says what is wrong.
    """
    if (spec.model is None) == (spec.agent is None):
        raise ValueError("A run needs a model or an agent, and not both")
    limits = (spec.budget_tokens, spec.line_tokens)
    settings = (spec.options, spec.guide, spec.reward_model, spec.server)
    if spec.agent is not None and (any(settings) or limits != (None, None)):
        raise ValueError(
            "Budget, line limit, strategy options, guide, reward model and server settings are for "
            "models, not for agents"
        )
    if spec.prompt is not None:
        choose(spec.prompt, ["compact", "verbose"], "prompt")
    least = {"budget_tokens": (1, spec.budget_tokens), "line_tokens": (1, spec.line_tokens)}
    least |= {"chunk": (1, chunk), "trees": (0, trees), "seed": (0, seed), "workers": (1, workers)}
    for name, (low, number) in least.items():
        if number is not None and number < low:
            raise ValueError(f"{name} must be {low} or more, received {number}")


def prepare(
    spec: PlayerSpec, problems: Resolved, seed: int
) -> tuple[Player, dict[str, Any], dict[str, Any]]:
    """The player, and what of it decides the episodes: a manifest's `config` and `defaults`.

    Raises:
        ValueError: settings with which the problems cannot be played.
    """
    config: dict[str, Any] = {
        "suite": problems.suite.to_json(),
        "limit": problems.limit,
        "suite_hash": problems.hash,
        "model_digest": None,
        "strategy": None,
        "options": {},
        "agent": spec.agent,
        "budget_tokens": None,
        "seed": seed,
        **({"prompt": spec.prompt} if spec.prompt else {}),
    }
    if spec.agent is not None:
        return spec.build(), config, {}
    defaults = defaults_of(spec.strategy, spec.options)  # a typo need not wait for the weights
    player = spec.build()
    assert isinstance(player, Searcher)
    player.check(problems.items)
    style = player.model.prompt_style
    if spec.prompt and style not in (None, spec.prompt):
        raise ValueError(f"This model is always asked in the {style} style, received {spec.prompt}")
    critic = player.reward_model
    config |= {
        "model_digest": player.model.digest,
        "strategy": spec.strategy,
        "options": {
            **spec.options,
            **({"guide": spec.guide} if spec.guide else {}),
            **({"reward_model": critic.digest[:12]} if critic else {}),
        },
        "budget_tokens": spec.budget_tokens,
        **(
            {}
            if spec.line_tokens == problems.suite.line_tokens
            else {"line_tokens": spec.line_tokens}
        ),
    }
    return player, config, defaults


def drawn(suite: str | Path | Suite | Resolved, limit: int | None) -> Resolved:
    """The suite's problems."""
    if not isinstance(suite, Resolved):
        return resolve(suite if isinstance(suite, Suite) else load_suite(suite), limit)
    if limit is not None:
        raise ValueError(
            f"limit {limit} is for a suite whose problems are not drawn yet: give it to resolve"
        )
    return suite


def shard_of(problems: Resolved, shard: tuple[int, int] | None) -> range:
    """Indices of a shard's episodes.

    Raises:
        ValueError: no such shard, or one without an episode.
    """
    first, step = shard or (1, 1)
    if not 1 <= first <= step:
        raise ValueError(f"A shard is I/N with I from 1 to N, received {first}/{step}")
    indices = range(first - 1, len(problems.items), step)
    if not indices:
        raise ValueError(f"Shard {first}/{step} of {len(problems.items)} episodes has none")
    return indices


def search_seed(seed: int, item: Item) -> int:
    """The seed of an episode's search."""
    # From the problem, not from its place: a problem is sampled alike in every suite.
    return stream_seed("search", seed, item.problem)
