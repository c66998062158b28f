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

from toys import babble, biased, doors  # noqa: E402

from agents.learning.specs import EnvSpec  # noqa: E402
from agents.models.scripted import ScriptedModel  # noqa: E402
from agents.search import load_strategy, run_searches  # noqa: E402


def _worth(text):
    return len(text) % 7 / 7


def grow():
    """The trees as JSON, by name; numbers to nine digits, so that no platform's `exp` matters."""
    countdown = EnvSpec.parse("Countdown-v0:feedback=state,on_invalid=feedback").make()
    countdown.reset(seed=0)
    babbler = ScriptedModel(babble, _worth)
    cases = {
        "doors, value": (biased(0.8, value={"RR": 0.9}), doors("RLR", public=False), "value"),
        "doors, oracle": (biased(0.8), doors("RRLR"), "oracle"),
        "countdown, value": (babbler, countdown, "value"),
    }
    strategy = load_strategy("mcts", simulations=12, branch=3, c_puct=1.5, discount=0.9)
    trees = {}
    for name, (model, env, guide) in cases.items():
        [found] = run_searches(model, [env], strategy, [7], 150, guide)
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


@pytest.mark.parametrize("name", ["doors, value", "doors, oracle", "countdown, value"])
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
