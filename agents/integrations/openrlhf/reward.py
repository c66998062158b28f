"""Rewards of texts that were written in one go: what `--reward.remote_url file.py` wants.

The model gets no feedback between its lines; they are judged one after the other, and a text that
ends before the episode does counts as given up, as at episode granularity.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agents.integrations.openrlhf.label import Label

_SPECIALS_AT_END = re.compile(r"(?:</?[|\uff5c]?[A-Za-z_\u2581]+[|\uff5c]?>)+\s*\Z")
"""`<eos>`, `</s>`, `<|im_end|>`: OpenRLHF decodes special tokens with the rest."""


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
    """Score whole texts.

    Args:
        queries: prompts with what was written after them.
        prompts: as exported.
        labels: likewise (`Label`).

    Returns:
        `rewards` (the environment's), `scores` (whether it was solved) and `extra_logs`, the mean
        reward terms: numbers where there is one text, as OpenRLHF asks, else lists.

    Raises:
        ValueError: a query does not begin with its prompt, or a label is not ours.
    """
    results = [_score(*sample) for sample in zip(queries, prompts, labels, strict=True)]
    rewards = [reward for reward, _ in results]
    scores = [terms["outcome"] for _, terms in results]
    logs = {
        f"env_{name}": sum(terms[name] for _, terms in results) / len(results)
        for name in ("outcome", "validity", "shaping")
    }
    if len(results) == 1:
        return {"rewards": rewards[0], "scores": scores[0], "extra_logs": logs}
    return {"rewards": rewards, "scores": scores, "extra_logs": logs}


def _score(query: str, prompt: str, label: str) -> tuple[float, dict[str, float]]:
    env = Label.parse(label).start_text()
    _, found, written = query.partition(prompt)
    if not found:
        raise ValueError(f"The query {query!r:.200} does not begin with its prompt {prompt!r:.200}")
    _, reward, _, _, info = env.step(_SPECIALS_AT_END.sub("", written))
    return float(reward), info["terms"]
