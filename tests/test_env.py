"""ReasonEnv: what each kind of line does, budgets, feedback, rewards, snapshots."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from reason_env import EpisodeEnv, Kind, Problem, ReasonEnv
from reason_env.env import FEEDBACK_CHARS, MARK

COUNTDOWN = Problem("Countdown", 1, ((20, 7, 3), 39))
ARITHMETIC = Problem("Arithmetic", 1, "(9 + 3) * 4")
EQUATION = Problem("LinearEquation", 1, "2*x + 3 = 11")


def start(problem: Problem, **kwargs: Any) -> ReasonEnv:
    env = ReasonEnv(problem.task, **kwargs)
    env.reset(options={"problem": problem})
    return env


# Each row: problem, settings, lines, then of the last line: reward, terminated, truncated, kind.
EPISODES: list[tuple[Problem, dict[str, Any], list[str], float, bool, bool, Kind]] = [
    (COUNTDOWN, {}, ["20 - 7 = 13", "13 * 3 = 39"], 1, True, False, Kind.CLAIM),
    (COUNTDOWN, {}, ["20 - 7 = 13"], 0, False, False, Kind.CLAIM),
    (COUNTDOWN, {}, ["20 - 7 = 13", "13 + 3 = 16"], 0, False, False, Kind.CLAIM),
    (COUNTDOWN, {}, ["20 - 7 = 14"], 0, True, False, Kind.CLAIM),
    (COUNTDOWN, {"on_invalid": "feedback"}, ["20 - 7 = 14"], 0, False, False, Kind.CLAIM),
    (COUNTDOWN, {"reward": "process"}, ["20 - 7 = 14"], -0.5, True, False, Kind.CLAIM),
    (COUNTDOWN, {}, ["answer: 39"], 0, True, False, Kind.ANSWER),
    (COUNTDOWN, {}, ["20 - 7 = 13", "undo"], 0, False, False, Kind.UNDO),
    (COUNTDOWN, {}, ["undo"], 0, False, False, Kind.UNDO),
    (COUNTDOWN, {"reward": "process"}, ["undo"], 0, False, False, Kind.UNDO),
    (COUNTDOWN, {"reward": "process"}, ["check: open"], 0, False, False, Kind.CHECK),
    (COUNTDOWN, {"reward": "process"}, ["check: dead"], -0.5, False, False, Kind.CHECK),
    (COUNTDOWN, {}, ["20 + 7 = 27", "check: dead"], 0, False, False, Kind.CHECK),
    (COUNTDOWN, {}, ["let me see"], 0, False, False, Kind.THOUGHT),
    (COUNTDOWN, {"max_steps": 2}, ["a", "b"], 0, False, True, Kind.THOUGHT),
    (COUNTDOWN, {"max_steps": 2}, ["20 - 7 = 13", "13 * 3 = 39"], 1, True, False, Kind.CLAIM),
    (COUNTDOWN, {"max_tokens": 12}, ["20 - 7 = 13", "13 * 3 = 39"], 1, True, False, Kind.CLAIM),
    (COUNTDOWN, {"max_tokens": 11}, ["20 - 7 = 13", "13 * 3 = 39"], 0, False, True, Kind.THOUGHT),
    (COUNTDOWN, {"max_tokens": 6}, ["20 - 7 = 13"], 0, False, True, Kind.CLAIM),
    (COUNTDOWN, {"feedback": "state"}, ["20 - 7", "13 * 3"], 1, True, False, Kind.CLAIM),
    (COUNTDOWN, {"feedback": "state"}, ["20 - 8"], 0, True, False, Kind.CLAIM),
    (COUNTDOWN, {}, ["20 - 7"], 0, False, False, Kind.THOUGHT),
    (ARITHMETIC, {}, ["9 + 3 = 12", "12 * 4 = 48", "answer: 48"], 1, True, False, Kind.ANSWER),
    (ARITHMETIC, {}, ["answer: 48"], 1, True, False, Kind.ANSWER),
    (ARITHMETIC, {}, ["9 + 3 = 12", "12 * 4 = 48"], 0, False, False, Kind.CLAIM),
    (ARITHMETIC, {"reward": "process"}, ["answer: 47"], 0, True, False, Kind.ANSWER),
    (ARITHMETIC, {"on_invalid": "feedback"}, ["answer: 12 * 4"], 0, True, False, Kind.ANSWER),
    (ARITHMETIC, {"feedback": "state"}, ["9 + 3", "12 * 4"], 0, False, False, Kind.CLAIM),
    (EQUATION, {}, ["2*x = 8", "x = 4", "answer: 4"], 1, True, False, Kind.ANSWER),
    (EQUATION, {}, ["x = 5"], 0, True, False, Kind.CLAIM),
    (EQUATION, {}, ["x = 4"], 0, False, False, Kind.CLAIM),
]


@pytest.mark.parametrize(
    ("problem", "settings", "written", "reward", "terminated", "truncated", "kind"), EPISODES
)
def test_episodes(
    problem: Problem,
    settings: dict[str, Any],
    written: list[str],
    reward: float,
    terminated: bool,
    truncated: bool,
    kind: Kind,
) -> None:
    env = start(problem, **settings)
    for line in written:
        assert not env.episode.stopped
        _, *result, info = env.step(line)
    assert result == [reward, terminated, truncated]
    assert info["kind"] == kind.value
    assert env.episode.stopped == (terminated or truncated)


def test_observation_is_the_transcript() -> None:
    env = start(COUNTDOWN, feedback="state", on_invalid="feedback")
    observation = ""
    for line in ["20 - 7", "13 - 3 = 11", "hm \u2026 é", "undo", "check: open", "20 \u2212 7 = 13"]:
        observation, *_, info = env.step(line)
        assert observation.endswith(info["feedback"])
    assert observation == (
        "20 7 3 -> 39\n"
        "20 - 7\n"
        "> 13 3 -> 39\n"
        "13 - 3 = 11\n"
        "> wrong: 13 - 3 is not 11\n"
        "hm ... ?\n"
        "undo\n"
        "> 20 7 3 -> 39\n"
        "check: open\n"
        "20 - 7 = 13\n"
        "> 13 3 -> 39\n"
    )


def test_no_feedback_by_default() -> None:
    env = start(COUNTDOWN)
    observation, *_, info = env.step("20 - 7 = 13")
    assert observation == "20 7 3 -> 39\n20 - 7 = 13\n"
    assert info["feedback"] == ""


@pytest.mark.parametrize("claim", ["check: open", "check: dead"])
def test_the_truth_of_a_check_is_not_observed(claim: str) -> None:
    """Else every agent could ask the oracle."""
    env = start(COUNTDOWN, feedback="state", on_invalid="feedback")
    observation, *_, info = env.step(claim)
    assert observation == f"20 7 3 -> 39\n{claim}\n"
    assert info["valid"] == (claim == "check: open")


def test_undo_takes_back_valid_steps_one_by_one() -> None:
    env = start(COUNTDOWN, on_invalid="feedback")
    states = [env.episode.state]
    for line in ["20 - 7 = 13", "13 - 3 = 10"]:
        env.step(line)
        states.append(env.episode.state)
    for line in ["a thought", "10 - 3 = 7", "check: dead"]:
        env.step(line)
        assert env.episode.state == states[-1]
    for state in (states[1], states[0], states[0]):
        *_, info = env.step("undo")
        assert env.episode.state == state
    assert (info["valid"], info["reason"]) == (False, "there is no step to take back")


def test_terms_stay_apart() -> None:
    env = start(COUNTDOWN, reward="shaped", on_invalid="feedback")
    found = []
    for line in ["20 - 7 = 14", "20 + 7 = 27", "undo", "20 - 7 = 13", "13 * 3 = 39"]:
        *_, info = env.step(line)
        found.append(tuple(info["terms"][term] for term in ("outcome", "validity", "shaping")))
    # Potentials: 0.81, 0 (dead), 0.81, 0.9; after the end 0.
    wanted = [(0, -1, 0), (0, 0, -0.81), (0, 0, 0.81), (0, 0, 0.9 - 0.81), (1, 0, -0.9)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_budget_cuts_inside_a_line() -> None:
    env = start(COUNTDOWN, max_tokens=8)
    env.step("20 - 7 = 13")
    observation, reward, terminated, truncated, info = env.step("13 * 3 = 39")
    assert observation == "20 7 3 -> 39\n20 - 7 = 13\n13 * "
    assert (reward, terminated, truncated) == (0, False, True)
    assert info["tokens"] == 8


def test_long_lines_do_not_leave_the_observation_space() -> None:
    env = start(COUNTDOWN, on_invalid="feedback")
    for line in ["9" * 300 + " + 7 = 1", "\u00e9" * 10_000]:
        observation, *_, info = env.step(line)
        assert env.observation_space.contains(observation)
        assert len(info["feedback"]) <= FEEDBACK_CHARS


def test_feedback_lines_are_marked() -> None:
    env = start(EQUATION, feedback="state", on_invalid="feedback")
    for line in ["2*x = 8", "x = 5", "undo"]:
        *_, info = env.step(line)
        assert info["feedback"].startswith(MARK)
        assert info["feedback"].count("\n") == 1


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_reset_draws_from_the_split(split: str) -> None:
    env = ReasonEnv("Arithmetic", split=split)
    first, info = env.reset(seed=1)
    second, _ = env.reset()
    assert first != second
    assert info == {"level": 1}
    assert env.reset(seed=1)[0] == first
    assert env.reset()[0] == second


def test_a_task_of_your_own() -> None:
    from reason_env.tasks.countdown import Countdown

    env = ReasonEnv(Countdown(), level=2)
    assert env.reset(seed=0)[0].count("->") == 1


def test_short_lines_only_where_the_state_is_shown() -> None:
    rng = np.random.default_rng(0)
    for feedback in ("none", "state"):
        env = start(COUNTDOWN, feedback=feedback)
        lines = [*env.legal_lines(), env.expert_line(rng)]
        assert all(("=" in str(line)) == (feedback == "none") for line in lines)


def test_no_expert_line_from_a_dead_end() -> None:
    env = start(COUNTDOWN)
    env.step("20 + 7 = 27")
    assert env.potential() == 0
    assert env.expert_line(np.random.default_rng(0)) is None


def test_render() -> None:
    env = start(COUNTDOWN, render_mode="ansi")
    assert env.render() == env.episode.text
    assert start(COUNTDOWN).render() is None


def test_snapshots_are_not_changed_by_what_follows() -> None:
    env = start(COUNTDOWN)
    snapshot = env.snapshot()
    stored = snapshot.to_json()
    env.step("20 - 7 = 13")
    env.reset()
    assert snapshot.to_json() == stored
    assert env.restore(snapshot) == "20 7 3 -> 39\n"


def test_one_import_is_enough_for_make() -> None:
    env = gymnasium.make("reason_env:reason_env/Countdown-v0", level=2)
    observation, _ = env.reset(seed=0)
    assert "->" in observation
    env.close()


# -- Episode granularity -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outcome", "shown"),
    [
        ("20 - 7 = 13\n13 * 3 = 39\n", 1, "20 - 7 = 13\n13 * 3 = 39\n"),
        ("20 - 7 = 13\n13 * 3 = 39", 1, "20 - 7 = 13\n13 * 3 = 39\n"),
        ("20 - 7 = 13\n13 * 3 = 39\n39 - 1 = 38", 1, "20 - 7 = 13\n13 * 3 = 39\n"),
        ("20 - 7 = 13\n", 0, "20 - 7 = 13\nanswer:\n"),
        ("", 0, "answer:\n"),
        ("\n", 0, "\nanswer:\n"),
    ],
)
def test_whole_texts(text: str, outcome: float, shown: str) -> None:
    env = EpisodeEnv("Countdown")
    env.reset(options={"problem": COUNTDOWN})
    observation, reward, terminated, truncated, _ = env.step(text)
    assert (reward, terminated, truncated) == (outcome, True, False)
    assert observation == "20 7 3 -> 39\n" + shown


def test_whole_texts_keep_to_the_budget() -> None:
    env = EpisodeEnv("Countdown", max_tokens=20)
    env.reset(options={"problem": COUNTDOWN})
    *_, terminated, truncated, info = env.step("hm\n" * 100)
    assert (terminated, truncated, info["tokens"]) == (False, True, 20)
