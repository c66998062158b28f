"""Which entries share a table, their ranks, and their scores by family."""

from __future__ import annotations

from pathlib import Path

from benchmarks.metrics import wilson
from leaderboards.entries import Entry
from leaderboards.ranking import rank
from leaderboards.replays import Part
from leaderboards.verify import Result, Score


def entry(name, solved, division="open", suite="smoke v1", suite_hash="a", tokens=10.0, parts=()):
    score = Score(8, solved, 0, 0, wilson(solved, 8), tokens, parts)
    result = Result(
        (), player=name, score=score, division=division, suite=suite, comparable=suite_hash
    )
    return Entry(name, "2026-01-02", result, Path())


def test_ties_share_a_rank():
    (table,) = rank([entry("a", 3), entry("b", 5), entry("c", 5, tokens=4.0), entry("d", 2)])
    ranks = [(row.entry.id, row.rank) for row in table.rows]
    assert ranks == [("c", 1), ("b", 1), ("a", 3), ("d", 4)]


def test_only_comparable_entries_share_a_table():
    tables = rank(
        [
            entry("a", 3, "oracle"),
            entry("b", 2),
            entry("c", 1, suite="smoke v1, first 3", suite_hash="b"),
            entry("d", 1, suite_hash="c"),
        ]
    )
    assert [(t.suite, t.division, len(t.rows)) for t in tables] == [
        ("smoke v1", "open", 1),
        ("smoke v1", "oracle", 1),
        ("smoke v1", "open", 1),
        ("smoke v1, first 3", "open", 1),
    ]


def test_levels_add_up_to_families():
    parts = (
        Part("Countdown-v0 level 1", 4, 4),
        Part("GraphPath-v0 level 2", 2, 0),
        Part("Countdown-v0 level 3", 2, 1),
    )
    (table,) = rank([entry("a", 5, parts=parts)])
    families = [(f.name, f.solved, f.episodes) for f in table.rows[0].families]
    assert families == [("Countdown-v0", 5, 6), ("GraphPath-v0", 0, 2)]
    assert table.rows[0].families[0].accuracy == wilson(5, 6)
    levels = [(level.name, level.solved, level.episodes) for level in table.rows[0].levels]
    assert levels == [(part.name, part.solved, part.episodes) for part in parts]
