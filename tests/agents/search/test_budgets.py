"""Budgets are hard to the token, and nothing that a search costs escapes its ledger."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import babble

from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches, strategy_names
from agents.search.ledger import BudgetSpent, Ledger
from agents.search.requests import Choice, evaluate, generate
from reason_env.env import ReasonEnv
from reason_env.tasks.countdown import Countdown


class Watched(Countdown):
    """Countdown that counts how often it is asked for what only the verifier knows."""

    def __init__(self):
        super().__init__()
        self.stepping = False
        self.reads = 0
        self.steps = 0

    def is_solved(self, problem, state):
        self.reads += not self.stepping
        return super().is_solved(problem, state)

    def potential(self, problem, state):
        self.reads += not self.stepping
        return super().potential(problem, state)


class WatchedEnv(ReasonEnv):
    """Counts its steps, and tells its task's own reads from those of others."""

    def follow(self, episode, line):
        self.task.stepping = True
        self.task.steps += 1
        try:
            return super().follow(episode, line)
        finally:
            self.task.stepping = False


def watched(count):
    envs = [WatchedEnv(Watched(), feedback="state", max_tokens=90) for _ in range(count)]
    for seed, env in enumerate(envs):
        env.reset(seed=seed)
    assert len({env.episode.text for env in envs}) == count
    return envs


# What a random strategy does: (what, to which of the nodes it knows, n, until).
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["generate", "generate", "evaluate"]),
        st.lists(st.integers(0, 30), max_size=3),
        st.integers(1, 4),
        st.sampled_from(["line", "solution"]),
    ),
    max_size=6,
)


def random_strategy(moves):
    def search(root):
        nodes = [root]
        try:
            for what, indices, n, until in moves:
                chosen = [nodes[i % len(nodes)] for i in indices]
                if what == "generate":
                    groups = yield from generate(chosen, n, until)
                    assert [len(group) for group in groups] == [n] * len(chosen)
                    nodes += [node for group in groups for node in group]
                else:
                    values = yield from evaluate(chosen)
                    assert len(values) == len(chosen)
        except BudgetSpent:
            pass
        return Choice(nodes[-1])

    return search


def recount(model, texts):
    """Ledgers of the problems with those prompts, from the model's own account."""
    ledgers = {}
    for text in texts:
        ids = tuple(model.tokenizer.encode(text))
        rows = [(p, c) for p, c in model.written if p[: len(ids)] == ids]
        ledgers[text] = (
            sum(len(completion.tokens) for _, completion in rows),
            sum(len(prefix) for prefix, _ in rows),
            len(rows),
            sum(prefix[: len(ids)] == ids for prefix in model.valued),
        )
    return ledgers


def check(strategy, budget, guide, line_tokens=12, count=3):
    """Run a search of a few problems and hold every ledger against what really happened."""
    model = ScriptedModel(babble, value=lambda text: len(text) % 7 / 7)
    envs = watched(count)
    texts = [env.episode.text for env in envs]
    found = run_searches(
        model, envs, strategy, range(count), budget, guide, line_tokens, refuse_short=False
    )
    recounted = recount(model, texts)
    for env, text, one in zip(envs, texts, found, strict=True):
        assert one.error is None
        ledger = one.ledger
        assert (
            ledger.generated_tokens,
            ledger.prompt_tokens,
            ledger.model_calls,
            ledger.evaluator_calls,
        ) == recounted[text]
        assert (ledger.env_steps, ledger.verifier_calls) == (env.task.steps, env.task.reads)
        assert budget is None or ledger.generated_tokens <= budget
        assert sum(map(len, one.tokens)) <= ledger.generated_tokens
    # No row belongs to nobody.
    assert sum(one.ledger.model_calls for one in found) == len(model.written) == sum(model.calls)
    assert all(len(c.tokens) <= line_tokens for _, c in model.written)
    return found


@settings(max_examples=60, deadline=None)
@given(
    MOVES,
    st.one_of(st.none(), st.integers(1, 150)),
    st.sampled_from(["policy", "value", "public", "oracle"]),
    st.integers(1, 20),
)
def test_random_strategies(moves, budget, guide, line_tokens):
    check(random_strategy(moves), budget, guide, line_tokens)


@pytest.mark.parametrize("name", strategy_names())
@pytest.mark.parametrize("guide", ["policy", "value", "public", "oracle"])
@pytest.mark.parametrize("budget", [1, 2, 17, 60, 200])
def test_built_in_strategies(name, guide, budget):
    check(load_strategy(name), budget, guide)


def test_a_budget_is_used_and_not_only_kept():
    """A strategy that wants more than it may have gets all but what cannot be shared out."""
    [one] = check(load_strategy("best_of_n", n=10_000), 200, "policy", count=1)
    assert 192 < one.ledger.generated_tokens <= 200


def test_ledgers_add_up_and_are_json():
    one = Ledger(1, 2, 3, 4, 5, 6)
    assert one + one == Ledger(2, 4, 6, 8, 10, 12)
    assert Ledger.from_json(one.to_json()) == one
    assert Counter(one.to_json().values()) == Counter(range(1, 7))
