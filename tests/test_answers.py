"""Mathematical answers: what is accepted, what is not, and that nothing written can hurt."""

import doctest
import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from answer_cases import GOLDS, cases
from hypothesis import given, settings
from hypothesis import strategies as st

from reason_env import answers
from reason_env.answers import Form, Judgement, Status, form_of, is_value, judge_math
from reason_env.errors import MissingExtra
from reason_env.formulas.parser import parse
from reason_env.formulas.text import SeveralAnswers, Unreadable, plain, words
from reason_env.sandbox import Sandbox

DATA = Path(__file__).parent / "data" / "answer_equivalence"


def test_every_case_is_one_of_its_own() -> None:
    for verdict, least in [("accept", 150), ("reject", 150), ("unscored", 40)]:
        found = cases(verdict)
        assert len(set(found)) == len(found) >= least
    assert len(set(GOLDS)) >= 80


@pytest.mark.parametrize(("gold", "answer", "form"), cases("accept"))
def test_accepted(gold: str, answer: str, form: str) -> None:
    assert judge_math(gold, answer, form=form) == Judgement(Status.CORRECT)


@pytest.mark.parametrize(("gold", "answer", "form"), cases("reject"))
def test_rejected(gold: str, answer: str, form: str) -> None:
    judgement = judge_math(gold, answer, form=form)
    assert judgement.status == Status.INCORRECT
    assert judgement.reason
    assert not re.search("[0-9]", judgement.reason), "a reason never states the right value"


@pytest.mark.parametrize(("gold", "answer", "form"), cases("unscored"))
def test_not_scored(gold: str, answer: str, form: str) -> None:
    judgement = judge_math(gold, answer, form=form)
    assert judgement.status == Status.UNSCORED
    # Who is at fault is said: the data set, or the answer.
    answered_itself = judge_math(gold, gold, form=form).status == Status.CORRECT
    assert judgement.reason.startswith("gold:") != answered_itself


@pytest.mark.parametrize("gold", GOLDS)
def test_gold_answers_itself(gold: str) -> None:
    assert judge_math(gold, gold).status == Status.CORRECT
    assert judge_math(gold, rf"The answer is $\boxed{{{gold}}}$.").status == Status.CORRECT


def test_golds_do_not_answer_each_other() -> None:
    for index, gold in enumerate(GOLDS):
        other = GOLDS[(index + 37) % len(GOLDS)]
        assert judge_math(gold, other).status != Status.CORRECT, (gold, other)


# Other people's cases

OTHERWISE = {
    ("0", r"\boxed{x^2 - x^2}"): "incorrect: a calculation, where a number is asked for",
    (
        r"96-10\sqrt{21}",
        r"\frac{6\sqrt{1789-240\sqrt{21}}+8\sqrt{1236-240\sqrt{21}}}{5}",
    ): "incorrect: equal, but leaves most of the work undone",
    ("4:30p..", "4:30"): "unscored: the gold answer is damaged",
    (r"10{,}000", "10000"): "correct: the two are equal, as SOURCE.md says too",
}
TEXTS = ("odd $n$", r"$g(x)=\frac{1}{3}", r"$\lfloor\varphi n\rfloor$, where")
"""Beginnings of gold answers that are formulas with words, which are scored as texts."""


def others() -> Iterator[tuple[str, str, bool]]:
    for case in json.loads((DATA / "math_cases.json").read_text()):
        yield case["target"], case["output"], case["expected"] == "C"
    for line in (DATA / "model_answer_pairs.jsonl").read_text().splitlines():
        pair = json.loads(line)
        yield pair["gt"], pair["pred"], pair["grader_score"]


@pytest.mark.parametrize(("gold", "answer", "right"), [*others()])
def test_cases_of_inspect_ai_and_qwen(gold: str, answer: str, right: bool) -> None:
    form = Form.TEXT if gold.startswith(TEXTS) else Form.EXPRESSION
    status = judge_math(gold, answer, form=form).status
    expected = OTHERWISE.get((gold, answer), "correct" if right else "incorrect")
    assert status == expected.partition(":")[0]


def test_all_exceptions_are_cases() -> None:
    assert set(OTHERWISE) <= {(gold, answer) for gold, answer, _ in others()}


# Properties


