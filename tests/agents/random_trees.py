"""A family whose problems are random trees: small enough that every way can be listed.

[[1,0],0,[[0,1]]]      the tree, which is also the prompt
a                      into the first subtree: [1,0]
b                      to its second leaf, a dead end
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from agents.models.scripted import Lines, ScriptedModel
from reason_env import lines
from reason_env.env import ReasonEnv
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.splits import stream_seed
from reason_env.task import Budget, Room, Task, potential_at

DOORS = "abcd"
DEPTHS = range(1, 7)


class RandomTrees(Task):
    """Go down a tree by the letters of its branches, to a leaf that is a goal.

    `Problem.data` is the tree: 1 a goal, 0 a dead end, else the subtrees. `State.data` is the way
    gone. A letter without a branch is a wrong claim; other lines are thoughts. With a private
    verifier the way is only thought through, and is to be answered (`answer: ab`).
    """

    name = "RandomTrees"
    levels = DEPTHS
    room = Room(compact=4096, verbose=4096)

    def __init__(self, public: bool = True) -> None:
        self.public_verifier = public  # type: ignore[misc]
        self.asks_answer = not public  # type: ignore[misc]

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        while True:
            tree = random_tree(rng, level)
            if goals(tree):
                return Problem(self.name, level, tree)

    def initial(self, problem: Problem) -> State:
        return State("")

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            answered = State(state.data, lines.answer_value(line))
            right = self.is_solved(problem, answered)
            return Verdict(Kind.ANSWER, right, answered, "" if right else "not a goal")
        if line not in tuple(DOORS):
            return Verdict(Kind.THOUGHT, True, state)
        if line not in self.legal_steps(problem, state):
            return Verdict(Kind.CLAIM, False, state, "a wall")
        return Verdict(Kind.CLAIM, True, State(f"{state.data}{line}"))

    def is_solved(self, problem: Problem, state: State) -> bool:
        way = state.data if self.public_verifier else state.answer
        return isinstance(way, str) and subtree(problem.data, way) == 1

    def potential(self, problem: Problem, state: State) -> float:
        if self.is_solved(problem, state):
            return 1.0
        depths = [len(way) for way in goals(subtree(problem.data, str(state.data)))]
        return potential_at(min(depths) + self.asks_answer if depths else None)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        here = subtree(problem.data, str(state.data))
        if isinstance(here, tuple):
            return tuple(DOORS[: len(here)])
        return (f"answer: {state.data}",) if here and self.asks_answer else ()

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        ways = goals(subtree(problem.data, str(state.data)))
        if not ways or self.is_solved(problem, state):
            return None
        shortest = min(map(len, ways))
        steps = sorted({way[:1] for way in ways if len(way) == shortest})
        return steps[int(rng.integers(len(steps)))] or f"answer: {state.data}"

    def prompt(self, problem: Problem, style: str) -> str:
        return json.dumps(problem.data, separators=(",", ":"))

    def show(self, problem: Problem, state: State) -> str:
        return str(state.data)

    def budget(self, level: int) -> Budget:
        return Budget(steps=level + 3, tokens=64)


def random_tree(rng: np.random.Generator, depth: int) -> Json:
    """A tree that is at most so deep, every inner node with 1 to 4 branches; it may lack a goal."""
    if depth == 0:
        return int(rng.random() < 0.3)
    count = int(rng.integers(1, 5))
    return tuple(random_tree(rng, 0 if rng.random() < 0.25 else depth - 1) for _ in range(count))


def subtree(tree: Json, way: str) -> Json:
    """What lies at the end of a way; a dead end where there is no such way."""
    for letter in way:
        place = DOORS.find(letter)
        if not isinstance(tree, tuple) or not 0 <= place < len(tree):
            return 0
        tree = tree[place]
    return tree


@lru_cache(maxsize=4096)
def goals(tree: Json) -> tuple[str, ...]:
    """The ways to all goals."""
    return tuple(way for way, leaf in leaves(tree) if leaf)


def leaves(tree: Json) -> Iterator[tuple[str, Json]]:
    """All ways to leaves, and the leaves."""
    if not isinstance(tree, tuple):
        yield "", tree
        return
    for letter, below in zip(DOORS, tree):
        for way, leaf in leaves(below):
            yield letter + way, leaf


def optimum(problem: Problem) -> float:
    """The exact value of the problem: what the shortest way to a goal is worth."""
    return potential_at(min(map(len, goals(problem.data)), default=None))


def regret(problem: Problem, actions: Sequence[str]) -> float:
    """How much less the lines are worth than the best there are (public verifier)."""
    way = "".join(line for line in actions if line in tuple(DOORS))
    solved = subtree(problem.data, way) == 1
    return optimum(problem) - (potential_at(len(actions)) if solved else 0.0)


def tree_problem(seed: int, level: int) -> Problem:
    """A solvable problem, the same for the same numbers."""
    rng = np.random.default_rng(stream_seed("random tree", seed, level))
    return RandomTrees().generate(rng, level)


def tree_env(problem: Problem, task: RandomTrees | None = None, **kwargs: Any) -> ReasonEnv:
    """An environment reset to the problem."""
    env = ReasonEnv(task or RandomTrees(), level=problem.level, **kwargs)
    env.reset(seed=0, options={"problem": problem})
    return env


def gone(text: str) -> tuple[Json, str]:
    """The tree that a text starts with, and the way that its lines go; feedback is passed over."""
    prompt, _, rest = text.partition("\n")
    said = [line for line in rest.split("\n") if line in tuple(DOORS)]
    return _frozen(json.loads(prompt)), "".join(said)


def _frozen(tree: Any) -> Json:
    return tuple(map(_frozen, tree)) if isinstance(tree, list) else tree


def worth(text: str) -> float:
    """The potential of where a text stands: the value head of one who knows."""
    tree, way = gone(text)
    depths = [len(found) for found in goals(subtree(tree, way))]
    return potential_at(min(depths, default=None))


def walker(seed: int = 0) -> ScriptedModel:
    """A policy that writes every line that leads on, at random chances, and nothing else; at a
    leaf it gives up. Its values are exact."""

    def script(text: str, _: int) -> Lines:
        tree, way = gone(text)
        here = subtree(tree, way)
        if not isinstance(here, tuple):
            return {"<eos>": 1.0}
        return _chances(DOORS[: len(here)], f"{seed} {text}")

    return ScriptedModel(script, worth, f"walker {seed}", reward=worth)


def wanderer(seed: int = 0) -> ScriptedModel:
    """A policy that writes lines of every kind, and whose values are mere numbers."""
    said = (*DOORS, "hm", "undo", "check: dead", "", "a<eos>", "<eos>", "answer: ab", "9" * 30)

    def script(text: str, _: int) -> Lines:
        return _chances(said, f"{seed} {text}")

    def number(text: str) -> float:
        return stream_seed("worth", seed, text) % 1000 / 1000

    return ScriptedModel(script, number, f"wanderer {seed}", reward=lambda text: 1 - number(text))


def _chances(said: Sequence[str], key: str) -> Lines:
    rng = np.random.default_rng(stream_seed("chances", key))
    weights = rng.exponential(size=len(said)) + 1e-3
    return dict(zip(said, (weights / weights.sum()).tolist()))
