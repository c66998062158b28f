"""What a check found to be wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: the rule that is broken, in a word or two (`forged-score`); stable.
        where: file, and line where there is one.
        detail: what was found and what was expected.
    """

    code: str
    where: str
    detail: str

    def __str__(self) -> str:
        return ": ".join(filter(None, [self.code, self.where, self.detail]))
