"""What is true of every registered environment. A new family is covered without a new line."""

import json
import random
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from reason_env import ReasonEnv, RewardConfig, Snapshot, TokenEnv, make_task, task_names
from reason_env.checks import check_task, corrupt_last_number
from reason_env.problem import Problem
from reason_env.splits import SPLITS, draw, split_of
from reason_env.tokenizer import EOS, TOKENIZER

IDS = [
    env_id
    for env_id, spec in gymnasium.registry.items()
    # Adapters have tests of their own: they need extras or files.
    if env_id.startswith("reason_env/") and spec.kwargs["task"] in task_names()
]
GRANULARITIES = ("", "-Token", "-Episode")
TALKATIVE = {"feedback": "state", "on_invalid": "feedback", "reward": "shaped"}
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "talkative": TALKATIVE,
    "shaped": {"reward": {"outcome": 1.0, "validity": 0.5, "shaping": 1.0, "gamma": 0.9}},
    "few_steps": {**TALKATIVE, "max_steps": 3},
    "few_tokens": {**TALKATIVE, "max_tokens": 17},
}
EVERY_LEVEL = [(name, level) for name in task_names() for level in make_task(name).levels]

Transition = tuple[Any, float, bool, bool, dict[str, Any]]


def make(name: str, granularity: str = "", **kwargs: Any) -> Any:
    return gymnasium.make(f"reason_env/{name}{granularity}-v0", **kwargs).unwrapped


def test_ids() -> None:
    assert sorted(IDS) == sorted(
        f"reason_env/{name}{granularity}-v{make_task(name).version}"
        for name in task_names()
        for granularity in GRANULARITIES
    )
    assert {"Countdown", "Arithmetic", "LinearEquation"} <= set(task_names())


@pytest.mark.parametrize("kwargs", [{}, TALKATIVE], ids=["default", "talkative"])
@pytest.mark.parametrize("env_id", IDS)
def test_check_env(env_id: str, kwargs: dict[str, Any]) -> None:
    check_env(gymnasium.make(env_id, **kwargs).unwrapped)


@pytest.mark.parametrize(("name", "level"), EVERY_LEVEL)
def test_check_task(name: str, level: int) -> None:
    check_task(make_task(name), levels=[level], seeds=range(2))


# -- Texts to play -------------------------------------------------------------------------------


def expert_lines(env: ReasonEnv, rng: np.random.Generator) -> list[str]:
    """A solution of the environment's problem, found on a copy."""
    guide = ReasonEnv(env.task, feedback=env.feedback, max_steps=1000, max_tokens=10_000)
    guide.reset(options={"problem": env.episode.problem})
    written = []
    while not guide.episode.stopped:
        line = guide.expert_line(rng)
        assert line is not None
        written.append(line)
        guide.step(line)
    return written


def random_text(env: ReasonEnv, rng: random.Random) -> str:
    """Expert, legal, wrong, odd and meaningless lines, in any order, perhaps unfinished."""
    expert = expert_lines(env, np.random.default_rng(rng.randrange(2**32)))
    legal = list(env.legal_lines())
    odd = ["undo", "undo", "check: open", "check: dead", "", "hm, 3 or 4?", "1 / 0 = 0", "> x"]
    written: list[str] = []
    for _ in range(rng.randint(0, 6)):
        shape = rng.randrange(6)
        if shape == 0:
            written += expert[: rng.randint(0, len(expert))]
        elif shape == 1:
            written.append(rng.choice(legal))
        elif shape == 2:
            written.append(corrupt_last_number(rng.choice(expert)))
        elif shape == 3:
            written.append("".join(rng.choices(" 0123456789+-*/=()x:answer", k=rng.randint(0, 9))))
        else:
            written.append(rng.choice(odd))
    if rng.randrange(3) == 0:
        written += expert
    text = "".join(line + "\n" for line in written)
    return text[: rng.randint(0, len(text))] if rng.randrange(3) == 0 else text


def actions_of(text: str, granularity: str) -> list[Any]:
    """The text as actions; where it stops before the episode does, it is given up."""
    if granularity == "-Token":
        return [*TOKENIZER.encode(text), EOS]
    if granularity == "-Episode":
        return [text]
    return [*(text.removesuffix("\n").split("\n") if text else []), "answer:"]


def play(env: ReasonEnv, actions: list[Any]) -> list[Transition]:
    transitions: list[Transition] = []
    for action in actions:
        transitions.append(env.step(action))
        if env.episode.stopped:
            break
    return transitions


