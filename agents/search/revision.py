"""Revision: one attempt after another, each revising what came before."""

from __future__ import annotations

from agents.search.requests import Node, Search
from agents.search.revising import revise


def revision(
    root: Node, revisions: int = 7, temperature: float = 1.0, final: str = "value"
) -> Search:
    """A first attempt and up to `revisions` revisions, one after the other: one chain of
    `agents.search.revising`, which says what is revised.

    Args:
        revisions: at most; the token budget may end it earlier, and so does a solution that is
            known to be right.
        temperature: of all lines but the first one of a revision, which is drawn at 1 from what
            was not tried there. 0: greedy but for that line.
        final: `value`: the most valued attempt; `vote`: a vote of all, weighted by their values.

    Raises:
        ValueError: an option out of its range.
    """
    return (yield from revise(root, 1, revisions, temperature, final))
