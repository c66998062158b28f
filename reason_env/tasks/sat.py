"""Sat: make every clause true by assigning one variable a line.

A clause is written without spaces, a capital letter for a negation: `aBc` is "a, or not b, or c".

An episode (level 1):

    eF CeF aBe Acf dF bC B CF ab
    B
    C by bC
    a by ab
    f by Acf
    d by dF
    e by eF

A goal task with a public verifier: it ends when every variable is assigned. A claim assigns a
variable, `b` or `B`, and is valid as long as no clause becomes false by it. So a wrong decision is
only found out some lines later, and dead ends are real. A claim may name a clause that forces it
(`f by Acf`: the other literals of `Acf` are false), and then that is verified, too.

The legal steps propagate before they decide: where clauses force literals these are the legal
steps, each by the first clause that does, and otherwise every assignment that makes no clause
false. Nothing is lost, as every solution has the forced literals. The distance is the number of
variables left if a solver finds a solution that agrees with the assignment so far.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_lowercase
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at

MAX_CLAUSES = 200
MAX_LITERALS = 5
"""Limits of a problem; its variables are the letters."""

# (how many variables, {length of clauses: how many}) of each level. The first has a unit clause
# and is solved by propagation alone. The others are near the ratio where random formulas turn
# from satisfiable to unsatisfiable, which is where they are hardest.
_LEVELS: dict[int, tuple[int, dict[int, int]]] = {
    1: (6, {1: 1, 2: 5, 3: 3}),
    2: (9, {2: 7, 3: 19}),
    3: (11, {2: 4, 3: 38}),
    4: (15, {3: 70}),
    5: (20, {3: 91}),
}
_NUMBER = {v: i for i, v in enumerate(ascii_lowercase, 1)}
_NUMBER |= {v.upper(): -i for v, i in _NUMBER.items()}
"""Literals as solvers write them: 1 for a, -1 for A."""
_CLAIM = re.compile(r"([A-Za-z])(?:\s+by\s+([A-Za-z]+))?")
_CLAUSE = re.compile(rf"[A-Za-z]{{1,{MAX_LITERALS}}}")

Clauses = tuple[str, ...]


class Sat(Task):
    """See the module's text. `Problem.data` is the clauses; `State.data` the true literals, by
    letter, in one string."""

    name: ClassVar[str] = "Sat"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False
    room: ClassVar[Room] = Room(compact=400)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        """Draw formulas until one is solvable: no solution is planted, so none shows through."""
        count, sizes = _LEVELS[level]
        while True:
            clauses = _draw(rng, count, sizes)
            if len(_variables(clauses)) < count:
                continue
            if len(_propagated(clauses)) == count if 1 in sizes else _is_open(clauses, ""):
                return Problem(self.name, level, clauses)

    def initial(self, problem: Problem) -> State:
        """Nothing is assigned.

        Raises:
            ValueError: the data is not a tuple of clauses within the limits that can all be true.
        """
        if not _is_open(_formula(problem.data), ""):
            raise ValueError(f"The clauses {problem.data!r:.80} cannot all be true")
        return State("")

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when every variable is assigned"
            return Verdict(Kind.ANSWER, False, state, reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        literal, clause = match.groups()
        clauses, assigned = _formula(problem.data), str(state.data)
        reason = _objection(clauses, assigned, literal, clause)
        if reason:
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(_sorted(assigned + literal)))

    def is_solved(self, problem: Problem, state: State) -> bool:
        clauses, assigned = _formula(problem.data), str(state.data)
        return len(assigned) == len(_variables(clauses)) and _false(clauses, assigned) is None

    def potential(self, problem: Problem, state: State) -> float:
        clauses, assigned = _formula(problem.data), str(state.data)
        left = len(_variables(clauses)) - len(assigned)
        return potential_at(left if _is_open(clauses, assigned) else None)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return _moves(_formula(problem.data), str(state.data))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        clauses, assigned = _formula(problem.data), str(state.data)
        moves = _moves(clauses, assigned)
        good = [move for move in moves if _is_open(clauses, _sorted(assigned + move[0]))]
        return good[int(rng.integers(len(good)))] if good else None

    def prompt(self, problem: Problem, style: str) -> str:
        clauses = _formula(problem.data)
        compact = " ".join(clauses)
        if style == "compact":
            return compact
        variables = _variables(clauses)
        return (
            "Assign true or false to every variable so that every clause has a true literal.\n"
            f"Clauses: {compact}\n"
            f"The variables are {', '.join(variables)}. In a clause a small letter is a variable "
            "and a capital letter its negation: aBc means a, or not b, or c.\n"
            "Assign one variable a line: b makes it true, B makes it false. No clause may become "
            "false, that is, have only false literals. Where all other literals of a clause are "
            "false you may name it, in the form: B by aBc"
        )

    def show(self, problem: Problem, state: State) -> str:
        """What is assigned, and the variables that are left: `aCd, left: bef`."""
        assigned = str(state.data)
        left = (v for v in _variables(_formula(problem.data)) if not _is_assigned(assigned, v))
        return f"{assigned}, left: {''.join(left)}" if assigned else f"left: {''.join(left)}"

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of clauses and literals, the names, and which of a variable and its
        negation has the name.

        Literals are told apart by what clauses they are in, what these clauses' literals are told
        apart by, and so on until nothing new comes of it. A few very regular formulas are taken
        for one another that differ, which only puts them in the same split.
        """
        clauses = _formula(problem.data)
        literals = [x for v in _variables(clauses) for x in (v, v.swapcase())]
        colours = dict.fromkeys(literals, 0)
        while True:
            texts = [sorted(colours[literal] for literal in clause) for clause in clauses]
            around: dict[str, list[list[int]]] = {literal: [] for literal in literals}
            for clause, text in zip(clauses, texts):
                for literal in clause:
                    around[literal].append(text)
            seen = {
                x: str((colours[x], colours[x.swapcase()], sorted(around[x]))) for x in literals
            }
            distinct = sorted(set(seen.values()))
            if len(distinct) == len(set(colours.values())):
                opposites = sorted((colours[x], colours[x.swapcase()]) for x in literals)
                return json.dumps([sorted(texts), opposites])
            rank = {description: i for i, description in enumerate(distinct)}
            colours = {x: rank[seen[x]] for x in literals}

    def budget(self, level: int) -> Budget:
        count, sizes = _LEVELS[level]
        # A line has at most 7 + (length of a clause) tokens with its newline.
        return Budget(2 * count + 4, (2 * count + 4) * (7 + max(sizes)))

    def chance(self, level: int) -> float:
        """How often a fixed assignment is a solution: about one of 2**n is. (Under
        `on_invalid="feedback"` verdicts tell more: `a`, `A`, `b`, `B`, ... solves 1 in 5 problems
        of level 1.)"""
        return 0.02 if level <= 2 else 0.005


