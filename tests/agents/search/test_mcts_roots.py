"""The root of a tree search: Gumbel with sequential halving, and Dirichlet noise."""

import math

import numpy as np
import pytest
from mcts_toys import arms, gone, search, ways
from toys import biased, doors

from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from agents.search.requests import Node
from agents.search.roots import Dirichlet
from agents.search.vertex import Edge, Vertex


def first_lines(model, count, way="L", **options):
    """What many searches of one problem choose, with seeds of their own."""
    envs = [doors(way, public=False) for _ in range(count)]
    strategy = load_strategy("mcts", **options)
    found = run_searches(model, envs, strategy, range(count), guide="value")
    return [one.actions[0] for one in found]


# -- Gumbel ------------------------------------------------------------------------------------

WORTH = {"a": 0.9, "b": 0.7, "c": 0.4, "d": 0.3, "e": 0.2, "f": 0.1, "g": 0.05, "h": 0.0}


@pytest.mark.parametrize(
    ("number", "simulations", "visits"),
    [
        # Every candidate's first visit is its drawing; then 8 / (2 * 2) for each of two.
        (4, 8, [3, 3, 1, 1]),
        # Two rounds of eight: two visits for each of four, four for each of two.
        (4, 16, [6, 6, 2, 2]),
        # Three rounds of eight: one for each of eight, two of four, four of two.
        (8, 24, [7, 7, 3, 3, 1, 1, 1, 1]),
        # Not enough for a second round: the four that are best before any visit below them.
        (8, 12, [2, 2, 2, 2, 1, 1, 1, 1]),
        # One for each of four, three for each of two; those two share what is left.
        (4, 13, [6, 5, 1, 1]),
        (1, 5, [5]),
    ],
)
def test_sequential_halving_by_hand(number, simulations, visits):
    """As `get_sequence_of_considered_visits(number, simulations)` of mctx has it. So great a
    weight of values that the better candidate always has the higher score."""
    worth = dict(list(WORTH.items())[:number])
    model = arms(worth, lines="0123456789")
    found = search(
        model,
        doors("LLLLL", public=False),
        "value",
        simulations=simulations,
        root="gumbel",
        c_scale=1000.0,
        considered=8,
        widening=0.0,
    )
    nodes = ways(found.tree)
    # Drawn are as many as there are; the draw is a visit by the root, not one of the child.
    assert [1 + nodes[arm].visits for arm in worth] == visits
    assert nodes[""].visits == simulations == sum(visits)
    assert found.actions[0] == "a"


def test_candidates_are_no_more_than_simulations_or_considered():
    model = arms(dict.fromkeys("abcdefgh", 0.5))
    for simulations, considered, drawn in [(3, 16, 3), (20, 5, 5), (20, 16, 8)]:
        found = search(
            model,
            doors("LLLLLL", public=False),
            "value",
            simulations=simulations,
            considered=considered,
            root="gumbel",
        )
        assert len(found.tree.children(0)) == drawn
        assert found.tree.nodes[0].visits == simulations


def test_without_values_the_choice_is_a_sample_of_the_policy():
    """The Gumbel-max trick."""
    policy = {"a": 0.5, "b": 0.3, "c": 0.15, "d": 0.05}
    model = arms({arm: 0.1 * i for i, arm in enumerate(policy)}, policy)
    chosen = first_lines(model, 1000, root="gumbel", simulations=4, c_scale=0.0)
    square = sum((chosen.count(arm) - 1000 * p) ** 2 / (1000 * p) for arm, p in policy.items())
    assert square < 16.3  # passed once in a thousand with 3 degrees of freedom; seeds are fixed


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_choice_follows_the_improved_policy(scale):
    """With all lines considered, argmax of Gumbel + log p + sigma(q) is a sample of
    softmax(log p + sigma(q)): that the sums of log-probability and Gumbel have their law is seen
    in how often values can turn the order round. Values 0 and 1 are not changed by rescaling, and
    the weight of values is (c_visit + 1) * c_scale."""
    model = arms({"a": 0.0, "b": 1.0}, {"a": 0.8, "b": 0.2})
    options = {"simulations": 2, "c_visit": 3.0, "c_scale": scale / 4}
    chosen = first_lines(model, 1000, root="gumbel", **options)
    expected = 0.2 * math.exp(scale) / (0.8 + 0.2 * math.exp(scale))
    # Four standard errors.
    assert chosen.count("b") / 1000 == pytest.approx(expected, abs=4 * 0.5 / 1000**0.5)


