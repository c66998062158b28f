"""Trajectories of episodes as tokens, and batches of them as tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from reason_env import lines
from reason_env.env import Episode, ReasonEnv
from reason_env.problem import Kind
from reason_env.rewards import RewardTerms
from reason_env.tokenizer import BOS, EOS, PAD, TOKENIZER
from reason_env.tokens import GIVE_UP, lines_of


@dataclass(frozen=True, slots=True)
class Visit:
    """A state that a trajectory passes: at the end of the prompt, or of a line and its feedback.

    Attributes:
        place: index of its last token. A guide that values the state reads the tokens up to there.
        episode: to go on from.
        right: whether the line that led here was no wrong claim or check.
        solved: whether the goal is reached; None while the episode goes on.
    """

    place: int
    episode: Episode
    right: bool
    solved: bool | None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One episode as a language model sees it.

    Attributes:
        tokens: `<bos>`, prompt, agent's lines and the environment's feedback, T ids.
        actions: whether the token is the agent's to learn from, T flags: never one that the
            environment wrote, nor one of a demonstrated line that is there to be taken back.
        rewards: of each token; a line's reward is on the token that ends it, T numbers.
        potentials: exact value of the state after the token, in [0, 1], at the end of the prompt
            and of each line with its feedback; NaN in between, T numbers.
        terminated: whether nothing is earned after it: it ended by its own rules, or by a budget
            whose end counts as one (`groups.ended`).
        solved: whether the goal was reached.
        visits: its states, in order: one where there is a potential.
        terms: the whole episode's reward terms, unweighted.
        process: label of a process reward model, in [0, 1], where there is a potential; NaN in
            between, T numbers. Empty where nobody has labelled the states (`step_labels`).
        truncated: whether its budget was spent.
    """

    tokens: tuple[int, ...]
    actions: tuple[bool, ...]
    rewards: tuple[float, ...]
    potentials: tuple[float, ...]
    terminated: bool
    solved: bool
    visits: tuple[Visit, ...] = ()
    terms: RewardTerms = field(default_factory=RewardTerms)
    process: tuple[float, ...] = ()
    truncated: bool = False


def line_tokens(line: str) -> tuple[int, ...]:
    """Token ids of a line, as a model would write it: giving up is `<eos>`."""
    return (EOS,) if line == GIVE_UP else tuple(TOKENIZER.encode(line + "\n"))


