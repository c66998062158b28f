"""What a run is asked for: suite, model or agent, and settings; each is recorded, or refused before
any work."""

from types import SimpleNamespace

import pytest

from agents.models.scripted import ScriptedModel
from benchmarks import players, runner
from benchmarks.records import LEDGER
from benchmarks.run_folder import load_run
from benchmarks.runner import run_suite
from benchmarks.suite import Suite, load_suite, resolve
from reason_env.splits import stream_seed

ENTRY = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1, "split": "dev"}, "episodes": 6}
SUITE = Suite.from_json({"name": "six", "version": 1, "seed": 0, "entries": [ENTRY]})


def test_a_model_is_searched_with_its_own_seed_for_each_problem(tmp_path, monkeypatch):
    calls, lines = [], []

    def run_searches(
        model, envs, strategy, seeds, budget_tokens, guide, line_tokens, reward_model, **_
    ):
        calls.append(
            (len(envs), list(seeds), strategy.keywords, budget_tokens, guide, reward_model)
        )
        lines.append(line_tokens)
        ledger = SimpleNamespace(to_json=lambda: dict.fromkeys(LEDGER, 2))
        found = SimpleNamespace(
            actions=("1 + 1 = 3",),
            tokens=((5, 6),),
            ledger=ledger,
            oracle=False,
            error=None,
            tree=None,
        )
        return [found] * len(envs)

    import agents.search

    monkeypatch.setattr(agents.search, "run_searches", run_searches)
    model, critic = (
        ScriptedModel(lambda text, seed: "<eos>", name=name, reward=lambda text: 0.5)
        for name in "dc"
    )
    suite = Suite.from_json({**SUITE.to_json(), "budget_tokens": 100})
    arguments = {"model": model, "strategy": "best_of_n", "options": {"n": 3}, "progress": False}
    run = run_suite(suite, tmp_path / "a", chunk=4, seed=3, **arguments)
    assert [c[0] for c in calls] == [4, 2]
    assert [c[2:] for c in calls] == [({"n": 3}, 100, None, None)] * 2
    seeds = [stream_seed("search", 3, e.problem) for e in run.episodes]
    assert calls[0][1] + calls[1][1] == seeds
    assert run.manifest.config["model_digest"] == model.digest
    assert run.manifest.config["budget_tokens"] == 100
    assert run.episodes[0].tokens == ((5, 6),)
    arguments_b = {"budget_tokens": 70, "guide": "prm", "reward_model": critic}
    run_suite(suite, tmp_path / "b", **arguments_b, **arguments)
    assert calls[-1][3:] == (70, "prm", critic)
    assert load_run(tmp_path / "b").manifest.config["options"] == {
        "n": 3,
        "guide": "prm",
        "reward_model": critic.digest[:12],
    }
    assert "n" not in run.manifest.defaults
    assert set(lines) == {64}
    longer = Suite.from_json({**suite.to_json(), "line_tokens": 200})
    long_run = run_suite(longer, tmp_path / "c", **arguments)
    assert (lines[-1], "line_tokens" in long_run.manifest.config) == (200, False)
    long_run = run_suite(longer, tmp_path / "d", line_tokens=90, **arguments)
    assert (lines[-1], long_run.manifest.config["line_tokens"]) == (90, 90)
    other = ScriptedModel(lambda text, seed: "<eos>", name="e")
    with pytest.raises(ValueError, match="differs in model_digest"):
        run_suite(suite, tmp_path / "a", seed=3, **{**arguments, "model": other})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a model or an agent, and not both"),
        ({"model": "x", "agent": "random"}, "and not both"),
        ({"agent": "random", "budget_tokens": 5}, "for models, not for agents"),
        ({"agent": "random", "options": {"n": 1}}, "for models, not for agents"),
        ({"agent": "random", "line_tokens": 9}, "for models, not for agents"),
        ({"agent": "random", "prompt": "long"}, "Unknown prompt 'long'"),
        ({"agent": "random", "reward_model": "x"}, "for models, not for agents"),
        ({"agent": "random", "chunk": 0}, "chunk must be 1 or more"),
        ({"agent": "random", "seed": -1}, "seed must be 0 or more"),
        ({"agent": "random", "limit": 0}, "limit must be 1 or more"),
        ({"agent": "randon"}, "Did you mean 'random'"),
    ],
)
def test_bad_arguments_leave_no_folder(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        run_suite("smoke", tmp_path / "run", progress=False, **arguments)
    assert not (tmp_path / "run").exists()


def test_agents_are_the_floor_and_the_ceiling(tmp_path):
    expert_run = run_suite("smoke", tmp_path / "expert", agent="expert", progress=False)
    random_run = run_suite("smoke", tmp_path / "random", agent="random", progress=False)
    assert expert_run.manifest.solved == 8
    assert random_run.manifest.solved < 8
    assert random_run.manifest.errors == random_run.manifest.unfinished == 0
    assert expert_run.division == "oracle"
    assert expert_run.manifest.config["suite_hash"] == resolve(load_suite("smoke")).hash


def test_problems_that_are_drawn_already(tmp_path):
    """They are the run that their suite would be, limit and all."""
    drawn = resolve(load_suite("smoke"), 2)
    run = run_suite(drawn, tmp_path / "run", agent="random", progress=False)
    again = run_suite("smoke", tmp_path / "run", agent="random", limit=2, progress=False)
    assert again.episodes == run.episodes
    assert len(run.episodes) == 2
    with pytest.raises(ValueError, match="limit 3 is for a suite whose problems are not drawn"):
        run_suite(drawn, tmp_path / "other", agent="random", limit=3)
    assert not (tmp_path / "other").exists()


class Stubborn:
    """An agent with no access to the environment, which fails now and then."""

    def __init__(self):
        self.seed = 0

    def reset(self, seed):
        self.seed = seed

    def act(self, observation):
        if self.seed % 2:
            raise RuntimeError(f"lost at {object()}")
        return "\u00bd thought \U0001f600" if "thought" not in observation else "1 + 1 = 3"


def test_an_agent_that_fails_costs_its_own_episode_only():
    item = resolve(SUITE).items[0]
    player = players.AgentPlayer(Stubborn())
    fine, lost = player([item, item], [2, 3])
    assert (fine.error, fine.oracle, len(fine.actions)) == (None, False, 2)
    assert fine.ledger["generated_tokens"] == sum(map(len, fine.tokens)) > 0
    assert lost.error.startswith("RuntimeError: lost at <object object at 0x...>")
    assert runner.score(item, lost).status == "error"
    assert runner.score(item, fine).status == "ok"


SCRIPTED = ScriptedModel(lambda text, seed: "<eos>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget_tokens": 3}, "budget_tokens=3 is below one answer.* takes [0-9]+ tokens"),
        ({"guide": "orcale"}, "Unknown guide 'orcale'"),
        ({"guide": "value"}, "needs a model with a value head"),
        ({"guide": "0.5*prm+public"}, "needs a process reward model"),
        ({"strategy": "best_of_n", "options": {"n": 0}}, "n must be 1 or more"),
        ({"strategy": "mcts", "options": {"simulation": 2}}, "Did you mean 'simulations'"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_any_work(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        run_suite(SUITE, tmp_path / "run", model=SCRIPTED, progress=False, **arguments)
    assert not (tmp_path / "run").exists()
    assert SCRIPTED.calls == []
