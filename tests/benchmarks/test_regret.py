"""Regret: hand-computed episodes, the telescoping sum, and the value against plain search."""

import json
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.agent import load_agent
from benchmarks.metrics import bootstrap
from benchmarks.players import Played
from benchmarks.records import LEDGER, Manifest
from benchmarks.regret import (
    LOSSES,
    SHORTCUT,
    NoPotential,
    describe,
    episode_regret,
    optimal_value,
    run_regret,
)
from benchmarks.replay import ReplayError, play
from benchmarks.run_folder import load_run
from benchmarks.runner import execute, run_suite
from benchmarks.suite import Suite, resolve
from reason_env import Problem, ReasonEnv, task_names
from reason_env.checks.conformance import corrupt_last_number

NINE = Problem("Countdown", 1, ((3, 2, 1), 9))
"""2 + 1 = 3, 3 * 3 = 9: two lines from the goal, so the value at the start is 0.81."""


def start(problem=NINE, **kwargs):
    env = ReasonEnv(problem.task, level=problem.level, **kwargs)
    env.reset(seed=0, options={"problem": problem})
    return env


def judge(*actions, problem=NINE, **kwargs):
    return episode_regret(start(problem, **kwargs), actions)


# Lines, regret of each, regret of not finishing, fatal line, whether it ended the episode.
BY_HAND = {
    "shortest": (["2 + 1 = 3", "3 * 3 = 9"], [0, 0], 0, None),
    # A thought costs a line: 0.81 - 0.9 * 0.81.
    "thought": (["hm", "2 + 1 = 3", "3 * 3 = 9"], [0.081, 0, 0], 0, None),
    "thought between": (["2 + 1 = 3", "hm", "3 * 3 = 9"], [0, 0.081, 0], 0, None),
    # 1 1 cannot make 9; two lines more than need be: 0.81 - 0.81 * 0.81, all lost at once.
    "dead end taken back": (
        ["3 - 2 = 1", "undo", "2 + 1 = 3", "3 * 3 = 9"],
        [0.1539, 0, 0, 0],
        0,
        None,
    ),
    "dead end": (["3 - 2 = 1"], [0.81], 0, 1),
    "dead end, then a wrong claim": (["3 - 2 = 1", "1 + 1 = 3"], [0.81, 0], 0, 1),
    # 0.81 - 0.9 * 0.9 * 0.81 for the first dead end, what is left for the second.
    "two dead ends": (
        ["3 - 2 = 1", "undo", "3 - 1 = 2"],
        [0.1539, 0, 0.81**2],
        0,
        3,
    ),
    "wrong claim": (["2 + 1 = 4"], [0.81], 0, 1),
    "wrong claim later": (["2 + 1 = 3", "3 * 3 = 8"], [0, 0.81], 0, 2),
    "answer that nobody asked for": (["answer: 9"], [0.81], 0, 1),
    "nothing": ([], [], 0.81, None),
    "half": (["2 + 1 = 3"], [0], 0.81, None),
    "idle": (["hm", "hm"], [0.081, 0.0729], 0.81**2, None),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case):
    actions, lines, rest, fatal = BY_HAND[case]
    found = judge(*actions)
    assert found.start == pytest.approx(0.81)
    assert found.lines == pytest.approx(lines)
    assert (found.rest, found.fatal) == (pytest.approx(rest), fatal)
    assert found.solved == (actions[-1:] == ["3 * 3 = 9"])


def test_what_lost_it():
    def parts(*actions, **kwargs):
        found = judge(*actions, **kwargs).parts()
        return {name: round(part, 6) for name, part in found.items() if part}

    assert parts("2 + 1 = 3", "3 * 3 = 9") == {}
    assert parts("3 - 2 = 1", "1 + 1 = 3") == {"dead end": 1}
    assert parts("2 + 1 = 4") == {"wrong line": 1}
    assert parts("hm", "2 + 1 = 4") == {"detour": 0.1, "wrong line": 0.9}
    assert parts("hm") == {"detour": 0.1, "not finished": 0.9}
    # Truncated after a dead end: it was lost there, and not by idling.
    assert parts("3 - 2 = 1", "hm", "hm", max_steps=3) == {"dead end": 1}
    assert parts("hm", "hm", max_steps=2) == {"detour": 0.19, "not finished": 0.81}
    # A wrong claim that does not end the episode is a line for nothing.
    told = {"on_invalid": "feedback"}
    assert parts("2 + 1 = 4", "2 + 1 = 3", "3 * 3 = 9", **told) == {"detour": 0.1}


