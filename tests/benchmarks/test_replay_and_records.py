"""What a recorded line is worth, and how it is written down."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.records import LEDGER, EpisodeRecord, Manifest, total
from benchmarks.replay import ReplayError, replay
from benchmarks.run_folder import load_run, read_episodes, write_manifest
from benchmarks.suite import load_suite, make_env, resolve

ITEM = resolve(load_suite("smoke"), limit=1).items[0]


def expert_lines():
    import numpy as np

    env = make_env(ITEM.env, ITEM.kwargs)
    env.reset(seed=ITEM.seed)
    lines = []
    while not env.episode.stopped:
        lines.append(env.expert_line(np.random.default_rng(0)))
        env.step(lines[-1])
    return lines


def play(lines, **kwargs):
    return replay(ITEM.env, {**ITEM.kwargs, **kwargs}, ITEM.seed, lines)


def test_replay_pays_what_the_environment_pays():
    lines = expert_lines()
    outcome = play(lines, reward="shaped")
    assert (outcome.solved, outcome.ended, outcome.terms.outcome) == (True, "terminated", 1.0)
    assert outcome.reward == pytest.approx(outcome.terms.outcome + outcome.terms.shaping)
    assert outcome.problem == ITEM.problem
    assert outcome == play(lines, reward="shaped")


def test_every_way_to_end():
    assert play([]).ended == "unfinished"
    assert play(expert_lines()[:-1]).ended == "unfinished"
    assert not play(expert_lines()[:-1]).solved
    assert play(["well"] * 32).ended == "truncated"
    wrong = play(["1 + 1 = 3"])
    assert (wrong.ended, wrong.solved, wrong.terms.validity) == ("terminated", False, -1.0)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*expert_lines(), "one more"], "1 of 3 lines come after the episode terminated"),
        (["a\nb"], "not one line"),
        ([3], "not one line"),
        (["well"] * 33, "1 of 33 lines come after the episode truncated at line 32"),
    ],
)
def test_lines_that_cannot_have_been_played(lines, message):
    with pytest.raises(ReplayError, match=message):
        play(lines)


def record(**changes):
    value = {
        "index": 0,
        "env": ITEM.env,
        "kwargs": ITEM.kwargs,
        "seed": ITEM.seed,
        "problem": ITEM.problem,
        "actions": ("1 + 1 = 3",),
        "tokens": ((1, 2),),
        "terms": {"outcome": 0.0, "validity": -1.0, "shaping": 0.1},
        "reward": 0.0,
        "solved": False,
        "status": "ok",
        "error": None,
        "ledger": dict.fromkeys(LEDGER, 1),
        "division": "open",
    }
    return EpisodeRecord(**{**value, **changes})


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec=None)).filter(lambda t: "\n" not in t)))
def test_any_text_survives(actions):
    line = record(actions=tuple(actions)).to_line()
    assert line.isascii()
    assert line.count("\n") == 1
    again = EpisodeRecord.from_json(json.loads(line))
    assert again.actions == tuple(actions)
    assert again.to_line() == line


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("index", True),
        ("seed", "1"),
        ("actions", "text"),
        ("actions", [1]),
        ("tokens", [[True]]),
        ("tokens", [[-1]]),
        ("tokens", [3]),
        ("terms", {"outcome": "1"}),
        ("reward", "1"),
        ("solved", 1),
        ("status", "fine"),
        ("division", "best"),
        ("error", 3),
        ("ledger", {}),
        ("ledger", {**dict.fromkeys(LEDGER, 1), "model_calls": -1}),
        ("ledger", {**dict.fromkeys(LEDGER, 1), "model_calls": True}),
        ("extra", 1),
    ],
)
def test_records_of_the_wrong_shape_are_refused(field, bad):
    value = json.loads(record().to_line())
    assert EpisodeRecord.from_json(value).to_line() == record().to_line()
    with pytest.raises(ValueError, match=field):
        EpisodeRecord.from_json({**value, field: bad})
    value.pop("seed")
    with pytest.raises(ValueError, match="'seed' is missing"):
        EpisodeRecord.from_json(value)


def test_no_number_is_nan(tmp_path):
    with pytest.raises(ValueError, match="finite number"):
        record(reward=math.nan)
    path = tmp_path / "episodes.jsonl"
    path.write_text(record().to_line().replace('"reward":0.0', '"reward":NaN'))
    with pytest.raises(ValueError, match="line 1: NaN is not a number"):
        read_episodes(path, range(9))


def test_a_torn_line_does_not_count_and_a_wrong_one_is_named(tmp_path):
    path = tmp_path / "episodes.jsonl"
    assert read_episodes(path, range(9)) == ((), 0)
    first, second = record().to_line(), record(index=1).to_line()
    path.write_text(first + second[:-1])
    episodes, size = read_episodes(path, range(9))
    assert [episode.to_line() for episode in episodes] == [first]
    assert size == len(first)
    path.write_text(first + first)
    with pytest.raises(ValueError, match="line 2: index 0, expected 1"):
        read_episodes(path, range(9))
    path.write_text(first + "[" * 100_000 + "\n")
    with pytest.raises(ValueError, match=r"line 2: nested too deeply.*log recover"):
        read_episodes(path, range(9))
    path.write_text(first + "{}\n")
    with pytest.raises(ValueError, match="line 2: The episode's field 'index' is missing"):
        read_episodes(path, range(9))


def test_manifest_round_trip_and_unfinished_runs(tmp_path):
    config = {"suite_hash": "x", "strategy": "greedy", "agent": None, "options": {}}
    manifest = Manifest(config, "first", None, 2, {"commit": None})
    write_manifest(tmp_path, manifest)
    assert load_run(tmp_path, complete=False).manifest == manifest
    with pytest.raises(ValueError, match="0 of 2 episodes"):
        load_run(tmp_path)
    with pytest.raises(FileNotFoundError, match="not a run folder"):
        load_run(tmp_path / "none")
    value = manifest.to_json()
    for bad, message in (
        ({**value, "format": 9}, "format 9"),
        ({**value, "statsu": 1}, "Did you mean 'status'"),
        ([], "object"),
        ({"format": 1}, "'config' is missing"),
    ):
        with pytest.raises(ValueError, match=message):
            Manifest.from_json(bad)


def test_ledgers_add_up():
    assert total([record().ledger, record().ledger])["model_calls"] == 2
    assert total([]) == dict.fromkeys(LEDGER, 0)
