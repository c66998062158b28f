"""Options of the tree search: equal states merged, widening, rollouts, the rule for the answer."""

import itertools
import math

import pytest
from mcts_toys import gone, heaps, search, ways
from toys import biased, doors

from agents.models.base import Completion
from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from agents.search.final import Solution
from agents.search.mcts import _back_up, _descend
from agents.search.mcts_final import choose
from agents.search.requests import Node, Value
from agents.search.vertex import Graph

# -- Equal states ------------------------------------------------------------------------------


def test_equal_states_are_searched_once():
    """Four heaps: 1 + 2 + 3 + 4 states before the last line, not 1 + 2 + 4 + 8, and two ends of
    each of the last four."""
    grown = {}
    for merge in (True, False):
        env, model = heaps("XXXX"), biased(0.5, value={})
        found = search(model, env, "value", simulations=999, transpositions=merge)
        grown[merge] = found.tree.nodes
    for merge, states, ends in [(True, 10, 8), (False, 15, 16)]:
        assert sum(not node.done and node.merged < 0 for node in grown[merge]) == states
        assert sum(node.done for node in grown[merge]) == ends
    # Two lines of each state that is not finished, and a draw that finds no third.
    assert grown[True][0].visits == 3 * 10
    assert grown[False][0].visits == 3 * 15


@pytest.mark.parametrize("goal", ["RRRLL", "LRRLR", "RRRRR"])
@pytest.mark.parametrize("options", [{}, {"root": "gumbel"}, {"rollout": 0.5}], ids=str)
def test_the_way_that_is_returned_was_written_and_leads_there(goal, options):
    model = biased(0.8, value={})
    for seed in range(4):
        env = heaps(goal)
        model.written.clear()
        found = search(model, env, "public", seed, simulations=500, transpositions=True, **options)
        assert sorted(found.actions) == sorted(goal)
        assert env.episode.state.data == "".join(sorted(goal))
        prefix, last = model.written[-1]
        whole = model.tokenizer.decode((*prefix, *last.tokens))
        if not options.get("rollout"):
            assert tuple(gone(whole)) == found.actions


def add(graph, parent, line, value, key=None, answer=None, logprob=-1.0, done=False):
    """A line from a vertex; `value` is of what it leads to, or of the step if it ends there."""
    completion = Completion((1, 2), (logprob, 0.0), (-1.0, -1.0), True)
    node = Node(parent.node, None, (line,), ((1, 2),), (), done, completion, 1, key)
    return graph.add(parent, Solution(node, Value(0.0, value) if done else Value(value), answer))


def merging(discount=1.0):
    """Root, `a` and `b` below it, `c` below both, an end below that."""
    graph = Graph(Node(None, None), discount, merge=True)
    a = add(graph, graph.root, "a", 0.3, "A", logprob=-0.1)
    b = add(graph, graph.root, "b", 0.4, "B", logprob=-2.0)
    c = add(graph, a.child, "b", 0.5, "C")
    return graph, a, b, c


def test_statistics_are_shared_and_lines_count_their_own():
    graph, a, b, c = merging()
    _back_up([graph.top, a, c], 1.0)
    also_c = add(graph, b.child, "a", 0.9, "C")
    assert also_c.child is c.child
    add(graph, c.child, "end", 0.8, done=True)
    _back_up([graph.top, b, also_c], 1.0)
    # Before there was an end, what went up was the guide's 0.5 of `c`; then it is 0.8. Each goes
    # up the way that was walked and no other.
    assert (c.child.visits, c.child.mean) == (2, pytest.approx(0.65))
    assert (c.visits, also_c.visits) == (1, 1)
    assert (a.child.visits, a.child.mean) == (1, 0.5)
    assert (b.child.visits, b.child.mean) == (1, 0.8)
    assert (graph.root.visits, graph.root.mean) == (2, pytest.approx(0.65))
    tree = graph.freeze()
    assert [node.merged for node in tree.nodes] == [-1, -1, -1, -1, 3, -1]
    assert [node.mean for node in tree.nodes][3:5] == pytest.approx([0.65, 0.65])
    assert tree.way(5) == ["a", "b", "end"]


def test_a_line_is_explored_by_its_own_visits():
    """Two lines alike, one of which leads to a state that was often seen by another way: that line
    has not been taken yet, so it is the one to explore."""
    graph, _, b, c = merging()
    also_c = add(graph, b.child, "a", 0.9, "C")
    other = add(graph, b.child, "x", 0.5, "X")
    c.child.visits, c.visits = 50, 50
    other.visits = other.child.visits = 1
    b.child.visits, b.child.due, graph.root.due = 9, 99, 99
    path = [graph.top, b]
    _descend(path, c_puct=1.0, discount=1.0)
    assert path == [graph.top, b, also_c]


