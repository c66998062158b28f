"""Propositional: derive the goal from the premises, one formula a line, each by a named rule.

An episode (level 1):

    p | r, t | ~p, (p | r) -> w, ~w | t |- t
    w by MP
    t by DS

A goal task with a public verifier. A claim `FORMULA by RULE` is valid if the formula follows by
that very rule from premises and earlier lines (`reason_env.tasks.deduction` has the rules). It
must be a part of the premises or of the goal, or the opposite of one (`~p` of `p`, `p` of `~p`),
so that there are finitely many. The lines that it follows from are not cited: what counts is which
formulas are there, not in what order. All valid claims with a new formula are legal steps.

More formulas never hurt, so there are no dead ends, and a useless line leaves the distance as it
was. The distance is the number of formulas in a shortest derivation, found by exact search.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.deduction import (
    RULES,
    Calculus,
    calculus,
    derivable_now,
    derivations,
    members,
)
from reason_env.tasks.deduction_draw import draw_deduction
from reason_env.tasks.logic_text import (
    Formula,
    NotFormula,
    looks_like_formula,
    nameless,
    parse_formula,
)

MAX_PREMISES = 24
MAX_PARTS = 128
MAX_NAMES = 12
"""Limits of a problem: parts counts all connectives and names of its formulas."""

# (formulas of a shortest derivation, names, premises that need not be used) of each level
_LEVELS = {
    1: (2, 5, 1),
    2: (3, 6, 3),
    3: (4, 7, 5),
    4: (6, 9, 6),
    5: (8, 11, 8),
}
_RULE = re.compile("[A-Za-z]+")


class Propositional(Task):
    """See the module's text. `Problem.data` is (premises, goal); `State.data` the formulas derived,
    as canonical text in an order that depends on the problem alone."""

    name: ClassVar[str] = "Propositional"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False
    room: ClassVar[Room] = Room(compact=192, verbose=1280, feedback=256)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        length, names, spare = _LEVELS[level]
        while True:
            premises, goal = draw_deduction(rng, length, names, spare)
            if premises:
                ordered = [premises[i] for i in rng.permutation(len(premises))]
                return Problem(self.name, level, (tuple(map(str, ordered)), str(goal)))

    def initial(self, problem: Problem) -> State:
        """Nothing is derived.

        Raises:
            ValueError: the data is not premises and a goal that follows from them by the rules
                and is not there already.
        """
        rules = _calculus(problem.data)
        if rules.goal < rules.premises:
            raise ValueError(f"The goal is a premise in {problem.data!r:.200}")
        if _derivations(rules, rules.start) is None:
            raise ValueError(f"The goal does not follow by the rules in {problem.data!r:.200}")
        return State(())

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when the goal is derived"
            return Verdict(Kind.ANSWER, False, state, reason)
        text, _, name = (part.strip() for part in line.strip().rpartition(" by "))
        if _RULE.fullmatch(name) is None or not looks_like_formula(text):
            return Verdict(Kind.THOUGHT, True, state)
        rules = _calculus(problem.data)
        known = _known(rules, state)
        try:
            formula = parse_formula(text)
        except NotFormula as error:
            return Verdict(Kind.CLAIM, False, state, str(error))
        if name not in RULES:
            reason = f"there is no rule {name[:20]}, only {', '.join(RULES)}"
            return Verdict(Kind.CLAIM, False, state, reason)
        if formula not in rules.formulas:
            reason = "the formula is no part of the premises or the goal, nor the opposite of one"
            return Verdict(Kind.CLAIM, False, state, reason)
        place = rules.formulas.index(formula)
        if not any(
            (rule, conclusion) == (name, place) and not needed & ~known
            for rule, conclusion, needed in rules.inferences
        ):
            reason = f"the formula does not follow by {name} from what is there"
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, _state(rules, known | 1 << place))

    def is_solved(self, problem: Problem, state: State) -> bool:
        rules = _calculus(problem.data)
        return bool(_known(rules, state) >> rules.goal & 1)

    def potential(self, problem: Problem, state: State) -> float:
        rules = _calculus(problem.data)
        found = _derivations(rules, _known(rules, state))
        return potential_at(None if found is None else found[0].bit_count())

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        rules = _calculus(problem.data)
        known = _known(rules, state)
        return _texts(rules, known, derivable_now(rules, known))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        rules = _calculus(problem.data)
        known = _known(rules, state)
        useful = 0
        for derivation in _derivations(rules, known) or ():
            useful |= derivation
        good = _texts(rules, known, derivable_now(rules, known) & useful)
        return good[int(rng.integers(len(good)))] if good else None

    def prompt(self, problem: Problem, style: str) -> str:
        rules = _calculus(problem.data)
        premises, goal = rules.formulas[: rules.premises], rules.formulas[rules.goal]
        if style == "compact":
            return f"{', '.join(map(str, premises))} |- {goal}"
        told = "\n".join(map(str, premises))
        return (
            f"Derive {goal} from the premises:\n{told}\n"
            "Write one formula a line and the rule by which it follows from premises and earlier "
            "lines, in the form: q by MP\n"
            "~ is not, & and, | or, -> implies. The opposite of x is ~x, and of ~x it is x. "
            "Rules:\n"
            "MP: from x -> y and x, y\n"
            "MT: from x -> y and the opposite of y, the opposite of x\n"
            "HS: from x -> y and y -> z, x -> z\n"
            "DS: from x | y and the opposite of one, the other\n"
            "AND: from x and y, x & y\n"
            "SIMP: from x & y, x; or y\n"
            "ADD: from x, x | y; or y | x\n"
            "DN: from ~~x, x\n"
            "Only formulas that are parts of the premises or of the goal, or opposites of such "
            "parts, may be written. Put brackets around every &, | and -> within another."
        )

    def show(self, problem: Problem, state: State) -> str:
        """The formulas derived and the goal, as a prompt: `q, r |- s`."""
        rules = _calculus(problem.data)
        derived = ", ".join(map(str, _derived(state)))
        return f"{derived} |- {rules.formulas[rules.goal]}".strip()

    def canonical(self, problem: Problem) -> str:
        """Ignores names, the order of the premises, and the order within & and |."""
        rules = _calculus(problem.data)
        premises = rules.formulas[: rules.premises]
        return nameless([*premises, Formula("goal", (rules.formulas[rules.goal],))])

    def budget(self, level: int) -> Budget:
        length, _, _ = _LEVELS[level]
        return Budget(2 * length + 3, 16 * (2 * length + 3))


@lru_cache(maxsize=4096)
def _calculus(data: Json) -> Calculus:
    """The inferences of a problem.

    Raises:
        ValueError: names what is wrong with its premises or its goal.
    """
    if not isinstance(data, tuple) or len(data) != 2 or not isinstance(data[0], tuple):
        raise ValueError(f"Expected premises and a goal, received {data!r:.200}")
    if not 1 <= len(data[0]) <= MAX_PREMISES:
        raise ValueError(f"Expected 1 to {MAX_PREMISES} premises, received {len(data[0])}")
    *premises, goal = (_formula(text) for text in (*data[0], data[1]))
    if len(set(premises)) < len(premises):
        raise ValueError(f"A premise is there twice in {data!r:.200}")
    everything = [part for formula in (*premises, goal) for part in formula.subformulas()]
    names = {part.sign for part in everything if not part.parts}
    if len(everything) > MAX_PARTS or len(names) > MAX_NAMES:
        raise ValueError(
            f"Expected formulas of at most {MAX_PARTS} parts and {MAX_NAMES} names in all, "
            f"received {len(everything)} and {len(names)}"
        )
    return calculus(premises, goal)


def _formula(text: Json) -> Formula:
    """A premise or a goal.

    Raises:
        ValueError: the text is no formula of ~, &, | and ->.
    """
    try:
        formula = parse_formula(text if isinstance(text, str) else "")
    except NotFormula as error:
        raise ValueError(f"Formula {text!r:.80} is not usable: {error}") from error
    if any(part.sign == "=" for part in formula.subformulas()):
        raise ValueError(f"Formula {text!r:.80} is not usable: there are no rules for =")
    return formula


@lru_cache(maxsize=65536)
def _derivations(rules: Calculus, known: int) -> tuple[int, ...] | None:
    return derivations(rules, known)


def _derived(state: State) -> tuple[Json, ...]:
    assert isinstance(state.data, tuple)
    return state.data


def _known(rules: Calculus, state: State) -> int:
    """The premises and what is derived, as a set."""
    known = rules.start
    for text in _derived(state):
        known |= 1 << rules.places[str(text)]
    return known


def _state(rules: Calculus, known: int) -> State:
    return State(tuple(str(rules.formulas[place]) for place in members(known & ~rules.start)))


def _texts(rules: Calculus, known: int, wanted: int) -> list[str]:
    """The claims by which the wanted formulas follow from known ones."""
    found = (
        f"{rules.formulas[place]} by {rule}"
        for rule, place, needed in rules.inferences
        if wanted >> place & 1 and not needed & ~known
    )
    return list(dict.fromkeys(found))
