"""Votes: who votes, what counts as one answer, and when the outcome can no longer change."""

import itertools

import pytest
from test_private_ends import env_of, lines_of
from toys import OpenDoors, doors, doors_problem

from agents.models.base import Completion
from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from agents.search.final import Solution, choose_final, likeliest, majority
from agents.search.requests import Choice, Node, Value, answers, generate
from agents.search.self_consistency import decided, self_consistency
from reason_env.env import ReasonEnv


def node(line, logprob=-1.0, size=2, root=None):
    """A finished way of one line; an empty one was cut."""
    lines, ids = ((line,), (tuple(range(size)),)) if line else ((), ())
    written = Completion(tuple(range(size)), (logprob / size,) * size, (-1.0,) * size, bool(line))
    return Node(root or Node(None, None), None, lines, ids, done=True, written=written)


def saying(*lines, worth=None):
    """A model whose solutions are these, one after the other, and its values of them."""
    said = iter(lines)
    value = None if worth is None else lambda text: worth[text.split("\n")[-2]]
    return ScriptedModel(lambda text, seed: next(said), value)


def vote(model, n, guide=None, name="self_consistency", line_tokens=64, **options):
    strategy = load_strategy(name, n=n, **options)
    env = doors("L", public=False)
    [found] = run_searches(model, [env], strategy, [0], guide=guide, line_tokens=line_tokens)
    assert found.error is None
    return found


HALVES = ("answer: 4", "answer: 0.5", "answer: 4", "answer: 50%", "answer: 1/2")
WORTH = {"answer: 4": 0.45, "answer: 0.5": 0.4, "answer: 50%": 0.3, "answer: 1/2": 0.1}


def test_the_answer_of_most_wins_and_equal_answers_are_one():
    """Three halves against two fours, given as every task takes it."""
    found = vote(saying(*HALVES), 5, guide="policy")
    assert found.actions == ("answer: 1/2",)


def test_a_majority_asks_no_guide():
    worth = dict.fromkeys(WORTH, 0.5)
    found = vote(saying(*HALVES, worth=worth), 5, guide="value")
    assert (found.ledger.evaluator_calls, found.ledger.verifier_calls) == (0, 0)
    [found] = run_searches(
        saying("L", "R"), [doors("L")], load_strategy("self_consistency", n=2), [0], guide="public"
    )
    assert found.ledger.verifier_calls == 0


@pytest.mark.parametrize(
    ("worth", "answer"),
    [
        (WORTH, "answer: 4"),  # 0.9 against 0.8
        ({**WORTH, "answer: 50%": 0.45}, "answer: 1/2"),  # 0.9 against 0.95
        ({**WORTH, "answer: 4": 0.4}, "answer: 1/2"),  # 0.8 each: three voters against two
        ({**WORTH, "answer: 4": 0.25, "answer: 0.5": -9}, "answer: 4"),  # 0.5 against 0.4
        (dict.fromkeys(WORTH, 0.0), "answer: 1/2"),
        (dict.fromkeys(WORTH, -1.0), "answer: 1/2"),
    ],
)
@pytest.mark.parametrize(
    "options", [{"vote": "weighted"}, {"name": "best_of_n", "final": "vote"}, {"n": 5}]
)
def test_weights_add_up(worth, answer, options):
    model = saying(*HALVES, worth=worth)
    if options == {"n": 5}:
        answer = "answer: 1/2"  # the majority
    found = vote(model, **{"n": 5, "guide": "value", **options})
    assert found.actions == (answer,)
    assert found.ledger.evaluator_calls == (0 if options == {"n": 5} else 5)


def test_of_equal_votes_the_first_wins():
    assert vote(saying("answer: 3", "answer: 2", "answer: 2", "answer: 3"), 4).actions == (
        "answer: 3",
    )


def test_who_was_cut_or_gave_up_does_not_vote():
    lines = ["<eos>", "9" * 60, "<eos>", "answer: 8", "9" * 60, "answer:", "answer: 7", "answer: 7"]
    assert vote(saying(*lines), 8, line_tokens=6).actions == ("answer: 7",)
    assert vote(saying(*lines[:6]), 6, line_tokens=6).actions == ("answer: 8",)