def test_rewards_on_the_way_are_passed_up():
    """A guide may pay for a step that does not end the episode."""
    graph = Graph(Node(None, None), 0.5, merge=False)
    edges = [graph.top]
    for reward in (0.1, 0.2):
        vertex = edges[-1].child
        node = Node(vertex.node, None, ("a",), ((1,),), written=Completion((1,), (0.0,), (), True))
        edges.append(graph.add(vertex, Solution(node, Value(0.4, reward))))
    _back_up(edges, 0.5)
    assert [edge.child.mean for edge in edges[::-1]] == pytest.approx([0.4, 0.4, 0.3])


def test_what_closes_closes_all_that_lead_there():
    graph, a, b, c = merging(discount=0.5)
    add(graph, b.child, "a", 0.9, "C")
    add(graph, c.child, "end", 0.8, done=True)
    for vertex in (a.child, b.child, c.child, graph.root):
        vertex.dry = True
    graph.close(c.child)
    assert all(vertex.closed for vertex in (a.child, b.child, c.child, graph.root))
    assert (c.child.exact, a.child.exact, graph.root.exact) == (0.8, 0.4, 0.2)


def test_a_way_back_is_not_merged():
    """`c` again below `c`, as after a thought, and below that: no walk may be endless."""
    graph, a, _, c = merging()
    again = add(graph, c.child, "hm", 0.5, "C")
    assert again.child is not c.child
    back = add(graph, again.child, "undo", 0.5, "A")
    assert back.child is not a.child


def test_a_way_back_starts_from_what_was_found_there():
    """A thought leads to where it was written: what the guide says of it is not news."""
    graph, a, _, c = merging()
    new = add(graph, c.child, "hm", 0.9, "C")
    assert (new.value, new.child.value) == (0.9, 0.9)  # nothing was found yet
    _back_up([graph.top, a, c], 1.0)
    again = add(graph, c.child, "well", 0.7, "C")
    assert again.value == again.child.value == again.child.mean == c.child.mean != 0.7
    assert again.child.visits == 0


def test_thoughts_of_a_lost_cause_do_not_look_better_than_it():
    """The head says 0.9 of whatever is not finished, and all ends are worth nothing: a thought
    looks like the only hope for ever, unless it is known to lead nowhere."""
    answers = {f"answer: {number}": 0.05 for number in range(20)}

    def script(text, seed):
        return answers if "L" in gone(text) else {"L": 0.8, "hm": 0.1, "well": 0.1}

    share = {}
    for merge in (True, False):
        model = ScriptedModel(script, value=lambda text: 0.9)
        env = heaps("R", max_steps=30)
        tree = search(model, env, "value", simulations=60, transpositions=merge).tree
        visits = {tree.nodes[i].line: tree.nodes[i].visits for i in tree.children(0)}
        share[merge] = visits["L"] / sum(visits.values())
    assert share[True] > 0.3 > share[False]


def test_a_shorter_way_is_not_merged_into_a_longer_one():
    """It has more lines left; later ones are merged with it."""
    graph, _, b, c = merging()
    short = add(graph, graph.root, "c", 0.5, "C")
    assert short.child is not c.child
    later = add(graph, b.child, "a", 0.5, "C")
    assert later.child is short.child


def test_private_states_are_never_merged():
    """That two states are equal would tell which lines were right."""
    model = biased(0.5, value={})
    one, other = (
        search(model, doors("LRL", public=False), "value", transpositions=merge).tree
        for merge in (True, False)
    )
    assert one == other


# -- Widening ----------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 1 / 3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("simulations", [2, 9, 28, 65])
def test_lines_grow_with_visits(exponent, simulations):
    lines = {str(i): 0.01 for i in range(100)}
    model = ScriptedModel(lambda text, seed: lines, lambda text: 0.5)
    env = doors("L" * 6, public=False)
    found = search(model, env, "value", simulations=simulations, widening=exponent)
    tree = found.tree
    # Widened last before the last simulation had passed through. (Where all lines end the episode
    # they are drawn on, for want of anything else.)
    assert len(tree.children(0)) == math.ceil(round((simulations - 1) ** exponent, 9))
    for index, node in enumerate(tree.nodes):
        if len(tree.way(index)) == 5:
            continue
        assert len(tree.children(index)) <= math.ceil(round(node.visits**exponent, 9))


