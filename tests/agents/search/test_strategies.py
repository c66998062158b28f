"""Greedy, sample and best of N: each does what its name says."""

import math

import pytest
from toys import biased, doors

from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches, strategy_names


def run(model, envs, name, guide=None, budget=None, **options):
    strategy = load_strategy(name, **options)
    return run_searches(model, envs, strategy, range(len(envs)), budget, guide, refuse_short=False)


def test_names():
    assert {"greedy", "sample", "best_of_n", "mcts"} <= set(strategy_names())
    assert not {"guides", "ledger", "requests", "scheduler", "tree"} & set(strategy_names())


@pytest.mark.parametrize("name", strategy_names())
@pytest.mark.parametrize(("public", "last"), [(True, "L"), (False, "answer: R")])
def test_an_episode_that_is_over_needs_no_search(name, public, last):
    env, model = doors("L", public), biased(0.5, value={})
    env.step(last)
    over = env.episode
    [found] = run(model, [env], name, budget=20)
    assert (found.error, found.actions, model.calls) == (None, (), [])
    assert env.episode == over


def test_greedy_takes_the_likeliest_line():
    [found] = run(biased(0.51), [doors("LRL")], "greedy")
    assert found.actions == ("L", "L", "L")
    assert found.ledger.model_calls == 3


def test_sample_draws_from_the_policy():
    found = run(biased(0.3), [doors("LL") for _ in range(1000)], "sample")
    ways = ["".join(one.actions) for one in found]
    expected = {"LL": 90, "LR": 210, "RL": 210, "RR": 490}
    square = sum((ways.count(way) - n) ** 2 / n for way, n in expected.items())
    assert square < 16.3  # passed once in a thousand with 3 degrees of freedom; seeds are fixed


# -- Best of N ---------------------------------------------------------------------------------

RARE = {"": {"wrong": 0.9, "L": 0.1}}


def test_best_of_n_finds_what_the_verifier_knows():
    model = ScriptedModel.table({"": {"R": 0.9, "L": 0.1}})
    [found] = run(model, [doors("L")], "best_of_n", "public", n=64)
    assert found.actions == ("L",)
    # It stops with the first batch that has a solution.
    assert found.ledger.model_calls % 8 == 0
    assert found.ledger.model_calls < 64
    assert found.ledger.verifier_calls == found.ledger.model_calls


def test_best_of_n_keeps_what_the_budget_allowed():
    """The budget ends within the batch, where others ramble on: what is finished still counts."""
    model = ScriptedModel.table({"": {"L": 0.5, "undo": 0.5}}, otherwise={"undo": 1.0})
    for seed in range(8):
        model.written.clear()
        [found] = run_searches(
            model, [doors("L", max_steps=9)], load_strategy("best_of_n", n=3), [seed], 7, "public"
        )
        first_lines = [model.tokenizer.decode(c.tokens) for _, c in model.written[:3]]
        assert found.ledger.generated_tokens <= 7
        assert (found.actions == ("L",)) == ("L\n" in first_lines)


@pytest.mark.parametrize("branch", [1, 2, 3])
@pytest.mark.parametrize("budget", range(1, 20))
def test_mcts_takes_any_budget(branch, budget):
    [found] = run(biased(0.5), [doors("RRRR")], "mcts", "public", budget, branch=branch)
    assert found.error is None
    assert found.ledger.generated_tokens <= budget


def test_best_of_n_takes_the_likeliest_by_policy():
    lines = {"L": 0.3, "answer: no": 0.65, "R": 0.05}
    [found] = run(ScriptedModel.table({"": lines}), [doors("L")], "best_of_n", "policy", n=32)
    values = {
        line: math.exp(math.log(p) / tokens)
        for line, p, tokens in [("L", 0.3, 2), ("answer: no", 0.65, 4), ("R", 0.05, 2)]
    }
    assert found.actions == (max(values, key=values.get),)
    assert found.ledger.verifier_calls == 0


def test_best_of_n_takes_the_most_valued():
    worth = {"LL\n": 0.1, "LR\n": 0.9, "RL\n": 0.8, "RR\n": 0.2}

    def value(text):
        return worth[text.partition("\n")[2].replace("\n", "") + "\n"]

    model = ScriptedModel(lambda text, seed: {"L": 0.5, "R": 0.5}, value)
    [found] = run(model, [doors("LL", public=False)], "best_of_n", "value", n=40)
    assert found.actions == ("L", "R")
    assert found.ledger.evaluator_calls == 40


def test_best_of_n_keeps_its_best_when_the_budget_ends():
    """Four solutions of four tokens fit; what the fifth could write is no solution."""
    [found] = run(biased(0.5), [doors("RL")], "best_of_n", "policy", budget=17, n=99, parallel=1)
    assert len(found.actions) == 2
    assert found.ledger.generated_tokens == 17


@pytest.mark.parametrize("name", ["greedy", "sample", "best_of_n", "mcts"])
def test_no_budget_for_a_line_gives_no_line(name):
    [found] = run(biased(0.5), [doors("RL")], name, budget=1)
    assert found.actions == ()
    assert found.error is None
