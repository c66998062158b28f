"""Recorded trees are grown again, node by node.

After a change of the search that is meant, write them anew and review the difference:

    python tests/agents/search/test_golden_trees.py
"""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "mcts_trees.json"
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "agents")]

from mcts_toys import arms, heaps  # noqa: E402
from toys import babble, biased, doors  # noqa: E402

from agents.learning.specs import EnvSpec  # noqa: E402
from agents.models.scripted import ScriptedModel  # noqa: E402
from agents.search import load_strategy, run_searches  # noqa: E402


def _worth(text):
    return len(text) % 7 / 7


PLAIN = {"simulations": 12, "branch": 3, "c_puct": 1.5, "discount": 0.9}
OPTIONS = {
    "doors, value": PLAIN,
    "doors, oracle": PLAIN,
    "countdown, value": PLAIN,
    "gumbel root": {"simulations": 12, "root": "gumbel", "considered": 4},
    "noise": {"simulations": 8, "noise": 0.5, "noise_alpha": 0.5},
    "transpositions": {"simulations": 16, "branch": 2, "transpositions": True},
    "widening": {"simulations": 8, "widening": 1.0},
    "rollout": {"simulations": 5, "branch": 2, "rollout": 0.5, "discount": 0.9},
    "most visits": {"simulations": 12, "branch": 2, "final": "visits"},
    "vote": {"simulations": 12, "branch": 2, "final": "vote"},
}


def problem(name):
    """The model, environment and guide of a tree."""
    hidden = doors("RLR", public=False)
    if name == "countdown, value":
        countdown = EnvSpec.parse("Countdown-v0:feedback=state,on_invalid=feedback").make()
        countdown.reset(seed=0)
        return ScriptedModel(babble, _worth), countdown, "value"
    if name == "transpositions":
        return biased(0.6, value={}), heaps("LLRR"), "value"
    if name == "doors, oracle":
        return biased(0.8), doors("RRLR"), "oracle"
    if name == "doors, value":
        return biased(0.8, value={"RR": 0.9}), hidden, "value"
    if name in ("gumbel root", "noise", "widening"):
        return arms({"a": 0.2, "b": 0.9, "c": 0.6, "d": 0.4}), doors("LLL", public=False), "value"
    return biased(0.8, value={"RR": 0.9, "RRL": 0.7, "LLL": 0.3}), hidden, "value"


def grow():
    """The trees as JSON, by name; numbers to nine digits, so that no platform's `exp` matters."""
    trees = {}
    for name, options in OPTIONS.items():
        model, env, guide = problem(name)
        [found] = run_searches(model, [env], load_strategy("mcts", **options), [7], 150, guide)
        nodes = [
            {
                key: round(value, 9) if isinstance(value, float) else value
                for key, value in n.items()
            }
            for n in found.tree.to_json()
        ]
        trees[name] = {
            "actions": list(found.actions),
            "ledger": found.ledger.to_json(),
            "nodes": nodes,
        }
    return trees


@pytest.mark.parametrize("name", OPTIONS)
def test_golden(name):
    assert grow()[name] == json.loads(GOLDEN.read_text())[name]


def _write():
    """One node a line, so that a change reads well in a diff."""
    blocks = []
    for name, tree in grow().items():
        nodes = ",\n".join(f"  {json.dumps(node)}" for node in tree.pop("nodes"))
        head = ",\n ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in tree.items())
        blocks.append(f'{json.dumps(name)}: {{\n {head},\n "nodes": [\n{nodes}\n ]}}')
    GOLDEN.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    _write()
    print(f"written: {GOLDEN}")
