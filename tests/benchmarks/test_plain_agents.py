"""Agents that act through plain env.step."""

import sys
import types

import pytest

from agents.agent import EnvAgent, ExpertAgent, RandomLegalAgent, load_agent
from benchmarks.suite import make_env


@pytest.mark.parametrize("feedback", ["none", "state"])
def test_expert_solves_and_random_stays_legal(feedback):
    env = make_env("reason_env/Countdown-v0", {"feedback": feedback})
    for agent, floor in ((ExpertAgent(), 20), (RandomLegalAgent(), 0)):
        agent.attach(env)
        solved = 0
        for seed in range(20):
            observation, _ = env.reset(seed=seed)
            agent.reset(seed)
            done = False
            while not done:
                observation, reward, terminated, truncated, info = env.step(agent.act(observation))
                assert info["valid"] or info["kind"] == "answer"
                done = terminated or truncated
            solved += reward == 1.0
        assert solved >= floor


def test_same_seed_same_episode():
    env = make_env("reason_env/Countdown-v0", {"level": 3})
    agent = RandomLegalAgent()
    agent.attach(env)
    played = []
    for _ in range(2):
        observation, _ = env.reset(seed=5)
        agent.reset(7)
        while not env.episode.stopped:
            observation, *_ = env.step(agent.act(observation))
        played.append(observation)
    assert played[0] == played[1]


def test_an_agent_that_reads_the_environment_needs_one():
    assert isinstance(ExpertAgent(), EnvAgent)
    with pytest.raises(RuntimeError, match=r"call attach\(env\)"):
        ExpertAgent().act("")


def test_agents_by_name(monkeypatch):
    module = types.ModuleType("my_agents")

    class Mine:
        def reset(self, seed):
            pass

        def act(self, observation):
            return ""

    module.make, module.wrong = Mine, dict
    monkeypatch.setitem(sys.modules, "my_agents", module)
    assert isinstance(load_agent("my_agents:make"), Mine)
    assert not isinstance(load_agent("my_agents:make"), EnvAgent)
    assert isinstance(load_agent("expert"), ExpertAgent)
    for name, message in (
        ("exprt", "Did you mean 'expert'"),
        ("my_agents:mak", "Did you mean 'make'"),
        ("my_agents:wrong", "no method reset"),
        ("no_such_module.at_all:make", "no module 'no_such_module'"),
    ):
        with pytest.raises(ValueError, match=message):
            load_agent(name)


def test_a_broken_module_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "half_agent.py").write_text("import not_installed_anywhere")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        load_agent("half_agent:make")