def test_drawing_candidates_is_gumbel_top_k():
    """Two of four lines are considered: chosen as often as by the paper's own order of things,
    where all Gumbels are drawn first."""
    policy = {"a": 0.6, "b": 0.25, "c": 0.1, "d": 0.05}
    worth = {"a": 0.1, "b": 0.4, "c": 0.7, "d": 0.9}
    options = {"simulations": 2, "considered": 2, "c_visit": 1.0, "c_scale": 0.75}
    chosen = first_lines(arms(worth, policy), 1500, root="gumbel", **options)
    rng = np.random.default_rng(0)
    sums = np.log(list(policy.values())) + rng.gumbel(size=(100_000, 4))
    # The lines are in the order of their values: of two, the later one gets the weight (1 + 1) *
    # 0.75, the other none.
    two = np.sort(np.argsort(-sums, axis=1)[:, :2], axis=1)
    scores = np.take_along_axis(sums, two, axis=1) + np.array([0.0, 1.5])
    expected = np.bincount(two[np.arange(100_000), scores.argmax(axis=1)], minlength=4) / 100_000
    square = sum(
        (chosen.count(arm) - 1500 * p) ** 2 / (1500 * p) for arm, p in zip(policy, expected)
    )
    assert square < 16.3  # passed once in a thousand with 3 degrees of freedom; seeds are fixed


def test_four_simulations_improve_the_policy():
    """With known values: what is chosen is worth more than what the policy draws, whatever the
    policy, and more than what PUCT would have found out by then."""
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(10):
        worth = dict(zip("abcdefgh", rng.random(8)))
        policy = dict(zip("abcdefgh", rng.dirichlet(np.ones(8)).clip(1e-3)))
        policy = {arm: p / sum(policy.values()) for arm, p in policy.items()}
        model = arms(worth, policy)
        chosen = first_lines(model, 40, "LL", root="gumbel", simulations=4)
        drawn = sum(p * worth[arm] for arm, p in policy.items())
        gains.append(np.mean([worth[arm] for arm in chosen]) - drawn)
    assert min(gains) > 0
    assert np.mean(gains) > 0.15


def test_the_choice_is_among_those_visited_most():
    """`a` and `b` only looked good: below them there is little. What was passed over for them is
    not chosen, though it now has the higher value: the halving is over for it."""
    first = {"a": 0.9, "b": 0.8, "c": 0.5, "d": 0.4}
    later = {"a": 0.2, "b": 0.1, "c": 0.5, "d": 0.4}
    model = ScriptedModel(
        lambda text, seed: dict.fromkeys("abcd", 0.25),
        lambda text: (first if len(gone(text)) == 1 else later)[gone(text)[0]],
    )
    options = {"simulations": 8, "c_scale": 1000.0, "root": "gumbel"}
    found = search(model, doors("LLLLLL", public=False), "value", **options)
    nodes = ways(found.tree)
    assert nodes["c"].mean > nodes["a"].mean > nodes["b"].mean
    assert [nodes[arm].visits for arm in "abcd"] == [2, 2, 0, 0]
    assert found.actions[0] == "a"


def test_what_is_known_to_the_end_costs_no_visits():
    """All ends of the better line are soon known: the rest is left to the other one."""
    model = arms({"a": 0.9, "b": 0.1})
    found = search(model, doors("LL", public=False), "value", simulations=40, root="gumbel")
    # 2 candidates, and 3 draws below each, the third of which finds no other line.
    assert found.tree.nodes[0].visits == 8
    assert found.actions[0] == "a"


