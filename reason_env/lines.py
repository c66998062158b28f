"""Lines of text: normal form, and which kind a line is."""

from __future__ import annotations

import unicodedata

from reason_env.problem import Kind
from reason_env.tokenizer import CHARSET

_SIGNS = str.maketrans(
    {
        "\u2212": "-",  # minus sign
        "\u2010": "-",  # hyphen
        "\u2011": "-",  # non-breaking hyphen
        "\u2013": "-",  # en dash
        "\u00d7": "*",  # multiplication sign
        "\u22c5": "*",  # dot operator
        "\u2217": "*",  # asterisk operator
        "\u00f7": "/",  # division sign
        "\u2044": "/",  # fraction slash, also what NFKC makes of one half
        "\u2215": "/",  # division slash
    }
)
OUTSIDE = "\ufffd"
"""Stands for every character outside the charset; shown to the agent as `?`."""

MAX_MARKS = 30
"""As many on one letter as Unicode's Stream-Safe Text Format allows (UAX 15)."""


def normalise(text: str) -> str:
    """Any Unicode text in the charset: NFKC, ASCII signs, and `OUTSIDE` for what is left.

    NFKC would make `22` of `2` with a superscript 2, and `31/2` of `3` with a one-half sign:
    raised and lowered characters are therefore left outside, and a fraction sign after a digit
    is set apart by a space. Likewise all but the first `MAX_MARKS` of a letter's marks, since
    sorting them takes time that grows with their square.
    """
    if text.isascii() and text.isprintable():
        return text
    prepared: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > MAX_MARKS:
            prepared.append(OUTSIDE)
            continue
        decomposition = unicodedata.decomposition(character)
        if decomposition.startswith(("<super>", "<sub>")):
            character = OUTSIDE
        elif decomposition.startswith("<fraction>") and prepared and prepared[-1].isdigit():
            character = " " + character
        prepared.append(character)
    folded = unicodedata.normalize("NFKC", "".join(prepared)).translate(_SIGNS)
    return "".join(c if c in CHARSET else " " if c.isspace() else OUTSIDE for c in folded)


def kind_of(line: str) -> Kind | None:
    """The kind of a normalised line as far as its form decides it; None: a claim or a thought,
    which only the task can tell apart."""
    stripped = line.strip()
    if OUTSIDE in stripped:
        return Kind.THOUGHT
    if stripped.startswith("answer:"):
        return Kind.ANSWER
    if stripped == "undo":
        return Kind.UNDO
    if stripped in ("check: open", "check: dead"):
        return Kind.CHECK
    return None


def answer_value(line: str) -> str:
    """What stands behind `answer:`."""
    return line.strip().removeprefix("answer:").strip()