@lru_cache(maxsize=4096)
def _formula(data: Json) -> Clauses:
    """The clauses of a problem.

    Raises:
        ValueError: names what is wrong with them.
    """
    if not isinstance(data, tuple) or not 0 < len(data) <= MAX_CLAUSES:
        raise ValueError(f"Expected 1 to {MAX_CLAUSES} clauses, received {data!r:.80}")
    for clause in data:
        if not isinstance(clause, str) or _CLAUSE.fullmatch(clause) is None:
            raise ValueError(f"A clause is 1 to {MAX_LITERALS} letters, received {clause!r:.80}")
        if len(set(clause.lower())) < len(clause):
            raise ValueError(f"The clause {clause!r} has a variable twice")
    clauses = tuple(map(str, data))
    if len({_sorted(clause) for clause in clauses}) < len(clauses):
        raise ValueError(f"A clause is there twice in {data!r:.80}")
    return clauses


@lru_cache(maxsize=4096)
def _variables(clauses: Clauses) -> str:
    """The variables that occur, in order."""
    return "".join(sorted(set("".join(clauses).lower())))


def _sorted(literals: str) -> str:
    return "".join(sorted(literals, key=str.lower))


def _is_assigned(assigned: str, literal: str) -> bool:
    return literal in assigned or literal.swapcase() in assigned