# -- Rollouts ----------------------------------------------------------------------------------


def test_rollout_by_hand():
    """Greedy goes left. From `L` it pays 0.2 two lines on, which counts half from `L`."""
    model = biased(0.9, value={"L": 0.3, "R": 0.6, "LLL": 0.2, "RLL": 0.8})
    options = {"simulations": 1, "branch": 40, "discount": 0.5, "rollout": 0.25}
    found = search(model, doors("LLL", public=False), "value", **options)
    nodes = ways(found.tree)
    assert set(nodes) == {"", "L", "R"}
    assert nodes["L"].value == nodes["L"].mean == pytest.approx(0.75 * 0.3 + 0.25 * 0.5 * 0.2)
    assert nodes["R"].value == pytest.approx(0.75 * 0.6 + 0.25 * 0.5 * 0.8)
    assert nodes[""].mean == pytest.approx(0.5 * nodes["R"].value)
    # The finished way that is worth most was found by a rollout.
    assert found.actions == ("R", "L", "L")
    # 40 draws of a line; two rollouts of two lines each; every line has two tokens.
    assert found.ledger.generated_tokens == 2 * (40 + 2 * 2)
    assert found.ledger.evaluator_calls == 4


def test_a_rollout_that_reaches_the_goal_ends_the_search():
    for seed in range(5):
        model = biased(0.8, value={})
        found = search(model, doors("RLLLLLLL"), "public", seed, simulations=50, rollout=0.5)
        assert "".join(found.actions) == "RLLLLLLL"
        # Only going right once, at the root, was up to the search.
        assert {len(line) for line in ways(found.tree)} <= {0, 1, 2, 3}
        # The last call of the model wrote the end of it.
        prefix, last = model.written[-1]
        assert gone(model.tokenizer.decode((*prefix, *last.tokens))) == list(found.actions)


def test_equal_states_found_together_are_rolled_out_once():
    """Two ways to write a claim, drawn at the same time: one rollout of their state, and both lines
    are worth what it brings."""

    def script(text, seed):
        return {"L": 1.0} if gone(text) else {"L": 0.5, " L": 0.5}

    model = ScriptedModel(script, lambda text: 0.5)
    options = {"simulations": 1, "branch": 20, "transpositions": True, "rollout": 0.5}
    found = search(model, heaps("XXX"), "value", **options)
    assert [node.merged for node in found.tree.nodes] == [-1, -1, 1]
    assert [node.value for node in found.tree.nodes[1:]] == [0.25, 0.25]
    assert found.ledger.model_calls == 20 + 2


def test_rollouts_cost_what_they_write():
    for budget in range(3, 40):
        model = biased(0.5, value={})
        strategy = load_strategy("mcts", rollout=0.5, branch=2)
        [found] = run_searches(
            model, [doors("RRRR", public=False)], strategy, [1], budget, "value", refuse_short=False
        )
        assert found.error is None
        written = sum(len(completion.tokens) for _, completion in model.written)
        assert found.ledger.generated_tokens == written <= budget
    assert len(found.actions) == 4


# -- The answer --------------------------------------------------------------------------------

ANSWERS = {
    "": {"answer: 1": 0.5, "answer: 0.5": 0.3, "hm": 0.2},
    "hm\n": {"answer: 1/2": 1.0},
}


@pytest.mark.parametrize(
    ("final", "actions"),
    [
        ("value", ("answer: 1",)),
        ("visits", ("answer: 1",)),
        # 0.3 and 0.3 for one half, in two forms, against 0.5; the way that gives it as `1/2`.
        ("vote", ("hm", "answer: 1/2")),
    ],
)
def test_votes_are_weighted_by_worth(final, actions):
    model = ScriptedModel.table(
        ANSWERS, value=lambda text: 0.5 if text.endswith("answer: 1\n") else 0.3
    )
    found = search(model, doors("LLL", public=False), "value", final=final)
    assert found.actions == actions
    [some] = run_searches(
        model, [doors("LLL", public=False)], load_strategy("mcts", final=final), [3], 99, "value"
    )
    assert some.actions == actions


def test_where_nothing_is_worth_anything_all_votes_are_equal():
    model = ScriptedModel.table(ANSWERS, value=lambda text: 0.0)
    found = search(model, doors("LLL", public=False), "value", final="vote")
    assert found.actions == ("hm", "answer: 1/2")


