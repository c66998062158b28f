"""Text to token ids and back, without torch.

Numbers from 0 to 999 are one token each, so that a small model sees quantities and not digits;
longer numbers are cut from the left (`1234` is `123`, `4`). Every other printable ASCII character
and the newline is a token, and a few frequent pieces (` + `, `answer: `) are one token. Every text
over this charset round-trips exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

SPECIALS = ("<pad>", "<bos>", "<eos>")
PAD, BOS, EOS = 0, 1, 2
NUMBERS = tuple(str(n) for n in range(1000))
PIECES = (
    " + ",
    " - ",
    " * ",
    " / ",
    " = ",
    " -> ",
    "> ",
    "answer: ",
    "undo",
    "check: open",
    "check: dead",
)
_SINGLES = "\n" + "".join(chr(c) for c in range(32, 127) if not chr(c).isdigit())
CHARSET = frozenset(_SINGLES + "0123456789")
"""Printable ASCII and the newline."""
PATTERN = "|".join([*(re.escape(p) for p in PIECES), "[1-9][0-9]{0,2}", r"[\s\S]"])
"""How a text is cut into tokens, also used by the Hugging Face export."""


class Tokenizer:
    """The exact, torch-free tokenizer. Stateless; all instances are equal.

    Attributes:
        vocabulary: the text of each id; the specials come first.
        newline: id of the token that ends a line.
    """

    def __init__(self) -> None:
        self.vocabulary: tuple[str, ...] = (*SPECIALS, *NUMBERS, *_SINGLES, *PIECES)
        self._ids = {text: i for i, text in enumerate(self.vocabulary)}
        self._texts = {
            i: "" if text in SPECIALS else text for i, text in enumerate(self.vocabulary)
        }
        self._cut = re.compile(PATTERN)
        self.newline = self._ids["\n"]

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; no special is ever added or recognised.

        Raises:
            ValueError: names the first character outside the charset and its place.
        """
        try:
            return [self._ids[piece] for piece in self._cut.findall(text)]
        except KeyError as error:
            place, bad = next((i, c) for i, c in enumerate(text) if c not in CHARSET)
            raise ValueError(
                f"Character {bad!r} (U+{ord(bad):04X}) at position {place} is outside the "
                "tokenizer's charset (printable ASCII and newline); "
                "reason_env.lines.normalise() maps or marks such characters"
            ) from error

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; specials stand for nothing.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        try:
            return "".join(map(self._texts.__getitem__, ids))
        except KeyError as error:
            raise self._no_token(error.args[0]) from None

    def text_of(self, token: int) -> str:
        """The text of one token id, empty for a special."""
        if token not in self._texts:
            raise self._no_token(token)
        return self._texts[token]

    def _no_token(self, token: object) -> ValueError:
        return ValueError(f"Token id {token} is outside 0..{len(self.vocabulary) - 1}")


TOKENIZER = Tokenizer()


def encode_lines(lines: Sequence[str]) -> list[int]:
    """Token ids of lines, each ended by a newline."""
    return TOKENIZER.encode("".join(line + "\n" for line in lines))
