"""A family small enough to be solved by hand, and scripts for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.learning.specs import EnvSpec
from agents.models.scripted import ScriptedModel
from reason_env import lines
from reason_env.env import ReasonEnv
from reason_env.problem import Kind, Problem, State, Verdict
from reason_env.splits import stream_seed
from reason_env.task import Task, potential_at

ENV = EnvSpec.parse("Countdown-v0:feedback=state")


class Doors(Task):
    """Go through as many doors as the level says, each left (`L`) or right (`R`); one way alone
    leads to the goal, and a wrong turn cannot be seen.

    With a private verifier the doors are only thought through: the way is to be answered.
    """

    name = "Doors"
    levels = range(1, 9)
    asks_answer = False

    def __init__(self, public: bool = True) -> None:
        self.public_verifier = public  # type: ignore[misc]

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return doors_problem("".join("LR"[turn] for turn in rng.integers(2, size=level)))

    def initial(self, problem: Problem) -> State:
        return State("")

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            answered = State(state.data, lines.answer_value(line))
            return Verdict(Kind.ANSWER, self.is_solved(problem, answered), answered)
        if line not in ("L", "R") or len(state.data) == len(problem.data):
            return Verdict(Kind.THOUGHT, True, state)
        return Verdict(Kind.CLAIM, True, State(state.data + line))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return (state.data if self.public_verifier else state.answer) == problem.data

    def potential(self, problem: Problem, state: State) -> float:
        left = len(problem.data) - len(state.data)
        return potential_at(left if problem.data.startswith(state.data) else None)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return ("L", "R") if len(state.data) < len(problem.data) else ()

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        if not problem.data.startswith(state.data) or state.data == problem.data:
            return None
        return problem.data[len(state.data)]

    def prompt(self, problem: Problem, style: str) -> str:
        return " ".join(problem.data)

    def show(self, problem: Problem, state: State) -> str:
        return state.data


def doors_problem(way: str) -> Problem:
    return Problem("Doors", len(way), way)


def doors(way: str, public: bool = True, **kwargs: Any) -> ReasonEnv:
    """An environment reset to the problem whose goal lies that way."""
    kwargs = {"max_steps": len(way), "level": len(way), **kwargs}
    env = ReasonEnv(Doors(public), **kwargs)
    env.reset(seed=0, options={"problem": doors_problem(way)})
    return env


class OpenDoors(Doors):
    """A wrong turn ends in a wall: it is a wrong claim. (Demonstrations may still take it.)"""

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        verdict = super().step(problem, state, line)
        if verdict.kind is Kind.CLAIM and not problem.data.startswith(verdict.state.data):
            return Verdict(Kind.CLAIM, False, state, "a wall")
        return verdict


@dataclass(frozen=True)
class DoorsSpec:
    """Stands where trainers take an `EnvSpec`: the family is not in the registry."""

    level: int
    kwargs: tuple[tuple[str, Any], ...] = ()

    def make(self, **overrides: Any) -> ReasonEnv:
        return ReasonEnv(OpenDoors(), level=self.level, max_steps=self.level + 2, **overrides)


def biased(left: float, value: Mapping[str, float] | None = None) -> ScriptedModel:
    """A policy that goes left with that chance, wherever it is; `value` is by the way gone."""

    def worth(text: str) -> float:
        return (value or {}).get("".join(text.split("\n")[1:]), 0.5)

    name = f"biased {left} {sorted((value or {}).items())}"
    return ScriptedModel(
        lambda text, seed: {"L": left, "R": 1 - left}, None if value is None else worth, name
    )


def babble(text: str, seed: int) -> str:
    """Any kind of line: sums, many of them wrong, thoughts, answers, undo, and endless ones."""
    rng = np.random.default_rng(stream_seed("babble", text, seed))
    numbers = [word for word in text.replace("\n", " ").split() if word.isdigit()] or ["1"]
    first, second = rng.choice(numbers, 2)
    said = [
        f"{first} {'+-*/'[rng.integers(4)]} {second}",
        f"{first} + {second} = {int(first) + int(second)}",
        "let me think " + "again and " * int(rng.integers(4)),
        f"answer: {first}",
        "undo",
        "",
        "<eos>",
        f"{first} + {second}<eos>",
        "9" * 300,
    ]
    return said[rng.choice(len(said), p=[0.4, 0.2, 0.1, 0.04, 0.06, 0.05, 0.05, 0.05, 0.05])]
