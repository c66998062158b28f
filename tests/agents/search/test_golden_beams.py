"""Recorded trees of beam search are grown again, node by node.

After a change of the search that is meant, write them anew and review the difference:

    python tests/agents/search/test_golden_beams.py
"""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "beam_trees.json"
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "agents")]

from random_trees import RandomTrees, tree_env, tree_problem, wanderer  # noqa: E402

from agents.search import load_strategy, run_searches  # noqa: E402

CASES = {
    "beam, oracle": ("beam", {"width": 2, "branch": 3}, "oracle"),
    "beam, value, vote": ("beam", {"width": 3, "branch": 2, "final": "vote"}, "value"),
    "dvts, policy": ("dvts", {"trees": 3, "branch": 2}, "policy"),
}


def grow(case):
    """The tree as JSON; numbers to nine digits, so that no platform's `exp` matters."""
    name, options, guide = CASES[case]
    env = tree_env(tree_problem(2, 4), RandomTrees(public=guide == "oracle"))
    [found] = run_searches(wanderer(5), [env], load_strategy(name, **options), [7], 90, guide)
    nodes = [
        {key: round(value, 9) if isinstance(value, float) else value for key, value in n.items()}
        for n in found.tree.to_json()
    ]
    return {"actions": list(found.actions), "ledger": found.ledger.to_json(), "nodes": nodes}


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    assert grow(case) == json.loads(GOLDEN.read_text())[case]


def _write():
    """One node a line, so that a change reads well in a diff."""
    blocks = []
    for case in CASES:
        tree = grow(case)
        nodes = ",\n".join(f"  {json.dumps(node)}" for node in tree.pop("nodes"))
        head = ",\n ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in tree.items())
        blocks.append(f'{json.dumps(case)}: {{\n {head},\n "nodes": [\n{nodes}\n ]}}')
    GOLDEN.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    _write()
    print(f"written: {GOLDEN}")
