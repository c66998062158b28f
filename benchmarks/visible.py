"""Text from models and files, for people to read: what cannot be seen is spelt out."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories of characters that show nothing, or change how others are shown: controls
(ANSI escapes), formats (text direction, zero width), lone surrogates, line separators."""


def visible(text: str, most: int | None = None) -> str:
    """The text with hidden characters as `<U+202E>`; newlines stay.

    Args:
        most: characters to keep; what is left out is counted at the end.
    """
    kept = text if most is None else text[:most]
    if not kept.isascii() or not kept.isprintable():
        kept = "".join(map(_shown, kept))
    left = len(text) - most if most is not None else 0
    return f"{kept} [{left:,} more characters]" if left > 0 else kept


def _shown(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _HIDDEN:
        return character
    return f"<U+{ord(character):04X}>"
