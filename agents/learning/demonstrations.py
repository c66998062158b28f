"""Demonstrations: episodes of a settable mix of expert and merely legal lines, and of the
behaviours of `agents.behaviours`, each as often as one likes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from agents.behaviours import aim, restatement
from agents.learning.trajectory import Recorder, Trajectory
from reason_env.env import ReasonEnv
from reason_env.problem import Kind
from reason_env.task import distance_at
from reason_env.tokenizer import EOS

UNDO, OPEN, DEAD = "undo", "check: open", "check: dead"
_MISPRINTS = 8


@dataclass(frozen=True, slots=True)
class BehaviourRates:
    """How often each behaviour is demonstrated, all from 0 to 1."""

    analysis: float = field(
        default=0.0, metadata={"help": "episodes that begin by restating the problem", "most": 1}
    )
    subgoals: float = field(
        default=0.0,
        metadata={"help": "lines before which the state they lead to is named", "most": 1},
    )
    alternatives: float = field(
        default=0.0,
        metadata={
            "help": "lines before which another is tried and taken back; and dead ends left",
            "most": 1,
        },
    )
    checks: float = field(
        default=0.0,
        metadata={"help": "lines before which the goal's reach is claimed, truly", "most": 1},
    )
    corrections: float = field(
        default=0.0,
        metadata={
            "help": "lines before which a wrong one is tried (on_invalid=feedback)",
            "most": 1,
        },
    )


NONE = BehaviourRates()


def demonstrate(
    env: ReasonEnv, rng: np.random.Generator, expert_share: float, rates: BehaviourRates = NONE
) -> Trajectory:
    """Play one episode from a fresh problem.

    Each line is the expert's with probability `expert_share`, else any legal one, drawn uniformly
    and without an aim. Where no legal line is left, or only the expert knows none, the episode is
    given up with `<eos>`.

    Behaviours come on top, as far as the episode's budgets leave room for a shortest solution after
    them: raise `max_steps` and `max_tokens` to show more of them. A line that is there to be taken
    back or corrected is not the agent's to learn: the trajectory has it as if the environment had
    written it.

    Args:
        env: step granularity; it is reset here.
        rng: decides the lines (the problem comes from the environment's own stream).
        expert_share: in [0, 1].
        rates: how often each behaviour is shown.
    """
    env.reset()
    demonstration = _Demonstration(env, rng, rates)
    demonstration.begin()
    while not env.episode.stopped:
        line = _line(env, rng, expert_share)
        if line is None:
            demonstration.recorder.play([EOS])
        else:
            demonstration.show(line)
    return demonstration.recorder.trajectory()


def _line(env: ReasonEnv, rng: np.random.Generator, expert_share: float) -> str | None:
    line = env.expert_line(rng) if rng.random() < expert_share else None
    if line is None:
        legal = env.legal_lines()
        line = legal[int(rng.integers(len(legal)))] if legal else None
    return line


class _Demonstration:
    """One episode as it is being demonstrated."""

    def __init__(self, env: ReasonEnv, rng: np.random.Generator, rates: BehaviourRates) -> None:
        self.env, self.rng, self.rates = env, rng, rates
        self.recorder = Recorder(env)
        budget = env.task.budget(env.level)
        # Twice what a line may have on average.
        self._per_line = -(-2 * budget.tokens // budget.steps)

    def begin(self) -> None:
        """What comes before the first line."""
        if self._draws(self.rates.analysis):
            self._think(restatement(self.env, self.env.episode.problem))

    def show(self, line: str) -> None:
        """A line, with what goes before it."""
        if self._draws(self.rates.checks):
            self._check()
        if self._dead() and self._draws(self.rates.alternatives) and self._leave_dead_end():
            return
        if self._draws(self.rates.alternatives):
            self._detour(line)
        if self._draws(self.rates.subgoals):
            self._aim(line)
        if self.env.on_invalid == "feedback" and self._draws(self.rates.corrections):
            self._mistake(line)
        self._play(line)

    def _draws(self, rate: float) -> bool:
        # A behaviour that is never shown takes nothing from the stream of the others.
        return rate > 0 and self.rng.random() < rate and not self.env.episode.stopped

    def _dead(self) -> bool:
        shows = self.rates.alternatives > 0
        return shows and bool(self.env.episode.history) and self.env.potential() == 0

    def _fits(self, *lines: str) -> bool:
        """Whether these lines leave room for a shortest solution."""
        episode, env = self.env.episode, self.env
        tokens = sum(len(env.tokenizer.encode(line + "\n")) for line in lines)
        needed = distance_at(env.potential()) or 0
        return (
            episode.steps + len(lines) + needed <= env.max_steps
            and episode.tokens + tokens + needed * self._per_line <= env.max_tokens
        )

    def _play(self, line: str, cloned: bool = True) -> None:
        self.recorder.play(self.env.tokenizer.encode(line + "\n"), cloned)

    def _think(self, line: str) -> None:
        """A thought, if it is one in this family."""
        if line and self._fits(line):
            followed = self.env.follow(self.env.episode, line)
            if followed.verdict.kind is Kind.THOUGHT:
                self._play(line)

    def _aim(self, line: str) -> None:
        verdict = self.env.follow(self.env.episode, line).verdict
        if verdict.kind is Kind.CLAIM:
            self._think(aim(self.env, self.env.episode.problem, verdict.state))

    def _check(self) -> None:
        line = OPEN if self.env.potential() > 0 else DEAD
        if self._fits(line):
            self._play(line)

    def _leave_dead_end(self) -> bool:
        """Take the last claim back; whether there was room to."""
        fits = self._fits(UNDO)
        if fits:
            self._play(UNDO)
        return fits

    def _detour(self, line: str) -> None:
        """Another legal line, that leads elsewhere and not to the end, and back."""
        env = self.env
        wanted = env.follow(env.episode, line).verdict.state
        legal = env.legal_lines()
        for i in self.rng.permutation(len(legal)):
            followed = env.follow(env.episode, legal[i])
            if followed.verdict.state != wanted and not followed.episode.stopped:
                break
        else:
            return
        other = legal[i]
        if not self._fits(other, DEAD, UNDO):
            return
        self._play(other, cloned=False)
        if self._draws(self.rates.checks):
            self._check()
        self._play(UNDO)

    def _mistake(self, line: str) -> None:
        """The line with another number in it, which the environment refuses."""
        # A misprint may happen to be right.
        for _ in range(_MISPRINTS):
            wrong = _misprint(line, self.rng)
            if wrong is None or not self._fits(wrong):
                return
            verdict = self.env.follow(self.env.episode, wrong).verdict
            if verdict.kind is Kind.CLAIM and not verdict.valid:
                self._play(wrong, cloned=False)
                return


def _misprint(line: str, rng: np.random.Generator) -> str | None:
    """A line with one of its digits changed; None where it has none."""
    places = [i for i, character in enumerate(line) if character.isdigit()]
    if not places:
        return None
    place = places[int(rng.integers(len(places)))]
    digit = (int(line[place]) + 1 + int(rng.integers(9))) % 10
    return f"{line[:place]}{digit}{line[place + 1 :]}"
