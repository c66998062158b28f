"""Preflight: what a run will take, from a sample of it, with nothing left behind."""

import pytest

from agents.models.scripted import ScriptedModel
from benchmarks.preflight import SAMPLE, Estimate, estimate
from benchmarks.suite import Suite

ENTRY = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1, "split": "dev"}, "episodes": 80}
SUITE = Suite.from_json(
    {"name": "eighty", "version": 1, "seed": 0, "budget_tokens": 64, "entries": [ENTRY]}
)


class Metered(ScriptedModel):
    """With usage, as a server's model has it."""

    requests = 0

    def generate(self, prefixes, **settings):
        self.requests += len(prefixes)
        return super().generate(prefixes, **settings)

    def usage(self):
        return {"requests": self.requests, "cost": self.requests / 8, "currency": "USD"}


def test_a_sample_spread_over_the_suite_is_scaled_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Metered(lambda text, seed: "1 + 1 = 3")
    found = estimate(SUITE, model=model, strategy="greedy")
    assert (found.episodes, found.sample, found.failed) == (80, SAMPLE, 0)
    assert found.tokens == SAMPLE * 6
    rows = dict(found.rows())
    assert rows["generated tokens"] == "480"
    assert rows["... at most, by the budget"] == "5,120"
    assert rows["server: requests"] == "80"
    assert rows["server: cost"] == "10.0000"
    assert "server: currency" not in rows
    assert list(tmp_path.iterdir()) == []


def test_limits_shards_and_agents():
    found = estimate(SUITE, agent="random", limit=10, shard=(2, 4))
    assert (found.episodes, found.sample) == (3, 3)
    rows = dict(found.rows())
    assert rows["... at most, by the budget"] == "no limit"
    assert rows["played for this"] == "3 (0 failed)"


def test_what_a_run_would_refuse_is_refused():
    with pytest.raises(ValueError, match="and not both"):
        estimate(SUITE)
    with pytest.raises(ValueError, match="below one answer"):
        estimate(SUITE, model=Metered(lambda text, seed: "<eos>"), budget_tokens=2)


def test_times_in_words_and_a_cost_that_is_not_known():
    base = Estimate(100, 10, 1.0, 0, 0, None, 0, {"cost": None})
    assert dict(base.rows())["server: cost"] == "not known"
    for seconds, words in ((1.0, "about 10 s"), (90.0, "about 15 min"), (3600.0, "about 10.0 h")):
        found = Estimate(100, 10, seconds, 0, 0, None, 0, {})
        assert dict(found.rows())["time"] == words
