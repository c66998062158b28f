"""Polynomial: expand and collect, or factor, an expression, one identical expression a line.

An episode (level 1):

    expand (x + 2)*(x - 3)
    x^2 - 3*x + 2*x - 6
    x^2 - x - 6
    answer: x^2 - x - 6

A value task with a public verifier: two polynomials are compared by their values at a few points.
A claim is any expression that is identical to that of the problem, decided exactly by its
polynomial normal form; it becomes the state. The answer must be in the form asked for: expanded
and collected (a sum of different monomials, their order free), or completely factored over the
rationals (a number times powers of irreducible polynomials, which have whole coefficients without
a common factor; their order and signs are free).

The legal steps expand by multiplying two brackets of a term, the shortest first, by multiplying a
bracket by what stands before it, and by collecting a sum without brackets. They factor by
collecting what is in the brackets, taking out what a bracket's terms have in common, and splitting
off an irreducible factor. Each order of them takes equally many, so that the potential counts them:
to expand, by working out how many terms every product has; to factor, by how many irreducible
factors there are and how many brackets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.algebra_text import (
    check_length,
    looks_like_expression,
    render,
    unordered_text,
)
from reason_env.tasks.algebra_tree import (
    NotAlgebra,
    Tree,
)
from reason_env.tasks.polynomial_levels import LEVELS
from reason_env.tasks.polynomial_rules import (
    check_extent,
    distance,
    moves,
    names_of,
    spread,
    tree_from,
    value_of,
)

_GOALS = {"expand": "expanded and collected", "factor": "completely factored over the rationals"}


class Polynomial(Task):
    """See the module's text. `Problem.data` is (`expand` or `factor`, expression); `State.data`
    the last valid claim."""

    name: ClassVar[str] = "Polynomial"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=160, verbose=512, feedback=256)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        goal, tree = LEVELS[level](rng)
        return Problem(self.name, level, (goal, render(tree)))

    def initial(self, problem: Problem) -> State:
        """The expression in canonical text.

        Raises:
            ValueError: the problem is not a polynomial to expand or to factor.
        """
        goal, text = _statement(problem.data)
        state = State(render(tree_from(text, names_of(text))))
        if distance(goal, text, str(state.data)) == 1:
            raise ValueError(f"Polynomial {text!r:.80} is {_GOALS[goal]} already")
        return state

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        goal, statement = _statement(problem.data)
        names = names_of(statement)
        if lines.kind_of(line) is Kind.ANSWER:
            text = lines.answer_value(line)
            reason = self._objection(problem, state, text)
            return Verdict(Kind.ANSWER, not reason, State(state.data, text), reason)
        text = line.strip()
        if not looks_like_expression(text, names):
            return Verdict(Kind.THOUGHT, True, state)
        try:
            claimed = _claimed(goal, statement, text)
        except NotAlgebra as error:
            if text in self.legal_steps(problem, state):
                # A legal step stands, whatever its size.
                return Verdict(Kind.CLAIM, True, State(text))
            return Verdict(Kind.CLAIM, False, state, str(error))
        return Verdict(Kind.CLAIM, True, State(render(claimed)))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.answer is not None and not self._objection(problem, state, state.answer)

    def _objection(self, problem: Problem, state: State, text: str) -> str:
        """Why an answer is not right; empty if it is. A legal one is, whatever its size."""
        legal = self.legal_steps(problem, State(state.data))
        return (
            ""
            if f"answer: {text}" in legal
            else _objection_to_answer(*_statement(problem.data), text)
        )

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        return potential_at(distance(*_statement(problem.data), str(state.data)))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        return moves(*_statement(problem.data), str(state.data))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[int(rng.integers(len(steps)))] if steps else None

    def prompt(self, problem: Problem, style: str) -> str:
        goal, text = _statement(problem.data)
        expression = render(tree_from(text, names_of(text)))
        if style == "compact":
            return f"{goal} {expression}"
        if goal == "expand":
            task, example = "Expand and collect", "x^2 - 3*x + 2*x - 6"
            form, answer = "a sum of different powers, such as", "x^2 - x - 6"
        else:
            task, example = "Factor completely over the rationals", "2*(x^2 - x - 6)"
            form, answer = "a number times irreducible factors, such as", "2*(x - 3)*(x + 2)^2"
        return (
            f"{task}: {expression}\n"
            "Write one expression a line, each identical to the one before, with * for products "
            f"and ^ for powers, and nothing else on the line; for example: {example}\n"
            f"At the end give the result, {form} {answer}, in the form: answer: {answer}"
        )

    def show(self, problem: Problem, state: State) -> str:
        return str(state.data)

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of terms and factors, and the names of variables."""
        goal, text = _read(problem.data)
        names = names_of(text)
        tree = tree_from(text, names)
        new = "xyz"[: len(names)]
        return f"{goal} " + min(
            unordered_text(tree, dict(zip(names, p))) for p in permutations(new)
        )

    def budget(self, level: int) -> Budget:
        return _BUDGETS[level]


_BUDGETS = {
    1: Budget(8, 96),
    2: Budget(10, 128),
    3: Budget(14, 320),
    4: Budget(20, 896),
    5: Budget(24, 1536),
}


@lru_cache(maxsize=4096)
def _statement(data: Json) -> tuple[str, str]:
    """Goal and expression of a problem.

    Raises:
        ValueError: it is not a problem within the limits.
    """
    goal, text = _read(data)
    try:
        check_extent(tree_from(check_length(text), names_of(text)))
        distance(goal, text, text)
    except NotAlgebra as error:
        raise ValueError(f"Polynomial {text!r:.80} is not usable: {error}") from error
    return goal, text


def _read(data: Json) -> tuple[str, str]:
    """The same, with no look at what the expression is."""
    match data:
        case (("expand" | "factor") as goal, str(text)):
            return goal, text
    raise ValueError(f"Expected ('expand' or 'factor', expression), received {data!r:.80}")


@lru_cache(maxsize=4096)
def _claimed(goal: str, statement: str, text: str) -> Tree:
    """The expression of a claim.

    Raises:
        NotAlgebra: it is not identical to the problem's, or beyond the limits.
    """
    names = names_of(statement)
    tree = tree_from(check_length(text), names)
    check_extent(tree)
    if value_of(tree) != value_of(tree_from(statement, names)):
        raise NotAlgebra("it is not identical to the expression of the problem")
    if goal == "expand":
        spread(tree)
    return tree


@lru_cache(maxsize=4096)
def _objection_to_answer(goal: str, statement: str, text: str) -> str:
    """Why an answer is not right; empty if it is."""
    names = names_of(statement)
    if not looks_like_expression(text, names):
        return "the answer is not an expression such as 2*x^2 - x/3"
    try:
        tree = _claimed(goal, statement, text)
    except NotAlgebra as error:
        return str(error)
    # Whoever may write 2*3*x*x need not multiply. A 1 is free: x/2 and 1/2*x are both in order.
    written, needed = (Counter(re.findall("[0-9]+|[A-Za-z]", t)) for t in (text, render(tree)))
    worked_out = goal == "factor" or all(
        written[piece] == needed[piece] for piece in (written | needed) if piece != "1"
    )
    if not worked_out or distance(goal, statement, render(tree)) > 1:
        return f"the answer is not {_GOALS[goal]}"
    return ""
