"""Search trees of a run folder: read with suspicion, followed along what was played, cut."""

import json
import math

import pytest
from report_runs import problems, reasoner, reset, write_trees

from agents.search import load_strategy, run_searches
from agents.search.tree import Branch, Tree
from benchmarks.search_trees import follow, read_trees, show


def tree(*nodes):
    return Tree(tuple(nodes))


def branch(parent, line="a", visits=1, done=False, merged=-1):
    return Branch(parent, line, 0.5, 0.0, 0.25, visits, 0.125, done, merged)


SMALL = tree(branch(-1, ""), branch(0, "a"), branch(0, "b"), branch(2, "c", done=True))


def row(index=0, nodes=SMALL, **changes):
    listed = nodes.to_json()
    listed[-1] |= changes
    return json.dumps({"index": index, "tree": listed})


def test_what_searches_grow_is_read_back(tmp_path):
    items = problems().items[:4]
    found = run_searches(
        reasoner(0.4),
        [reset(i) for i in items],
        load_strategy("mcts", simulations=20),
        [1] * 4,
        200,
    )
    write_trees(tmp_path, {i: one.tree.to_json() for i, one in enumerate(found)})
    trees, dropped = read_trees(tmp_path)
    assert trees == {i: one.tree for i, one in enumerate(found)}
    assert dropped == 0
    for one in found:
        way = follow(one.tree, one.actions)
        assert one.tree.way(way.nodes[-1]) == list(one.actions)
        assert way.lines[-1] == len(one.actions)


def test_no_file_and_torn_lines(tmp_path):
    assert read_trees(tmp_path) == ({}, 0)
    whole = row(3) + "\n"
    (tmp_path / "trees.jsonl").write_text(whole + whole.replace("3", "4", 1)[:-20])
    assert read_trees(tmp_path) == ({3: SMALL}, 1)
    # A run that went on after a kill: the torn line got its newline later.
    (tmp_path / "trees.jsonl").write_text(row(1)[:30] + "\n" + row(2) + "\n")
    assert read_trees(tmp_path) == ({2: SMALL}, 1)
    # A last line that lacks but its newline may lack more.
    (tmp_path / "trees.jsonl").write_text(row(2))
    assert read_trees(tmp_path) == ({}, 1)
    (tmp_path / "trees.jsonl").write_text(row(2) + "\n" + row(2, line="z") + "\n")
    assert read_trees(tmp_path)[0][2].nodes[-1].line == "z"


BAD = {
    "cycle": row(parent=3),
    "forward": row(parent=9),
    "second root": row(parent=-1),
    "root with a parent": row(nodes=tree(branch(0))),
    "fraction": row(parent=0.0),
    "bool for a number": row(parent=True),
    "merged with itself": row(merged=3),
    "merged below": row(merged=-2),
    "line": row(line=7),
    "done": row(done=1),
    "visits": row(visits=-1),
    "many visits": row(visits=2**60),
    "NaN": row(prior=math.nan),
    "infinite": row(mean=math.inf),
    "overflow": row().replace("0.125", "1e999"),
    "text": row(value="1"),
    "unknown field": row(extra=1),
    "index": row(index=-1),
    "index of text": row(index="0"),
    "no nodes": '{"index": 0, "tree": []}',
    "no tree": '{"index": 0}',
    "a list": "[]",
    "nested": '{"index": 0, "tree": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "long integer": row().replace('"visits": 1', '"visits": ' + "1" * 5000),
    "not UTF-8": None,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_trees_are_dropped_and_counted(tmp_path, name):
    bad = BAD[name]
    data = b"\xff\xfe" if bad is None else bad.encode()
    (tmp_path / "trees.jsonl").write_bytes(row(7).encode() + b"\n" + data + b"\n")
    assert read_trees(tmp_path) == ({7: SMALL}, 1)


def test_the_way_is_found_among_equal_lines_and_two_lines_in_one():
    grown = tree(
        branch(-1, ""),
        branch(0, "a", visits=9),
        branch(0, "a", visits=1),
        branch(2, "b\nanswer:"),
        branch(1, "c"),
    )
    way = follow(grown, ["a", "b", "answer:"])
    assert (way.nodes, way.lines) == ((0, 2, 3), (0, 1, 3))
    assert follow(grown, ["a", "b"]).nodes in ((0, 1), (0, 2))
    assert follow(grown, ["z"]).nodes == (0,)
    # The chosen way may go on below the tree, as that of a rollout does.
    assert follow(grown, ["a", "c", "d"]).lines == (0, 1, 2)


def test_the_way_goes_on_at_what_a_node_is_merged_with():
    grown = tree(
        branch(-1, ""),
        branch(0, "a"),
        branch(0, "b"),
        branch(1, "b"),
        branch(2, "a", merged=3),
        branch(3, "c"),
    )
    assert follow(grown, ["b", "a", "c"]).nodes == (0, 2, 4, 5)
    shown = show(grown, ["b", "a", "c"])
    assert shown.nodes == grown.nodes


def test_a_tree_with_more_ways_than_can_be_tried_is_followed_in_time(soon):
    nodes = [branch(-1, "")]
    for depth in range(60):
        # Two equal lines to one state: 2 ** 60 ways to the last.
        first = 2 * depth + 1
        nodes += [branch(max(0, first - 2)), branch(max(0, first - 2), merged=first)]
    way = soon(2.0, follow, tree(*nodes), ["a"] * 60 + ["z"])
    assert way.lines[-1] == 60


def test_large_trees_are_cut_to_what_was_played_and_visited_most():
    wide = tree(
        branch(-1, "", visits=500),
        *(branch(0, f"line {i}", visits=i) for i in range(500)),
        branch(1, "deep", visits=0, done=True),
    )
    shown = show(wide, ["line 0", "deep"], most=10)
    assert (len(shown.nodes), shown.of, shown.finished) == (10, 502, 1)
    lines = [one.line for one in shown.nodes]
    assert lines[:2] == ["", "line 0"]
    assert lines[-1] == "deep"
    assert lines[2:-1] == [f"line {i}" for i in range(493, 500)]
    assert [shown.nodes[i].line for i in shown.way.nodes] == ["", "line 0", "deep"]
    for place, one in enumerate(shown.nodes):
        assert -1 <= one.parent < max(1, place)


def test_a_cut_keeps_what_lies_above_and_what_is_merged():
    nodes = [branch(-1, "", visits=1)]
    nodes += [branch(i, f"{i}", visits=i) for i in range(30)]  # the deepest is visited most
    nodes.append(branch(0, "m", visits=99, merged=20))
    nodes += [branch(0, "other", visits=50) for _ in range(30)]
    shown = show(tree(*nodes), [], most=22)
    assert [one.line for one in shown.nodes] == ["", *(f"{i}" for i in range(20)), "m"]
    assert shown.nodes[-1].merged == 20
    long = tree(branch(-1, ""), *(branch(i) for i in range(50)))
    shown = show(long, ["a"] * 50, most=5)
    assert len(shown.nodes) == 5
    assert shown.way.lines == (0, 1, 2, 3, 4)
