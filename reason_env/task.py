"""The one contract that a family of problems implements."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reason_env.problem import Problem, State, Verdict

DISCOUNT = 0.9
"""Discount of the potential: a state whose goal is `d` steps away has the optimal value 0.9**d."""


def potential_at(distance: int | None) -> float:
    """The potential of a state from which the goal is `distance` lines away; None: out of reach.

    This is the optimal value function of the problem with reward 1 at the goal and discount 0.9,
    the best shaping potential there is (Ng, Harada and Russell, 1999, section 4).
    """
    return 0.0 if distance is None else DISCOUNT**distance


def distance_at(potential: float) -> int | None:
    """How many lines away the goal of a state with that potential is; None: out of reach."""
    return round(math.log(potential, DISCOUNT)) if potential > 0 else None


@dataclass(frozen=True, slots=True)
class Budget:
    """What an episode may spend unless the environment is told otherwise.

    Attributes:
        steps: lines.
        tokens: tokens that the agent writes, newlines included.
    """

    steps: int = 32
    tokens: int = 256


@dataclass(frozen=True, slots=True)
class Room:
    """Tokens of the built-in tokenizer that texts of the family may take, newline included.

    Attributes:
        compact: the compact prompt.
        verbose: the verbose prompt; the limit in characters is four times as many.
        feedback: one line of feedback, as `Task.show` writes it.
    """

    compact: int = 256
    verbose: int = 1024
    feedback: int = 64


class Task(ABC):
    """A family of reasoning problems, as pure functions of a problem and a state.

    No method keeps anything between calls that could change a later result (caches may), and none
    uses randomness other than the generator it is given.

    Attributes:
        name: CamelCase, as in the environment id `reason_env/<name>-v<version>`.
        version: raised by anything that can change a score.
        levels: difficulties, from 1 up.
        public_verifier: whether the prompt alone lets anyone check a solution. It decides what
            a search may read at test time without being in the oracle division.
        asks_answer: whether an episode ends at `answer:` (a value task) or as soon as the valid
            claims reach the goal (a goal task).
        has_steps: whether lines before the answer are verified, as in every family of our own.
            False for other people's problems: there all lines but the answer are thoughts, no
            legal steps are known, and the potential is that of answering next.
        room: how long prompts and feedback may be.
        extras: optional packages' extras that it cannot do without.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 0
    levels: ClassVar[range]
    public_verifier: ClassVar[bool]
    asks_answer: ClassVar[bool]
    has_steps: ClassVar[bool] = True
    room: ClassVar[Room] = Room()
    extras: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        """Draw a solvable problem."""

    @abstractmethod
    def initial(self, problem: Problem) -> State:
        """The state before the first line.

        Raises:
            ValueError: the problem's data is not a solvable problem of the family.
        """

    @abstractmethod
    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        """Judge one line: an answer, a claim, or (anything else) a thought.

        Args:
            line: normalised text (`reason_env.lines.normalise`) of any length and content but
                for control lines, which the environment judges itself. Never raises; takes no
                more than milliseconds whatever the line.
        """

    @abstractmethod
    def is_solved(self, problem: Problem, state: State) -> bool:
        """Whether the goal is reached (goal task) or the answer is right (value task)."""

    @abstractmethod
    def potential(self, problem: Problem, state: State) -> float:
        """Exact, in [0, 1]: 0 = goal out of reach, 1 = solved, else `potential_at(distance)`."""

    @abstractmethod
    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        """Finitely many valid lines in canonical text, enough to reach the goal if any way does."""

    @abstractmethod
    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        """A line on a shortest way to the goal, drawn among several; None if there is none (or,
        without `has_steps`, none is known)."""

    @abstractmethod
    def prompt(self, problem: Problem, style: str) -> str:
        """What the agent is told: `compact` (for small models, one line) or `verbose` (for large
        ones, with the rules). No final newline."""

    @abstractmethod
    def show(self, problem: Problem, state: State) -> str:
        """The state in one line, as `feedback="state"` writes it."""

    def canonical(self, problem: Problem) -> str:
        """Equal for problems that differ only in what does not matter; decides the split."""
        return json.dumps(problem.data)

    def budget(self, level: int) -> Budget:
        """What episodes of a level may spend by default: about twice what the expert needs."""
        return Budget()

    def chance(self, level: int) -> float:
        """The largest share of a level's problems that a policy solves without reading them,
        such as by always giving the most frequent answer; `reason_env.checks` tests it."""
        return 0.0

    def home(self, problem: Problem) -> str | None:
        """The split that the problem's source puts it in; None: its content decides."""
        return None

    def pool(self, level: int, split: str) -> Sequence[Problem] | None:
        """All problems of a split, where they are a given list; None: `generate` draws them.

        Raises:
            ValueError: there are none, saying where the others are.
        """
        return None

    def complete(self, problem: Problem, state: State, line: str) -> str:
        """Write out what follows from a shortened claim (`25 * 3` -> `25 * 3 = 75`); other lines
        come back as they are. Used under `feedback="state"`."""
        return line

    def abbreviate(self, line: str) -> str:
        """The shortest text of a legal step that `complete` writes out again."""
        return line
