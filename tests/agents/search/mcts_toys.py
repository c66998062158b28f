"""Toys for tree searches, and how to read the trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toys import Doors

from agents.models.base import LanguageModel
from agents.models.scripted import ScriptedModel
from agents.search import Found, load_strategy, run_searches
from agents.search.tree import Branch, Tree
from reason_env.env import ReasonEnv
from reason_env.problem import Kind, Problem, State, Verdict


class Heaps(Doors):
    """Doors whose order does not matter: after `L`, `R` one stands where one stands after `R`,
    `L`, and spaces around a line are nothing. The prompt says what has to be passed in all."""

    name = "Heaps"

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        verdict = super().step(problem, state, line.strip())
        if verdict.kind is not Kind.CLAIM:
            return verdict
        return Verdict(Kind.CLAIM, True, State("".join(sorted(verdict.state.data))))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return bool(state.data == "".join(sorted(problem.data)))


def heaps(goal: str, **kwargs: Any) -> ReasonEnv:
    """An environment reset to that problem; `X` in the goal puts it out of reach."""
    env = ReasonEnv(Heaps(), **{"max_steps": len(goal), "level": len(goal), **kwargs})
    env.reset(seed=0, options={"problem": Problem("Heaps", len(goal), goal)})
    return env


def arms(
    worth: Mapping[str, float], policy: Mapping[str, float] | None = None, lines: str = ""
) -> ScriptedModel:
    """A policy over one first line per arm; each way is worth what its first line is.

    Args:
        policy: chances of the arms, equal by default.
        lines: what may be written below, with equal chances; the arms again by default.
    """
    first = policy or {arm: 1 / len(worth) for arm in worth}
    later = {line: 1 / len(lines) for line in lines} or {arm: 1 / len(worth) for arm in worth}
    return ScriptedModel(
        lambda text, seed: later if gone(text) else first,
        lambda text: worth[gone(text)[0]],
        f"arms {sorted(worth.items())} {sorted(first.items())} {lines}",
    )


def gone(text: str) -> list[str]:
    """The lines that were written, of a text without feedback."""
    return text.split("\n")[1:-1]


def search(
    model: LanguageModel,
    env: ReasonEnv,
    guide: str,
    seed: int = 0,
    budget: int | None = None,
    **options: Any,
) -> Found:
    """What MCTS finds; an error is a failure of the test."""
    strategy = load_strategy("mcts", **options)
    [found] = run_searches(model, [env], strategy, [seed], budget, guide)
    assert found.error is None
    return found


def ways(tree: Tree) -> dict[str, Branch]:
    """Nodes by the way that leads to them."""
    names: list[str] = []
    for node in tree.nodes:
        names.append(names[node.parent] + node.line if node.parent >= 0 else "")
    return dict(zip(names, tree.nodes, strict=True))