def test_shortcuts_are_shown_as_gains():
    equation = Problem("LinearEquation", 1, "2*x + 3 = 11")
    derived = judge("2*x = 8", "x = 4", "answer: 4", problem=equation)
    assert derived.start == pytest.approx(0.9**3)
    assert derived.total == pytest.approx(0)
    leap = judge("x = 4", "answer: 4", problem=equation)
    assert leap.lines == pytest.approx([0.9**3 - 0.9**2, 0])
    guess = judge("answer: 4", problem=equation)
    assert guess.total == pytest.approx(0.9**3 - 0.9)
    assert guess.parts() == {
        **dict.fromkeys(LOSSES, 0.0),
        SHORTCUT: pytest.approx((0.9**3 - 0.9) / 0.9**3),
    }
    assert judge("answer: 5", problem=equation).parts()["wrong line"] == pytest.approx(1)


def write(env, rng, lawful):
    """A line of any kind; if `lawful`, only legal steps, thoughts, and undo."""
    legal = list(env.legal_lines())
    line = legal[int(rng.integers(len(legal)))] if legal else "hm"
    options = [line, line, env.expert_line(rng) or "undo", "undo", "hm"]
    if not lawful:
        options += [corrupt_last_number(line), "check: dead", "answer: 7", "1 + 1 = 3", "x = 4"]
    return options[int(rng.integers(len(options)))]


@settings(deadline=None, max_examples=150)
@given(
    family=st.sampled_from(task_names()),
    seed=st.integers(0, 10**6),
    length=st.integers(0, 9),
    lawful=st.booleans(),
    on_invalid=st.sampled_from(["end", "feedback"]),
    max_steps=st.sampled_from([4, 32]),
)
def test_regret_telescopes(family, seed, length, lawful, on_invalid, max_steps):
    env = ReasonEnv(family, on_invalid=on_invalid, max_steps=max_steps)
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    actions = []
    while len(actions) < length and not env.episode.stopped:
        actions.append(write(env, rng, lawful))
        env.step(actions[-1])
    env.reset(seed=seed)
    first = env.potential()
    solved = play(env, actions).solved
    env.reset(seed=seed)
    found = episode_regret(env, actions)
    assert (found.start, found.solved) == (first, solved)
    assert found.total == pytest.approx(first - 0.9 ** len(actions) * solved, abs=1e-9)
    assert sum(found.parts().values()) == pytest.approx(found.normalised, abs=1e-9)
    assert found.normalised <= 1 + 1e-9
    assert not (solved and found.fatal)
    if lawful:
        assert min(found.lines, default=0) >= 0
        assert found.parts()[SHORTCUT] == 0
    if found.fatal:
        assert not any(found.lines[found.fatal :])
        assert found.rest == 0


def distance(env, most=6):
    """Lines to the goal, `undo` among them, by plain breadth-first search; None: more than that."""
    waiting, seen = deque([(env.episode, 0)]), set()
    while waiting:
        episode, depth = waiting.popleft()
        if (episode.state, episode.history) in seen or depth == most:
            continue
        seen.add((episode.state, episode.history))
        legal = env.task.legal_steps(episode.problem, episode.state)
        for line in [*legal, "undo"]:
            followed = env.follow(episode, line)
            if followed.solved:
                return depth + 1
            waiting.append((followed.episode, depth + 1))
    return None


@pytest.mark.parametrize(("family", "walks"), [("Countdown", 60), ("GraphPath", 40)])
def test_the_value_is_that_of_plain_search(family, walks):
    env = ReasonEnv(family)
    taken_back = 0
    for seed in range(walks):
        env.reset(seed=seed)
        rng = np.random.default_rng(seed)
        for _ in range(int(rng.integers(1, 4))):
            legal = env.legal_lines()
            if legal and not env.episode.stopped:
                env.step(legal[int(rng.integers(len(legal)))])
        if env.episode.stopped:
            continue
        lines = distance(env)
        if lines is not None:
            taken_back += env.potential() < optimal_value(env, env.episode)
            assert optimal_value(env, env.episode) == pytest.approx(0.9**lines)
    assert taken_back, "no walk led where undo is best"


@pytest.mark.parametrize("family", task_names())
def test_experts_lose_nothing(family):
    env = ReasonEnv(family)
    expert = load_agent("expert")
    for seed in range(2):
        observation, _ = env.reset(seed=seed)
        expert.attach(env)
        expert.reset(seed)
        actions = []
        while not env.episode.stopped:
            actions.append(expert.act(observation))
            observation, *_ = env.step(actions[-1])
        env.reset(seed=seed)
        found = episode_regret(env, actions)
        assert (found.solved, found.total) == (True, pytest.approx(0, abs=1e-9))
        assert 0 < found.start < 1


