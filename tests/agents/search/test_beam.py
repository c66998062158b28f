"""Beam search and diverse verifier tree search: distinct beams, exact on trees that are solved."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_trees import (
    DEPTHS,
    RandomTrees,
    goals,
    regret,
    subtree,
    tree_env,
    tree_problem,
    walker,
    wanderer,
)
from toys import biased, doors

from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from agents.search.ledger import BudgetSpent
from agents.search.requests import Evaluate, Generate
from reason_env.env import ReasonEnv
from reason_env.problem import Problem

BOTH = pytest.mark.parametrize("name", ["beam", "dvts"])


def watch(strategy, seen):
    """The strategy, its requests and what they were answered kept in `seen`."""

    def watched(root):
        search = strategy(root)
        try:
            request = next(search)
            while True:
                try:
                    answer = yield request
                except BudgetSpent as spent:
                    request = search.throw(spent)
                else:
                    seen.append((request, answer))
                    request = search.send(answer)
        except StopIteration as stop:
            return stop.value

    return watched


def run(model, env, name, guide=None, budget=None, seed=0, **options):
    """What was found, and the requests with their answers."""
    seen = []
    strategy = watch(load_strategy(name, **options), seen)
    [found] = run_searches(model, [env], strategy, [seed], budget, guide, refuse_short=False)
    assert found.error is None
    return found, seen


def generated(seen):
    return [(request, answer) for request, answer in seen if isinstance(request, Generate)]


def rounds(seen):
    """The beams of each round: those that the first request of a round names."""
    found = []
    for request, _ in generated(seen):
        if not (request.without and any(request.without)):
            found.append(list(request.nodes))
    return found


# -- The optimum of solved trees ---------------------------------------------------------------

TREES = [(seed, level) for level in DEPTHS for seed in range(12)]


@pytest.mark.parametrize("guide", ["oracle", "value", "policy"])
def test_a_beam_as_wide_as_the_tree_is_exhaustive(guide):
    """Whoever guides, all nodes of each depth are beams, until the guide knows a goal; `policy`
    knows none."""
    for seed, level in TREES:
        problem = tree_problem(seed, level)
        ends, ways = goals(problem.data), list(_ways(problem.data))
        depth = max(map(len, ways))
        width = len(ways)
        found, seen = run(walker(seed), tree_env(problem), "beam", guide, width=width)
        if guide != "policy":
            assert regret(problem, found.actions) == 0
            depth = len(found.actions) - 1
        for written, beams in enumerate(rounds(seen)[: depth + 1]):
            expected = [way for way in ways if len(way) == written and way not in ends]
            assert sorted("".join(node.actions) for node in beams) == sorted(expected)


def _ways(tree):
    """The ways to all nodes."""
    yield ""
    if isinstance(tree, tuple):
        for letter, below in zip("abcd", tree):
            for way in _ways(below):
                yield letter + way


@pytest.mark.parametrize(("name", "options"), [("beam", {"width": 1}), ("dvts", {"trees": 4})])
@pytest.mark.parametrize("guide", ["oracle", "value"])
def test_the_exact_guide_leads_a_single_beam_down_the_best_way(name, options, guide):
    for seed, level in TREES:
        problem = tree_problem(seed, level)
        found, seen = run(walker(seed), tree_env(problem), name, guide, branch=4, **options)
        assert regret(problem, found.actions) == 0
        if name == "beam":
            ways = ["".join(node.actions) for nodes in rounds(seen) for node in nodes]
            shortest = min(map(len, goals(problem.data)))
            assert [len(way) for way in ways] == list(range(shortest))
            for way in ways:
                below = goals(subtree(problem.data, way))
                assert len(way) + min(map(len, below)) == shortest


def test_a_wide_beam_saves_what_a_misled_one_loses():
    """The first step of the best way looks worst: a width of 1 goes wrong, one of 2 does not."""
    worth = {"L": 0.6, "R": 0.4, "LL": 0.5, "LR": 0.5, "RL": 0.9, "RR": 0.1}
    model = biased(0.5, value=worth)
    narrow, _ = run(model, doors("RL"), "beam", "value", width=1)
    wide, _ = run(model, doors("RL"), "beam", "value", width=2)
    apart, _ = run(model, doors("RL"), "dvts", "value", trees=2)
    assert narrow.actions[0] == "L"
    assert wide.actions == apart.actions == ("R", "L")


# -- Distinct beams ----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["beam", "dvts"]),
    st.integers(0, 10**6),
    st.sampled_from(DEPTHS),
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from([0.0, 0.7, 1.0]),
    st.sampled_from(["policy", "value", "oracle"]),
    st.booleans(),
)
def test_no_two_beams_are_the_same(name, seed, level, width, branch, temperature, guide, public):
    problem = tree_problem(seed, level)
    env = tree_env(problem, RandomTrees(public))
    wide = {"beam": "width", "dvts": "trees"}[name]
    options = {wide: width, "branch": branch, "temperature": temperature}
    _, seen = run(wanderer(seed), env, name, guide, seed=seed, **options)
    for request, answer in generated(seen):
        nodes = list(request.nodes)
        assert len({node.actions for node in nodes}) == len(nodes) <= max(1, width)
        assert not any(node.done for node in nodes)
        if temperature == 1:
            # Nobody writes what it has written before, unless there is nothing else.
            assert request.n == 1
            for known, [drawn] in zip(request.without, answer):
                if drawn.written is not None and drawn.written.tokens in [
                    completion.tokens for completion in known
                ]:
                    assert math.fsum(math.exp(sum(c.logprobs)) for c in known) > 0.99
    for request, _ in seen:
        if isinstance(request, Evaluate):
            assert len({node.actions for node in request.nodes}) == len(request.nodes)
    if name == "beam":
        for nodes in rounds(seen):
            keys = [n.key for n in nodes if n.parent and n.key not in (None, n.parent.key)]
            assert len(set(keys)) == len(keys)


@BOTH
@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_one_possible_line_is_one_beam(name, temperature):
    model = ScriptedModel(lambda text, seed: {"L": 1.0})
    found, seen = run(model, doors("LLLL"), name, "policy", temperature=temperature)
    assert found.actions == ("L",) * 4
    assert [len(nodes) for nodes in rounds(seen)] == [1] * 4
    if temperature != 0.5:  # else four are drawn at once, and one of them kept
        assert found.ledger.model_calls == 4


@BOTH
def test_fewer_distinct_lines_are_fewer_beams(name):
    """Two lines at each place: 1, 2 and 4 distinct beams, not 8 from the start."""
    wide = {"beam": "width", "dvts": "trees"}[name]
    _, seen = run(biased(0.5), doors("RRRR"), name, "policy", **{wide: 8})
    expected = {"beam": [1, 2, 4, 8], "dvts": [1, 2, 2, 2]}[name]
    assert [len(nodes) for nodes in rounds(seen)] == expected


def test_the_lines_of_a_beam_are_drawn_without_replacement():
    """All four lines for the price of four, however unlikely three of them are."""
    lines = {"a": 0.97, "b": 0.01, "c": 0.01, "d": 0.01}
    for seed in range(20):
        found, seen = run(
            ScriptedModel.table({"": lines}),
            doors("L", max_steps=1),
            "beam",
            "policy",
            seed=seed,
        )
        drawn = [node.line for _, [[node]] in generated(seen)]
        assert sorted(drawn) == ["a", "b", "c", "d"]
        assert found.ledger.generated_tokens == 8


class Modest(ScriptedModel):
    """Says that its lines are less likely than they are, as rounding may."""

    def generate(self, *args, **kwargs):
        return [
            replace(one, logprobs=tuple(p - 0.5 for p in one.logprobs))
            for one in super().generate(*args, **kwargs)
        ]


@BOTH
def test_who_repeats_a_line_has_no_other(name):
    model = Modest(lambda text, seed: {"L": 1.0})
    found, _ = run(model, doors("LLLL"), name, "policy")
    assert found.actions == ("L",) * 4
    # At each place one draw to find the line, and one to learn that it is alone.
    assert found.ledger.model_calls == 8


COUNTDOWN = Problem("Countdown", 1, ((20, 7, 3), 39))


def countdown(**kwargs):
    env = ReasonEnv("Countdown", feedback="state", **kwargs)
    env.reset(seed=0, options={"problem": COUNTDOWN})
    return env


SAME = {"20 + 7": 0.4, "7 + 20": 0.3, "20 * 3": 0.2, "3 * 20": 0.1}


def test_ways_to_one_state_are_one_beam():
    """Of the two the more valued goes on, else the likelier."""
    model = ScriptedModel.table({"": SAME})
    _, seen = run(model, countdown(), "beam", "public", width=4)
    assert [node.line for node in rounds(seen)[1]] == ["20 + 7", "20 * 3"]

    def worth(text):
        return 0.9 if "7 + 20" in text else 0.5

    model = ScriptedModel.table({"": SAME}, value=worth)
    _, seen = run(model, countdown(), "beam", "value", width=4)
    assert [node.line for node in rounds(seen)[1]] == ["7 + 20", "20 * 3"]


def test_subtrees_start_from_distinct_states():
    _, seen = run(ScriptedModel.table({"": SAME}), countdown(), "dvts", "public")
    assert [node.line for node in rounds(seen)[1]] == ["20 + 7", "20 * 3"]


def test_without_a_public_verifier_states_are_told_to_nobody():
    """Who may not read the verifier must not learn which lines were valid, not even by merging."""
    model = ScriptedModel.table({"": {"a": 0.5, "b": 0.5}})
    env = tree_env(tree_problem(3, 3), RandomTrees(public=False))
    _, seen = run(model, env, "beam", "policy")
    assert all(node.key is None for nodes in rounds(seen) for node in nodes)


def test_thoughts_tell_beams_apart():
    """They leave the state as it was, yet it is not the same to go on from each."""
    lines = {"R": 0.4, "hm": 0.3, "well": 0.3}
    model = ScriptedModel.table({"": {"L": 1.0}, "L\n": lines}, otherwise=lines)
    _, seen = run(model, doors("LLL", max_steps=8), "beam", "policy", width=3)
    assert {node.line for node in rounds(seen)[2]} == {"R", "hm", "well"}


# -- Ends, ties and votes ----------------------------------------------------------------------


def test_finished_ways_take_no_place_of_a_beam():
    """Two ways end at the first line and are worth more than any other: two beams still go on."""
    lines = {"answer: 1": 0.3, "answer: 2": 0.3, "L": 0.2, "R": 0.2}

    def worth(text):
        return 0.6 if "answer" in text else 0.9 if text.endswith("L\nR\n") else 0.1

    model = ScriptedModel.table({"": lines}, {"L": 0.5, "R": 0.5}, worth)
    env = doors("LR", public=False, max_steps=2)
    found, seen = run(model, env, "beam", "value", width=2)
    assert [len(nodes) for nodes in rounds(seen)] == [1, 2]
    assert found.actions == ("L", "R")


@BOTH
def test_a_known_solution_ends_the_search(name):
    """Also within a round: what is not drawn is not paid."""
    model = ScriptedModel.table({"": {"L": 0.999, "R": 0.001}})
    found, seen = run(model, doors("L", max_steps=5), name, "public")
    assert found.actions == ("L",)
    assert found.ledger.model_calls == 1
    assert [type(request) for request, _ in seen] == [Generate, Evaluate]


@BOTH
def test_the_best_finished_way_is_the_answer(name):
    worth = {"LL": 0.1, "LR": 0.9, "RL": 0.8, "RR": 0.2}
    model = biased(0.5, value=worth)
    found, _ = run(model, doors("LL", public=False), name, "value")
    assert found.actions == ("L", "R")


ANSWERS = {"L": 0.25, "R": 0.25, "M": 0.25, "N": 0.25}
SAID = {
    "L\n": {"answer: 1": 1.0},
    "R\n": {"answer: 2": 1.0},
    "M\n": {"answer: 4/2": 1.0},
    "N\n": {"answer: 3": 1.0},
}


def _first_number(text):
    """One answer is worth more than any other, but not more than the two that agree."""
    return 0.8 if "answer: 1" in text else 0.5


@BOTH
@pytest.mark.parametrize(("final", "answer"), [("value", "1"), ("vote", "2")])
def test_vote_or_value(name, final, answer):
    model = ScriptedModel.table({"": ANSWERS, **SAID}, value=_first_number)
    env = doors("LLLL", public=False)
    found, _ = run(model, env, name, "value", final=final)
    assert found.actions[-1] == f"answer: {answer}"


@BOTH
@pytest.mark.parametrize("temperature", [1.0, 1.5])
def test_votes_are_not_inflated_by_duplicates(name, temperature):
    """One likely way to answer 1, drawn again and again, is one vote; two rare ways are two."""
    lines = {
        "": {"L": 0.8, "R": 0.1, "M": 0.1},
        "L\n": {"answer: 1": 1.0},
        "R\n": {"answer: 2": 1.0},
        "M\n": {"answer: 2": 1.0},
    }
    model = ScriptedModel.table(lines, value=lambda text: 0.5)
    many = {"beam": {"width": 3, "branch": 64}, "dvts": {"trees": 64}}[name]
    options = {"temperature": temperature, "final": "vote", **many}
    for seed in range(5):
        env = doors("LLLL", public=False)
        found, _ = run(model, env, name, "value", seed=seed, **options)
        assert found.actions[-1] == "answer: 2"


@BOTH
def test_a_vote_is_heard_before_the_budget_ends(name):
    """Whatever the budget, what was finished within it votes."""
    model = ScriptedModel.table({"": ANSWERS, **SAID}, value=_first_number)
    for budget in range(1, 60):
        env = doors("LLLL", public=False)
        found, seen = run(model, env, name, "value", budget, final="vote")
        ends = [
            node
            for request, answer in generated(seen)
            for nodes in answer
            for node in nodes
            if node.done and node.lines
        ]
        assert found.ledger.generated_tokens <= budget
        if ends:
            votes = Counter()
            for node in ends:
                answer = {"answer: 4/2": "2"}.get(node.line, node.line.removeprefix("answer: "))
                votes[answer] += 0.8 if answer == "1" else 0.5
            said = found.actions[-1].removeprefix("answer: ").replace("4/2", "2")
            assert votes[said] == max(votes.values())
        else:
            assert len(found.actions) <= 1


@BOTH
@pytest.mark.parametrize("guide", ["oracle", "value"])
def test_what_the_budget_ends_is_best_so_far(name, guide):
    """Whatever the budget: what was finished, else the most valued way that was not."""
    problem = tree_problem(4, 5)
    model = ScriptedModel(walker(1).script, wanderer(2).value)  # whose values are mere numbers
    for budget in range(1, 150, 2):
        found, seen = run(model, tree_env(problem), name, guide, budget)
        valued = {
            node: value
            for request, values in seen
            if isinstance(request, Evaluate)
            for node, value in zip(request.nodes, values)
        }
        finished = {node: value for node, value in valued.items() if node.done}
        best = max((value.total for value in (finished or valued).values()), default=None)
        chosen = [
            value.total
            for node, value in (finished or valued).items()
            if node.actions == found.actions
        ]
        assert chosen == ([] if best is None else [best])
        # Nothing that was written to the end of a line has escaped the guide.
        drawn = [n for _, answer in generated(seen) for nodes in answer for n in nodes]
        assert set(valued) == {node for node in drawn if node.lines}


def test_ties_go_to_the_likelier_beam():
    lines = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}
    model = ScriptedModel.table({"": lines}, value=lambda text: 0.5)
    for seed in range(10):
        env = doors("LLLL", public=False)
        _, seen = run(model, env, "beam", "value", width=2, seed=seed)
        assert [node.line for node in rounds(seen)[1]] == ["d", "c"]


def test_subtrees_do_not_compete():
    """All that follows the first line of one is worth more, yet the other goes on too."""
    worth = {"".join(way): 0.9 if way[0] == "L" else 0.1 for way in ["L", "LL", "LR", "R", "RL"]}
    model = biased(0.5, value=worth)
    _, seen = run(model, doors("RRR", public=False), "dvts", "value", trees=2)
    assert [sorted(n.actions[0] for n in nodes) for nodes in rounds(seen)[1:]] == [["L", "R"]] * 2
    _, seen = run(model, doors("RRR", public=False), "beam", "value", width=2)
    assert {node.actions[0] for node in rounds(seen)[2]} == {"L"}


@BOTH
def test_all_beams_are_served_by_one_request(name):
    _, seen = run(biased(0.5), doors("RRR", public=False), name, "policy", branch=2)
    # A round is two draws for each of the beams, not one request a beam.
    assert len(generated(seen)) == {"beam": 6, "dvts": 6}[name]


# -- Bad input, and the tree ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("beam", {"width": 0}, "width must be 1 or more, received 0"),
        ("beam", {"branch": 2.5}, "branch must be a whole number of 1 or more, received 2.5"),
        ("dvts", {"trees": -1}, "must be 1 or more"),
        ("dvts", {"temperature": math.inf}, "temperature must be 0 or more, received inf"),
        ("beam", {"final": "votes"}, "Unknown final 'votes'.*Did you mean 'vote'"),
    ],
)
def test_options_out_of_range(name, options, message):
    model = biased(0.5)
    with pytest.raises(ValueError, match=message):
        run_searches(model, [doors("L")], load_strategy(name, **options), [0])
    assert model.calls == []


def test_the_tree_adds_up():
    found, _ = run(wanderer(5), tree_env(tree_problem(2, 4)), "beam", "value", 200)
    nodes = found.tree.nodes
    assert nodes[0].visits == len(nodes) - 1
    for place, node in enumerate(nodes):
        below = found.tree.children(place)
        assert node.visits == sum(nodes[child].visits for child in below) + (place > 0)
        if below:
            assert math.isclose(sum(nodes[child].prior for child in below), 1)
        else:
            assert node.mean == node.value or place == 0
