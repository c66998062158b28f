"""DPO: pairs of sibling lines from a tree, what of them is learned from, and that it helps."""

import copy

import pytest
from test_trainers_learn import metrics, solved
from toys import DoorsSpec, doors

from agents.learning.dpo import DPOConfig, dpo, last_line, sibling_pairs
from agents.learning.optimizers import OptimizerConfig
from agents.search.tree import Branch, Tree


def node(parent, line, mean, reward=0.0):
    return Branch(parent, line, 0.5, reward, mean, 1, mean, False)


TREE = Tree(
    (
        node(-1, "", 0.5),
        node(0, "L", 0.2),
        node(0, "R", 0.6),
        node(0, "a thought", 0.4),
        node(2, "L", 0.1),
        node(2, "R", 0.0, reward=1.0),
        node(1, "L", 0.3),
        node(1, "R", 0.3),
        node(5, "R", 0.9),
    )
)


def test_pairs_by_hand():
    """Best and worst child, the reward of the line included; not where all are worth the same, nor
    where there is one child."""
    assert sibling_pairs(TREE, 0.0) == [(2, 1), (5, 4)]
    assert sibling_pairs(TREE, 0.5) == [(5, 4)]
    assert sibling_pairs(TREE, 2.0) == []


def test_the_same_line_twice_is_no_pair():
    tree = Tree((node(-1, "", 0.5), node(0, "L", 0.0), node(0, "L", 1.0)))
    assert sibling_pairs(tree, 0.0) == []


def test_only_the_last_line_counts():
    """The lines before are the same on both sides, and not learned from."""
    env = doors("RR")
    root = env.snapshot()
    better, worse = (last_line(env, root, TREE, index) for index in (5, 4))
    written = [
        env.tokenizer.decode([t for t, acted in zip(way.tokens, way.actions, strict=True) if acted])
        for way in (better, worse)
    ]
    assert written == ["R\n", "L\n"]
    first = better.actions.index(True)
    assert better.tokens[:first] == worse.tokens[:first]
    assert env.tokenizer.decode(better.tokens[1:first]).endswith("R\n")


@pytest.mark.parametrize("options", [{}, {"ipo": True}, {"clone_weight": 0.0}], ids=str)
def test_dpo_finds_the_door(aimless, tmp_path, options):
    optimizer = OptimizerConfig(lr=3e-3, muon=False, warmup=3)
    config = DPOConfig(
        (DoorsSpec(1),),
        15,
        problems=32,
        simulations=8,
        minibatch=16,
        optimizer=optimizer,
        **options,
    )
    model = dpo(copy.deepcopy(aimless), config, tmp_path)
    rows = metrics(tmp_path)
    assert rows[0]["pairs"] > 8
    assert rows[0]["accuracy"] < 0.8
    assert rows[-1]["accuracy"] > 0.9
    assert solved(model, DoorsSpec(1)) > 0.85


def test_no_pairs_at_all(aimless, tmp_path):
    """A single simulation finds no siblings: nothing is learned, and the log says so."""
    config = DPOConfig((DoorsSpec(1),), 2, problems=4, simulations=1, branch=1)
    before = aimless.digest
    model = dpo(copy.deepcopy(aimless), config, tmp_path)
    assert model.digest == before
    assert [row["pairs"] for row in metrics(tmp_path)] == [0, 0]
