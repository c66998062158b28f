"""Environment steps, beside the least that Gymnasium can do, and reset and potential by level."""

import itertools
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import reason_env
from reason_env import make_task, task_names
from reason_env.checks import random_state
from reason_env.env import ReasonEnv
from reason_env.problem import Problem, State

STEPS = 1000


class Nothing(gymnasium.Env[Any, Any]):
    """An environment that does nothing: what is left is the cost of Gymnasium itself."""

    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 0, 0.0, False, False, {}


def expert_actions(env: ReasonEnv, count: int) -> list[tuple[Problem, list[str]]]:
    """Episodes of an expert: problems and lines, `count` lines in all."""
    rng = np.random.default_rng(0)
    episodes: list[tuple[Problem, list[str]]] = []
    env.reset(seed=0)
    while sum(len(lines) for _, lines in episodes) < count:
        problem, lines = env.episode.problem, []
        while not env.episode.stopped:
            line = env.expert_line(rng)
            assert line is not None
            lines.append(line)
            env.step(line)
        episodes.append((problem, lines))
        env.reset()
    return episodes


@pytest.mark.parametrize("name", ["gymnasium: nothing", "gymnasium: CartPole-v1"])
@pytest.mark.benchmark(group="steps of an episode, 1000")
def test_baseline(benchmark: Any, name: str) -> None:
    env: Any = Nothing() if name.endswith("nothing") else gymnasium.make("CartPole-v1").unwrapped

    def play() -> None:
        env.reset(seed=0)
        for _ in range(STEPS):
            _, _, terminated, _, _ = env.step(1)
            if terminated:
                env.reset()

    benchmark(play)


@pytest.mark.parametrize("reward", ["outcome", "shaped"])
@pytest.mark.parametrize("name", task_names())
@pytest.mark.benchmark(group="steps of an episode, 1000")
def test_steps(benchmark: Any, name: str, reward: str) -> None:
    """An expert's lines, resets to known problems included; a shaped reward reads the potential
    twice a line."""
    env = ReasonEnv(name, level=2, reward=reward)
    episodes = expert_actions(env, STEPS)

    def play() -> None:
        for problem, lines in episodes:
            env.reset(options={"problem": problem})
            for line in lines:
                env.step(line)

    benchmark.extra_info["steps"] = sum(len(lines) for _, lines in episodes)
    benchmark(play)


@pytest.mark.parametrize("name", task_names())
@pytest.mark.benchmark(group="tokens, 1000 at token granularity")
def test_tokens(benchmark: Any, name: str) -> None:
    env: Any = gymnasium.make(
        f"reason_env/{name}-Token-v0", level=2, disable_env_checker=True
    ).unwrapped
    episodes = expert_actions(ReasonEnv(name, level=2), STEPS // 10)
    texts = [(problem, "".join(line + "\n" for line in lines)) for problem, lines in episodes]
    coded = [(problem, env.tokenizer.encode(text)) for problem, text in texts]

    def play() -> None:
        left = STEPS
        for problem, tokens in itertools.cycle(coded):
            env.reset(options={"problem": problem})
            for token in tokens:
                env.step(token)
            left -= len(tokens)
            if left <= 0:
                return

    benchmark(play)


LEVELS = [(name, level) for name in task_names() for level in make_task(name).levels]


@pytest.mark.parametrize(("name", "level"), LEVELS)
@pytest.mark.benchmark(group="drawing a problem")
def test_reset(benchmark: Any, name: str, level: int) -> None:
    env = ReasonEnv(name, level=level)
    env.reset(seed=0)
    benchmark(env.reset)


@pytest.mark.parametrize(("name", "level"), LEVELS)
@pytest.mark.benchmark(group="potential, cold cache")
def test_potential(benchmark: Any, name: str, level: int) -> None:
    """Of a state on a random legal walk of 0 to 5 lines, with nothing known of its problem; p99
    is printed at the end."""
    task = make_task(name)
    rng = np.random.default_rng(0)
    own = [module for path, module in sys.modules.items() if path.startswith("reason_env.tasks.")]
    caches = [
        value for module in own for value in vars(module).values() if hasattr(value, "cache_clear")
    ]

    def fresh() -> tuple[tuple[Problem, State], dict[str, Any]]:
        problem, state = random_state(task, level, rng)
        # Drawing a solvable problem has worked out its potential already.
        for cache in caches:
            cache.cache_clear()
        return (problem, state), {}

    benchmark.pedantic(task.potential, setup=fresh, rounds=300)
    if benchmark.stats:
        times = benchmark.stats.stats.data
        benchmark.extra_info["median_ms"] = 1000 * float(np.median(times))
        benchmark.extra_info["p99_ms"] = 1000 * float(np.quantile(times, 0.99))


@pytest.mark.benchmark(group="snapshot and restore")
@pytest.mark.parametrize("name", task_names())
def test_snapshot(benchmark: Any, name: str) -> None:
    env = reason_env.ReasonEnv(name)
    env.reset(seed=0)
    benchmark(lambda: env.restore(env.snapshot()))
