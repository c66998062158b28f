"""Tree search on solved toys: the optimum is found, and the tree says how."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcts_toys import heaps, search, ways
from toys import ENV, babble, biased, doors

from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from agents.search.tree import Branch, Tree

VARIANTS = [
    {},
    {"root": "gumbel"},
    {"noise": 0.5},
    {"transpositions": True},
    {"widening": 1.0},
    {"widening": 0.0, "branch": 32},
    {"rollout": 0.5},
    {"rollout": 1.0, "root": "gumbel", "transpositions": True},
]


# -- The optimum -------------------------------------------------------------------------------


@pytest.mark.parametrize("guide", ["public", "oracle", "value"])
@pytest.mark.parametrize("goal", ["RRR", "RLR", "RRRL"])
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_finds_the_goal_where_the_policy_points_the_other_way(options, goal, guide):
    model = biased(0.8, value={})
    for seed in range(3):
        found = search(model, doors(goal), guide, seed, **{"simulations": 400, **options})
        assert "".join(found.actions) == goal
    [greedy] = run_searches(model, [doors(goal)], load_strategy("greedy"), [0])
    assert set(greedy.actions) == {"L"}


WORTH = {"".join(way): 0.2 for way in itertools.product("LR", repeat=3)} | {"RRL": 1.0, "LLL": 0.4}
"""What the ends of three doors are worth; nothing tells them apart on the way."""


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("final", ["value", "visits"])
def test_finds_the_best_end_by_values_alone(options, final):
    """No verifier is read, so nothing stops the search: it must prefer by itself."""
    model = biased(0.8, value=WORTH)
    for seed in range(5):
        env = doors("LLL", public=False)
        found = search(
            model,
            env,
            "value",
            seed,
            final=final,
            **{"simulations": 128, **options},
        )
        assert found.actions == ("R", "R", "L")
        assert found.ledger.verifier_calls == 0


@pytest.mark.parametrize("told", ["on the way", "at the end"])
def test_visits_concentrate_as_simulations_grow(told):
    """Everything on the right is worth 0.9 and on the left 0.1; the policy goes right one time in
    ten. More doors than can be opened, so that the search has to choose."""
    ends = {
        "".join(way): 0.9 if way[0] == "R" else 0.1 for way in itertools.product("LR", repeat=8)
    }
    worth = {way[:n]: value for way, value in ends.items() for n in range(1, 9)}
    model = biased(0.9, value=worth if told == "on the way" else ends)
    seeds = range(12)
    shares = []
    for simulations in (16, 64, 256):
        envs = [doors("L" * 8, public=False) for _ in seeds]
        strategy = load_strategy("mcts", simulations=simulations)
        found = run_searches(model, envs, strategy, seeds, guide="value")
        trees = [ways(one.tree) for one in found]
        shares.append(sum(t["R"].visits / t[""].visits for t in trees if "R" in t) / len(seeds))
    # Standard errors of these means are below 0.01.
    assert shares[1] > shares[0] + 0.05
    assert shares[2] > shares[1] + 0.05
    assert shares[2] > 0.6
    assert all(one.actions[0] == "R" for one in found)
    assert all(tree["R"].prior == pytest.approx(0.1) for tree in trees)


def test_the_oracle_needs_no_luck():
    """The exact potential leads straight to the goal: no door leads astray."""
    found = search(biased(0.5), doors("RLRLRL"), "oracle", branch=16, c_puct=0.0)
    assert "".join(found.actions) == "RLRLRL"
    assert max(len(way) for way in ways(found.tree)) == 6
    assert all("RLRLRL".startswith(way[:-1]) for way in ways(found.tree))


# -- The backup --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("simulations", "discount", "root_visits", "root_mean", "left_visits", "left_mean"),
    [
        # The root is widened: the better child (0.6) goes up, less the discount.
        (1, 1.0, 1, 0.6, 0, 0.3),
        (1, 0.5, 1, 0.3, 0, 0.3),
        # Left is more likely: 0.3 + 0.9 beats 0.6 + 0.1. Its best end pays 0.2 on the edge, which
        # is discounted at the root, not at its own parent.
        (2, 1.0, 2, (0.6 + 0.2) / 2, 1, 0.2),
        (2, 0.5, 2, (0.3 + 0.1) / 2, 1, 0.2),
    ],
)
def test_backup_by_hand(simulations, discount, root_visits, root_mean, left_visits, left_mean):
    model = biased(0.9, value={"L": 0.3, "R": 0.6, "LL": 0.2, "LR": 0.1, "RL": 0.7, "RR": 0.7})
    found = search(
        model,
        doors("LL", public=False),
        "value",
        simulations=simulations,
        discount=discount,
        branch=40,
    )
    nodes = ways(found.tree)
    assert nodes[""].visits == root_visits
    assert nodes[""].mean == pytest.approx(root_mean)
    assert nodes["L"].visits == left_visits
    assert nodes["L"].mean == pytest.approx(left_mean)
    assert (nodes["L"].prior, nodes["R"].prior) == pytest.approx((0.9, 0.1))
    if left_visits:
        assert (nodes["LL"].reward, nodes["LL"].value, nodes["LL"].done) == (0.2, 0.0, True)


OPTIONS = st.fixed_dictionaries(
    {
        "simulations": st.integers(1, 40),
        "branch": st.integers(1, 5),
        "c_puct": st.integers(0, 3).map(float),
        "discount": st.sampled_from([1.0, 0.5]),
        "widening": st.sampled_from([0.0, 0.3, 0.5, 1.0]),
        "final": st.sampled_from(["value", "visits", "vote"]),
        "transpositions": st.booleans(),
        "rollout": st.sampled_from([0.0, 0.0, 0.5, 1.0]),
    },
    optional={
        "root": st.just("gumbel"),
        "considered": st.integers(1, 20),
    },
) | st.fixed_dictionaries({"noise": st.floats(0, 1), "noise_alpha": st.floats(0.001, 10)})


@settings(max_examples=120, deadline=None)
@given(
    OPTIONS,
    st.integers(0, 2**32),
    st.sampled_from(["doors", "heaps", "countdown"]),
    st.one_of(st.none(), st.integers(1, 200)),
)
def test_every_tree_is_sound(options, seed, family, budget):
    if family == "countdown":
        env = ENV.make(max_tokens=60, on_invalid="feedback")
        env.reset(seed=seed)
    else:
        env = doors("LRLR", public=False, max_tokens=60) if family == "doors" else heaps("LRLX")
    script = babble if family != "heaps" else biased(0.4).script
    model = ScriptedModel(script, value=lambda text: len(text) % 7 / 7)
    strategy = load_strategy("mcts", **options)
    [found] = run_searches(
        model, [env], strategy, [seed], budget, guide="value", refuse_short=False
    )
    assert found.error is None
    tree, rollout = found.tree, options.get("rollout", 0)
    root = tree.nodes[0]
    assert root.parent == -1
    assert root.visits <= options.get("simulations", 64)
    if not rollout:
        # The root takes part in the backup: each simulation, which is one round of the model,
        # passes through it, but for the one in which the goal is reached, or the budget ends.
        # Where there are no more lines to draw it ends before its number.
        assert len(model.calls) - 1 <= root.visits <= len(model.calls)
    shared = [node.merged if node.merged >= 0 else i for i, node in enumerate(tree.nodes)]
    for index, node in enumerate(tree.nodes):
        children = [tree.nodes[child] for child in tree.children(index)]
        same = [other for other, first in zip(tree.nodes, shared) if first == index]
        assert sum(other.visits for other in same) >= sum(child.visits for child in children)
        assert all(other.mean == node.mean for other in same)
        assert 0 <= node.mean <= 1
        assert not (children and (node.done or node.merged >= 0))
        assert len({child.line for child in children}) == len(children)
        if children:
            assert sum(child.prior for child in children) == pytest.approx(1)
        if node.merged >= 0:
            assert options["transpositions"]
            assert node.merged < index
            assert not node.done
            assert index not in reached_from(tree, shared, node.merged)
    if not rollout:
        assert tuple(found.actions) in {tuple(tree.way(i)) for i in range(len(tree.nodes))}
        done = {tuple(tree.way(i)) for i, node in enumerate(tree.nodes) if node.done}
        assert found.actions in done or not done
    assert budget is None or found.ledger.generated_tokens <= budget


def reached_from(tree, shared, index):
    """All nodes to which lines lead from a node; a walk that comes back would not end."""
    found = set()
    for child in tree.children(shared[index]):
        found |= {child} | reached_from(tree, shared, child)
    return found


def test_a_line_drawn_twice_is_one_child():
    found = search(biased(0.5, value={}), doors("LL", public=False), "value", branch=32)
    assert len(found.tree.children(0)) == 2


def test_a_policy_that_never_ends_a_line_grows_no_tree():
    model = ScriptedModel(lambda text, seed: "L" * 99, value=lambda text: 0.5)
    found = search(model, doors("LL", public=False), "value", simulations=3)
    assert (found.actions, len(found.tree.nodes)) == ((), 1)


def test_trees_can_be_read():
    tree = Tree(
        (
            Branch(-1, "", 1.0, 0.0, 0.0, 3, 0.5, False),
            Branch(0, "a", 0.5, 0.0, 0.0, 1, 0.5, False),
            Branch(0, "b", 0.5, 0.0, 0.0, 1, 0.5, False),
            Branch(2, "c", 1.0, 0.0, 0.0, 1, 0.5, True),
        )
    )
    assert (tree.children(0), tree.children(1), tree.children(2)) == ([1, 2], [], [3])
    assert (tree.way(0), tree.way(3)) == ([], ["b", "c"])
    assert tree.to_json()[3]["line"] == "c"
