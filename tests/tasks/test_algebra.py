"""The algebra that Polynomial, Derivative and Integral share: text, trees and exact values."""

import cmath
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from reason_env.tasks.algebra_form import Exact, tree_of
from reason_env.tasks.algebra_text import (
    FUNCTIONS,
    looks_like_expression,
    parse,
    render,
)
from reason_env.tasks.algebra_tree import OPERATORS, NotAlgebra

PIECES = ("x", "2", "3", "1/2", "x^2", "-x", "sin(x)", "cos(2*x)", "exp(x - 1)", "ln(x)", "1/x")


def expression(rng: random.Random, depth: int = 2) -> str:
    """Text of any shape in x."""
    if depth == 0:
        return rng.choice(PIECES)
    left, right = (f"({expression(rng, rng.randrange(depth))})" for _ in range(2))
    sign = rng.choice([" + ", " - ", "*", "*", "/"])
    return f"{left}{rng.choice(['', '', '^2', '^-1'])}{sign}{right}"


def at(text: str, x: complex) -> complex:
    """The value by Python's own precedence; for the tests' own expressions only."""
    names = {"exp": cmath.exp, "sin": cmath.sin, "cos": cmath.cos, "ln": cmath.log, "x": x}
    return complex(eval(text.replace("^", "**"), names))


def test_text_round_trips_and_keeps_its_value() -> None:
    rng, done = random.Random(0), 0
    while done < 300:
        text = expression(rng, 3)
        try:
            tree = parse(text, "x", FUNCTIONS)
            expected = at(text, 0.7)
        except (NotAlgebra, ZeroDivisionError):
            continue
        done += 1
        written = render(tree)
        assert parse(written, "x", FUNCTIONS) == tree
        assert at(written, 0.7) == pytest.approx(expected), (text, written)


def test_equality_agrees_with_values() -> None:
    """Expressions that are equal at a few points are equal, and no others."""
    rng, equal = random.Random(1), 0
    for _ in range(400):
        texts = [expression(rng), expression(rng)]
        if rng.randrange(2):
            # Another way to write the first: sin(2*x) is 2*sin(x)*cos(x), and the like.
            texts[1] = texts[0].replace("cos(2*x)", "(1 - 2*sin(x)^2)").replace("1/2", "(2 - 3/2)")
            texts[1] = f"({texts[1]})*(x + 1)/(1 + x)".replace("exp(x - 1)", "(exp(x)/exp(1))")
        exact = Exact()
        try:
            first, second = (exact.value(parse(text, "x", FUNCTIONS)) for text in texts)
            same = exact.equal(first, second)
            points = [[at(text, x) for text in texts] for x in (0.7, 1.9 + 0.3j)]
        except (NotAlgebra, ZeroDivisionError):
            continue
        equal += same
        assert same == all(a == pytest.approx(b, rel=1e-9, abs=1e-9) for a, b in points), texts
    assert equal > 100


@pytest.mark.parametrize("text", ["(x + 1)^3*sin(x)^2", "exp(x)^2*cos(3*x)*x - ln(x^2 - 1)/x^2"])
def test_forms_as_expressions(text: str) -> None:
    exact = Exact()
    value = exact.value(parse(text, "x", FUNCTIONS))
    form = exact.quotient(value)
    assert form is not None
    assert exact.equal(exact.value(tree_of(form)), value)
    assert "^2*sin" not in render(tree_of(form)), "products of waves become sums"


@pytest.mark.parametrize(
    ("text", "names", "is_one"),
    [
        ("x", "x", True),
        ("2xy", "xy", True),
        ("sin(x) + D (x)", "x", True),
        ("y", "x", True),  # a claim, and a wrong one
        ("sine(x)", "x", False),
        ("so x", "x", False),
        ("x = 1", "x", False),
        ("+ - ()", "x", False),
        ("x.5", "x", False),
        ("", "x", False),
        ("2 sin x cos 3x", "x", True),
        ("sin^2(x) + ln|x + 1|", "x", True),
        ("sin^-1(x)", "x", False),  # the inverse, or a power
        ("sin x^2", "x", False),  # sin(x^2), or sin(x)^2
        ("sin 2*x", "x", False),
        ("|x|", "x", False),
        ("Use the product rule.", "xe", False),
        ("Let u = x^2", "xe", False),
        ("D(x^2) = 2*x", "xe", False),
        ("= 2*x", "xe", False),
        ("2*x.", "xe", False),
        ("f'(x) = 2*x", "xe", False),
        ("so the basin x", "x", False),
    ],
)
def test_what_looks_like_an_expression(text: str, names: str, is_one: bool) -> None:
    assert looks_like_expression(text, names) == is_one


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2sin x", "2*sin(x)"),
        ("x ln x/2", "1/2*x*ln(x)"),
        ("sin 2x cos 3x", "sin(2*x)*cos(3*x)"),
        ("sin^2(x) + cos^2 x", "sin(x)^2 + cos(x)^2"),
        ("ln|3x + 2|/3", "1/3*ln(3*x + 2)"),
        ("ln |x| ln(x)", "ln(x)^2"),
        ("xe^x", "x*exp(x)"),
        ("e^(2x + 1) - e^-x", "exp(2*x + 1) - exp(-x)"),
        ("e^2x", "x*exp(2)"),
        ("e", "exp(1)"),
        ("2**x", None),
        ("e^x^2", None),
        ("e^e^x", None),
        ("e^sin(x)", None),
        ("e^", None),
        ("x^(1/2)", None),
        ("e^(" * 30 + "x" + ")" * 30, None),
        ("e^" * 400 + "x", None),
    ],
)
def test_notation_of_functions(text: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(NotAlgebra):
            parse(text, "x", FUNCTIONS)
    else:
        assert render(parse(text, "x", FUNCTIONS)) == canonical


def test_letters_of_functions_are_variables_too() -> None:
    assert render(parse("ln + e", "lne")) == "l*n + e"


@pytest.mark.parametrize(
    "text",
    [
        "ln|" * 3_000,
        "ln|x" * 2_000,
        "sin1" * 2_000,
        "sin" + "1" * 10_000,
        "1" * 10_000,
        "x" * 10_000,
        "1 + " * 2_500,
        "(" * 10_000,
        "sin" * 3_000,
        " " * 10_000,
    ],
)
def test_looking_takes_no_time(soon: Callable[..., Any], text: str) -> None:
    soon(0.05, looks_like_expression, text, "x")
    soon(0.05, looks_like_expression, text + "!", "x")


def test_no_product_hides_an_operator() -> None:
    """Whatever the constructors tidy, each D(...) that was written stays."""
    for text in ("0*D(x)", "D(x)*D(x)", "D(x)/D(x)", "(D(x) + 1)*(D(x) + 1)", "0*(2*D(x) + 1)"):
        tree = parse(text, "x", FUNCTIONS | OPERATORS)
        assert len(re.findall("D", render(tree))) == text.count("D")
