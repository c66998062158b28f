"""Suites: shape, distinct problems, and hashes that may never change."""

import json
from pathlib import Path

import pytest

from benchmarks.suite import Entry, Suite, load_suite, resolve, suite_names
from reason_env import make_task
from reason_env.env import make_env
from reason_env.splits import split_of

# A changed hash means that a published suite asks something else now: make a new version of it
# instead. For one that is not published yet, copy what `reason-bench list` prints.
PINNED = {
    "smoke": "328cc8011fa35e669d086d14bbc023f5777ad17dd723ea4ecdcad2af875bf4ed",
    "quickstart": "79bdf065198e7bc22b0cf940e8ff1be4782d8fd35edc9378f62d91e0c2a1f890",
    "reproduce": "59769b7db77f70225a6c5fa60409d0d0cb0e1e74d702d6d29890f85f8b83fcc2",
    "roadmap": "d7bad4f2150fdf3d0272666fdf86c0ee444cd332f71a3c9f5d3e7711d4304a3e",
    "behaviours": "f4feeb5cc44edc5982c2691641ae0b1a3b9f6985f3945e8649b5d5dc7a4f0202",
    "core-v1": "b09338f0fb44f2a1a4749969f5728fcd65f22486a01c7da9146801e70a9cac53",
    "hard-v1": "a6f7ec5df04bef23a171d9ee1e728e93d19f7044197ef97760ccd87740526238",
    "math-v1": "ed839d0ba6ed7a78d01c54e589db00a445cd7c2f883ebe00d56aa769b58a31ff",
    "rg-v1": "a9cc74aaf9ddc1389407a373d4fde3708348c76cc57534909470fc7c1d196bec",
}


@pytest.mark.parametrize("name", suite_names())
def test_published_suites_never_change(name):
    """And their problems are distinct, and of the test split."""
    resolved = resolve(load_suite(name))
    assert resolved.hash == PINNED[name]
    contents = set()
    tasks = {}
    for item in resolved.items:
        assert item.kwargs["split"] == "test"
        key = (item.env, json.dumps(item.kwargs))
        if key not in tasks:
            env = item.start()
            drawn = make_env(item.env, item.kwargs)
            drawn.reset(seed=item.seed)
            assert drawn.episode == env.episode, "the seed draws what was kept"
            tasks[key] = env.task
            assert split_of(env.task, item.asked) == "test"
        contents.add((tasks[key].name, tasks[key].canonical(item.asked)))
    assert len(contents) == len(resolved.items)
    assert [item.index for item in resolved.items] == list(range(len(resolved.items)))


def suite(**changes):
    value = {
        "name": "mine",
        "version": 1,
        "seed": 0,
        "entries": [{"env": "reason_env/Countdown-v0", "kwargs": {"level": 1}, "episodes": 5}],
    }
    return {**value, **changes}


def test_every_problem_of_a_list_can_be_asked():
    pool = make_task("Game24").pool(1, "test")
    entry = {"env": "reason_env/Game24-v0", "kwargs": {"level": 1, "split": "test"}}
    whole = resolve(Suite.from_json(suite(entries=[{**entry, "episodes": len(pool)}])))
    assert len({item.problem for item in whole.items}) == len(pool)
    with pytest.raises(ValueError, match=f"has {len(pool)} problems, received {len(pool) + 1}"):
        resolve(Suite.from_json(suite(entries=[{**entry, "episodes": len(pool) + 1}])))


def test_equal_twice_and_different_for_anything_that_matters():
    base = resolve(Suite.from_json(suite()))
    assert resolve(Suite.from_json(suite())).hash == base.hash
    assert resolve(Suite.from_json(suite(description="other words"))).hash == base.hash
    entry = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1}, "episodes": 5}
    for changed in (
        suite(seed=1),
        suite(version=2),
        suite(budget_tokens=7),
        suite(line_tokens=7),
        suite(entries=[{**entry, "kwargs": {"level": 1, "max_steps": 5}}]),
        suite(entries=[{**entry, "kwargs": {"level": 1, "prompt": "verbose"}}]),
        suite(entries=[{**entry, "episodes": 6}]),
    ):
        assert resolve(Suite.from_json(changed)).hash != base.hash
    assert resolve(Suite.from_json(suite()), limit=2).hash != base.hash


def test_an_entry_does_not_move_the_others():
    first = suite()["entries"][0]
    second = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 3}, "episodes": 3}
    alone = resolve(Suite.from_json(suite(entries=[first])))
    both = resolve(Suite.from_json(suite(entries=[second, first])))
    assert [i.seed for i in alone.items] == [i.seed for i in both.items[3:]]


def test_limit_takes_from_every_entry():
    entry = suite()["entries"][0]
    value = suite(entries=[entry, {**entry, "kwargs": {"level": 2}}])
    limited = resolve(Suite.from_json(value), limit=2)
    assert [item.kwargs["level"] for item in limited.items] == [1, 1, 2, 2]


def test_too_many_episodes_are_refused(monkeypatch):
    from reason_env.tasks.countdown import Countdown

    only = make_env("reason_env/Countdown-v0", {})
    only.reset(seed=0)
    problem = only.episode.problem
    monkeypatch.setattr(Countdown, "generate", lambda self, rng, level: problem)
    with pytest.raises(ValueError, match="4 of 5 episodes missing; ask for fewer"):
        resolve(Suite.from_json(suite()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sed": 0}, "Did you mean 'seed'"),
        ({"seed": True}, "'seed' cannot be True"),
        ({"seed": -1}, "0 or more"),
        ({"version": "1"}, "'version' cannot be '1'"),
        ({"budget_tokens": 0}, "1 or more"),
        ({"line_tokens": 0}, "line_tokens must be 1 or more"),
        ({"entries": []}, "not be empty"),
        ({"entries": [3]}, "expected an object"),
        ({"entries": [{"env": "x"}]}, "'episodes' is missing"),
        ({"entries": [{"env": "x", "episodes": 0}]}, "1 or more"),
    ],
)
def test_bad_suites_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        Suite.from_json(suite(**changes))


@pytest.mark.parametrize(
    ("env", "kwargs", "message"),
    [
        ("reason_env/Coutdown-v0", {}, "Countdown"),
        ("reason_env/Countdown-Token-v0", {}, "step granularity"),
        ("reason_env/Countdown-Episode-v0", {}, "step granularity"),
        ("reason_env/Countdown-v0", {"levl": 1}, "Did you mean 'level'"),
        ("reason_env/Countdown-v0", {"level": 99}, "Unknown level"),
        ("reason_env/Countdown-v0", {"task": "Arithmetic"}, "Unknown keyword"),
    ],
)
def test_bad_entries_are_refused_by_name(env, kwargs, message):
    with pytest.raises(ValueError, match=message):
        resolve(Suite("x", 1, 0, (Entry(env, kwargs, 1),)))


def test_suites_from_names_and_files(tmp_path: Path):
    with pytest.raises(ValueError, match="Did you mean 'smoke'"):
        load_suite("smok")
    with pytest.raises(FileNotFoundError, match="No suite file"):
        load_suite(tmp_path / "none.json")
    path = tmp_path / "mine.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"mine\.json"):
        load_suite(path)
    path.write_text(json.dumps(suite()))
    loaded = load_suite(str(path))
    assert loaded == Suite.from_json(suite()) == Suite.from_json(loaded.to_json())
