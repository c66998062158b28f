"""One form for equal answers: to vote over."""

import pytest
from answer_cases import cases
from hypothesis import given
from hypothesis import strategies as st

from reason_env.answers import canonical_answer, judge_math
from reason_env.rational import parse_canonical

ONE_VOTE = [
    ["1/2", "0.5", ".50", "2/4", r"\frac12", r"\dfrac{1}{2}", "50%", "x = 1/2", r"$\boxed{0.5}$"],
    ["-1/2", "-0.5", r"-\frac{1}{2}", r"\frac{-1}{2}"],
    ["1000", "1,000", "1e3", "1000.0", "01000", "$1000", "1000 dollars", "The answer is 1000."],
    ["0", "-0", "0.0", "0/7"],
    ["3 + 4", "4 + 3", "4+3"],
    ["7"],
    ["(0.5, 1)", "(1/2, 1)", "(2/4,1.0)"],
    ["(1, 1/2)"],
    ["1, 2", "2, 1", r"\{1, 2\}"],
    ["2x + 1", "1 + 2x", "y = 1 + 2x", "2x + 1 = y", "f(x) = 2x+1"],
    [r"12\pi", r"12\pi\text{ cm}^2"],
    ["x^2", "x ^ 2"],
    ["C", "c", "(C)", r"\text{C}", "**C**", "C."],
    ["Evelyn", "evelyn", r"\text{Evelyn}"],
    ["north east", "North  East", '"north east"'],
    ["A: knight, B: knave", "a: knight,  b: knave"],
    ["x1=T x2=F"],
]


@pytest.mark.parametrize("forms", ONE_VOTE)
def test_equal_answers_are_one(forms: list[str]) -> None:
    assert len({canonical_answer(form) for form in forms}) == 1


def test_other_answers_are_others() -> None:
    assert len({canonical_answer(forms[0]) for forms in ONE_VOTE}) == len(ONE_VOTE)


@pytest.mark.parametrize("text", ["", " ", r"\boxed{3} or \boxed{4}", r"\boxed{A}, \boxed{B}"])
def test_nothing_and_several_things_are_no_answer(text: str) -> None:
    assert canonical_answer(text) is None


UNITS_AND_NAMES = {"5 m", "m+n = 117", "ab = 12", "|S| = 12"}
"""Read as formulas where the right answer does not say that a unit or a name is meant."""


@pytest.mark.parametrize("form", ["value", "text"])
def test_what_is_accepted_for_an_answer_votes_for_it(form: str) -> None:
    pairs = [case[:2] for case in cases("accept") if case[2] == form]
    apart = {answer for gold, answer in pairs if canonical_answer(gold) != canonical_answer(answer)}
    assert len(pairs) > 20
    assert apart == (UNITS_AND_NAMES if form == "value" else set())


@given(st.fractions(max_denominator=10**6), st.integers(2, 9))
def test_numbers_are_told_by_value(value, factor):
    """The canonical text of a number is the one that every task takes."""
    top, bottom = value.numerator, value.denominator
    forms = [str(value), f"{top * factor}/{bottom * factor}", rf"\frac{{{top}}}{{{bottom}}}"]
    assert {canonical_answer(form) for form in forms} == {str(value)}
    assert parse_canonical(str(value)) == value
    assert canonical_answer(str(value + 1)) != str(value)


@given(st.text(max_size=60) | st.text(alphabet="0123456789.,/%^_{}()[]\\ =-+*xe$", max_size=60))
def test_nothing_written_can_hurt(text: str) -> None:
    once = canonical_answer(text)
    assert once == canonical_answer(text)
    assert once is None or once


@pytest.mark.parametrize(
    "text", ["9" * 5000, "(" * 3000, "1/" * 2000, "9" * 257, "1e999", "2^" * 900 + "2", "{" * 4000]
)
def test_what_is_absurd_is_told_as_text(text: str) -> None:
    assert canonical_answer(text)
    assert judge_math("3", text).status != "correct"
