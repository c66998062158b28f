"""Behaviours: counted in transcripts by hand, demonstrated at the rates asked for, in all families,
without a change to demonstrations that show none."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import doors

from agents.behaviours import BEHAVIOURS, observe, restatement
from agents.learning.demonstrations import BehaviourRates, demonstrate
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from reason_env.problem import Problem
from reason_env.registration import task_names
from reason_env.task import distance_at, potential_at

ROOM = "max_steps=60,max_tokens=900"
PROBLEM = Problem("Countdown", 1, ((20, 7, 3), 39))


def countdown(**kwargs):
    env = EnvSpec.parse(f"Countdown-v0:feedback=state,{ROOM}").make(**kwargs)
    env.reset(seed=0, options={"problem": PROBLEM})
    return env


def counts(lines, **kwargs):
    found = observe(countdown(**kwargs), lines)
    return {name: (one.tried, one.right) for name, one in found.items() if one.tried}


def test_a_whole_episode_by_hand():
    lines = [
        "problem: 20 7 3 -> 39",
        "check: open",
        "20 + 7 = 27",
        "check: open",  # 27 and 3 can't reach 39
        "check: dead",
        "undo",
        "aim: 13 3 -> 39",
        "20 - 7 = 13",
        "13 * 3 = 39",
    ]
    assert counts(lines) == {
        "analysis": (1, 1),
        "subgoals": (1, 1),
        "completion": (3, 3),
        "alternatives": (1, 1),
        "checks": (3, 2),
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # A restatement of another problem.
        (["problem: 20 7 4 -> 39"], {"analysis": (1, 0)}),
        # An aim that is not what follows.
        (["aim: 17 7 -> 39", "20 - 7 = 13"], {"subgoals": (1, 0), "completion": (1, 1)}),
        # An aim is for the next claim only.
        (
            ["aim: 39", "20 - 7 = 13", "13 * 3 = 39"],
            {"subgoals": (1, 0), "completion": (2, 2)},
        ),
        # The same claim again is no alternative, nor is another way to the same state.
        (
            ["20 + 7 = 27", "undo", "20 + 7 = 27"],
            {"completion": (2, 2), "alternatives": (1, 0)},
        ),
        (
            ["20 + 7 = 27", "undo", "7 + 20 = 27"],
            {"completion": (2, 2), "alternatives": (1, 0)},
        ),
        # Nothing was taken back.
        (["undo", "20 + 7 = 27"], {"completion": (1, 1)}),
        # A mistake that ends the episode is corrected by nothing.
        (["20 + 7 = 28", "20 + 7 = 27"], {"completion": (1, 0)}),
        # After the end nothing counts.
        (
            ["20 - 7 = 13", "13 * 3 = 39", "check: open"],
            {"completion": (2, 2)},
        ),
        (["let me think"], {}),
    ],
)
def test_what_counts(lines, expected):
    assert counts(lines) == expected


def test_corrections():
    lines = ["20 + 7 = 28", "20 + 7 = 29", "20 - 7 = 13"]
    assert counts(lines, on_invalid="feedback") == {
        "completion": (3, 1),
        "corrections": (2, 1),
    }


def test_the_environment_stays_as_it_is():
    env = countdown()
    before = env.snapshot().to_json()
    observe(env, ["20 + 7 = 27", "undo"])
    assert env.snapshot().to_json() == before


# -- Demonstrations ----------------------------------------------------------------------------

EVERYTHING = BehaviourRates(1.0, 1.0, 1.0, 1.0, 1.0)


def demonstrated(spec, share, rates, episodes=60, seed=0):
    """Episodes, with what was observed in each."""
    env = EnvSpec.parse(spec).make(split="train")
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(episodes):
        trajectory = demonstrate(env, rng, share, rates)
        written = written_lines(env, trajectory)
        problem = env.episode.problem
        env.reset(options={"problem": problem})
        found.append((trajectory, observe(env, written), written))
    return found


def written_lines(env, trajectory):
    """The lines of the transcript but for the prompt and what the environment marks as its own."""
    text = env.tokenizer.decode(trajectory.tokens[trajectory.visits[0].place + 1 :])
    return [line for line in text.removesuffix("\n").split("\n") if not line.startswith("> ")]


def total(found, name):
    return (
        sum(observed[name].tried for _, observed, _ in found),
        sum(observed[name].right for _, observed, _ in found),
    )


def test_without_behaviours_nothing_changes():
    """Demonstrations are what they were before behaviours could be shown."""
    spec = "Countdown-v0:level=1,feedback=state"
    one, other = (
        [t.tokens for t, _, _ in demonstrated(spec, 0.25, rates)]
        for rates in (BehaviourRates(), BehaviourRates(corrections=1.0))
    )
    assert one == other  # wrong claims end these episodes, so there is nothing to correct


SPEC = f"Countdown-v0:level=1,feedback=state,on_invalid=feedback,{ROOM}"


def test_all_of_them_at_once():
    found = demonstrated(SPEC, 1.0, EVERYTHING)
    assert all(trajectory.solved for trajectory, _, _ in found)
    for name in BEHAVIOURS:
        tried, right = total(found, name)
        assert right >= 60, name
        if name not in ("completion", "corrections"):
            assert tried == right, name
    # Every episode has two lines of work: each is preceded by a mistake, and each by a detour.
    assert total(found, "corrections") == (120, 120)
    assert total(found, "alternatives") == (120, 120)


@pytest.mark.parametrize("name", ["analysis", "subgoals", "alternatives", "checks", "corrections"])
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_rates(name, rate):
    """As often as asked for, to within four standard errors; and no other behaviour."""
    found = demonstrated(SPEC, 1.0, BehaviourRates(**{name: rate}), episodes=200)
    chances = 200 if name == "analysis" else 400
    tried, _ = total(found, name)
    assert abs(tried / chances - rate) <= 4 * (0.25 / chances) ** 0.5 * (rate > 0)
    for other in set(BEHAVIOURS) - {name, "completion"}:
        assert total(found, other) == (0, 0)


def test_what_is_taken_back_is_not_learned():
    """Mistakes and detours are in the transcript and are not cloned; undo and what follows are."""
    env = countdown(on_invalid="feedback")
    found = demonstrated(SPEC, 1.0, BehaviourRates(alternatives=1.0, corrections=1.0))
    for trajectory, _, written in found:
        text = env.tokenizer.decode(
            [t for t, cloned in zip(trajectory.tokens, trajectory.actions, strict=True) if cloned]
        )
        cloned = text.removesuffix("\n").split("\n")
        # Detour, undo, mistake, line; for each of the two lines.
        assert written[1::4] == ["undo", "undo"]
        assert cloned == [line for i, line in enumerate(written) if i % 4 in (1, 3)]


def test_dead_ends_are_left():
    """With aimless lines in between: after a dead end, some are taken back at once."""
    found = demonstrated(SPEC, 0.25, BehaviourRates(alternatives=0.7, checks=1.0))
    plain = demonstrated(SPEC, 0.25, BehaviourRates())
    assert sum(t.solved for t, _, _ in found) > sum(t.solved for t, _, _ in plain) + 5
    tried, right = total(found, "checks")
    assert tried == right > 60


@pytest.mark.parametrize("name", task_names())
def test_every_family(name):
    """Whatever is shown in whatever family is true, and leaves room for the solution."""
    found = demonstrated(f"{name}-v0:on_invalid=feedback", 1.0, EVERYTHING, episodes=4)
    for behaviour in ("analysis", "checks", "subgoals"):
        tried, right = total(found, behaviour)
        assert tried == right
    assert sum(trajectory.solved for trajectory, _, _ in found) == 4


def test_budgets_below_the_familys_own():
    """As long as a solution still fits, behaviours are shown; where next to nothing does, none are,
    and the problem is solved all the same."""
    spec = "Countdown-v0:level=1,feedback=state,on_invalid=feedback,max_steps=16,max_tokens=160"
    roomy = demonstrated(spec, 1.0, EVERYTHING)
    for name in BEHAVIOURS:
        assert total(roomy, name)[1] >= 60, name
    tight = demonstrated("Countdown-v0:level=1,feedback=state,max_steps=2", 1.0, EVERYTHING)
    assert total(tight, "checks") == total(tight, "analysis") == (0, 0)
    assert all(trajectory.solved for trajectory, _, _ in [*roomy, *tight])


@given(st.integers(0, 60))
def test_distances_and_potentials(distance):
    assert distance_at(potential_at(distance)) == distance
    assert distance_at(potential_at(None)) is None


def test_restatements_of_several_lines_are_one():
    env = EnvSpec.parse("Sudoku-v0").make()
    env.reset(seed=0)
    line = restatement(env, env.episode.problem)
    assert "\n" not in line
    assert " / " in line


def test_families_without_states_to_show():
    env = doors("LR", on_invalid="feedback")
    demonstration = demonstrate(env, np.random.default_rng(0), 1.0, EVERYTHING)
    assert demonstration.terms.validity == 0


# -- The trainer -------------------------------------------------------------------------------


def test_sft_takes_them(trained, tmp_path):
    rates = BehaviourRates(checks=0.5, alternatives=0.5)
    env = EnvSpec.parse(f"Countdown-v0:{ROOM}")
    sft(trained, SFTConfig((env,), steps=2, batch=4, workers=0, behaviours=rates), tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["behaviours"]["checks"] == 0.5


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (BehaviourRates(checks=1.5), "checks must be in 0..1, received 1.5"),
        (
            BehaviourRates(corrections=0.5),
            "a wrong claim ends the episode: add on_invalid=feedback",
        ),
    ],
)
def test_rates_that_make_no_sense(trained, tmp_path, rates, message):
    config = SFTConfig((EnvSpec.parse("Countdown-v0"),), behaviours=rates)
    with pytest.raises(ValueError, match=message):
        sft(trained, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
