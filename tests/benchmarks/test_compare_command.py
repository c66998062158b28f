"""Thresholds, and `reason-bench compare` with its exit codes."""

import json

import numpy as np
import pytest
from made_runs import run, side

from benchmarks.compare import compare
from benchmarks.run_folder import EPISODES, write_manifest
from benchmarks.thresholds import METRICS, Threshold, apply, parse_threshold

OUTCOMES = np.random.default_rng(0).random((4, 40)) < 0.5


@pytest.mark.parametrize(
    ("text", "metric", "change"),
    [
        ("accuracy:-2", "accuracy", -2),
        ("accuracy:-0", "accuracy", 0),
        ("tokens:+10", "tokens", 10),
        ("tokens:10", "tokens", 10),
        (" errors : 0", "errors", 0),
    ],
)
def test_thresholds_are_read(text, metric, change):
    assert parse_threshold(text) == Threshold(metric, change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acuracy:-2", "Unknown metric of --fail-on 'acuracy'.*Did you mean 'accuracy'"),
        ("accuracy", "Expected --fail-on METRIC:CHANGE, such as accuracy:-2, received 'accuracy'"),
        ("accuracy:two", "'two' is no number"),
        ("accuracy:2", "0 or less, received '2'; nearest: accuracy:-2"),
        ("tokens:-10", r"0 or more, received '-10'; nearest: tokens:\+10"),
        ("accuracy:-inf", "takes a finite number"),
        ("errors:nan", "takes a finite number"),
    ],
)
def test_bad_thresholds_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        parse_threshold(text)


def test_a_threshold_is_about_the_estimate_and_is_itself_allowed():
    before = run([1] * 50 + [0] * 50)
    after = run([1] * 47 + [0] * 53, folder="b", tokens=11, errors=2)
    worse, better = compare(before, after), compare(after, before)
    failed = {
        text: apply([parse_threshold(text)], worse)[0].failed
        for text in ("accuracy:-2", "accuracy:-3", "accuracy:0", "tokens:9", "tokens:10")
    }
    assert failed == {
        "accuracy:-2": True,
        "accuracy:-3": False,
        "accuracy:0": True,
        "tokens:9": True,
        "tokens:10": False,
    }
    assert apply([Threshold("errors", 1)], worse)[0].failed
    assert not apply([Threshold("errors", 2)], worse)[0].failed
    assert not any(v.failed for v in apply([Threshold(metric, 0) for metric in METRICS], better))
    message = apply([Threshold("accuracy", -2)], worse)[0].message
    assert message.startswith("accuracy:-2 failed: b-0-m / sample changed accuracy by -3.0 points")


def test_significant_thresholds_need_the_whole_interval():
    before = run([1] * 100)
    for lost, failed in ((3, False), (8, False), (20, True)):
        worse = compare(before, run([0] * lost + [1] * (100 - lost), folder="b"))
        verdict = apply([Threshold("accuracy", -5)], worse, significant=True)[0]
        assert verdict.failed == failed == (worse.overall.score.high < -0.05)
        assert verdict.measured.high == pytest.approx(100 * worse.overall.score.high)
    seeds = compare(before, side([0] * 20 + [1] * 80, [0] * 25 + [1] * 75))
    assert apply([Threshold("accuracy", -5)], seeds, significant=True)[0].failed


@pytest.fixture
def folder(tmp_path):
    """Writes a run folder; gives its path."""

    def write(name, outcomes, **settings):
        made = run(outcomes, **settings)
        path = tmp_path / name
        path.mkdir()
        (path / EPISODES).write_text("".join(e.to_line() for e in made.episodes))
        write_manifest(path, made.manifest)
        return path

    return write


def test_exit_codes(bench, folder):
    base = folder("base", [1] * 60 + [0] * 40)
    worse = folder("worse", [1] * 50 + [0] * 50, tokens=20)
    same = folder("same", [1] * 60 + [0] * 40)
    code, out, err = bench("compare", base, worse)
    assert (code, err) == (0, "")
    assert "worse / sample against base / sample" in out
    code, out, err = bench("compare", base, same, worse, "--fail-on", "accuracy:-2")
    assert (code, "Holm of 2" in out) == (1, True)
    assert err.startswith("accuracy:-2 failed: worse / sample changed accuracy by -10.0 points [")
    assert err.count("\n") == 1
    assert bench("compare", base, worse, "--fail-on", "accuracy:-10")[0] == 0
    code, _, err = bench(
        "compare", base, worse, "--fail-on", "accuracy:-2", "--fail-on", "tokens:+50"
    )
    assert (code, err.count(" failed: ")) == (1, 2)
    assert bench("compare", base, worse, "--fail-on", "accuracy:-9", "--significant")[0] == 0
    assert bench("compare", base, worse, "--fail-on", "accuracy:0", "--significant")[0] == 1
    assert bench("compare", base, same, "--fail-on", "errors:0", "--fail-on", "tokens:0")[0] == 0


def test_json_stays_json_when_a_threshold_fails(bench, folder):
    base, worse = folder("base", [1] * 60 + [0] * 40), folder("worse", [1] * 50 + [0] * 50)
    code, out, err = bench("compare", base, worse, "--json", "--fail-on", "accuracy:-2")
    value = json.loads(out)
    assert (code, value["failed"]) == (1, True)
    assert value["comparisons"][0]["overall"]["lost"] == 10
    assert value["first"]["folders"] == [str(base)]
    assert "accuracy:-2 failed" in err


def test_seeds_on_the_command_line(bench, folder):
    names = [folder(f"a{seed}", row, seed=seed) for seed, row in enumerate(OUTCOMES)]
    code, out, _ = bench("compare", f"{names[0]},{names[1]}", f"{names[2]}, {names[3]}")
    assert (code, "2 runs against" in out) == (0, True)
    assert "exact sign flip" in out


@pytest.mark.parametrize(
    ("second", "options", "message"),
    [
        ("short", (), "different problems (4 and 3, 3 shared)"),
        ("none", (), "none is not a run folder"),
        ("base,twin", (), "have the same model and the same seed (0)"),
        ("base,other", (), 'strategy ("sample" and "mcts")'),
        ("base", ("--fail-on", "acuracy:-2"), "Did you mean 'accuracy'?"),
        ("base", ("--fail-on", "accuracy:-2x"), "Expected --fail-on METRIC:CHANGE"),
    ],
)
def test_mistakes_end_with_another_code_than_thresholds(
    bench, folder, tmp_path, monkeypatch, second, options, message
):
    monkeypatch.chdir(tmp_path)
    folder("base", [1, 0, 1, 0])
    folder("twin", [1, 0, 1, 0])
    folder("short", [1, 0, 1])
    folder("other", [1, 0, 1, 0], seed=1, strategy="mcts")
    code, out, err = bench("compare", "base", second, *options)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
