"""Rewards on the tokens that earned them: OpenRLHF adds an episode's rewards up and puts the sum on
its last token.

What is done, where an episode has step rewards r_1 .. r_n, R their sum:

- Length penalties, group baselines, normalisation and clipping act on R as in OpenRLHF, and give
  the episode's reward S. (`rloo`, `reinforce_baseline`, `dr_grpo` and `flash_reinforce` subtract a
  baseline b, S = R - b; `group_norm` also divides by the group's deviation d, S = (R - b) / d.)
- Each r_k then stands on the token that ends its line, divided by d for `group_norm`; what is left
  of S (baseline, penalty, clipping) stays on the last token. The sum stays S, so the first token's
  undiscounted return is OpenRLHF's; a later token's no longer has what was earned before it.
- The penalty for leaving the reference model stands on every token, as in OpenRLHF, and whitening
  follows as there.
- Time is the agent's own tokens: returns, discounts and GAE step over what the environment wrote.
  (OpenRLHF goes through it with value 0, which is right only at gamma = lambda = 1.)

Without feedback, and with all of R on the last token, this is OpenRLHF's result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

KEY = "step_rewards"
"""Of the agent's response, and in `Experience.info` between the two classes."""


def reward_row(response: dict[str, Any], max_length: int) -> torch.Tensor:
    """An episode's step rewards where its experience has its action mask.

    Args:
        response: of `AgentExecutor`.
        max_length: sequences are cut to that.

    Returns:
        float32 (1, A): place t is that of token t + 1, A = tokens - 1.

    Raises:
        ValueError: the response has no step rewards.
    """
    if KEY not in response:
        raise ValueError(
            f"A rollout without {KEY!r}: they come from agents.integrations.openrlhf.agent "
            "(--train.agent_func_path); for other agents start openrlhf.cli.train_ppo_ray"
        )
    row = torch.zeros(len(response["observation_tokens"]))
    for place, reward in response[KEY]:
        row[place] += reward
    return row[None, 1:max_length]


def moves(steps: torch.Tensor, action_mask: torch.Tensor) -> torch.Tensor:
    """What moves an episode's reward from its last token to where it was earned.

    Args:
        steps: step rewards (B, A).
        action_mask: 1 = the agent's token, (B, A).

    Returns:
        (B, A), to be added; the rows add up to 0.
    """
    size = action_mask.shape[1]
    last = size - 1 - action_mask.long().flip(1).argmax(1, keepdim=True)
    return steps.scatter_add(1, last, -steps.sum(1, keepdim=True))


def actions_first(action_mask: torch.Tensor) -> torch.Tensor:
    """Indices (B, A) that bring each row's action tokens, in their order, to its beginning."""
    return (action_mask == 0).long().argsort(dim=1, stable=True)


def subclasses(samples_generator: Any, experience_maker: Any) -> tuple[Any, Any]:
    """OpenRLHF's `SamplesGenerator` and `RemoteExperienceMaker`, with step rewards.

    (Made here, because importing theirs takes Ray and vLLM.)
    """

    class StepRewardSamplesGenerator(samples_generator):
        """Also keeps where the rewards were earned."""

        def _process_response_into_experience(
            self, response: dict[str, Any], **generate_kwargs: Any
        ) -> Any:
            experience = super()._process_response_into_experience(response, **generate_kwargs)
            experience.info[KEY] = reward_row(response, generate_kwargs.get("max_len", 2048))
            return experience

    class StepRewardExperienceMaker(experience_maker):
        """Puts them there before advantages are estimated."""

        _moves: Iterator[tuple[Any, torch.Tensor]]

        def compute_advantages_and_returns(self, experiences: list[Any]) -> list[Any]:
            """See the module. Takes the step rewards out of `info`, which is for the log.

            Raises:
                ValueError: an experience without step rewards.
                RuntimeError: OpenRLHF's method is not that of 0.11.2.
            """
            moved = []
            for experience in experiences:
                if KEY not in experience.info:
                    raise ValueError(f"An experience without {KEY!r}: who generated it?")
                steps = experience.info.pop(KEY)
                moved.append((experience, moves(steps, experience.action_mask)))
            self._moves = iter(moved)
            done = super().compute_advantages_and_returns(experiences)
            if next(self._moves, None) is not None:
                raise RuntimeError("OpenRLHF did not ask for every experience's returns once")
            return done

        def get_advantages_and_returns(
            self,
            values: torch.Tensor,
            rewards: torch.Tensor,
            action_mask: torch.Tensor,
            gamma: float,
            lambd: float,
        ) -> tuple[torch.Tensor, torch.Tensor]:
            """GAE; 0 at other than action tokens."""
            rewards = self._moved(rewards)
            order = actions_first(action_mask)
            estimated = super().get_advantages_and_returns(
                values.gather(1, order),
                rewards.gather(1, order),
                action_mask.gather(1, order),
                gamma,
                lambd,
            )
            advantages, returns = (_put_back(part, order, action_mask) for part in estimated)
            return advantages, returns

        def get_cumulative_returns(
            self, rewards: torch.Tensor, action_mask: torch.Tensor, gamma: float
        ) -> torch.Tensor:
            """Discounted sums; 0 at other than action tokens."""
            rewards = self._moved(rewards)
            order = actions_first(action_mask)
            returns = super().get_cumulative_returns(
                rewards.gather(1, order), action_mask.gather(1, order), gamma
            )
            return _put_back(returns, order, action_mask)

        def _moved(self, rewards: torch.Tensor) -> torch.Tensor:
            experience, move = next(self._moves)
            if self.advantage_estimator == "group_norm":
                move = move / (experience.info["group_reward_std"][:, None] + 1e-9)
            return rewards + move.to(rewards)

    return StepRewardSamplesGenerator, StepRewardExperienceMaker


def _put_back(
    ordered: torch.Tensor, order: torch.Tensor, action_mask: torch.Tensor
) -> torch.Tensor:
    """Undo `actions_first`, with 0 at other than action tokens."""
    return torch.zeros_like(ordered).scatter(1, order, ordered) * action_mask
