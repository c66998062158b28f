"""Reading what a stranger sent: JSON and short texts, with every liberty taken out.

Nothing here trusts its input. All failures are `Refused`, with a code that says which rule was
broken, so that a caller can report it and a test can check that the right rule fired.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

MAX_DEPTH = 16
MAX_DIGITS = 19
_FORBIDDEN = {
    "Cc": "a control character",
    "Cf": "an invisible or direction-changing character",
    "Cs": "a lone surrogate",
    "Co": "a private-use character",
    "Cn": "an unassigned character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
MAX_MARKS = 4
"""Accents and vowel signs on one letter: what living scripts need (pointed Hebrew takes four)."""
_INVISIBLE = re.compile(
    # What Unicode calls default ignorable although it is a mark or a letter: joiners, fillers,
    # variation selectors; and two symbols without ink.
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\ufe00-\ufe0f"
    "\U0001d159\U000e0100-\U000e01ef]"
)
_LIKE_LATIN = re.compile("CYRILLIC|ARMENIAN|CHEROKEE|COPTIC|LISU")
_GREEK_LIKE_LATIN = (
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03bd\u03bf\u03c5"
)
"""Capitals like `A`, and small nu, omicron and upsilon. Other Greek letters are names of things
next to Latin letters, as pi and lambda are."""


class Refused(ValueError):
    """A bundle breaks a rule.

    Attributes:
        code: the rule, in a word or two (`forged-score`); stable, for tests and tools.
        detail: what was found and what was expected, in printable characters only.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def shown(value: object, limit: int = 80) -> str:
    """A value as it may appear in a message: quoted, escaped, cut."""
    # Cut before repr: a string of a megabyte need not be escaped first.
    text = repr(value[:limit] if isinstance(value, str) else value)
    return text if len(text) <= limit + 2 else text[:limit] + "..."


def loads(data: bytes, where: str) -> Any:
    """Parse JSON that leaves no room for two readings.

    Refused are: bytes that are not UTF-8, a byte-order mark, a key given twice, NaN and Infinity
    (also as an overflowing number), integers past 64 bits, nesting deeper than 16.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_small,
        )
    except UnicodeDecodeError as error:
        raise Refused("not-utf8", f"{where}: byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise Refused("nesting", f"{where}: nested deeper than {MAX_DEPTH}") from None
    except Refused as error:
        raise Refused(error.code, f"{where}: {error.detail}") from None
    except ValueError as error:
        raise Refused("not-json", f"{where}: {error}") from None
    if _deeper(value, MAX_DEPTH):
        raise Refused("nesting", f"{where}: nested deeper than {MAX_DEPTH}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise Refused("duplicate-key", f"key {shown(twice)} is given twice")
    return value


def _no_constant(text: str) -> NoReturn:
    raise Refused("not-finite", f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Refused("not-finite", f"the number {shown(text)} overflows")
    return value


def _small(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Refused("huge-number", f"an integer of {len(text)} characters, at most {MAX_DIGITS}")
    return whole(int(text), "a number", -(2**63))


def _deeper(value: Any, limit: int) -> bool:
    """Whether lists and objects nest deeper than `limit`; level by level, without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def fields(
    value: Any, where: str, required: Collection[str], optional: Collection[str] = ()
) -> dict[str, Any]:
    """`value` as an object with exactly these keys."""
    if not isinstance(value, dict):
        raise Refused("wrong-type", f"{where}: expected an object, received {shown(value)}")
    for key in required:
        if key not in value:
            raise Refused("missing-field", f"{where}: {key!r} is missing")
    for key in value:
        if key not in required and key not in optional:
            raise Refused("unknown-field", f"{where}: {shown(key)} is not a field of the format")
    return value


