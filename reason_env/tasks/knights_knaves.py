"""KnightsKnaves: knights say what is true, knaves what is false; find out who is what.

`A:~B&C` is A saying "B is a knave and C is a knight"; `A:2` is "exactly 2 of us are knights", and
`A:2+` "at least 2". A claim says that somebody is a knight (`C`) or a knave (`~C`), or that two
are of the same kind (`A = C`) or not (`A = ~C`).

An episode (level 1):

    A:~D B:~C C:B|~A D:C E:B&~F F:E
    D
    ~B
    ~A
    ~E
    C
    ~F
    answer: ~A ~B C D ~E ~F

A value task with a public verifier: go through what everybody says. The statements have one
solution, but of the true claims only those are valid that follow by one supposition: each way in
which the claim could be false must lead to a contradiction by its direct consequences. These come
of reading one statement at a time. What it makes certain of somebody, given what is known or
supposed, is taken as known from then on, until some statement can be neither a knight's nor a
knave's. Nothing further is supposed on the way. All problems can be solved like this.

What follows by one supposition still does when more is known, so there are no dead ends, and the
distance is the number of people whose kind is not yet known, and one for the answer. The legal
steps are the kinds that follow; relations are valid, too, but never needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.knights_text import (
    NAMES,
    Kinds,
    Known,
    Level,
    Relation,
    draw_statements,
    english,
    puzzle_of,
)
from reason_env.tasks.logic_text import Formula, nameless

_LEVELS = {
    # people, forms of statements, rounds
    1: Level(6, ("kind", "kind", "&", "|"), 1),
    2: Level(7, ("kind", "&", "|", "="), 2),
    3: Level(8, ("&", "|", "=", "->"), 2),
    4: Level(9, ("|", "=", "->", "count"), 3),
    5: Level(10, ("=", "->", "count", "nested", "nested"), 3),
}
_CLAIM = re.compile(r"(~?)\s*([A-Z])(?:\s*=\s*(?:(~)\s*)?([A-Z]))?")
_ANSWER = re.compile(r"~?[A-Z](?:[ ,]+~?[A-Z])*")


class KnightsKnaves(Task):
    """See the module's text. `Problem.data` is what A, B, C, ... say; `State.data` the facts that
    are known, as the claims that say them."""

    name: ClassVar[str] = "KnightsKnaves"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = True
    room: ClassVar[Room] = Room(compact=160, verbose=1536, feedback=128)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        """Draw who is what, and statements that fit, until single suppositions find it out."""
        shape = _LEVELS[level]
        while True:
            said = draw_statements(rng, shape)
            if puzzle_of(said).possible.bit_count() == 1 and (_rounds(said) or 0) >= shape.rounds:
                return Problem(self.name, level, said)

    def initial(self, problem: Problem) -> State:
        """Nothing is known.

        Raises:
            ValueError: the data is not a tuple of statements that have one solution, or it is not
                found by single suppositions.
        """
        _solution(problem.data)
        return State(())

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            return _judge_answer(problem, state, lines.answer_value(line))
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        puzzle, known = puzzle_of(problem.data), _known(state.data)
        people = [NAMES.find(name) for name in match.group(2, 4) if name]
        if not all(0 <= person < len(puzzle.knights) for person in people):
            return Verdict(Kind.CLAIM, False, state, "there is nobody of that name")
        kinds, relations = dict(known.kinds), list(known.relations)
        opposites: list[Kinds]
        if len(people) == 1:
            kinds[people[0]] = not match[1]
            opposites = [{people[0]: bool(match[1])}]
        elif people[0] != people[1]:
            differ = bool(match[1]) != bool(match[3])
            relations.append((people[0], people[1], differ))
            opposites = [{people[0]: x, people[1]: x == differ} for x in (True, False)]
        else:
            return Verdict(Kind.CLAIM, False, state, "a relation is between two people")
        if not puzzle.follows(known, opposites):
            reason = "this does not follow by one supposition from what is known"
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(_facts(len(puzzle.knights), kinds, relations)))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.answer is not None and _names(state.answer) == _names(_solution(problem.data))

    def potential(self, problem: Problem, state: State) -> float:
        if state.answer is not None:
            return float(self.is_solved(problem, state))
        people = len(puzzle_of(problem.data).knights)
        return potential_at(people - len(_known(state.data).kinds) + 1)

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        if state.answer is not None:
            return []
        known = _known(state.data)
        if len(known.kinds) == len(puzzle_of(problem.data).knights):
            return [f"answer: {_solution(problem.data)}"]
        return [_name(*kind) for kind in _next_kinds(problem.data, state.data)]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[int(rng.integers(len(steps)))] if steps else None

    def prompt(self, problem: Problem, style: str) -> str:
        statements = puzzle_of(problem.data).statements
        if style == "compact":
            said = (str(statement).replace(" ", "") for statement in statements)
            return " ".join(f"{name}:{text}" for name, text in zip(NAMES, said))
        # The same for all problems of that many people.
        example = " ".join(_name(i, i % 3 != 1) for i in range(len(statements)))
        told = "\n".join(f'{x} says: "{english(s)}."' for x, s in zip(NAMES, statements))
        return (
            "Everybody is either a knight, who only says what is true, or a knave, who only says "
            f"what is false. Find out who is what.\n{told}\n"
            "Write one conclusion a line: B if B is a knight, ~B if B is a knave, B = C if both "
            "are of the same kind, B = ~C if they are not. It must follow from the statements and "
            "your earlier lines by a single supposition: suppose that it is false, and read one "
            "statement at a time for what it makes certain, until one can be neither a knight's "
            "nor a knave's.\n"
            f"At the end give the kinds of all, in order, in the form: answer: {example}"
        )

    def show(self, problem: Problem, state: State) -> str:
        """The facts, and whose kind is not known: `A, ~C, D = ~E; left: B D E`."""
        kinds = _known(state.data).kinds
        people = len(puzzle_of(problem.data).knights)
        left = " ".join(NAMES[i] for i in range(people) if i not in kinds)
        facts = ", ".join(map(str, _texts(state.data)))
        return "; ".join(part for part in (facts, f"left: {left}" if left else "") if part)

    def canonical(self, problem: Problem) -> str:
        """Ignores names, the order of people, and the order within "and", "or" and "same"."""
        statements = puzzle_of(problem.data).statements
        return nameless(Formula("says", pair) for pair in zip(map(Formula, NAMES), statements))

    def budget(self, level: int) -> Budget:
        people = _LEVELS[level].people
        # A relation has up to 7 tokens with its newline, the answer 3 * people + 1.
        return Budget(2 * people + 4, 7 * (2 * people + 4) + 3 * people)

    def chance(self, level: int) -> float:
        """The kinds are drawn evenly, so that any fixed answer is right as often as another."""
        return 2.0 ** -_LEVELS[level].people


# -- Answers and facts as text --------------------------------------------------------------------


def _name(person: int, knight: bool) -> str:
    """The claim of a kind."""
    return NAMES[person] if knight else f"~{NAMES[person]}"


def _names(answer: str) -> list[str] | None:
    """The kinds that an answer gives; None if it is none."""
    return re.split("[ ,]+", answer) if _ANSWER.fullmatch(answer) else None


def _judge_answer(problem: Problem, state: State, text: str) -> Verdict:
    answered = State(state.data, text)
    given, right = _names(text), _names(_solution(problem.data))
    if given == right:
        return Verdict(Kind.ANSWER, True, answered)
    reason = "the answer is not right"
    if given is None or right is None or len(given) != len(right):
        reason = "an answer names everybody in order, with ~ before each knave, such as: A ~B C"
    return Verdict(Kind.ANSWER, False, answered, reason)


def _texts(data: Json) -> tuple[Json, ...]:
    assert isinstance(data, tuple)
    return data


@lru_cache(maxsize=16384)
def _known(data: Json) -> Known:
    """The facts of a state."""
    kinds: Kinds = {}
    relations: list[Relation] = []
    for text in _texts(data):
        match = _CLAIM.fullmatch(str(text))
        assert match is not None
        if match[4]:
            relations.append((NAMES.find(match[2]), NAMES.find(match[4]), bool(match[3])))
        else:
            kinds[NAMES.find(match[2])] = not match[1]
    return Known(kinds, tuple(relations))


def _facts(people: int, kinds: Kinds, relations: Sequence[Relation]) -> Json:
    """The facts as a state has them: of all that are related, one is related to each other one
    whose kind is not known. It is the first whose kind is known, or else the first."""
    group, differs = list(range(people)), [False] * people
    for i, j, differ in relations:
        old, turn = group[j], differs[i] ^ differs[j] ^ differ
        if old != group[i]:
            for k in range(people):
                if group[k] == old:
                    group[k], differs[k] = group[i], differs[k] ^ turn
    texts = [_name(*kind) for kind in sorted(kinds.items())]
    for j in range(people):
        related = (k for k in range(people) if group[k] == group[j])
        i = min(related, key=lambda k: (k not in kinds, k))
        if j not in kinds and i != j:
            first, second = sorted((i, j))
            texts.append(f"{NAMES[first]} = {_name(second, differs[i] == differs[j])}")
    return tuple(texts)


# -- Reasoning ------------------------------------------------------------------------------------


@lru_cache(maxsize=16384)
def _next_kinds(data: Json, facts: Json) -> tuple[tuple[int, bool], ...]:
    """The kinds that follow from the facts by one supposition."""
    puzzle, known = puzzle_of(data), _known(facts)
    return tuple(
        (person, knight)
        for person, knight in product(range(len(puzzle.knights)), (True, False))
        if person not in known.kinds and puzzle.follows(known, [{person: not knight}])
    )


@lru_cache(maxsize=4096)
def _rounds(data: Json) -> int | None:
    """See `Level.rounds`; None if not all kinds follow by single suppositions."""
    puzzle, kinds, rounds = puzzle_of(data), Kinds(), 0
    while len(kinds) < len(puzzle.knights):
        following = _next_kinds(data, _facts(len(puzzle.knights), kinds, ()))
        if not following:
            return None
        kinds.update(following)
        rounds += 1
    return rounds


@lru_cache(maxsize=4096)
def _solution(data: Json) -> str:
    """The answer of a problem.

    Raises:
        ValueError: there is not exactly one, or single suppositions do not find it.
    """
    puzzle = puzzle_of(data)
    worlds = puzzle.possible
    if worlds.bit_count() != 1:
        raise ValueError(f"The statements {data!r:.200} have not exactly one solution")
    if _rounds(data) is None:
        raise ValueError(f"The statements {data!r:.200} need more than one supposition at a time")
    return " ".join(_name(i, bool(worlds & x)) for i, x in enumerate(puzzle.knights))