def test_where_nobody_votes_the_surest_way_is_taken():
    table = {"": {"L": 0.3, "R": 0.7}}
    model = ScriptedModel.table(table, otherwise={"9" * 40: 1.0})
    env = doors("LL", public=False)
    found = run_searches(model, [env], load_strategy("self_consistency"), [0], line_tokens=8)
    assert "L\n" in [model.tokenizer.decode(c.tokens) for _, c in model.written]
    assert found[0].actions == ("R",)


def test_where_nothing_is_written_nothing_is_handed_in():
    assert vote(saying(*["9" * 40] * 8), 8, line_tokens=8).actions == ()


# -- By hand -----------------------------------------------------------------------------------


def test_who_stands_for_an_answer():
    """The canonical literal, then the weight, then the log-probability."""
    nodes = [node("answer: 0.5", -0.1), node("answer: 1/2", -3.0), node("answer: 1/2", -2.0)]
    found = ["1/2"] * 3
    assert majority(nodes, found) is nodes[2]
    assert majority(nodes, found, [9.0, 2.0, 1.0]) is nodes[1]
    assert majority(nodes[:1], found[:1]) is nodes[0]
    words = [node("answer: No", -2.0), node("answer: no", -3.0)]
    assert majority(words, ["no", "no"]) is words[0]
    assert majority(nodes, [None] * 3) is None
    assert majority([], []) is None


def test_sums_of_weights_do_not_depend_on_their_order():
    """0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ as added one by one."""
    nodes = [node(f"answer: {i}") for i in range(6)]
    assert majority(nodes, list("aaabbb"), [0.3, 0.2, 0.1, 0.1, 0.2, 0.3]) in nodes[:3]
    assert majority(nodes, list("aaabbb"), [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]) in nodes[:3]


def test_the_surest_way_is_by_token():
    nodes = [node("a", -2.0, 2), node("b", -3.0, 6), node("", -0.1)]
    assert likeliest(nodes) is nodes[1]
    assert likeliest(nodes[2:]) is None


def test_final_answers():
    a, b, c, cut = node("answer: a"), node("answer: b"), node("answer: b"), node("")
    found = [
        Solution(cut, Value(0.0)),
        Solution(a, Value(0.0, -0.5), "a"),
        Solution(b, Value(0.0, -0.7), "b"),
    ]
    # A way that was cut answers only where no other does, whatever it is worth.
    assert choose_final(found, "value") is a
    assert choose_final(found[:1], "vote") is cut
    assert choose_final([], "value") is None
    found = [
        Solution(a, Value(0.0, 0.6), "a"),
        Solution(b, Value(0.4), "b"),
        Solution(c, Value(0.3), "b"),
    ]
    assert choose_final(found, "value") is a
    assert choose_final(found, "vote") is b
    # What is known to be right needs no votes.
    known = [*found, Solution(node("answer: c"), Value(0.0, 0.1, solved=True), "c")]
    assert choose_final(known, "vote") is choose_final(known, "value") is known[-1].node


# -- The early stop ----------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(5))
@pytest.mark.parametrize("left", range(4))
def test_decided_is_when_nothing_can_change_the_answer(length, left):
    """Against all continuations."""
    for found in itertools.product([None, "a", "b", "c"], repeat=length):
        ends = set()
        for more in itertools.product([None, "a", "b", "c", "d"], repeat=left):
            said = [*found, *more]
            nodes = [node(str(answer)) for answer in said]
            chosen = majority(nodes, said)
            ends.add(chosen and chosen.line)
        assert decided(found, left) == (len(ends) == 1 and ends != {None}), (found, left)


