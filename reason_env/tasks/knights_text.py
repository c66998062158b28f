"""The people of `KnightsKnaves`: what they say, what follows from it, and how problems are drawn.

A statement is a formula over the names, where a name says that this is a knight (`~B & C`, `B =
~C`, `(B | C) -> ~D`), or a count of the knights: `2` (exactly 2), `2+` (at least 2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reason_env.problem import Json
from reason_env.tasks.logic_text import (
    Formula,
    NotFormula,
    parse_formula,
    true_worlds,
    truth_table,
)

NAMES = "ABCDEFGHIJ"
_COUNT = re.compile(r"([0-9]{1,2})(\+?)")

Kinds = dict[int, bool]
"""Knights (True) and knaves by their places in the order of names."""
Relation = tuple[int, int, bool]
"""Two people, and whether they differ in kind."""


@dataclass(frozen=True, slots=True)
class Known:
    """The facts of a state: kinds, and relations of which one person at least is of no known kind
    (so many as to connect all that are related, and no more)."""

    kinds: Kinds
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Puzzle:
    """What the statements say. Sets of worlds are the bits of a number: in world w those are
    knights whose bits are set in w.

    Attributes:
        statements: as formulas; counts are constants.
        constraints: for each person, the worlds in which the statement fits the kind.
        knights: for each person, the worlds in which it is a knight.
        everything: all worlds.
    """

    statements: tuple[Formula, ...]
    constraints: tuple[int, ...]
    knights: tuple[int, ...]
    everything: int

    def worlds(self, kinds: Kinds) -> int:
        """The worlds in which these people are of these kinds."""
        worlds = self.everything
        for person, knight in kinds.items():
            worlds &= self.knights[person] if knight else ~self.knights[person]
        return worlds

    def related(self, relation: Relation) -> int:
        """The worlds in which the relation holds."""
        i, j, differ = relation
        unlike = self.knights[i] ^ self.knights[j]
        return unlike if differ else self.everything & ~unlike

    @property
    def possible(self) -> int:
        """The worlds in which all statements fit."""
        worlds = self.everything
        for constraint in self.constraints:
            worlds &= constraint
        return worlds

    def follows(self, known: Known, opposites: Sequence[Kinds]) -> bool:
        """Whether each of the suppositions has contradictory direct consequences."""
        constraints = (*self.constraints, *map(self.related, known.relations))
        start = self.worlds(known.kinds)
        return not any(self._consequences(start & self.worlds(o), constraints) for o in opposites)

    def _consequences(self, worlds: int, constraints: Sequence[int]) -> int:
        """The worlds left when one statement at a time has said all it makes certain."""
        before = 0
        while worlds != before:
            before = worlds
            for constraint in constraints:
                fitting = worlds & constraint
                if not fitting:
                    return 0
                for knights in self.knights:
                    if not fitting & knights:
                        worlds &= ~knights
                    elif not fitting & ~knights:
                        worlds &= knights
        return worlds


@lru_cache(maxsize=4096)
def puzzle_of(data: Json) -> Puzzle:
    """What the people of a problem say.

    Raises:
        ValueError: names what is not a statement.
    """
    if not isinstance(data, tuple) or not 2 <= len(data) <= len(NAMES):
        raise ValueError(f"Expected 2 to {len(NAMES)} statements, received {data!r:.80}")
    people = len(data)
    knights = tuple(true_worlds(i, people) for i in range(people))
    everything = (1 << (1 << people)) - 1
    statements, constraints = [], []
    for text, speaker in zip(data, knights):
        statement, truth = _statement(text, people)
        statements.append(statement)
        constraints.append(everything & ~(truth ^ speaker))
    return Puzzle(tuple(statements), tuple(constraints), knights, everything)


@lru_cache(maxsize=4096)
def _statement(text: Json, people: int) -> tuple[Formula, int]:
    """A statement, and the worlds in which it is true.

    Raises:
        ValueError: it is neither a formula nor a count.
    """
    if not isinstance(text, str):
        raise ValueError(f"A statement is a text, received {text!r:.80}")
    count = _COUNT.fullmatch(text)
    if count is not None:
        number, or_more = int(count[1]), bool(count[2])
        knights = [world.bit_count() for world in range(1 << people)]
        fits = (n >= number if or_more else n == number for n in knights)
        return Formula(text), sum(1 << world for world, fit in enumerate(fits) if fit)
    try:
        formula = parse_formula(text)
    except NotFormula as error:
        raise ValueError(f"Statement {text!r:.80} is not usable: {error}") from error
    strangers = formula.names - set(NAMES[:people])
    if strangers:
        raise ValueError(f"Statement {text!r:.80} is of {min(strangers)}, who is not there")
    return formula, truth_table(formula, NAMES[:people])


def english(statement: Formula) -> str:
    """A statement in words."""
    sign, parts = statement.sign, statement.parts
    if not parts:
        count = _COUNT.fullmatch(sign)
        if count is None:
            return f"{sign} is a knight"
        knights = "is a knight" if count[1] == "1" else "are knights"
        return f"{'at least' if count[2] else 'exactly'} {count[1]} of us {knights}"
    if sign == "~" and not parts[0].parts:
        return f"{parts[0].sign} is a knave"
    texts = [f"({english(x)})" if len(x.parts) == 2 else english(x) for x in parts]
    if sign == "~":
        return f"it is not so that {texts[0]}"
    if sign == "->":
        return f"if {texts[0]} then {texts[1]}"
    joint = {"&": "and", "|": "or", "=": "if and only if"}[sign]
    return f"{texts[0]} {joint} {texts[1]}"


@dataclass(frozen=True, slots=True)
class Level:
    """Problems of a level.

    Attributes:
        people: how many.
        forms: what statements are drawn from: `kind` (of one person), a connective of two kinds,
            `count`, or `nested` (a connective of a connective).
        rounds: how many at least it takes to settle all kinds, if in each round all that follow
            are: the longest chain of claims that hang on one another.
    """

    people: int
    forms: tuple[str, ...]
    rounds: int


def draw_statements(rng: np.random.Generator, level: Level) -> tuple[str, ...]:
    """Random statements, which fit kinds drawn evenly."""
    people = level.people
    world = int(rng.integers(1 << people))
    said = []
    for speaker in range(people):
        while True:
            form = level.forms[int(rng.integers(len(level.forms)))]
            text = _draw_statement(rng, form, speaker, people)
            _, truth = _statement(text, people)
            if (truth >> world & 1) == (world >> speaker & 1):
                said.append(text)
                break
    return tuple(said)


def _draw_statement(rng: np.random.Generator, form: str, speaker: int, people: int) -> str:
    """A statement of that form about others."""
    if form == "count":
        return f"{int(rng.integers(1, people))}{'+' if rng.integers(2) else ''}"
    others = [person for person in rng.permutation(people).tolist() if person != speaker]
    x, y, z = (Formula(NAMES[person]) for person in others[:3])
    x, y, z = (part.negation if rng.integers(2) else part for part in (x, y, z))
    if form == "kind":
        return str(x)
    if form == "=":
        # `~A = B` says what `A = ~B` says.
        return str(Formula("=", (Formula(x.sign if not x.parts else x.parts[0].sign), y)))
    if form == "nested":
        inner, outer = rng.choice(["&", "|"]), rng.choice(["->", "&", "|", "="])
        return str(Formula(str(outer), (Formula(str(inner), (x, y)), z)))
    return str(Formula(form, (x, y)))