@pytest.mark.parametrize("final", ["value", "visits"])
def test_the_choice_is_finished_if_anything_is(final):
    """An answer at once, or thoughts that promise more than the simulations can find out."""
    model = ScriptedModel(
        lambda text, seed: {"answer: 1": 0.5, "hm": 0.5} if not gone(text) else {"hm": 1.0},
        lambda text: 0.1 if "answer" in text else 0.9,
    )
    env = doors("L" * 8, public=False)
    options = {"simulations": 5, "root": "gumbel", "final": final}
    found = search(model, env, "value", **options)
    assert ways(found.tree)["hm"].visits == 3
    assert found.actions == ("answer: 1",)


def test_a_gumbel_root_takes_any_budget():
    for budget in range(1, 30):
        envs = [doors("RRRR")]
        strategy = load_strategy("mcts", root="gumbel", rollout=0.5, final="vote")
        [found] = run_searches(
            biased(0.5), envs, strategy, [0], budget, guide="public", refuse_short=False
        )
        assert found.error is None
        assert found.ledger.generated_tokens <= budget


def test_the_root_follows_the_seed():
    model = arms(dict.fromkeys("abcdefgh", 0.5))
    one, same, other = (
        search(model, doors("LLL", public=False), "value", seed, simulations=12, root="gumbel")
        for seed in (1, 1, 2)
    )
    assert one.tree == same.tree
    assert one.tree != other.tree


# -- Dirichlet ---------------------------------------------------------------------------------


def root_edges(*priors):
    root = Node(None, None)
    return [Edge(None, str(p), 0.0, 0.0, 0.0, Vertex(root, 0.0, 0.0, 0), p) for p in priors]


def test_noise_is_a_dirichlet_sample():
    """Mean and variance of its first part, for two lines found one after the other."""
    for alpha in (0.3, 3.0):
        firsts = []
        for seed in range(800):
            noise = Dirichlet(1.0, alpha, seed)
            edges = root_edges(0.9)
            noise.mix(edges)
            assert edges[0].prior == 1.0
            edges = root_edges(0.9, 0.1)
            noise.mix(edges)
            assert sum(edge.prior for edge in edges) == pytest.approx(1)
            firsts.append(edges[0].prior)
        assert np.mean(firsts) == pytest.approx(0.5, abs=0.05)
        assert np.var(firsts) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


def test_noise_is_mixed_in_by_its_share():
    pure, half = (root_edges(0.9, 0.1) for _ in range(2))
    Dirichlet(1.0, 0.3, 5).mix(pure)
    Dirichlet(0.25, 0.3, 5).mix(half)
    for whole, part, prior in zip(pure, half, (0.9, 0.1)):
        assert part.prior == pytest.approx(0.75 * prior + 0.25 * whole.prior)


def test_an_alpha_below_what_floats_hold():
    edges = root_edges(0.2, 0.3, 0.5)
    Dirichlet(1.0, 1e-4, 0).mix(edges)
    assert sorted(edge.prior for edge in edges) == pytest.approx([0, 0, 1])


def test_noise_explores_what_the_policy_would_not():
    """A line that the policy all but excludes, values all equal: its share of visits grows."""

    def share(noise):
        model = biased(0.97, value={})
        envs = [doors("L" * 8, public=False) for _ in range(20)]
        strategy = load_strategy("mcts", simulations=60, noise=noise)
        found = run_searches(model, envs, strategy, range(20), guide="value")
        trees = [ways(one.tree) for one in found]
        assert all("R" in tree for tree in trees)
        return np.mean([tree["R"].visits for tree in trees]) / 60

    assert share(0.5) > share(0.0) + 0.1


def test_noise_is_at_the_root_only_and_follows_the_seed():
    model = biased(0.8, value={})
    one, same, other = (
        ways(search(model, doors("LLLL", public=False), "value", seed, noise=0.5, branch=32).tree)
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one["L"].prior != pytest.approx(0.8)
    assert one["L"].prior != pytest.approx(other["L"].prior)
    assert [one[way].prior for way in ("LL", "RL", "LLL")] == pytest.approx([0.8, 0.8, 0.8])