class Recorder:
    """Plays lines into an environment that was just reset, and keeps the trajectory.

    Args:
        blind: whether lines follow where a private verifier has ended the episode by a claim, as
            they do in a search, which is not told of it. They are not played.
    """

    def __init__(self, env: ReasonEnv, blind: bool = False) -> None:
        self.env = env
        self._blind = blind and not env.task.public_verifier
        self._tokens = [BOS, *env.tokenizer.encode(env.episode.text)]
        self._actions = [False] * len(self._tokens)
        self._rewards = [0.0] * len(self._tokens)
        self._potentials = [math.nan] * (len(self._tokens) - 1) + [env.potential()]
        self._terms = RewardTerms()
        self._terminated = False
        self._solved = False
        self._cut = False
        self._right = True
        self._lines = self._size = 0
        self._answered = False
        self._visits = [Visit(len(self._tokens) - 1, env.episode, True, None)]

    @property
    def prefix(self) -> Sequence[int]:
        """What a language model goes on from (models put `<bos>` in front themselves)."""
        return self._tokens[1:]

    @property
    def over(self) -> bool:
        """Whether no more lines are taken."""
        if self._cut or not self.env.episode.stopped:
            return self._cut
        if not (self._blind and self._terminated):
            return True
        return self._answered or self._lines >= self.env.max_steps or self.room <= 0

    @property
    def room(self) -> int:
        """Tokens that may still be written."""
        stopped = self.env.episode.stopped
        return self.env.max_tokens - (self._size if stopped else self.env.episode.tokens)

    def cut(self, tokens: Sequence[int]) -> None:
        """Keep the tokens of a line that was never ended; the episode stops.

        Where the episode's own budget is spent, that truncates it. Else the agent has gone past
        the most a line may have, and has given up: bootstrapping there would pay for endless lines
        with what the critic thinks of states that nothing ever follows.
        """
        earned = 0.0
        stopped = self.env.episode.stopped
        if not stopped and self.env.episode.tokens + len(tokens) < self.env.max_tokens:
            _, reward, self._terminated, _, info = self.env.step(GIVE_UP)
            self._terms += RewardTerms(**info["terms"])
            earned = float(reward)
        self._tokens += tokens
        self._actions += [True] * len(tokens)
        self._rewards += [0.0] * (len(tokens) - 1) + [earned]
        self._potentials += [math.nan] * len(tokens)
        self._cut = True

    def play(self, tokens: Sequence[int], cloned: bool = True) -> None:
        """Write one line.

        Args:
            tokens: with the one that ends it (newline or `<eos>`).
            cloned: whether it counts as the agent's, to be learned from.
        """
        earned, feedback = 0.0, ""
        for line, ids in lines_of(tokens, self.env.tokenizer):
            self._lines += 1
            self._size += len(ids)
            self._answered = lines.kind_of(lines.normalise(line)) is Kind.ANSWER
            if self.env.episode.stopped:
                continue
            _, reward, self._terminated, _, info = self.env.step(line)
            earned += float(reward)
            feedback += info["feedback"]
            self._terms += RewardTerms(**info["terms"])
            self._solved = info["terms"]["outcome"] > 0
            self._right = info["terms"]["validity"] >= 0
        reply = self.env.tokenizer.encode(feedback)
        self._tokens += [*tokens, *reply]
        self._actions += [cloned] * len(tokens) + [False] * len(reply)
        self._rewards += [0.0] * (len(tokens) - 1) + [earned] + [0.0] * len(reply)
        value = float(self._solved) if self._terminated else self.env.potential()
        self._potentials += [math.nan] * (len(tokens) + len(reply) - 1) + [value]
        solved = self._solved if self.env.episode.stopped else None
        self._visits.append(Visit(len(self._tokens) - 1, self.env.episode, self._right, solved))

    def trajectory(self) -> Trajectory:
        """What was played so far."""
        return Trajectory(
            tuple(self._tokens),
            tuple(self._actions),
            tuple(self._rewards),
            tuple(self._potentials),
            self._terminated,
            self._solved,
            tuple(self._visits),
            self._terms,
            truncated=not self._terminated and (self._cut or self.env.episode.stopped),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded trajectories.

    Attributes:
        ids: int64 (B, T).
        attention: 1 = real token, int64 (B, T).
        actions: whether the agent wrote the token, bool (B, T); never at position 0.
        rewards: float32 (B, T).
        potentials: float32 (B, T), NaN where there is none.
        terminated: bool (B,).
        process: float32 (B, T), NaN where there is none.
    """

    ids: torch.Tensor
    attention: torch.Tensor
    actions: torch.Tensor
    rewards: torch.Tensor
    potentials: torch.Tensor
    terminated: torch.Tensor
    process: torch.Tensor

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> torch.Tensor:
        """Tokens of each row, int64 (B,)."""
        return self.attention.sum(-1)

    def rows(self, index: torch.Tensor) -> Batch:
        """The rows of that index, cut to their longest."""
        longest = int(self.attention[index].sum(-1).max())
        return Batch(
            self.ids[index, :longest],
            self.attention[index, :longest],
            self.actions[index, :longest],
            self.rewards[index, :longest],
            self.potentials[index, :longest],
            self.terminated[index],
            self.process[index, :longest],
        )


def collate(trajectories: Sequence[Trajectory]) -> Batch:
    """Stack trajectories.

    Raises:
        ValueError: there are none.
    """
    if not trajectories:
        raise ValueError("Cannot make a batch of no trajectories")
    longest = max(len(t.tokens) for t in trajectories)

    def padded(rows: Sequence[Sequence[float]], fill: float, dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows], dtype=dtype)

    return Batch(
        padded([t.tokens for t in trajectories], PAD, torch.long),
        padded([[1] * len(t.tokens) for t in trajectories], 0, torch.long),
        padded([t.actions for t in trajectories], 0, torch.bool),
        padded([t.rewards for t in trajectories], 0.0, torch.float32),
        padded([t.potentials for t in trajectories], math.nan, torch.float32),
        torch.tensor([t.terminated for t in trajectories]),
        padded([t.process for t in trajectories], math.nan, torch.float32),
    )
