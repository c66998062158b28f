"""Propositional formulas as text: a parser that hostile input can neither break nor slow, truth
tables, and a form that ignores names; shared by the families of logic.

    ~p        p & q        p | q        p -> q        p = ~q        (p & q) -> ~(r | s)

`=` says that both are true or both are false. `~` binds most, then `&`, `|`, `->` and `=`, and
`->` groups to the right. In canonical text every `&`, `|`, `->` and `=` within another connective
stands in brackets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

MAX_CHARS = 400
MAX_NESTING = 32
"""Limits of a formula."""

_PIECE = re.compile(r"\s*([A-Za-z]|->|[~&|=()])")
_FORMULA = re.compile(r"[A-Za-z~&|=()>\- ]*[A-Za-z~&|=()>\-]")
_WORD = re.compile("[A-Za-z]{2}")
_RANK = {"=": 1, "->": 2, "|": 3, "&": 4, "~": 5}
_SYMMETRIC = frozenset("&|=")


class NotFormula(ValueError):
    """The text is not a formula within the limits."""


class Formula(NamedTuple):
    """A name or a connective with its parts; a sign that is no letter and has no parts is a
    constant that only a family knows."""

    sign: str
    parts: tuple[Formula, ...] = ()

    def __str__(self) -> str:
        if not self.parts:
            return self.sign
        texts = [f"({part})" if len(part.parts) == 2 else str(part) for part in self.parts]
        return f"~{texts[0]}" if self.sign == "~" else f"{texts[0]} {self.sign} {texts[1]}"

    @property
    def negation(self) -> Formula:
        return Formula("~", (self,))

    def subformulas(self) -> Iterator[Formula]:
        """Itself and all its parts' parts; some may come twice."""
        yield self
        for part in self.parts:
            yield from part.subformulas()

    @property
    def names(self) -> set[str]:
        return {f.sign for f in self.subformulas() if not f.parts and f.sign.isalpha()}


def looks_like_formula(text: str) -> bool:
    """Whether a text is meant as a formula: single letters and signs, no words."""
    return _FORMULA.fullmatch(text) is not None and _WORD.search(text) is None


def parse_formula(text: str) -> Formula:
    """Read a formula. Two stacks instead of recursion, so that nesting can be limited.

    Raises:
        NotFormula: says what is wrong.
    """
    if len(text) > MAX_CHARS:
        raise NotFormula(f"it is longer than {MAX_CHARS} characters")
    formulas: list[tuple[int, Formula]] = []
    signs: list[str] = []
    wants_operand = True
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _PIECE.match(text, place)
        if match is None:
            raise NotFormula(f"{text[place : place + 1]!r} has no place in a formula")
        piece, place = match[1], match.end()
        if wants_operand and piece in ("~", "("):
            signs.append(piece)
        elif wants_operand and piece.isalpha():
            formulas.append((0, Formula(piece)))
            wants_operand = False
        elif not wants_operand and piece == ")" and "(" in signs:
            while signs[-1] != "(":
                _join(formulas, signs)
            signs.pop()
        elif not wants_operand and piece in _RANK and piece != "~":
            # `->` waits for what stands to the right of another.
            while signs and signs[-1] != "(" and _RANK[signs[-1]] >= _RANK[piece] + (piece == "->"):
                _join(formulas, signs)
            signs.append(piece)
            wants_operand = True
        else:
            raise NotFormula(f"{piece!r} is out of place in it")
    if wants_operand or "(" in signs:
        raise NotFormula("it ends too early")
    while signs:
        _join(formulas, signs)
    return formulas[0][1]


def _join(formulas: list[tuple[int, Formula]], signs: list[str]) -> None:
    """Put the last sign to its parts; depths are kept with the formulas.

    Raises:
        NotFormula: it is nested too deeply.
    """
    sign = signs.pop()
    count = 1 if sign == "~" else 2
    parts = formulas[-count:]
    del formulas[-count:]
    depth = 1 + max(depth for depth, _ in parts)
    if depth > MAX_NESTING:
        raise NotFormula(f"it is nested more than {MAX_NESTING} deep")
    formulas.append((depth, Formula(sign, tuple(part for _, part in parts))))


def truth_table(formula: Formula, names: Sequence[str]) -> int:
    """The worlds in which it is true, as the bits of a number.

    World w has the name `names[i]` true where bit i of w is set; there are 2**len(names) worlds.
    """
    if not formula.parts:
        return true_worlds(names.index(formula.sign), len(names))
    every = (1 << (1 << len(names))) - 1
    tables = [truth_table(part, names) for part in formula.parts]
    if formula.sign == "~":
        return every & ~tables[0]
    left, right = tables
    if formula.sign == "&":
        return left & right
    if formula.sign == "|":
        return left | right
    if formula.sign == "->":
        return every & ~left | right
    return every & ~(left ^ right)


def true_worlds(index: int, count: int) -> int:
    """The worlds in which the name of that index, of so many, is true."""
    half = 1 << index
    # A block of zeros and a block of ones, each `half` long, over and over.
    table = ((1 << half) - 1) << half
    for doubling in range(index + 1, count):
        table |= table << (1 << doubling)
    return table


def nameless(formulas: Iterable[Formula]) -> str:
    """The same text for all orders of the formulas, names, and orders of `&`, `|` and `=`.

    Names are told apart by what formulas they are in, what these formulas' names are told apart
    by, and so on until nothing new comes of it. A few very regular sets of formulas are taken for
    one another that differ; as a canonical form, this only puts them in the same split.
    """
    wanted = list(formulas)
    within = [formula.names for formula in wanted]
    names = sorted(set().union(*within))
    colours = dict.fromkeys(names, 0)
    while True:
        seen = {}
        for name in names:
            own = {**colours, name: -1}
            around = sorted(_blur(f, own) for f, inside in zip(wanted, within) if name in inside)
            seen[name] = json.dumps([colours[name], around])
        distinct = sorted(set(seen.values()))
        if len(distinct) == len(set(colours.values())):
            blurred = sorted(_blur(formula, colours) for formula in wanted)
            return json.dumps([blurred, sorted(colours.values())])
        rank = {description: i for i, description in enumerate(distinct)}
        colours = {name: rank[seen[name]] for name in names}


def _blur(formula: Formula, colours: Mapping[str, int]) -> str:
    """The formula with colours for names, and in an order that depends on nothing else."""
    if not formula.parts:
        return f"#{colours[formula.sign]}" if formula.sign in colours else formula.sign
    texts = [_blur(part, colours) for part in formula.parts]
    if formula.sign in _SYMMETRIC:
        texts.sort()
    return f"{formula.sign}({','.join(texts)})"