def _false(clauses: Clauses, assigned: str) -> str | None:
    """The first clause whose literals are all false."""
    false = set(assigned.swapcase())
    return next((clause for clause in clauses if false.issuperset(clause)), None)


def _objection(clauses: Clauses, assigned: str, literal: str, reason_clause: str | None) -> str:
    """Why an assignment is not a valid claim; empty if it is."""
    if literal.lower() not in _variables(clauses):
        return f"{literal} is not in the clauses"
    if _is_assigned(assigned, literal):
        return f"{literal.lower()} is assigned already"
    if reason_clause is not None:
        if _sorted(reason_clause) not in map(_sorted, clauses):
            return f"{reason_clause[:40]} is not among the clauses"
        # Of a clause without the literal not all others are false: no clause is.
        others = set(reason_clause) - {literal}
        if not others.issubset(assigned.swapcase()):
            return f"{reason_clause} does not force {literal}"
    clause = _false(clauses, assigned + literal)
    return f"{clause} becomes false" if clause else ""


def _forced(clauses: Clauses, assigned: str) -> dict[str, str]:
    """The literals that clauses force, each with the first clause that does."""
    true, false = set(assigned), set(assigned.swapcase())
    forced: dict[str, str] = {}
    for clause in clauses:
        if true.isdisjoint(clause):
            left = [literal for literal in clause if literal not in false]
            if len(left) == 1:
                forced.setdefault(left[0], clause)
    return forced


@lru_cache(maxsize=16384)
def _moves(clauses: Clauses, assigned: str) -> tuple[str, ...]:
    """The legal steps; each starts with its literal."""
    # By clauses of one literal nothing is learned that the literal itself does not say.
    texts = {
        literal: f"{literal} by {clause}" if len(clause) > 1 else literal
        for literal, clause in _forced(clauses, assigned).items()
    }
    if not texts:
        free = [v for v in _variables(clauses) if not _is_assigned(assigned, v)]
        texts = {literal: literal for v in free for literal in (v, v.swapcase())}
    ordered = sorted(texts, key=lambda literal: (literal.lower(), literal.isupper()))
    return tuple(texts[x] for x in ordered if _false(clauses, assigned + x) is None)


@lru_cache(maxsize=65536)
def _is_open(clauses: Clauses, assigned: str) -> bool:
    """Whether a solution agrees with the assignment."""
    # Importing a solver takes longer than importing the rest of the package.
    from pysat.solvers import Minisat22

    with Minisat22(bootstrap_with=_numbers(clauses)) as solver:
        return bool(solver.solve(assumptions=[_NUMBER[x] for x in assigned]))


@lru_cache(maxsize=256)
def _numbers(clauses: Clauses) -> list[list[int]]:
    """The clauses as solvers read them."""
    return [[_NUMBER[x] for x in clause] for clause in clauses]


def _propagated(clauses: Clauses) -> str:
    """All literals that follow by propagation; none at all if a clause becomes false by them."""
    assigned = ""
    while forced := _forced(clauses, assigned):
        assigned += next(iter(forced))
    return assigned if _false(clauses, assigned) is None else ""


def _draw(rng: np.random.Generator, count: int, sizes: dict[int, int]) -> Clauses:
    """Distinct random clauses, in any order."""
    clauses: set[str] = set()
    for size, wanted in sizes.items():
        have = len(clauses)
        while len(clauses) < have + wanted:
            chosen = sorted(rng.permutation(count)[:size].tolist())
            signs = rng.integers(2, size=size).tolist()
            clauses.add("".join(chr(ord("Aa"[s]) + v) for v, s in zip(chosen, signs)))
    ordered = sorted(clauses)
    return tuple(ordered[i] for i in rng.permutation(len(ordered)))
