"""What the scheduler costs by itself, and what batching all problems' calls saves."""

from typing import Any

import pytest

from agents.models.hf import HFModel
from agents.models.scripted import ScriptedModel
from agents.models.tiny import tiny_model
from agents.search import load_strategy, run_searches
from reason_env.env import ReasonEnv

PROBLEMS = 32


def problems(count: int) -> list[ReasonEnv]:
    envs = [ReasonEnv("Countdown", feedback="state") for _ in range(count)]
    for seed, env in enumerate(envs):
        env.reset(seed=seed)
    return envs


def subtract(text: str, seed: int) -> str:
    """A legal line, at next to no cost: the first two numbers of the state."""
    numbers = text.rstrip("\n").rpartition("\n")[2].removeprefix("> ").split()
    return f"{numbers[0]} - {numbers[1]}" if len(numbers) > 3 else "<eos>"


@pytest.mark.parametrize("strategy", ["greedy", "best_of_n", "mcts"])
@pytest.mark.benchmark(group=f"scheduler with a scripted model, {PROBLEMS} problems")
def test_overhead(benchmark: Any, strategy: str) -> None:
    """Everything but the network: requests, ledgers, environments, trees."""
    model = ScriptedModel(subtract)
    seeds = range(PROBLEMS)

    def search() -> int:
        model.written.clear()
        found = run_searches(model, problems(PROBLEMS), load_strategy(strategy), seeds, 200)
        return sum(one.ledger.model_calls for one in found)

    benchmark.extra_info["rows"] = search()
    benchmark(search)


@pytest.mark.parametrize("together", [True, False], ids=["batched", "one by one"])
@pytest.mark.parametrize("strategy", ["greedy", "best_of_n", "mcts"])
@pytest.mark.benchmark(group=f"search with the tiny model, {PROBLEMS} problems")
def test_batching(benchmark: Any, strategy: str, together: bool) -> None:
    """The same searches, in one call of the scheduler or problem by problem."""
    network = tiny_model()
    network.eval()
    model = HFModel(network)
    size = PROBLEMS if together else 1

    def search() -> int:
        spent = 0
        envs = problems(PROBLEMS)
        for start in range(0, PROBLEMS, size):
            rows = slice(start, start + size)
            found = run_searches(
                model,
                envs[rows],
                load_strategy(strategy),
                range(PROBLEMS)[rows],
                64,
                line_tokens=16,
            )
            spent += sum(one.ledger.generated_tokens for one in found)
        return spent

    benchmark.extra_info["tokens"] = search()
    benchmark.pedantic(search, rounds=3)