def test_a_rollout_votes():
    """The greedy answer from `hm` on is the second voice for one half."""
    model = ScriptedModel.table(
        ANSWERS, value=lambda text: 0.5 if text.endswith("answer: 1\n") else 0.3
    )
    options = {"simulations": 1, "branch": 60, "final": "vote"}
    plain = search(model, doors("LLL", public=False), "value", **options)
    assert plain.actions == ("answer: 1",)
    rolled = search(model, doors("LLL", public=False), "value", rollout=0.1, **options)
    assert rolled.actions == ("hm", "answer: 1/2")


def known_ends():
    """`a` was visited most and has an end worth 0.5; `b` has a lucky one worth 0.9; nothing below
    `d` is finished."""
    graph, a, b, _ = merging()
    d = add(graph, graph.root, "d", 0.9)
    ends = {}
    for edge, worth in ((a, 0.5), (b, 0.9)):
        ends[edge.line] = add(graph, edge.child, "end", worth, answer=edge.line, done=True)
    for edge, visits, mean in ((a, 20, 0.6), (b, 5, 0.3), (d, 30, 0.7)):
        edge.visits, edge.child.visits, edge.child.mean = visits, visits, mean
    return graph, ends


def test_most_visits_or_best_value():
    graph, ends = known_ends()
    assert choose(graph, "value", None) is ends["b"].child.node
    assert choose(graph, "visits", None) is ends["a"].child.node
    assert choose(graph, "vote", None) is ends["b"].child.node


def test_what_is_known_to_the_end_counts_by_its_worth():
    """It was visited less since there was nothing more to see, not because it is worse."""
    graph, ends = known_ends()
    b = ends["b"].parent
    b.dry = True
    graph.close(b)
    assert b.closed
    assert choose(graph, "visits", None) is ends["b"].child.node


def test_a_known_solution_is_the_answer_under_any_rule():
    for rule in ("value", "visits", "vote"):
        graph, _ = known_ends()
        node = add(graph, graph.root, "right", 0.1, done=True).child.node
        graph.end(graph.root, Solution(node, Value(0.0, 0.1, solved=True)))
        assert choose(graph, rule, None) is node


def test_with_nothing_finished_the_way_of_most_visits():
    for rule in ("value", "visits", "vote"):
        graph, a, b, c = merging()
        for edge, visits in ((a, 3), (b, 2), (c, 1)):
            edge.visits = edge.child.visits = visits
        assert choose(graph, rule, None) is c.child.node


# -- Out of range ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"root": "gumble"}, "Unknown root 'gumble'.*Did you mean 'gumbel'"),
        ({"final": "most"}, "Unknown final 'most'; expected one of: value, visits, vote"),
        ({"noise": 1.5}, r"noise must be in \[0, 1\], received 1.5"),
        ({"noise": 0.5, "noise_alpha": 0.0}, "noise_alpha must be above 0, received 0.0"),
        ({"noise": 0.5, "root": "gumbel"}, "noise=0.5 is for a PUCT root"),
        ({"rollout": -0.1}, r"rollout must be in \[0, 1\], received -0.1"),
        ({"widening": 2}, r"widening must be in \[0, 1\], received 2"),
        ({"considered": 0}, "considered must be 1 or more, received 0"),
        ({"c_visit": -1}, "c_visit must be 0 or more, received -1"),
        ({"c_scale": math.nan}, "c_scale must be 0 or more, received nan"),
        ({"c_puct": math.nan}, "c_puct must be 0 or more"),
        ({"simulations": 2.5}, "simulations must be a whole number of 1 or more, received 2.5"),
        ({"transpositions": "no"}, "transpositions must be true or false, received 'no'"),
    ],
)
def test_options_out_of_range(options, message):
    model = biased(0.5)
    with pytest.raises(ValueError, match=message):
        run_searches(model, [doors("L")], load_strategy("mcts", **options), [1])
    assert model.calls == []


@pytest.mark.parametrize(
    "options",
    [
        {"root": "gumbel"},
        {"noise": 0.4},
        {"transpositions": True, "rollout": 0.5, "final": "vote"},
    ],
    ids=str,
)
def test_a_search_does_not_depend_on_its_batch(options):
    goals = ["".join(way) for way in itertools.product("LR", repeat=3)]
    model = biased(0.7, value={})
    strategy = load_strategy("mcts", simulations=20, **options)

    def run(places):
        envs = [heaps(goals[place]) for place in places]
        return run_searches(model, envs, strategy, [place + 5 for place in places], 60, "value")

    together = run(range(8))
    for one, place in zip(run([6, 1, 4]), (6, 1, 4)):
        assert (one, one.tree) == (together[place], together[place].tree)