def whole(value: Any, where: str, low: int = 0, high: int = 2**63 - 1) -> int:
    """`value` as an integer in a range; a bool is not a number here."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused("wrong-type", f"{where}: expected a whole number, received {shown(value)}")
    if not low <= value <= high:
        raise Refused("out-of-range", f"{where}: {value} is outside {low}..{high}")
    return value


def line_of_text(value: Any, where: str, limit: int, empty: bool = False) -> str:
    """`value` as a short text that is safe to show to people, in a page, sheet or terminal.

    Refused are control, invisible and direction-changing characters, text that Unicode's
    compatibility form would change (full-width letters and ligatures), words of Latin letters and
    look-alikes of another script, letters with more than `MAX_MARKS` marks, white space around it,
    and a beginning that spreadsheets take for a formula. HTML is not refused: the page escapes it.
    A whole word of look-alikes is not noticed: that takes a reader.
    """
    if not isinstance(value, str):
        raise Refused("wrong-type", f"{where}: expected a text, received {shown(value)}")
    if len(value) > limit:
        raise Refused("too-long", f"{where}: {len(value)} characters, at most {limit}")
    for place, character in enumerate(value):
        kind = _FORBIDDEN.get(unicodedata.category(character))
        if kind:
            raise Refused(
                "unsafe-text", f"{where}: {kind} (U+{ord(character):04X}) at position {place}"
            )
    if unicodedata.normalize("NFKC", value) != value:
        raise Refused("unsafe-text", f"{where}: {shown(value)} changes under Unicode's NFKC form")
    if value.startswith(("=", "+", "-", "@")):
        raise Refused("unsafe-text", f"{where}: {shown(value)} starts like a spreadsheet formula")
    if not empty and not value.strip():
        raise Refused("missing-field", f"{where}: must not be empty")
    if value != value.strip():
        raise Refused("unsafe-text", f"{where}: {shown(value)} has white space around it")
    _marks(value, where)
    for word in re.findall(r"[^\W\d_]+", value):
        _one_script(word, where)
    return value


def _marks(text: str, where: str) -> None:
    """Refuse marks that hide, and stacks of them that run over the lines above and below."""
    if match := _INVISIBLE.search(text):
        raise Refused("unsafe-text", f"{where}: an invisible character (U+{ord(match[0]):04X})")
    # A mark without a letter would sit on whatever stands before the text.
    marks = MAX_MARKS
    for place, character in enumerate(text):
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks > MAX_MARKS:
            raise Refused(
                "unsafe-text",
                f"{where}: a mark (U+{ord(character):04X}) at position {place}, which is the "
                f"first or follows {MAX_MARKS} others",
            )


def _one_script(word: str, where: str) -> None:
    """Refuse a word that mixes Latin letters with those that look like them."""
    if word.isascii() or not any(
        unicodedata.name(letter, "").startswith("LATIN") for letter in word
    ):
        return
    for letter in word:
        script = unicodedata.name(letter, "?").split()[0]
        if _LIKE_LATIN.fullmatch(script) or letter in _GREEK_LIKE_LATIN:
            raise Refused(
                "unsafe-text",
                f"{where}: {ascii(word)[:80]} mixes Latin letters with a {script.capitalize()} one "
                f"(U+{ord(letter):04X})",
            )


def https_link(value: Any, where: str) -> str:
    """`value` as an https address, or empty."""
    text = line_of_text(value, where, 300, empty=True)
    if text and not re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?", text):
        raise Refused("unsafe-link", f"{where}: expected an https:// address, received {text!r}")
    return text


def day(value: Any, where: str) -> str:
    """`value` as a day, in the one spelling YYYY-MM-DD."""
    try:
        if isinstance(value, str) and datetime.date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise Refused("wrong-date", f"{where}: expected a day as YYYY-MM-DD, received {shown(value)}")


def digest(value: Any, where: str) -> str:
    """`value` as a SHA-256 in lower-case hex."""
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise Refused("wrong-type", f"{where}: expected 64 hex digits, received {shown(value)}")
    return value


def one_of(value: Any, where: str, options: Mapping[str, Any] | Collection[str]) -> str:
    """`value` as one of a few names."""
    if not isinstance(value, str) or value not in options:
        raise Refused(
            "unknown-value", f"{where}: {shown(value)} is not one of {', '.join(options)}"
        )
    return value
