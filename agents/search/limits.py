"""Is a budget of generated tokens enough for anything?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from reason_env.env import ReasonEnv


def check_budget(envs: Iterable[ReasonEnv], budget_tokens: int) -> None:
    """Refuse a budget within which not one of the problems could be answered.

    Args:
        envs: reset, one per problem.
        budget_tokens: most tokens that a model may write per problem.

    Raises:
        ValueError: names the shortest answer.
    """
    shortest: list[int] = []
    for env in envs:
        if budget_tokens >= env.max_tokens:
            return
        needed = answer_tokens(env)
        if needed is None or needed <= budget_tokens:
            return
        shortest.append(needed)
    if shortest:
        raise ValueError(
            f"budget_tokens={budget_tokens} is below one answer: the shortest answer to "
            f"{'this problem' if len(shortest) == 1 else f'these {len(shortest)} problems'} takes "
            f"{min(shortest)} tokens"
        )


def answer_tokens(env: ReasonEnv) -> int | None:
    """Tokens of an expert's answer from here: of all its lines, or of the `answer:` line alone
    where nothing need come before it. None where the expert does not know one."""
    rng = np.random.default_rng(0)
    episode = env.episode
    start = before = episode.tokens
    while not episode.stopped:
        line = env.task.expert_step(episode.problem, episode.state, rng)
        if line is None:
            return None
        before = episode.tokens
        episode = env.follow(episode, env.short(line)).episode
    return episode.tokens - (before if env.task.asks_answer else start)