def total(transitions: list[Transition]) -> dict[str, float]:
    """The sum of each reward term, and of the reward."""
    sums = {"reward": sum(reward for _, reward, *_ in transitions)}
    for *_, info in transitions:
        for term, value in info["terms"].items():
            sums[term] = sums.get(term, 0.0) + value
    return sums


def plain(value: Any) -> Any:
    """A transition in a form that compares bit for bit."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


# -- Returns, snapshots, solutions ---------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", task_names())
def test_granularities_pay_the_same(name: str, setting: str) -> None:
    rng = random.Random(f"{name}{setting}")
    envs = {g: make(name, g, **SETTINGS[setting]) for g in GRANULARITIES}
    ended_by_itself = 0
    for trial in range(60):
        level = 1 + trial % 2
        step_env = envs[""]
        problem = draw(step_env.task, np.random.default_rng(trial), level, "train")
        step_env.reset(options={"problem": problem})
        text = random_text(step_env, rng)
        if trial % 4 == 0:
            text = "".join(line + "\n" for line in expert_lines(step_env, np.random.default_rng(0)))
        ends, sums, transcripts = {}, {}, {}
        for granularity, env in envs.items():
            env.reset(options={"problem": problem})
            transitions = play(env, actions_of(text, granularity))
            ends[granularity] = transitions[-1][2:4]
            sums[granularity] = total(transitions)
            transcripts[granularity] = env.episode.text
            assert ends[granularity] in [(True, False), (False, True)], "over, and never both"
        assert ends["-Token"] == ends["-Episode"], text
        assert sums["-Token"] == pytest.approx(sums["-Episode"]), text
        assert transcripts["-Token"] == transcripts["-Episode"], text
        # Giving up costs a step action tokens that a short budget may not have.
        lines = text.count("\n") + (not text.endswith("\n"))
        if envs[""].episode.steps <= lines or setting != "few_tokens":
            ended_by_itself += 1
            assert ends[""] == ends["-Token"], text
            assert sums[""] == pytest.approx(sums["-Token"]), text
            assert transcripts[""] == transcripts["-Token"], text
    assert ended_by_itself > 20


@pytest.mark.parametrize("setting", ["default", "talkative"])
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", task_names())
def test_restore_and_replay(name: str, granularity: str, setting: str) -> None:
    rng = random.Random(f"{name}{granularity}{setting}")
    env = make(name, granularity, **SETTINGS[setting])
    for seed in range(8):
        env.reset(seed=seed)
        actions = actions_of(random_text(env, rng), granularity)
        before = rng.randint(0, len(actions) - 1)
        play(env, actions[:before])
        if env.episode.stopped:
            env.reset(seed=seed)
            before = 0
        snapshot = env.snapshot()
        observation = plain(env.restore(snapshot))

        def rest(env: ReasonEnv, actions: list[Any] = actions[before:]) -> Any:
            """To the end of the episode and into the next one."""
            first = play(env, actions)
            return plain([first, env.episode.text, env.reset(), env.step(actions[0])])

        wanted = rest(env)
        stored = Snapshot.from_json(json.loads(json.dumps(snapshot.to_json())))
        assert stored == snapshot
        fresh = make(name, granularity, **SETTINGS[setting])
        for other, point in ((env, snapshot), (env, stored), (fresh, stored)):
            assert plain(other.restore(point)) == observation
            assert rest(other) == wanted


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("setting", ["default", "talkative"])
@pytest.mark.parametrize(("name", "level"), EVERY_LEVEL)
def test_gold_scores_and_corrupted_gold_does_not(
    name: str, level: int, setting: str, granularity: str
) -> None:
    env = make(name, granularity, level=level, split="test", **SETTINGS[setting])
    for seed in range(3):
        env.reset(seed=seed)
        # Shortened claims have no result to corrupt: the environment works it out.
        long = ReasonEnv(env.task)
        long.reset(options={"problem": env.episode.problem})
        gold = expert_lines(long, np.random.default_rng(seed))
        for solution, outcome in ((gold, 1.0), ([*gold[:-1], corrupt_last_number(gold[-1])], 0.0)):
            env.reset(options={"problem": env.episode.problem})
            text = "".join(line + "\n" for line in solution)
            transitions = play(env, actions_of(text, granularity))
            *_, terminated, truncated, info = transitions[-1]
            assert (terminated, truncated) == (True, False), "within the default budgets"
            assert total(transitions)["outcome"] == outcome
            assert info["terms"]["outcome"] == outcome


@pytest.mark.parametrize("on_invalid", ["end", "feedback"])
@pytest.mark.parametrize("name", task_names())
def test_shaping_adds_a_constant(name: str, on_invalid: str) -> None:
    """With gamma 1, over any complete episode from one start (Ng, Harada and Russell, 1999)."""
    rng = random.Random(f"{name}{on_invalid}")
    env = make(name, on_invalid=on_invalid, reward=RewardConfig(shaping=1.0))
    complete = 0
    for trial in range(30):
        level = 1 + trial % 3
        problem = draw(env.task, np.random.default_rng(trial), level, "train")
        env.reset(options={"problem": problem})
        start = env.potential()
        for _ in range(6):
            env.reset(options={"problem": problem})
            transitions = play(env, actions_of(random_text(env, rng), ""))
            *_, terminated, _, _ = transitions[-1]
            if terminated:
                complete += 1
                sums = total(transitions)
                assert sums["reward"] - sums["outcome"] == pytest.approx(-start)
    assert complete > 100


@pytest.mark.parametrize("env_id", IDS)
def test_same_seed_same_episode(env_id: str) -> None:
    def run(seed: int) -> Any:
        env: Any = gymnasium.make(env_id, level=2, **TALKATIVE).unwrapped
        env.action_space.seed(seed)
        found = [env.reset(seed=seed), env.reset()]
        for _ in range(5):
            found.append(env.step(env.action_space.sample()))
            if env.episode.stopped:
                break
        return plain(found)

    assert run(3) == run(3)
    assert run(3) != run(4)


@pytest.mark.parametrize("env_id", IDS)
def test_observations_are_in_their_space(env_id: str) -> None:
    rng = random.Random(0)
    env: Any = gymnasium.make(env_id, level=4, prompt="verbose", **TALKATIVE).unwrapped
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        granularity = next(g for g in ("-Token", "-Episode", "") if g in env_id)
        actions = actions_of(random_text(env, rng), granularity)
        for seen in [observation, *(transition[0] for transition in play(env, actions))]:
            assert env.observation_space.contains(seen)


@pytest.mark.parametrize("name", task_names())
def test_masks_allow_every_legal_line_and_no_other(name: str) -> None:
    env: TokenEnv = make(name, "-Token", level=2, feedback="state")
    rng = np.random.default_rng(0)
    for seed in range(5):
        env.reset(seed=seed)
        legal = set(env.legal_lines())
        while not env.episode.stopped:
            allowed = np.flatnonzero(env.action_masks())
            line = env.episode.line
            env.step(int(allowed[rng.integers(len(allowed))]))
            if not env.episode.line and not env.episode.stopped:
                assert line in legal or not (line or legal), "at a dead end, an empty line"
                legal = set(env.legal_lines())


# -- Splits --------------------------------------------------------------------------------------

DRAWS = 100_000
"""Over all families; the more expensive levels take fewer."""


@pytest.mark.parametrize("name", task_names())
def test_no_train_seed_gives_a_test_problem(name: str) -> None:
    """Over all levels, and whatever the level that drew it."""
    task = make_task(name)
    by_split: dict[str, set[Any]] = {split: set() for split in SPLITS}
    # Higher levels take longer and hardly ever repeat themselves: half as many of each.
    weights = [2.0**-level for level in task.levels]
    for level, weight in zip(task.levels, weights):
        rng = np.random.default_rng([level, 11])
        for _ in range(int(DRAWS / len(task_names()) * weight / sum(weights)) + 1):
            problem = task.generate(rng, level)
            by_split[split_of(task, problem)].add(problem.data)
        for split in SPLITS:
            for _ in range(20):
                by_split[split].add(draw(task, rng, level, split).data)
    assert not by_split["train"] & (by_split["dev"] | by_split["test"])
    assert not by_split["dev"] & by_split["test"]
    assert all(len(by_split[split]) > 500 for split in SPLITS)


@pytest.mark.parametrize("name", task_names())
def test_the_solution_is_not_shown(name: str) -> None:
    """What an agent gets at reset is the prompt and the level, and the problem stays private."""
    env = make(name, level=2)
    observation, info = env.reset(seed=0)
    assert observation == env.task.prompt(env.episode.problem, "compact") + "\n"
    assert info == {"level": 2}
    *_, info = env.step("hm")
    assert set(info) == {"terms", "kind", "valid", "reason", "feedback", "tokens"}
    assert not any(isinstance(value, Problem) for value in vars(env).values())
