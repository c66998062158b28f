"""The form of a graph: what is left of it when names do not matter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping


def graph_form(kinds: Mapping[str, int], edges: Iterable[tuple[str, str, int]]) -> str:
    """Text that is equal for graphs which differ only in names and in the order of what is given.

    Colour refinement: the vertices of a kind are told apart, round by round, by what they are
    joined to. The converse fails for rare, very regular graphs: two of them that refinement cannot
    tell apart share a form, and so a split, though they differ.

    Args:
        kinds: the vertices, each with a number for what it is.
        edges: two vertices, in either order, and a number for how they are joined.
    """
    joined = list(edges)
    near: dict[str, list[tuple[str, int]]] = {vertex: [] for vertex in kinds}
    for one, other, label in joined:
        near[one].append((other, label))
        near[other].append((one, label))
    classes, count = dict(kinds), 0
    # A round only ever splits classes; one that splits none is the last.
    while len(set(classes.values())) > count:
        count = len(set(classes.values()))
        seen = {
            vertex: (own, tuple(sorted((label, classes[other]) for other, label in near[vertex])))
            for vertex, own in classes.items()
        }
        rank = {sight: i for i, sight in enumerate(sorted(set(seen.values())))}
        classes = {vertex: rank[sight] for vertex, sight in seen.items()}
    vertices = sorted((classes[vertex], kind) for vertex, kind in kinds.items())
    pairs = sorted((*sorted((classes[one], classes[other])), label) for one, other, label in joined)
    return json.dumps([vertices, pairs], separators=(",", ":"))
