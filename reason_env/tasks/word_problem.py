"""WordProblem: a story with numbers, some of which matter, and a question.

An episode (level 1):

    Ann buys 6 boxes of 8 pens and uses 5 of them. How many pens are left?
    6 * 8 = 48
    48 - 5 = 43
    answer: 43

A value task with a private verifier. A story comes with a graph: each quantity that it speaks of
follows from two others in one or several ways (36 apples as 12 * 3, a sum in any order). All
quantities of a story have different values, so that a number says which one is meant. A claim is
valid if it is one of the ways of a quantity, from numbers that are in the story, implied by its
words (100 by a per cent sign) or found before; true arithmetic on numbers that do not belong
together is not. Quantities that do not matter for the question may be worked out, and lead nowhere.

The legal steps are the ways to quantities not found yet. The distance is the least number of
quantities that still have to be found, over all choices of ways, and one for the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.answers import is_value, judge_answer
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.word_problem_draft import Draft, Redraw
from reason_env.tasks.word_problem_graph import read, story_of
from reason_env.tasks.word_problem_stories import STORIES

_OPERATION = r"([0-9]+)\s*([-+*/])\s*([0-9]+)"
_CLAIM = re.compile(rf"{_OPERATION}\s*=\s*([0-9]+)")
_SHORT = re.compile(_OPERATION)
_DIGRESSIONS = {1: (0, 0), 2: (1, 0), 3: (0, 1), 4: (1, 1), 5: (2, 1)}
"""For each level, sentences with an idle number, and with two that make an idle quantity."""
_BUDGETS = {
    1: Budget(8, 64),
    2: Budget(10, 96),
    3: Budget(14, 128),
    4: Budget(16, 192),
    5: Budget(20, 256),
}


class WordProblem(Task):
    """See the module's text.

    `Problem.data` is (story, numbers, quantities, goal): the text, the numbers in it or implied by
    it, for each quantity that follows its ways (sign, place, place), and the place of the quantity
    asked for. Places count the numbers first, then the quantities, each after those it follows
    from. `State.data` has the places of the quantities found.
    """

    name: ClassVar[str] = "WordProblem"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = False
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=448, verbose=1024, feedback=96)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        stories = STORIES[level]
        tell = stories[int(rng.integers(len(stories)))]
        while True:
            draft = Draft(rng)
            try:
                tell(draft)
                draft.digress(*_DIGRESSIONS[level])
            except Redraw:
                continue
            return Problem(self.name, level, draft.finished())

    def initial(self, problem: Problem) -> State:
        """Nothing found yet.

        Raises:
            ValueError: the data is not a story and its graph, or beyond the limits.
        """
        read(problem.data)
        return State(())

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        story = story_of(problem.data)
        if lines.kind_of(line) is Kind.ANSWER:
            return judge_answer(state, line, Fraction(story.values[story.goal]))
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        left, sign, right, claimed = match.groups()
        found = _found(state.data)
        for text in (left, right):
            if not story.knows(text, found):
                reason = f"{text[:40]} is neither a number of the story nor found yet"
                return Verdict(Kind.CLAIM, False, state, reason)
        quantity = story.quantity(left, sign, right)
        if quantity is None:
            reason = f"{left} {sign} {right} is no quantity of the story"
            return Verdict(Kind.CLAIM, False, state, reason)
        if claimed != str(story.values[quantity]):
            reason = f"{left} {sign} {right} is not {claimed[:40]}"
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(tuple(sorted(found | {quantity}))))

    def is_solved(self, problem: Problem, state: State) -> bool:
        story = story_of(problem.data)
        return is_value(state.answer, Fraction(story.values[story.goal]))

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        return potential_at(story_of(problem.data).missing(_found(state.data)) + 1)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        story, found = story_of(problem.data), _found(state.data)
        answer = [f"answer: {story.values[story.goal]}"] if story.goal in found else []
        return answer + [line for line, _ in story.moves(found)]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        if state.answer is not None:
            return None
        story, found = story_of(problem.data), _found(state.data)
        left = story.missing(found)
        if not left:
            return f"answer: {story.values[story.goal]}"
        moves = story.moves(found)
        good = [line for line, place in moves if story.missing(found | {place}) < left]
        return good[int(rng.integers(len(good)))]

    def prompt(self, problem: Problem, style: str) -> str:
        story = story_of(problem.data)
        if style == "compact":
            return story.text
        return (
            f"{story.text}\n"
            "Work out one quantity of the story a line, by one operation (+, -, * or /) on two "
            "numbers. Each of the two is in the story, is implied by its words (3 by a third, 2 by "
            "the two thirds that are left, 100 by a per cent sign, 12 by a dozen and so on) or is "
            "the result of an earlier line. The result must mean something in the story; it is "
            "always a whole number above 0. Some numbers may not matter.\n"
            "Write one step a line, exactly in the form: 12 * 3 = 36\n"
            "At the end give the number asked for, in the form: answer: 36"
        )

    def show(self, problem: Problem, state: State) -> str:
        values = [str(story_of(problem.data).values[place]) for place in sorted(_found(state.data))]
        return "found: " + (" ".join(values) or "nothing")

    def canonical(self, problem: Problem) -> str:
        """The numbers that matter, and the answer: words, order and idle numbers are ignored."""
        story = story_of(problem.data)
        numbers = sorted(story.values[place] for place in story.needed() if not story.ways(place))
        return json.dumps([numbers, story.values[story.goal]])

    def budget(self, level: int) -> Budget:
        return _BUDGETS[level]

    def chance(self, level: int) -> float:
        """Always giving the most frequent number, which is the answer to nearly one in 50."""
        return 0.025

    def complete(self, problem: Problem, state: State, line: str) -> str:
        match = _SHORT.fullmatch(line)
        if match is None:
            return line
        story, found = story_of(problem.data), _found(state.data)
        left, sign, right = match.groups()
        quantity = story.quantity(left, sign, right)
        if quantity is None or not story.knows(left, found) or not story.knows(right, found):
            return f"{line} = 0"  # Still a claim, and never a valid one.
        return f"{line} = {story.values[quantity]}"

    def abbreviate(self, line: str) -> str:
        return line.partition(" = ")[0]


def _found(data: Json) -> frozenset[int]:
    assert isinstance(data, tuple)
    return frozenset(int(str(place)) for place in data)
