"""Normal form of any Unicode text, and the kinds of lines."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reason_env.lines import OUTSIDE, answer_value, kind_of, normalise
from reason_env.problem import Kind
from reason_env.tokenizer import CHARSET


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3 + 4 = 7", "3 + 4 = 7"),
        ("3 \u2212 4", "3 - 4"),
        ("3 \u2013 4", "3 - 4"),
        ("3 \u00d7 4 \u00f7 2", "3 * 4 / 2"),
        ("3 \u22c5 4 \u2215 2", "3 * 4 / 2"),
        ("\uff11\uff12 \uff0b \uff13", "12 + 3"),
        ("\U0001d7d3", "5"),  # mathematical bold 5
        ("\u00bd", "1/2"),
        ("3\u00bd", "3 1/2"),
        ("x \u00bd", "x 1/2"),
        ("2\u00b2", "2" + OUTSIDE),
        ("x\u2082", "x" + OUTSIDE),
        ("a\u00a0b\u2003c\td", "a b c d"),
        ("\u0663", OUTSIDE),
        ("na\u00efve", "na" + OUTSIDE + "ve"),
        ("\x00\x1b\u200b\u202e", OUTSIDE * 4),
        ("a\nb", "a\nb"),
        ("", ""),
    ],
)
def test_normalise(text: str, wanted: str) -> None:
    assert normalise(text) == wanted


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_normal_text_is_in_the_charset_and_stays(text: str) -> None:
    normal = normalise(text)
    assert set(normal) <= CHARSET | {OUTSIDE}
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("answer: 7", Kind.ANSWER),
        ("  answer:7 ", Kind.ANSWER),
        ("answer:", Kind.ANSWER),
        ("answer 7", None),
        ("Answer: 7", None),
        ("the answer: 7", None),
        ("undo", Kind.UNDO),
        (" undo ", Kind.UNDO),
        ("undo it", None),
        ("check: open", Kind.CHECK),
        ("check: dead ", Kind.CHECK),
        ("check: maybe", None),
        ("3 + 4 = 7", None),
        ("", None),
        (f"answer: 7{OUTSIDE}", Kind.THOUGHT),
        (f"{OUTSIDE}undo", Kind.THOUGHT),
    ],
)
def test_kind_of(line: str, kind: Kind | None) -> None:
    assert kind_of(line) is kind


def test_answer_value() -> None:
    assert answer_value("  answer:  8/3 ") == "8/3"
    assert answer_value("answer:answer: 8") == "answer: 8"
