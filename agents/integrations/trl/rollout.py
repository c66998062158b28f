"""Multi-turn rollouts: a line at a time, with the environment's feedback."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from agents.integrations.trl.prompts import PROBLEM, begun
from agents.integrations.trl.rewards import WRITTEN
from agents.learning.rollout import rollout
from agents.models.export import bos_tokenizer
from agents.models.hf import HFModel


@dataclass(frozen=True)
class EnvRollout:
    """A rollout function for `rollout_func=`; make it with `rollout_function`."""

    problems: dict[str, str] = field(repr=False)
    line_tokens: int

    def __call__(self, prompts: Sequence[str], trainer: Any) -> dict[str, Any]:
        """Play one episode for each prompt (TRL repeats them `num_generations` times).

        Raises:
            ValueError: a prompt of another data set, another tokenizer than ours, vLLM, or
                `mask_truncated_completions`.
        """
        if trainer.processing_class.get_vocab() != bos_tokenizer().get_vocab():
            raise ValueError("rollout_function needs processing_class=bos_tokenizer()")
        if trainer.use_vllm:
            raise ValueError("rollout_function samples itself: leave out use_vllm")
        if trainer.mask_truncated_completions:
            raise ValueError(
                "Episodes that end by a line have no <eos>, and TRL takes them for truncated: "
                "leave out mask_truncated_completions"
            )
        for prompt in prompts:
            if prompt not in self.problems:
                raise ValueError(f"The prompt {prompt!r:.200} is not in rollout_function's rows")
        network = trainer.accelerator.unwrap_model(trainer.model)
        network = network.get_base_model() if hasattr(network, "peft_type") else network
        training = network.training
        network.eval()
        try:
            trajectories = rollout(
                HFModel(network),
                [copy.copy(begun(self.problems[prompt], "", 1.0)) for prompt in prompts],
                # TRL seeds torch's stream, per process, and stores it with its checkpoints.
                seed=int(torch.randint(2**62, ())),
                temperature=trainer.temperature,
                line_tokens=self.line_tokens,
            )
        finally:
            network.train(training)
        starts = [trajectory.actions.index(True) for trajectory in trajectories]
        return {
            "prompt_ids": [list(t.tokens[:n]) for t, n in zip(trajectories, starts)],
            "completion_ids": [list(t.tokens[n:]) for t, n in zip(trajectories, starts)],
            "env_mask": [[int(a) for a in t.actions[n:]] for t, n in zip(trajectories, starts)],
            "logprobs": None,  # TRL computes them
            WRITTEN: [[x for x, a in zip(t.tokens, t.actions) if a] for t in trajectories],
        }


def rollout_function(rows: Any, line_tokens: int = 32) -> EnvRollout:
    """Multi-turn episodes: the model writes a line, reads the feedback, and goes on.

    For our own checkpoints and `bos_tokenizer`, without vLLM. `rollout_func` is experimental in
    TRL, which says so in a warning. Of TRL's sampling options only `temperature` counts, and the
    environment's budgets take the place of `max_completion_length`. (In TRL's log, `clipped_ratio`
    then counts episodes that did not end by `<eos>`: that is no fault.)

    Args:
        rows: the data sets' rows of `prompt` and `problem`, all that are trained or evaluated on.
        line_tokens: a line that is not ended within so many tokens is given up there.

    Raises:
        ValueError: prompts that are messages, or one that stands for two problems.
    """
    problems: dict[str, str] = {}
    for row in rows:
        prompt, problem = row["prompt"], row[PROBLEM]
        if not isinstance(prompt, str):
            raise ValueError(f"Expected prompts of plain text, received {prompt!r:.200}")
        if problems.setdefault(prompt, problem) != problem:
            raise ValueError(f"The prompt {prompt!r:.200} stands for two problems of the rows")
    return EnvRollout(problems, line_tokens)