def test_lines_after_the_end_are_refused():
    with pytest.raises(ReplayError, match="Line 2 of 2"):
        judge("2 + 1 = 4", "2 + 1 = 3")


ENTRY = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1, "split": "dev"}, "episodes": 6}


def played(tmp_path, *others):
    """A run of six problems: two solved, a wrong claim, nothing written, two errors."""
    entries = [ENTRY, *others]
    suite = Suite.from_json({"name": "six", "version": 1, "seed": 0, "entries": entries})
    problems = resolve(suite)
    spent = dict.fromkeys(LEDGER, 0)

    def player(items, seeds):
        found = []
        for item in items:
            env = ReasonEnv(item.env.rpartition("/")[2].partition("-")[0], **item.kwargs)
            env.reset(seed=item.seed)
            lines = []
            while item.index < 2 and not env.episode.stopped:
                lines.append(env.expert_line(np.random.default_rng(0)))
                env.step(lines[-1])
            if item.index == 2:
                lines = ["hm", "1 + 1 = 3"]
            error = "RuntimeError: no" if item.index in (4, 5) else None
            found.append(Played(tuple(lines), ((1,),) * len(lines), spent, False, error))
        return found

    config = {"suite": suite.to_json(), "suite_hash": problems.hash, "seed": 0, "limit": None}
    config |= {"strategy": "greedy", "options": {}, "agent": None, "budget_tokens": None}
    manifest = Manifest(config, "", None, len(problems.items), {"commit": "c"})
    return execute(problems, player, tmp_path / "run", manifest, progress=False)


def test_a_run(tmp_path):
    found = run_regret(played(tmp_path))
    assert found.episodes == 6
    assert found.accuracy.value == pytest.approx(2 / 6)
    assert found.regret == bootstrap([0, 0, 1, 1, 1, 1])
    assert found.parts == pytest.approx(
        {"dead end": 0, "wrong line": 0.9 / 6, "detour": 0.1 / 6, "not finished": 3 / 6}
        | {SHORTCUT: 0}
    )
    assert found.share("not finished") == pytest.approx(3 / 4)
    assert found.fatal == {2: 1}
    data = json.loads(json.dumps(found.to_json()))
    assert (data["value"], data["fatal_lines"]) == (pytest.approx(4 / 6), {"2": 1})
    text = describe([tmp_path / "run"])
    assert "| 33.3 % [9.7, 70.0] | 0.667 [" in text
    assert (
        "| 0.000 (0%) | 0.150 (22%) | 0.017 (2%) | 0.500 (75%) | 0.000 | 0 | 1 | 0 | 0 | 0 |"
        in text
    )


def test_random_lines_of_a_real_run_add_up(tmp_path):
    run = run_suite("smoke", tmp_path / "run", agent="random", limit=4, progress=False)
    found = run_regret(run)
    assert found.regret.value == pytest.approx(sum(found.parts.values()))
    assert 0 < found.regret.value <= 1
    assert sum(found.fatal.values()) <= sum(not episode.solved for episode in run.episodes)


def test_tasks_that_verify_answers_only(tmp_path):
    rows = [{"question": f"What is {n} plus one?", "answer": str(n + 1)} for n in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kwargs = {"source": str(tmp_path / "rows.jsonl"), "holdout": "test", "split": "test"}
    entry = {"env": "reason_env/Jsonl-v0", "kwargs": kwargs, "episodes": 3}
    mixed = played(tmp_path, entry)
    assert run_regret(mixed).left_out == ("Jsonl",)
    assert run_regret(mixed).episodes == 6
    assert "3 of 9 episodes are left out" in describe([mixed.folder])
    alone = Suite.from_json({"name": "alone", "version": 1, "seed": 0, "entries": [entry]})
    run = run_suite(alone, tmp_path / "alone", agent="random", progress=False)
    with pytest.raises(NoPotential, match="only the answers of Jsonl are verified"):
        run_regret(run)


def test_a_run_of_another_version_is_refused(tmp_path):
    folder = played(tmp_path).folder
    journal = folder / "episodes.jsonl"
    episodes = [json.loads(line) for line in journal.read_text().splitlines()]
    episodes[1]["problem"] = "0" * 64
    journal.write_text("".join(json.dumps(episode) + "\n" for episode in episodes))
    with pytest.raises(ValueError, match="episode 1 answers"):
        run_regret(load_run(folder))
