"""Tree search on solved toys: the optimum is found, and the tree says how."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import babble, biased, doors

from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from agents.search.tree import Branch, Tree


def search(model, env, guide, seed=0, budget=None, **options):
    strategy = load_strategy("mcts", **options)
    [found] = run_searches(model, [env], strategy, [seed], budget, guide)
    assert found.error is None
    return found


def ways(tree):
    """Nodes by the way that leads to them."""
    names = []
    for node in tree.nodes:
        names.append(names[node.parent] + node.line if node.parent >= 0 else "")
    return dict(zip(names, tree.nodes, strict=True))


# -- The optimum -------------------------------------------------------------------------------


@pytest.mark.parametrize("guide", ["public", "oracle", "value"])
@pytest.mark.parametrize("goal", ["RRR", "RLR", "RRRL"])
def test_finds_the_goal_where_the_policy_points_the_other_way(goal, guide):
    model = biased(0.8, value={})
    for seed in range(5):
        found = search(model, doors(goal), guide, seed, simulations=400)
        assert "".join(found.actions) == goal
    [greedy] = run_searches(model, [doors(goal)], load_strategy("greedy"), [0])
    assert set(greedy.actions) == {"L"}


WORTH = {"".join(way): 0.2 for way in itertools.product("LR", repeat=3)} | {"RRL": 1.0, "LLL": 0.4}
"""What the ends of three doors are worth; nothing tells them apart on the way."""


@pytest.mark.parametrize("seed", range(5))
def test_finds_the_best_end_by_values_alone(seed):
    """No verifier is read, so nothing stops the search: it must prefer by itself."""
    model = biased(0.8, value=WORTH)
    found = search(model, doors("LLL", public=False), "value", seed, simulations=128)
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
    shares = []
    for simulations in (4, 16, 64, 256):
        found = search(model, doors("L" * 8, public=False), "value", simulations=simulations)
        nodes = ways(found.tree)
        shares.append(nodes["R"].visits / nodes[""].visits if "R" in nodes else 0.0)
    assert shares == sorted(shares)
    assert shares[-1] > 0.6
    assert found.actions[0] == "R"
    assert nodes["R"].prior == pytest.approx(0.1)


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


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32), st.integers(0, 3))
def test_every_tree_is_sound(simulations, branch, seed, c_puct):
    model = ScriptedModel(babble, value=lambda text: len(text) % 7 / 7)
    found = search(
        model,
        doors("LRLR", public=False, max_tokens=60),
        "value",
        seed,
        simulations=simulations,
        branch=branch,
        c_puct=float(c_puct),
    )
    tree = found.tree
    # The root takes part in the backup: each simulation, which is one round of the model, passes
    # through it. Where there are no more lines to draw it ends before its number.
    assert 1 <= tree.nodes[0].visits == len(model.calls) <= simulations
    assert tree.nodes[0].parent == -1
    for index, node in enumerate(tree.nodes):
        children = [tree.nodes[child] for child in tree.children(index)]
        assert node.visits >= sum(child.visits for child in children)
        assert 0 <= node.mean <= 1
        assert not (node.done and children)
        assert len({child.line for child in children}) == len(children)
        if children:
            assert sum(child.prior for child in children) == pytest.approx(1)
    assert tuple(found.actions) in {tuple(tree.way(index)) for index in range(len(tree.nodes))}


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
