"""Comparisons: their correction, tables, notes and JSON."""

import json
from math import inf

import numpy as np
import pytest
from made_runs import run, side

from benchmarks.compare import compare, judge, markdown
from benchmarks.compare_report import notes, tables, to_json
from benchmarks.metrics import bootstrap
from benchmarks.significance import holm
from benchmarks.thresholds import Threshold, apply

RNG = np.random.default_rng(0)
OUTCOMES = RNG.random((4, 160)) < np.array([[0.4], [0.5], [0.55], [0.6]])


@pytest.fixture(scope="module")
def judged():
    base, *others = (run(row, templates=8, folder=name) for row, name in zip(OUTCOMES, "abcd"))
    return judge([compare(base, other) for other in others])


def test_challengers_are_corrected_together_and_families_apart(judged):
    overall = [one.comparison.overall for one in judged]
    assert [one.holm for one in judged] == holm([paired.p for paired in overall])
    assert [one.templates for one in judged] == holm([paired.templates.p for paired in overall])
    for one in judged:
        families = one.comparison.families
        assert len(families) == 8
        assert list(one.families.values()) == holm([paired.p for paired in families.values()])
    assert any(one.holm > one.comparison.overall.p for one in judged)


def test_a_single_challenger_needs_no_correction(judged):
    alone = judge([judged[0].comparison])[0]
    assert alone.holm == alone.comparison.overall.p
    mixed = judge([compare(run([1, 0]), run([1, 1], folder="b"))])[0]
    assert (mixed.templates, mixed.families) == (None, {})


def test_tables_have_every_number(judged):
    main, *families = tables(judged)
    assert main.title == "Against a-0-m / sample"
    assert main.header == ("", *(one.comparison.second.name for one in judged))
    facts = {row[0].strip(): row[1:] for row in main.rows}
    assert facts["problems"] == ["160"] * 3
    assert len(facts["p, Holm of 3"]) == len(facts["p over templates, Holm of 3"]) == 3
    for place, one in enumerate(judged):
        paired = one.comparison.overall
        assert facts["difference (points)"][place] == f"{100 * paired.difference.value:+.1f}"
        assert (
            facts["detectable with 80 % power (points)"][place] == f"{100 * paired.detectable:.1f}"
        )
        assert facts["gained / lost"][place] == f"{paired.gained} / {paired.lost}"
    assert [len(table.rows) for table in families] == [8, 8, 8]
    assert all(len(row) == len(table.header) for table in (main, *families) for row in table.rows)
    single = tables(judge([judged[0].comparison]))[0]
    assert not any("Holm" in row[0] for row in single.rows)


def test_tables_of_seeds():
    base = side(*OUTCOMES[:2], folder="a")
    trained = side(*OUTCOMES[2:], models=["x", "y"], folder="b")
    facts = {row[0].strip(): row[1] for row in tables(judge([compare(base, trained)]))[0].rows}
    assert "95 % over problems and training seeds, t" in facts
    assert "p, t" in facts
    assert "odds gained : lost" not in facts
    assert "." in facts["gained / lost"]


def test_notes_say_what_the_numbers_cannot():
    few = judge([compare(run([1, 0, 0, 0]), run([1, 1, 0, 0], folder="b"))])
    assert any("only 1 of 4 problems" in note and "Tango's" in note for note in notes(few))
    assert any("takes 7 entries" in note for note in notes(few))
    seeds = compare(run(OUTCOMES[0]), side(*OUTCOMES[1:3], models=["x", "y"]))
    assert "a-0-m / sample is one model: nothing is said of its other training seeds" in seeds.notes
    assert seeds.warnings == ()
    unequal = compare(run(OUTCOMES[0]), run(OUTCOMES[1], budget_tokens=8))
    assert unequal.warnings == ("token budgets differ: 64, 8",)
    assert "Note: token budgets differ" in markdown(unequal)


def test_tokens_are_compared_in_proportion():
    change = compare(run(OUTCOMES[0], tokens=10), run(OUTCOMES[1], tokens=13)).tokens
    assert (change.value, change.low, change.high) == pytest.approx((0.3, 0.3, 0.3))
    assert compare(run([1], tokens=0), run([1], tokens=0, folder="b")).tokens.value == 0
    assert compare(run([1], tokens=0), run([1], tokens=1, folder="b")).tokens.value == inf


def test_json_is_complete_and_has_no_infinity(judged):
    verdicts = [apply([Threshold("accuracy", -2)], one.comparison) for one in judged]
    value = to_json(judged, verdicts)
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["first"]["seeds"] == [0]
    for one, shown in zip(judged, value["comparisons"]):
        assert shown["overall"]["p_holm"] == one.holm
        assert shown["overall"]["templates"]["p_holm"] == one.templates
        assert shown["overall"]["difference"]["low"] == one.comparison.overall.difference.low
        assert set(shown["families"]) == set(one.comparison.families)
        assert shown["thresholds"][0]["failed"] is False
    assert value["failed"] is False
    gained = judge([compare(run([0] * 9, tokens=0), run([1] * 9, folder="b"))])
    value = to_json(gained, [[]])
    json.dumps(value, allow_nan=False)
    overall = value["comparisons"][0]["overall"]
    assert (overall["odds"]["value"], overall["odds"]["high"]) == (None, None)
    assert overall["odds"]["low"] > 1
    assert overall["templates"] is None
    assert value["comparisons"][0]["tokens"]["value"] is None


def test_a_bootstrap_of_thousands_of_problems_repeats():
    rows = RNG.random((2, 3000)) < 0.5
    one, two = (
        compare(*(run(row, templates=3, folder=str(i)) for i, row in enumerate(rows)))
        for _ in range(2)
    )
    assert one.overall == two.overall
    assert one.tokens == two.tokens
    assert one.overall.difference == bootstrap(rows[1].astype(int) - rows[0])