@pytest.mark.parametrize(
    ("lines", "solutions"),
    [
        (["3"] * 10, 6),  # of 6 all say 3: four others could only draw level, and came later
        (["3", "2", *["3"] * 8], 6),  # 5 to 1, and 4 left
        (["2", *["3"] * 9], 8),  # after 6, four more could make 5 of the 1 for 2, which came first
        (["1", "2", "3", "4", "5"] * 2, 10),
        ([""] * 10, 10),
    ],
)
def test_it_stops_as_soon_as_the_answer_is_decided(lines, solutions):
    model = saying(*(f"answer: {line}" for line in lines))
    found = vote(model, 10, parallel=2)
    assert found.ledger.model_calls == solutions
    together = vote(saying(*(f"answer: {line}" for line in lines)), 10, parallel=10)
    assert found.actions == together.actions


def test_weights_are_not_decided_early():
    """What is still to be sampled may weigh any number."""
    worth = {"answer: 3": 0.1, "answer: 2": 0.9}
    model = saying(*["answer: 3"] * 8, "answer: 2", worth=worth)
    found = vote(model, 9, "value", vote="weighted", parallel=1)
    assert (found.actions, found.ledger.model_calls) == (("answer: 2",), 9)


def test_a_budget_ends_the_poll():
    model = saying(*["answer: 3"] * 2, "answer: 2", *["answer: 3"] * 50)
    tokens = len(model.tokenizer.encode("answer: 3\n"))
    [found] = run_searches(
        model,
        [doors("L", public=False)],
        load_strategy("self_consistency", n=50, parallel=1),
        [0],
        budget_tokens=3 * tokens + 1,
        refuse_short=False,
    )
    assert found.actions == ("answer: 3",)
    assert found.ledger.generated_tokens == 3 * tokens + 1


# -- What nobody may know ----------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["majority", "weighted"])
def test_a_private_verifier_has_no_vote(strategy):
    """After a wrong claim as after a right one, the same answers are counted."""
    chosen = []
    for choice in (0, 1):
        env = env_of()
        first = lines_of(env)[choice]
        said = iter(["answer: 5", "answer: 6", "answer: 5"])

        def script(text, seed, first=first, said=said):
            return next(said) if first in text else first

        def watched(root, chosen=chosen):
            choice = yield from self_consistency(root, n=3, vote=strategy)
            chosen.append(choice.node.actions[1:])
            return choice

        model = ScriptedModel(script, value=lambda text: 0.5)
        [found] = run_searches(model, [env], watched, [0], guide="value")
        assert found.error is None
        assert len(found.actions) == 2 - choice  # what was not played is not handed in
    assert chosen == [("answer: 5",)] * 2


def test_what_each_end_answers():
    """Of ways unfinished, cut, given up and answered."""
    seen = []

    def ask(root):
        [drawn] = yield from generate([root], n=6)
        seen.extend((yield from answers(drawn)))
        return Choice(root)

    model = saying("L", "9" * 60, "<eos>", "answer: 2/4", "answer: Yes.", "answer: yes")
    run_searches(model, [doors("LL", public=False)], ask, [0], guide="policy", line_tokens=9)
    assert seen == [None, None, None, "1/2", "yes", "yes"]


def test_a_public_way_votes_with_where_it_led():
    """`L`, a thought, `R` and `L`, `R`, a thought are one answer; `R` first is another."""
    said = iter(["R", "L", "L", "R", "R", "hm", "L", "hm", "R"])
    model = ScriptedModel(lambda text, seed: next(said))
    env = doors("RRR", max_steps=3)
    [found] = run_searches(model, [env], load_strategy("self_consistency", n=3), [0])
    assert found.actions in [("L", "R", "hm"), ("L", "hm", "R")]


def test_a_wrong_claim_votes_for_nothing():
    """It left the state as it was, which `L` and two thoughts led to as well."""
    said = iter(["L", "R", "L", "R", "L", "hm", "hm"])
    env = ReasonEnv(OpenDoors(), level=3, max_steps=3)
    env.reset(seed=0, options={"problem": doors_problem("LLL")})
    model = ScriptedModel(lambda text, seed: next(said))
    [found] = run_searches(model, [env], load_strategy("self_consistency", n=3, parallel=1), [0])
    assert found.actions == ("L", "hm", "hm")
