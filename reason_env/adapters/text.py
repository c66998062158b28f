"""Other people's text in the charset of the environments."""

from __future__ import annotations

import re
import unicodedata

from reason_env import lines

_PUNCTUATION = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2026": "...",
        "\u2022": "*",
        "\u2192": "->",
        "\u2264": "<=",
        "\u2265": ">=",
        "\u2260": "!=",
        "\u20ac": "EUR ",
        "\u00a3": "GBP ",
        "\u03c0": "pi",
        "\u00b0": " degrees",
        "\t": "    ",
    }
)


def to_charset(text: str) -> str:
    """Typographic signs spelt out, accents dropped, lines kept; `?` for what is left."""
    spelt = text.replace("\r\n", "\n").replace("\r", "\n").translate(_PUNCTUATION)
    spelt = re.sub(" *\u2014 *", " - ", spelt)
    plain = "".join(
        # Letters only: taking a one-half sign apart is for `normalise`, which minds its neighbours.
        unicodedata.normalize("NFD", character)[0] if character.isalpha() else character
        for character in spelt
    )
    kept = (lines.normalise(line).replace(lines.OUTSIDE, "?") for line in plain.split("\n"))
    return "\n".join(kept).strip("\n")