def notations(value: Fraction) -> list[str]:
    """Ways to write one number, all in its last form."""
    p, q = value.numerator, value.denominator
    sign, size = "-" if p < 0 else "", abs(p)
    if q == 1:
        found = [
            f"{p}",
            f"{p}.0",
            f"{p:,}",
            f"+{p}" if p >= 0 else f"\N{MINUS SIGN}{size}",
            rf"\boxed{{{p}}}",
        ]
    else:
        found = [f"{p}/{q}", rf"\frac{{{p}}}{{{q}}}", rf"{sign}\dfrac{{{size}}}{{{q}}}"]
        whole, rest = divmod(size, q)
        if whole:
            found += [rf"{sign}{whole}\frac{{{rest}}}{{{q}}}", f"{sign}{whole} {rest}/{q}"]
    digits = next((n for n in range(12) if 10**n % q == 0), None)
    if digits:
        scaled = str(size * 10**digits // q).rjust(digits + 1, "0")
        found += [f"{sign}{scaled[:-digits]}.{scaled[-digits:]}", f"{sign}{scaled}e-{digits}"]
    found += [f"${found[0]}$", f"x = {found[0]}", f"**{found[-1]}**", rf"{found[0]}\text{{ cm}}"]
    return found


RATIONALS = st.builds(Fraction, st.integers(-(10**6), 10**6), st.integers(1, 400))


@given(RATIONALS, RATIONALS, st.data())
@settings(max_examples=300, deadline=None)
def test_numbers_are_accepted_if_and_only_if_equal(
    one: Fraction, other: Fraction, data: st.DataObject
) -> None:
    gold = data.draw(st.sampled_from(notations(one)))
    same = data.draw(st.sampled_from(notations(one)))
    assert judge_math(gold, same, form="value") == Judgement(Status.CORRECT), (gold, same)
    different = data.draw(st.sampled_from(notations(other)))
    accepted = judge_math(gold, different, form="value").status == Status.CORRECT
    assert accepted == (one == other), (gold, different)


@given(st.integers(1, 500), st.integers(1, 500), st.sampled_from("+-*"))
@settings(max_examples=200, deadline=None)
def test_no_calculation_answers_a_value(one: int, other: int, sign: str) -> None:
    calculation = f"{one} {sign} {other}"
    gold = {"+": one + other, "-": one - other, "*": one * other}[sign]
    for form in (Form.VALUE, Form.EXPRESSION):
        assert judge_math(str(gold), calculation, form=form).status != Status.CORRECT


FRAGMENTS = st.sampled_from(
    re.findall(
        r"\S+",
        r"""7 12 0.5 x y \frac \sqrt { } ( ) [ ] \{ \} , ; + - * / ^ _ ! % | = < \le \pm \cup \pi
    \infty \sin \log \text{a} \boxed{ $ ** \begin{pmatrix} & \\ \end{pmatrix} ^\circ \left \binom
    1e9 1e999 : and or cm ' \overline{3} \cdot \lfloor \angle A \angleA \mathbf{1} 9^9 1/2 e i""",
    )
)


FORMULAS = st.builds(str.join, st.sampled_from(["", " "]), st.lists(FRAGMENTS, max_size=40))


@given(FORMULAS | st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_anything_can_be_written(soon: Callable[..., Any], text: str) -> None:
    """There is always a judgement, soon, and never a right answer by accident."""
    judgement = soon(0.5, lambda: judge_math("8675309", text, form="value"))
    assert judgement.status != Status.CORRECT
    judge_math(text, text, form="text")
    for gold, answer in [(text, "x"), ("x+y", text), (text, f"1+{text}")]:
        judgement = judge_math(gold, answer, seconds=20)
        assert not judgement.reason.startswith("not compared"), "no limit was hit, nothing raised"
    with suppress(Unreadable, SeveralAnswers):
        parse(plain(text))


# Hostile answers

HOSTILE = [
    "9" * 4000,
    "9" * 10**6,
    "(" * 4000,
    "-" * 4000 + "8",
    "{" * 2000 + "8" + "}" * 2000,
    "$" * 4000,
    "*" * 4000,
    r"\boxed{" * 580,
    r"\boxed{1} " * 400,
    r"\frac" * 800,
    r"\sin" * 1000 + "x",
    r"\text{" * 600,
    "1/" * 2000 + "1",
    "x" + "!" * 4000,
    "x" + "^x" * 2000,
    "9^" * 2000 + "9",
    "9^{9^{9^{9}}}",
    "(((9^{999})^{999})^{999})",
    "99999999999!",
    "5" + "!" * 20,
    r"\binom{999999999}{99999}",
    r"\exp(\exp(\exp(99)))",
    "10^{-99999999}",
    "x," * 2000,
    "1 " * 2000,
    "|" * 4000,
    "f(" * 1000,
    r"\lfloor " * 500,
    r"2\frac{" * 60 + "x" + "}{3}" * 60,
    "٣" * 100,
    "\x00\ud800\U0010ffff",
    "x^{1e999}",
    r"\angleA",
    "1 5/",
    "__import__('os').system('true')",
    "x.__class__.__bases__",
    "lambda: 0",
]


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("gold", ["8", "x+1"])
def test_hostile_answers_are_refused_at_once(
    soon: Callable[..., Any], gold: str, answer: str
) -> None:
    judge_math("x+1", "x+2")  # so that the worker is there
    assert soon(0.5, judge_math, gold, answer).status != Status.CORRECT


PIECES = r"""0|.|,|x|sin|sqrt|\frac|\sqrt|\text{|\text{a}|\boxed|\boxed{|{|}|(|)|[|\{|;|+|-|/|^|_|!
|%|=|<|\pm|\cup|$|$$|*|**|`|\\|&|'|\,|\!|\:|~|\overline{3}|.\overline{3}|1:|1_|1_{|1,|1,000|1{,}000|\bar{
|\mathbb{|\angle|\angleA|\begin{pmatrix}|\left(|^{\circ}|1e9|²|½|√|√1|∞|₁|€|€1|cm|and|or|answer|f(
|1/2|1\frac12|\%|^^|..|1x10^| |1 | x|. |the answer is: """.replace("\n", "").split("|")


def readable(read: Callable[[str], object], text: str) -> bool:
    """Whether the text can be read."""
    try:
        read(text)
    except (Unreadable, SeveralAnswers):
        return False
    return True


def test_reading_takes_no_longer_per_character_in_long_texts(soon: Callable[..., Any]) -> None:
    """In this process, so there is no limit but that: no regular expression may backtrack."""
    for piece, (before, after) in itertools.product(
        PIECES, [("", ""), ("1", "x"), ("$", "$"), ("**", "**"), (r"\boxed{", "}")]
    ):
        text = before + (piece * 4096)[: 4096 - len(before + after)] + after
        soon(0.05, readable, words, text)
        soon(0.05, readable, lambda text: parse(plain(text)), text)


@pytest.mark.parametrize(
    "answer",
    [
        r"(1+x)^{299}(x+1)",
        r"\sqrt{" * 40 + "x" + "}" * 40,
        r"\sin(x+10^{2000}\pi)",
        "+".join(f"\\sqrt{{x+{index}}}" for index in range(60)),
        r"\{" + ",".join(f"\\sqrt{{{index}}}" for index in range(5, 65)) + r"\}",
    ],
    ids=range(5),
)
def test_slow_answers_end_in_time(answer: str) -> None:
    start = time.perf_counter()
    judge_math("(x+1)^{300}", answer, seconds=1)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("hang", "not compared within 0.3 s"),
        ("eat", "not compared within the memory limit"),
        ("die", "not compared: The worker exited with code 3"),
        ("fail", "not compared: ValueError: no"),
    ],
)
def test_limits_end_in_unscored(
    function: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_judges.py").write_text(
        "import os, time\n"
        "def hang(gold, answer): time.sleep(100)\n"
        "def eat(gold, answer): return len(b'x' * 10**9)\n"
        "def die(gold, answer): os._exit(3)\n"
        "def fail(gold, answer): raise ValueError('no')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Sandbox(f"broken_judges:{function}", megabytes=200) as box:
        monkeypatch.setattr(answers, "_sandbox", box)
        seconds = 0.3 if function == "hang" else 20
        judgement = judge_math("x+1", "x+2", seconds=seconds)
        assert judgement == Judgement(Status.UNSCORED, reason)
        assert judge_math("3", "3").status == Status.CORRECT, "numbers need no worker"


def test_threads() -> None:
    """Eight at once, hostile answers among them."""
    work = [*cases("accept")[::4], *cases("reject")[::4]] + [
        ("x", text, "expression") for text in HOSTILE
    ]
    alone = [judge_math(gold, answer, form=form) for gold, answer, form in work]
    with ThreadPoolExecutor(8) as pool:
        together = [*pool.map(lambda case: judge_math(case[0], case[1], form=case[2]), work)]
    assert together == alone


# The rest of the interface


@pytest.mark.parametrize(
    ("gold", "form"),
    [
        ("18", Form.VALUE),
        (r"\frac{1}{2}", Form.VALUE),
        ("x = 5", Form.VALUE),
        (r"10\text{ cm}", Form.VALUE),
        (r"10\%", Form.VALUE),
        (r"\text{Evelyn}", Form.TEXT),
        (r"\text{(C)}", Form.TEXT),
        ("(C)", Form.TEXT),
        ("even", Form.TEXT),
        ("C", Form.TEXT),
        ("x+1", Form.EXPRESSION),
        ("1, 2", Form.EXPRESSION),
        ("(1,2)", Form.EXPRESSION),
        (r"\forall x", Form.TEXT),
    ],
)
def test_form_of(gold: str, form: Form) -> None:
    assert form_of(gold) == form


def test_forms_are_checked() -> None:
    with pytest.raises(ValueError, match=r"Unknown form 'vaule'.*Did you mean 'value'"):
        judge_math("1", "1", form="vaule")


@pytest.mark.parametrize(
    ("text", "right"),
    [("8/3", True), ("16/6", False), (" 8/3", False), ("2 2/3", False), ("", False), (None, False)],
)
def test_is_value(text: str | None, right: bool) -> None:
    assert is_value(text, Fraction(8, 3)) == right


def test_docstring() -> None:
    failed, tried = doctest.testmod(answers)
    assert (failed, tried) == (0, 2)


def test_math_verify_is_asked_for_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "math_verify", None)
    assert judge_math("1/2", "0.5").status == Status.CORRECT
    with pytest.raises(MissingExtra, match=re.escape("pip install 'reason-env[math]'")):
        judge_math("x+1", "x+2")


def test_nothing_heavy_in_this_process() -> None:
    code = (
        "import sys; from reason_env.answers import judge_math; print(judge_math('x+1', '2+x-1'));"
        "print({'sympy', 'mpmath', 'math_verify'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "set()"
