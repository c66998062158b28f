"""A node: a point that a search has reached. What lies before it is its parent's to know, so that
a tree of many nodes stays small."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import chain

from agents.models.base import Completion
from reason_env.env import Episode


class Node:
    """A point that a search has reached; never changed once it is made.

    Equal only to itself: two nodes with the same lines are two drawings of them.

    Attributes:
        parent: where it was written from, None for the root.
        episode: the environment's episode here, to go on from. Strategies do not look into it:
            what they may know of a node comes from `Evaluate`, `Answers` and `key`.
        lines: the lines written since the parent, one as a rule; two where the model ended a line
            with `<eos>` and so gave up too; none where the last line was cut.
        ids: their token ids, newlines included.
        reply: token ids of what the environment wrote after them.
        done: whether the episode is over, or its last line was cut and so can't be played.
        written: the completion that led here from the parent; None for the root, and for a branch
            that the budget ended before its next line was begun.
        played: how many of the actions from the root the environment has taken. Where the verifier
            is private, a wrong claim has ended the episode without the search being told: it goes
            on writing lines that are not played.
        logprob: natural log-probability of all lines from the root, under the model at
            temperature 1.
        size: tokens of all lines from the root.
        depth: lines from the root.
        wrong: whether the line was a wrong claim that ended the episode, where the search may be
            told so.
        key: equal for nodes that stand at equal states, to merge them; None where that would tell
            what the verifier keeps private.
    """

    __slots__ = (
        "depth",
        "done",
        "episode",
        "ids",
        "key",
        "lines",
        "logprob",
        "parent",
        "played",
        "reply",
        "seed",
        "size",
        "written",
        "wrong",
    )

    def __init__(
        self,
        parent: Node | None,
        episode: Episode,
        lines: tuple[str, ...] = (),
        ids: tuple[tuple[int, ...], ...] = (),
        reply: tuple[int, ...] = (),
        done: bool = False,
        written: Completion | None = None,
        played: int = 0,
        key: Hashable = None,
        seed: int = 0,
        wrong: bool = False,
    ) -> None:
        self.parent = parent
        self.episode = episode
        self.lines = lines
        self.ids = ids
        self.reply = reply
        self.done = done
        self.written = written
        self.key = key
        self.wrong = wrong
        self.seed: int = seed if parent is None else parent.seed
        self.logprob = 0.0
        self.size = self.depth = self.played = 0
        if parent is not None:
            self.played = parent.played + played
            self.depth = parent.depth + len(lines)
            self.logprob, self.size = parent.logprob, parent.size
            if lines and written is not None:
                self.logprob += sum(written.logprobs)
                self.size += sum(map(len, ids))

    @property
    def line(self) -> str:
        """What was written since the parent: a line, or two with a newline between."""
        return "\n".join(self.lines)

    @property
    def way(self) -> list[Node]:
        """The nodes from the root to here."""
        node: Node | None = self
        found = []
        while node is not None:
            found.append(node)
            node = node.parent
        return found[::-1]

    @property
    def context(self) -> tuple[int, ...]:
        """Token ids that the model reads: prompt, lines, feedback."""
        # Backwards, and in one go: this is asked for at every line that is written.
        parts: list[tuple[int, ...]] = []
        node: Node | None = self
        while node is not None:
            if node.reply:
                parts.append(node.reply)
            if node.lines and node.written is not None:
                parts.append(node.written.tokens)
            node = node.parent
        parts.reverse()
        return tuple(chain.from_iterable(parts))

    @property
    def actions(self) -> tuple[str, ...]:
        """The lines from the root, as written."""
        return tuple(line for node in self.way for line in node.lines)

    @property
    def tokens(self) -> tuple[tuple[int, ...], ...]:
        """Token ids of the actions."""
        return tuple(ids for node in self.way for ids in node.ids)

    def ended(self, written: Completion | None = None) -> Node:
        """A child without lines, at which nothing goes on: its line was cut, or not begun."""
        return Node(self, self.episode, done=True, written=written)
