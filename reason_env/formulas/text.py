"""From what was written to one line of plain LaTeX: the answer found, Unicode folded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from reason_env import lines

MAX_CHARACTERS = 4096
MAX_BOXES = 16
MAX_WRAPPERS = 16


class Unreadable(ValueError):
    """The text cannot be read as mathematics; the message says why."""


class SeveralAnswers(ValueError):
    """Different answers are given in the hope that one is right."""


_UNICODE = {
    "\u221a": r"\sqrt ",
    "\u221b": r"\sqrt[3] ",
    "\u03c0": r"\pi ",
    "\u03b1": r"\alpha ",
    "\u03b2": r"\beta ",
    "\u03b3": r"\gamma ",
    "\u03b8": r"\theta ",
    "\u03bb": r"\lambda ",
    "\u03c6": r"\phi ",
    "\u221e": r"\infty ",
    "\u00b0": r"^\circ ",
    "\u2264": r"\le ",
    "\u2265": r"\ge ",
    "\u2260": r"\ne ",
    "\u222a": r"\cup ",
    "\u2208": r"\in ",
    "\u00b1": r"\pm ",
    "\u2213": r"\mp ",
    "\u00b7": r"\cdot ",
    "\u2220": r"\angle ",
    "\u230a": r"\lfloor ",
    "\u230b": r"\rfloor ",
    "\u2308": r"\lceil ",
    "\u2309": r"\rceil ",
    "\u2205": r"\emptyset ",
    "\u211d": r"\mathbb{R}",
    "\u20ac": r"\text{ euros}",
    "\u00a3": r"\text{ pounds}",
    "\u202f": r"\,",
    "\u2009": r"\,",
    "\u2032": "'",
    "\u3002": ".",
}
_RAISED = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207f", "0123456789-n"
)
_RAISED_RUN = re.compile("[" + "".join(map(chr, _RAISED)) + "]+")
_LOWERED_RUN = re.compile("[\u2080-\u2089]+")
_MONEY = re.compile("([\u20ac\u00a3]) ?([0-9](?:[0-9.,]*[0-9])?)")
_ROOT = re.compile(r"(?:\u221a|(?<![A-Za-z\\])sqrt) ?([0-9]+(?:\.[0-9]+)?)")
_TIMES_TEN = re.compile(r"(?<=[0-9]) ?x ?(?=10\^)")
_PROSE = re.compile(
    r"(?:\*\*)?(?:(?:so|thus|therefore|hence),? )?(?:the )?(?:final |correct )?"
    r"answer(?:\*\*)?(?: is(?: therefore)?:?|:)(?:\*\*)? ?",
    re.I,
)
_BOX = re.compile(r"\\(?:boxed|fbox|beginboxed)\s*")
_DOLLAR = re.compile(r"(?<!\\)\$")
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf)\s*\{([^{}]*)\}")
_WRAPPED = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\$\$(.*)\$\$",
        r"\$([^$]*)\$",
        r"\\\((.*)\\\)",
        r"\\\[(.*)\\\]",
        r"\*\*((?:(?!\*\*).)*)\*\*",
        r"`([^`]*)`",
        r"(.*[^.])\.",
        r"\{([^{}]*)\}",
    )
]
_THIN = (r"\,", r"\;", r"\:", r"\!")


def plain(text: str) -> str:
    """The answer in `text`, free of boxes, dollars, bold type, closing full stops and Unicode.

    Raises:
        Unreadable: too long, empty, or with characters that mean nothing here.
        SeveralAnswers: boxes with different contents.
    """
    text = _answer_in(text, _fold)
    # What is left of dollars: pairs around parts of the text, or one sign of money.
    if len(_DOLLAR.findall(text)) % 2 == 0:
        return _DOLLAR.sub(" ", text).strip()
    return _DOLLAR.sub(r"\\$", text)


def words(text: str) -> str:
    """The answer in `text` as words, free of all that is only typography.

    Raises:
        Unreadable: too long, or empty.
        SeveralAnswers: boxes with different contents.
    """
    text = _answer_in(text, lambda text: unicodedata.normalize("NFKC", text))
    text = _DOLLAR.sub("", _TEXT.sub(r"\1", text)).casefold()
    found = " ".join(text.split()).strip(" .,;:!()[]{}*\"'")
    if not found:
        raise Unreadable("nothing written")
    return found


def _answer_in(text: str, fold: Callable[[str], str]) -> str:
    """What stands in the box, or all of it, without what is wrapped around the whole."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"more than {MAX_CHARACTERS} characters")
    text = _unwrap(" ".join(fold(text).split()))
    prose = _PROSE.match(text)
    text = _unwrap(text[prose.end() :]) if prose else text
    boxes = {_unwrap(box) for box in _boxes(text)}
    if len(boxes) > 1:
        raise SeveralAnswers("different answers in several boxes")
    text = boxes.pop() if boxes else text
    if not text:
        raise Unreadable("nothing written")
    return text


def _fold(text: str) -> str:
    text = _ROOT.sub(r"\\sqrt{\1}", text)
    if text.isascii():
        folded = text
    else:
        folded = _MONEY.sub(r"\2\1", text)
        folded = _RAISED_RUN.sub(lambda run: "^{" + run[0].translate(_RAISED) + "}", folded)
        folded = _LOWERED_RUN.sub(
            lambda run: "_{" + "".join(str(ord(c) - 0x2080) for c in run[0]) + "}", folded
        )
        folded = "".join(_UNICODE.get(character, character) for character in folded)
    folded = lines.normalise(" ".join(folded.split()))
    if lines.OUTSIDE in folded:
        raise Unreadable("a character without mathematical meaning")
    return _TIMES_TEN.sub(r"\\times ", folded)


def _boxes(text: str) -> list[str]:
    """The contents of all boxes; one that is never closed goes to the end."""
    found = []
    if len(_BOX.findall(text)) > MAX_BOXES:
        raise SeveralAnswers(f"more than {MAX_BOXES} boxes")
    for box in _BOX.finditer(text):
        rest = text[box.end() :]
        found.append(rest[1 : _closing(rest)] if rest.startswith("{") else rest)
    # Boxes in boxes are one answer, not two.
    return [box for box in found if not _BOX.search(box)]


def _closing(text: str) -> int:
    """Where the brace that opens `text` is closed, or the end."""
    depth = 0
    for place, character in enumerate(text):
        escaped = place > 0 and text[place - 1] == "\\"
        if character in "{}" and not escaped:
            depth += 1 if character == "{" else -1
            if depth == 0:
                return place
    return len(text)


def _unwrap(text: str) -> str:
    """Take off dollars, stars, closing full stops and braces around the whole."""
    for _ in range(MAX_WRAPPERS):
        before = text
        text = _strip(text)
        for pattern in _WRAPPED:
            found = pattern.fullmatch(text)
            if found:
                text = found[1]
        if text == before:
            break
    return text


def _strip(text: str) -> str:
    r"""Take off white space and `\,` and the like. (`re` would search from every inner space.)"""
    text = text.strip()
    while text.startswith((*_THIN, "\\ ")):
        text = text[2:].lstrip()
    while text.endswith(_THIN):
        text = text[:-2].rstrip()
    return text
