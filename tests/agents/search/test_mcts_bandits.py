"""Tree search as a bandit: more simulations, less regret."""

import numpy as np
import pytest
from mcts_toys import gone, ways
from toys import doors

from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from reason_env.splits import stream_seed

MEANS = {"a": 0.2, "b": 0.4, "c": 0.5, "d": 0.8}
POLICY = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}
POLICY_REGRET = sum(p * (0.8 - MEANS[arm]) for arm, p in POLICY.items())
"""0.42: the better an arm, the less likely it is drawn."""
PULLS = {str(i): 0.1 for i in range(10)}


def noisy(text):
    """The arm's mean and a normal variate, another one for each bandit and each pull."""
    return MEANS[gone(text)[0]] + 0.3 * np.random.default_rng(stream_seed(text)).standard_normal()


NOISY = ScriptedModel(lambda text, seed: PULLS if gone(text) else POLICY, noisy)
"""An arm, then pulls of it: a line below it has a value drawn about its mean. There are more than
can be drawn, so none of the arms is ever known."""


def play(simulations, bandits=64, **options):
    """Mean regret of the chosen arms, and mean share of the visits that the best arm got."""
    seeds = range(bandits)
    envs = [
        doors("".join("LR"[i >> bit & 1] for bit in range(6)), public=False, max_steps=4)
        for i in seeds
    ]
    strategy = load_strategy("mcts", simulations=simulations, **options)
    found = run_searches(NOISY, envs, strategy, seeds, guide="value")
    regrets = [0.8 - MEANS[one.actions[0]] for one in found]
    trees = [ways(one.tree) for one in found]
    shares = [tree["d"].visits / tree[""].visits if "d" in tree else 0.0 for tree in trees]
    return np.mean(regrets), np.mean(shares)


def test_puct_regret_falls_and_the_best_arm_gets_the_visits():
    """Standard errors: 0.025 of the regrets, 0.03 of the shares."""
    few, some, many = (play(simulations, final="visits") for simulations in (4, 16, 128))
    assert few[0] > some[0] + 0.1
    assert some[0] > many[0] + 0.05
    assert many[0] < 0.1
    assert few[1] + 0.1 < some[1] < many[1] - 0.3
    assert many[1] > 0.6


def test_gumbel_regret_falls_from_few_simulations_on():
    """Standard errors: 0.025 and less. Four simulations value four lines, once each."""
    few, some, many = (
        play(simulations, root="gumbel", final="visits")[0] for simulations in (4, 16, 64)
    )
    assert few < POLICY_REGRET - 0.2
    assert few < play(4, final="visits")[0] - 0.1
    assert few > some + 0.02
    assert some > many + 0.03
    assert many < 0.03


@pytest.mark.parametrize("root", ["puct", "gumbel"])
def test_known_values_leave_no_regret(root):
    """One step, sixteen arms, each worth what its value says: every simulation draws another arm,
    and the best of those drawn is taken. By hand: of n of 16 drawn at random, the best is worth
    17 n / (n + 1) / 16 on average."""
    arms = "abcdefghijklmnop"
    model = ScriptedModel(
        lambda text, seed: dict.fromkeys(arms, 1 / 16),
        lambda text: (arms.index(gone(text)[0]) + 1) / 16,
    )
    seeds = range(200)
    for simulations in (1, 4, 16):
        envs = [doors("L", public=False) for _ in seeds]
        strategy = load_strategy("mcts", simulations=simulations, root=root)
        found = run_searches(model, envs, strategy, seeds, guide="value")
        worth = np.mean([(arms.index(one.actions[0]) + 1) / 16 for one in found])
        # Gumbel's choice is the best by value unless two are almost equal in value.
        expected = 17 * simulations / (simulations + 1) / 16
        assert worth == pytest.approx(expected, abs=4 * 0.29 / 200**0.5 / simulations**0.5)
