"""Search trees of a run, as `trees.jsonl` beside its episodes has them, to be read by people.

One line is `{"index": 3, "tree": [{"parent": -1, "line": "", ...}, ...]}`: the index of an episode
and `agents.search.tree.Tree.to_json()`. Nothing is believed of what stands there: a tree whose
nodes do not follow their parents is dropped, as is a line that a kill has torn.
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from agents.search.tree import Branch, Tree
from benchmarks.run_folder import TREES

MOST_NODES = 400
_LARGEST = 2**53
"""Whole numbers up to here are the same in JavaScript."""
_FLOATS = ("prior", "reward", "value", "mean")
_NAMES = {field.name for field in fields(Branch)}


@dataclass(frozen=True, slots=True)
class Way:
    """What was played, followed through a tree.

    Attributes:
        nodes: from the root to the last node that was on the way.
        lines: of the episode, how many had been played on reaching each of them.
    """

    nodes: tuple[int, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A tree small enough to look at.

    Attributes:
        nodes: of the tree, the most visited with all that lie above them; renumbered.
        way: what was played, in the new numbers.
        of: how many nodes the tree has.
        finished: how many of those end the episode.
    """

    nodes: tuple[Branch, ...]
    way: Way
    of: int
    finished: int


def read_trees(folder: Path) -> tuple[dict[int, Tree], int]:
    """Trees of a run folder by the index of their episode, and how many lines were dropped.

    A run that went on after a kill may have written a tree twice: the last one counts.
    """
    path = folder / TREES
    trees: dict[int, Tree] = {}
    dropped = 0
    if path.is_file():
        with path.open("rb") as file:
            for line in file:
                try:
                    index, tree = _parse(line)
                except (ValueError, RecursionError):
                    dropped += 1
                else:
                    trees[index] = tree
    return trees, dropped


def _parse(line: bytes) -> tuple[int, Tree]:
    """An episode's index and tree.

    Raises:
        ValueError: torn, or not a tree.
        RecursionError: nested too deep to be parsed.
    """
    if not line.endswith(b"\n"):
        raise ValueError("The line is torn")
    value = json.loads(line)
    if not isinstance(value, dict) or set(value) != {"index", "tree"}:
        raise ValueError("Expected an object of index and tree")
    if not _whole(value["index"], 0) or not isinstance(value["tree"], list) or not value["tree"]:
        raise ValueError("Expected a whole number and a list of nodes")
    return value["index"], Tree(tuple(_node(i, node) for i, node in enumerate(value["tree"])))


def _node(index: int, value: Any) -> Branch:
    """A node, of which all that it refers to came before it: so there is no way round in circles.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, dict) or set(value) != _NAMES:
        raise ValueError(f"Node {index} does not have the fields of a node")
    # The root alone has no parent.
    if not _whole(value["parent"], min(0, index - 1), index - 1):
        raise ValueError(f"Node {index} cannot have the parent {value['parent']!r:.40}")
    if not _whole(value["merged"], -1, index - 1):
        raise ValueError(f"Node {index} cannot be merged with {value['merged']!r:.40}")
    if not isinstance(value["line"], str) or not isinstance(value["done"], bool):
        raise ValueError(f"Node {index} has no line, or is neither done nor not")
    if not _whole(value["visits"], 0) or not all(_number(value[name]) for name in _FLOATS):
        raise ValueError(f"Node {index} has something else in place of a number")
    return Branch(**{**value, **{name: float(value[name]) for name in _FLOATS}})


def _whole(value: Any, least: int, most: int = _LARGEST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _number(value: Any) -> bool:
    # Python's JSON knows NaN and Infinity, browsers' does not.
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and -_LARGEST <= value <= _LARGEST


def show(tree: Tree, actions: Sequence[str], most: int = MOST_NODES) -> Shown:
    """The part of a tree to look at: what was played, and then what was visited most."""
    nodes = tree.nodes
    way = follow(tree, actions)
    by_visits = sorted(range(len(nodes)), key=lambda index: (-nodes[index].visits, index))
    kept: set[int] = set()
    for index in [*way.nodes, *by_visits]:
        above = _above(nodes, index, kept)
        # A way longer than `most` is cut as well.
        if len(kept) + len(above) <= most:
            kept.update(above)
    order = sorted(kept)
    places = {index: place for place, index in enumerate(order)}
    found = [(i, lines) for i, lines in zip(way.nodes, way.lines) if i in places]
    return Shown(
        nodes=tuple(_moved(nodes[index], places) for index in order),
        way=Way(tuple(places[i] for i, _ in found), tuple(lines for _, lines in found)),
        of=len(nodes),
        finished=sum(node.done for node in nodes),
    )


def _above(nodes: Sequence[Branch], index: int, kept: Container[int]) -> set[int]:
    """A node and what it needs: all above it, and what these are merged with, if not yet kept."""
    found: set[int] = set()
    waiting = [index]
    while waiting:
        index = waiting.pop()
        if index >= 0 and index not in kept and index not in found:
            found.add(index)
            waiting += [nodes[index].parent, nodes[index].merged]
    return found


def _moved(node: Branch, places: dict[int, int]) -> Branch:
    values = {name: getattr(node, name) for name in _NAMES}
    parent, merged = places.get(node.parent, -1), places.get(node.merged, -1)
    return Branch(**{**values, "parent": parent, "merged": merged})


def follow(tree: Tree, actions: Sequence[str]) -> Way:
    """The longest way of the actions through a tree, through merged nodes too.

    Among nodes with equal lines any may be the one: all are tried. Each node is tried once for
    each number of lines played, so that it ends whatever the tree.
    """
    below: dict[int, list[int]] = {}
    for index, node in enumerate(tree.nodes):
        below.setdefault(node.parent, []).append(index)
    best = Way((0,), (0,))
    waiting = [best]
    seen: set[tuple[int, int]] = set()
    while waiting:
        way = waiting.pop()
        place, played = way.nodes[-1], way.lines[-1]
        if (place, played) in seen:
            continue
        seen.add((place, played))
        if played > best.lines[-1]:
            best = way
        merged = tree.nodes[place].merged
        # The children of a merged node are listed at the one that it is merged with.
        for child in reversed(below.get(place if merged < 0 else merged, [])):
            written = tree.nodes[child].line.split("\n")
            after = played + len(written)
            if list(actions[played:after]) == written:
                waiting.append(Way((*way.nodes, child), (*way.lines, after)))
    return best
