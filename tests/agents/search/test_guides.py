"""Guides: what each may read, and which of them is an oracle."""

import pytest
from toys import Doors, babble, biased, doors

from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches, strategy_names
from agents.search.guides import GUIDES, default_guide
from reason_env.env import ReasonEnv
from reason_env.tasks.arithmetic import Arithmetic


class VerifierRead(AssertionError):
    """Somebody asked for what only the verifier knows."""


def sealed(task_type):
    """A private-verifier task that nobody but its own environment may ask for the truth."""

    class Sealed(task_type):
        public_verifier = False
        open = False

        def is_solved(self, problem, state):
            if not self.open:
                raise VerifierRead
            return super().is_solved(problem, state)

        def potential(self, problem, state):
            if not self.open:
                raise VerifierRead
            return super().potential(problem, state)

    class SealedEnv(ReasonEnv):
        def follow(self, episode, line):
            self.task.open = True
            try:
                return super().follow(episode, line)
            finally:
                self.task.open = False

    task = Sealed()
    task.public_verifier = False
    env = SealedEnv(task, level=2, feedback="state", max_steps=2)
    env.reset(seed=0)
    return env


@pytest.mark.parametrize("name", strategy_names())
@pytest.mark.parametrize("guide", ["value", "policy", None])
@pytest.mark.parametrize("task", [Arithmetic, Doors])
def test_a_private_verifier_is_never_read(name, guide, task):
    model = ScriptedModel(babble, value=lambda text: len(text) % 5 / 5)
    [found] = run_searches(model, [sealed(task)], load_strategy(name), [1], 150, guide)
    assert found.error is None
    assert found.ledger.verifier_calls == 0
    assert not found.oracle


def test_the_seal_holds():
    [found] = run_searches(
        biased(0.5), [sealed(Doors)], load_strategy("best_of_n"), [1], 150, "oracle"
    )
    assert found.error.startswith("VerifierRead")
    assert found.oracle


@pytest.mark.parametrize("guide", GUIDES)
def test_the_oracle_alone_is_an_oracle(guide):
    model = ScriptedModel(babble, lambda text: 0.5, reward=lambda text: 0.5)
    envs = [doors("LR"), doors("RR")]
    found = run_searches(model, envs, load_strategy("mcts"), [1, 2], 60, guide)
    assert [one.oracle for one in found] == [guide == "oracle"] * 2


def test_the_default_is_the_strongest_open_guide():
    public, private = doors("L", public=True), doors("L", public=False)
    headless, valued = biased(0.5), biased(0.5, value={})
    assert default_guide(headless, public) == "public"
    assert default_guide(headless, private) == "policy"
    assert default_guide(valued, public) == default_guide(valued, private) == "value"


def test_the_value_guide_reads_a_public_verifier_at_the_end_only():
    model = biased(0.5, value={"L": 0.75})
    [found] = run_searches(
        model, [doors("LR")], load_strategy("mcts", simulations=2, branch=16), [1], guide="value"
    )
    by_way = {}
    for index, node in enumerate(found.tree.nodes):
        parent = found.tree.nodes[node.parent].line if node.parent >= 0 else ""
        by_way[parent + node.line if index else ""] = node
    assert (by_way["L"].value, by_way["R"].value) == (0.75, 0.5)
    assert found.actions == ("L", "R")
    assert found.ledger.verifier_calls == 2


def test_a_line_that_was_cut_is_worth_nothing_and_read_by_nobody():
    model = ScriptedModel(lambda text, seed: "L" * 50)
    [found] = run_searches(
        model, [doors("LR")], load_strategy("best_of_n", n=3), [1], guide="oracle", line_tokens=5
    )
    assert (found.actions, found.ledger.verifier_calls) == ((), 0)
