"""Formulas: the parser on good and hostile text, truth tables, and the form without names."""

from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reason_env.tasks.logic_text import (
    MAX_NESTING,
    Formula,
    NotFormula,
    looks_like_formula,
    nameless,
    parse_formula,
    true_worlds,
    truth_table,
)

FORMULAS = st.recursive(
    st.sampled_from("pqrS").map(Formula),
    lambda parts: st.one_of(
        parts.map(lambda part: part.negation),
        st.builds(
            lambda s, x, y: Formula(s, (x, y)), st.sampled_from(["&", "|", "->", "="]), parts, parts
        ),
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("p", "p"),
        (" ~ p ", "~p"),
        ("~~p", "~~p"),
        ("((p))", "p"),
        ("p&q|r", "(p & q) | r"),
        ("p|q&r", "p | (q & r)"),
        ("p->q->r", "p -> (q -> r)"),
        ("(p->q)->r", "(p -> q) -> r"),
        ("p & q & r", "(p & q) & r"),
        ("~p & q", "~p & q"),
        ("~(p & q)", "~(p & q)"),
        ("p = ~q", "p = ~q"),
        ("p | q -> r = s", "((p | q) -> r) = s"),
        ("~p->~q", "~p -> ~q"),
    ],
)
def test_parse(text: str, canonical: str) -> None:
    assert str(parse_formula(text)) == canonical


MALFORMED = ["", " ", "~", "p q", "pq", "p &", "& p", "p & & q", "p | | q", "(p", "p)", "()"]
MALFORMED += ["p - q", "p > q", "p <- q", "p == q", "1", "p + q", "p\u00e9"]
HUGE = ["(" * 10_000, "~" * 300 + "p", "p" * 10_000, "p -> " * 3_000 + "p", "p -> " * 60 + "p"]


@pytest.mark.parametrize("text", [*MALFORMED, *HUGE])
def test_hostile_text(soon: Callable[..., Any], text: str) -> None:
    def refused() -> None:
        with pytest.raises(NotFormula):
            parse_formula(text)

    soon(0.05, refused)


def test_nesting_up_to_the_limit() -> None:
    assert str(parse_formula("~" * MAX_NESTING + "p")) == "~" * MAX_NESTING + "p"


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("p", True),
        ("p -> (q", True),
        ("=", True),
        ("(" * 10_000, True),
        ("", False),
        (" " * 10_000, False),
        ("so p", False),
        ("p + q", False),
        ("p1", False),
    ],
)
def test_looks_like_formula(text: str, looks: bool) -> None:
    assert looks_like_formula(text) == looks


def value(formula: Formula, world: dict[str, bool]) -> bool:
    if not formula.parts:
        return world[formula.sign]
    values = [value(part, world) for part in formula.parts]
    if formula.sign == "~":
        return not values[0]
    if formula.sign == "->":
        return values[1] if values[0] else True
    return {"&": all(values), "|": any(values), "=": values[0] is values[1]}[formula.sign]


@given(FORMULAS)
def test_round_trip_and_truth(formula: Formula) -> None:
    assert looks_like_formula(str(formula))
    if len(str(formula)) < 400:
        assert parse_formula(str(formula)) == formula
    table = truth_table(formula, "pqrS")
    for bits in product((False, True), repeat=4):
        world = sum(bit << i for i, bit in enumerate(bits))
        assert bool(table >> world & 1) == value(formula, dict(zip("pqrS", bits)))


def test_true_worlds() -> None:
    for count in range(1, 6):
        for index in range(count):
            worlds = {w for w in range(1 << count) if true_worlds(index, count) >> w & 1}
            assert worlds == {w for w in range(1 << count) if w >> index & 1}


@given(st.lists(FORMULAS, min_size=1, max_size=4), st.permutations("pqrS"))
def test_nameless_ignores_names_and_orders(formulas: list[Formula], names: list[str]) -> None:
    def renamed(formula: Formula) -> Formula:
        if not formula.parts:
            return Formula(names["pqrS".index(formula.sign)])
        parts = tuple(map(renamed, formula.parts))
        return Formula(formula.sign, parts if formula.sign == "->" else parts[::-1])

    assert nameless(map(renamed, formulas[::-1])) == nameless(formulas)


def test_nameless_tells_apart() -> None:
    sets = ["p", "~p", "p q", "p p->q", "q p->q", "p->q q->r", "p->q r->q", "p->q p->r", "p|q p->q"]
    forms = {nameless(parse_formula(text) for text in each.split()) for each in sets}
    assert len(forms) == len(sets)
    for order in permutations("pqr"):
        p, q, r = order
        assert nameless(map(parse_formula, [f"{p}->{q}", f"{q}&{r}", r])) == nameless(
            map(parse_formula, ["c", "b&c", "a->b"])
        )
