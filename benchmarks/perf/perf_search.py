"""What search costs by itself, and what batching all problems' calls saves.

The summary at the end says how many simulations a second tree search does with a model that costs
next to nothing, how many times faster many problems are searched together than one by one, and how
much of that time is spent outside the model's calls.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from agents.models.hf import HFModel
from agents.models.scripted import ScriptedModel
from agents.models.tiny import tiny_model
from agents.search import load_strategy, run_searches
from reason_env.env import ReasonEnv
from reason_env.problem import Kind, Problem, State, Verdict
from reason_env.task import Task

PROBLEMS = 32
MANY = 256
LINES, DEPTH = "ABCD", 6


class Ways(Task):
    """Four lines at each of six places, one way to the goal: as little work as a task can be."""

    name: ClassVar[str] = "Ways"
    levels = range(1, 2)
    asks_answer = False
    public_verifier = False

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return Problem(self.name, 1, "".join(LINES[i] for i in rng.integers(4, size=DEPTH)))

    def initial(self, problem: Problem) -> State:
        return State("")

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        return Verdict(Kind.CLAIM, True, State(f"{state.data}{line}"))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.data == problem.data

    def potential(self, problem: Problem, state: State) -> float:
        return float(str(problem.data).startswith(str(state.data)))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return tuple(LINES)

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        return str(problem.data)[len(str(state.data))]

    def prompt(self, problem: Problem, style: str) -> str:
        return "Where to?"

    def show(self, problem: Problem, state: State) -> str:
        return str(state.data)


@pytest.mark.parametrize("problems", [1, 16])
@pytest.mark.benchmark(group="tree search with a scripted model, branching 4, depth 6")
def test_simulations(benchmark: Any, problems: int) -> None:
    """Everything but the network, in trees that are all but grown to their full size."""
    chances = dict.fromkeys(LINES, 1 / len(LINES))
    model = ScriptedModel(lambda text, seed: chances, lambda text: len(text) % 7 / 7)
    strategy = load_strategy("mcts", simulations=1000)

    def search() -> int:
        model.written.clear()
        model.valued.clear()
        envs = [ReasonEnv(Ways(), max_steps=DEPTH) for _ in range(problems)]
        for env in envs:
            env.reset(seed=0)
        found = run_searches(model, envs, strategy, range(problems), guide="value")
        return sum(one.tree.nodes[0].visits for one in found if one.tree)

    simulations = search()
    benchmark.pedantic(search, rounds=5)
    benchmark.extra_info["simulations"] = simulations
    if benchmark.stats:
        # The best of the rounds: the others say how busy the machine was.
        benchmark.extra_info["note"] = f"{simulations / benchmark.stats.stats.min:,.0f} a second"


def countdown(count: int) -> list[ReasonEnv]:
    envs = [ReasonEnv("Countdown", feedback="state") for _ in range(count)]
    for seed, env in enumerate(envs):
        env.reset(seed=seed)
    return envs


def subtract(text: str, seed: int) -> str:
    """A legal line, at next to no cost: the first two numbers of the state."""
    numbers = text.rstrip("\n").rpartition("\n")[2].removeprefix("> ").split()
    return f"{numbers[0]} - {numbers[1]}" if len(numbers) > 3 else "<eos>"


@pytest.mark.parametrize("strategy", ["greedy", "best_of_n", "beam", "mcts"])
@pytest.mark.benchmark(group=f"scheduler with a scripted model, {PROBLEMS} problems")
def test_overhead(benchmark: Any, strategy: str) -> None:
    """Everything but the network: requests, ledgers, environments, trees."""
    model = ScriptedModel(subtract)
    seeds = range(PROBLEMS)

    def search() -> int:
        model.written.clear()
        found = run_searches(model, countdown(PROBLEMS), load_strategy(strategy), seeds, 200)
        return sum(one.ledger.model_calls for one in found)

    benchmark.extra_info["rows"] = search()
    benchmark(search)


class Watch:
    """Times the calls of a model."""

    def __init__(self, model: HFModel) -> None:
        self.seconds = 0.0
        for name in ("generate", "values", "rewards", "logprobs"):
            setattr(model, name, self._timed(getattr(model, name)))

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            result = call(*args, **kwargs)
            self.seconds += time.perf_counter() - started
            return result

        return timed


@pytest.mark.parametrize("together", [True, False], ids=["batched", "one by one"])
@pytest.mark.parametrize("strategy", ["greedy", "best_of_n", "mcts"])
@pytest.mark.benchmark(group=f"search with the tiny model, {MANY} problems")
def test_batching(benchmark: Any, ratios: dict[str, float], strategy: str, together: bool) -> None:
    """The same searches, in one call of the scheduler or problem by problem."""
    network = tiny_model()
    network.eval()
    model = HFModel(network)
    model.add_value_head()
    watch = Watch(model)
    size = MANY if together else 1

    def search() -> int:
        watch.seconds = 0.0
        started = time.perf_counter()
        spent = 0
        envs = countdown(MANY)
        for start in range(0, MANY, size):
            rows = slice(start, start + size)
            found = run_searches(
                model,
                envs[rows],
                load_strategy(strategy),
                range(MANY)[rows],
                64,
                line_tokens=16,
            )
            spent += sum(one.ledger.generated_tokens for one in found)
        outside = 1 - watch.seconds / (time.perf_counter() - started)
        benchmark.extra_info["note"] = f"{outside:.1%} of the time outside model calls"
        return spent

    benchmark.pedantic(search, rounds=3 if together else 1, warmup_rounds=int(together))
    if benchmark.stats:
        ratios[f"{strategy} {together}"] = benchmark.stats.stats.min
        if f"{strategy} True" in ratios and f"{strategy} False" in ratios:
            ratio = ratios[f"{strategy} False"] / ratios[f"{strategy} True"]
            benchmark.extra_info["note"] += f"; batched is {ratio:.1f} times as fast"
