"""Revision and hybrid: where an attempt is revised, what is drawn there, and when it ends."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_trees import tree_env, tree_problem, walker, wanderer
from toys import OpenDoors, biased, doors, doors_problem

from agents.models.base import Completion
from agents.models.scripted import ScriptedModel
from agents.search import load_strategy, run_searches
from agents.search.guides import GUIDES
from reason_env.env import ReasonEnv


def run(model, envs, name, guide=None, budget=None, line_tokens=64, **options):
    strategy = load_strategy(name, **options)
    found = run_searches(
        model,
        envs,
        strategy,
        range(len(envs)),
        budget,
        guide,
        line_tokens,
        refuse_short=False,
    )
    assert [one.error for one in found] == [None] * len(envs)
    return found


def told(model):
    """What the model read after the prompt, and what it wrote there, in order."""
    decode = model.tokenizer.decode
    return [
        (decode(prefix).partition("\n")[2], decode(completion.tokens))
        for prefix, completion in model.written
    ]


def starts(model, length):
    """Where attempts of `length` lines each were begun or revised, by a single chain."""
    found, line = [], 0
    for read, _ in told(model):
        if line == 0:
            line = read.count("\n")
            found.append(read.replace("\n", ""))
        line = (line + 1) % length
    return found


# -- Where: by the surest line where values tell nothing ---------------------------------------

ALIKE = {
    "": {"L": 0.5, "R": 0.3, "hm": 0.2},
    "L\n": {"L": 0.9, "R": 0.1},
    "L\nL\n": {"L": 0.4, "R": 0.35, "hm": 0.25},
}
"""Of the likeliest way, the last line is the least sure one; the first line is the one at which
the mean over all tokens falls most."""


def surprise(chance):
    """Nats per token of a line of two tokens."""
    return -math.log(chance) / 2


@pytest.mark.parametrize("guide", ["policy", "2*policy", "public", "public+policy"])
def test_the_least_sure_line_is_revised_and_less_so_the_more_was_tried(guide):
    model = ScriptedModel.table(ALIKE, otherwise={"L": 1.0})
    run(model, [doors("RRR")], "revision", guide, revisions=10**9, temperature=0.0)
    # LL is tried once (0.46 a token), the root (0.35), LL (0.23), and by then LL has no line
    # left; then the root (0.17), which has none left either, and L (0.05).
    assert surprise(0.4) > surprise(0.5) > surprise(0.4) / 2 > surprise(0.5) / 2 > surprise(0.9)
    assert starts(model, 3) == ["", "LL", "", "LL", "", "L"]
    lines = told(model)
    # The first attempt is greedy; at each place, every line is drawn once.
    assert next(line for read, line in lines if read == "L\nL\n") == "L\n"
    for read in ALIKE:
        drawn = [line for text, line in lines if text == read]
        assert sorted(drawn) == sorted(f"{line}\n" for line in ALIKE[read])


@pytest.mark.parametrize("guide", ["policy", "public"])
def test_a_line_that_was_cut_says_nothing_of_the_guide(guide):
    """The value of an attempt that was cut is 0 under `policy` too: no fall to go by."""
    table = {"": {"L": 0.5, "R": 0.5}, "L\n": {"9" * 60: 0.9, "L": 0.1}}
    model = ScriptedModel.table(table, otherwise={"L": 1.0})
    run(
        model,
        [doors("RR")],
        "revision",
        guide,
        line_tokens=5,
        revisions=1,
        temperature=0.0,
    )
    assert [read for read, _ in told(model)] == ["", "L\n", "", "R\n"]


def test_the_temperature_is_that_of_all_lines_but_the_first_of_a_revision():
    likely = {"L": 0.6, "R": 0.4}
    for temperature, lines in [(0.0, {"L\n"}), (1.0, {"L\n", "R\n"})]:
        model = ScriptedModel.table({}, otherwise=likely)
        strategy = load_strategy("revision", revisions=1, temperature=temperature)
        for seed in range(10):
            run_searches(model, [doors("RRRR")], strategy, [seed], guide="policy")
        firsts = starts(model, 4)
        revised = [line for read, line in told(model) if len(read) // 2 in map(len, firsts)]
        assert {"L\n", "R\n"} == set(revised)
        assert {line for read, line in told(model) if read.count("\n") == 3} == lines


def test_lines_of_which_the_model_was_certain_are_not_revised():
    """Every line has one alternative less than it takes: nothing is left to draw anywhere."""
    model = ScriptedModel.table({}, otherwise={"L": 1.0})
    [found] = run(model, [doors("RRR")], "revision", "public")
    assert found.ledger.model_calls == 3
    assert found.actions == ("L", "L", "L")


def test_a_rare_line_is_found_where_samples_miss_it():
    """Of eight independent samples 15 in 100 find it; drawn without what was tried, it takes two
    attempts. They cost no token more than their own lines."""
    table = {"": {"L": 1.0}, "L\n": {"L": 0.98, "R": 0.02}, "L\nL\n": {"L": 1.0}}
    model = ScriptedModel.table(table, otherwise={"L": 1.0})
    found = run(model, [doors("LRL") for _ in range(40)], "revision", "public", revisions=1)
    assert [one.actions for one in found] == [("L", "R", "L")] * 40
    assert max(one.ledger.generated_tokens for one in found) == 10  # three lines and then two
    sampled = run(model, [doors("LRL") for _ in range(40)], "best_of_n", "public", n=8)
    assert 0 < sum(one.actions == ("L", "R", "L") for one in sampled) < 15


# -- Where: by the fall of values --------------------------------------------------------------


def by_way(values, public, **kwargs):
    """A model that prefers left, and an environment, with values by the way gone."""
    model = biased(0.9, values)
    return model, doors("RRR", public=public, **kwargs)


@pytest.mark.parametrize("guide", ["value", "0.5*value", "prm", "value+prm"])
def test_the_line_after_which_the_value_was_gone_is_revised(guide):
    """Though the model was as sure of it as of the others."""
    values = {"": 0.8, "L": 0.7, "LL": 0.1, "LLL": 0.1}
    model, env = by_way(values, public=False)
    model.reward = model.value
    run(model, [env], "revision", guide, revisions=1, temperature=0.0)
    assert starts(model, 3) == ["", "L"]


def test_a_place_whose_promise_is_kept_by_another_line_is_not_to_blame():
    """LR is worth what L promised, though LL and hm are not: then most is lost at the root."""
    values = {"": 0.8, "L": 0.7, "LL": 0.1, "LLL": 0.1, "LR": 0.7, "LRL": 0.65, "LRR": 0.65}
    chances = {"L": 0.5, "R": 0.4, "hm": 0.1}
    model = ScriptedModel(
        lambda text, seed: chances,
        lambda text: values.get(text.partition("\n")[2].replace("\n", ""), 0.05),
    )
    kept = 0
    for seed in range(20):
        model.written.clear()
        strategy = load_strategy("revision", revisions=2, temperature=0.0)
        run_searches(model, [doors("RRR", public=False)], strategy, [seed], guide="value")
        assert starts(model, 3)[:2] == ["", "L"]
        if told(model)[3] == ("L\n", "R\n"):
            kept += 1
            assert starts(model, 3)[2] == ""
        else:
            assert starts(model, 3)[2] == "L"
    assert 5 < kept < 20


def test_falls_count_less_the_more_was_tried():
    """0.6 is lost at L whatever is tried there; after two lines that is less than 0.4 at LRR."""
    values = {"": 0.7, "L": 0.7, "LL": 0.1, "LR": 0.1, "LRL": 0.1, "LLL": -0.3}
    chances = {"L": 0.7, "R": 0.2, "hm": 0.1}
    model = ScriptedModel(
        lambda text, seed: chances,
        lambda text: values.get(text.partition("\n")[2].replace("\n", ""), 0.05),
    )
    run(model, [doors("RRR", public=False)], "revision", "value", revisions=2, temperature=0.0)
    assert starts(model, 3) == ["", "L", "LL"]


@pytest.mark.parametrize("guide", ["oracle", "value", "value+oracle", "0.5*prm+public"])
def test_seven_revisions_find_what_eight_samples_miss(guide):
    """Of eight doors each attempt gets through a few more. One sample in 256 gets through all."""
    way = "LRRLRLLR"
    values = {way[:i]: 1 - i / 100 for i in range(9)}
    model = ScriptedModel(
        lambda text, seed: {"L": 0.5, "R": 0.5},
        lambda text: values.get("".join(text.split("\n")[1:]), 0.0),
    )
    model.reward = model.value
    found = run(model, [doors(way) for _ in range(40)], "revision", guide)
    assert sum("".join(one.actions) == way for one in found) >= 38
    sampled = run(model, [doors(way) for _ in range(40)], "best_of_n", guide)
    assert sum("".join(one.actions) == way for one in sampled) <= 5
    tokens = [sum(one.ledger.generated_tokens for one in each) for each in (found, sampled)]
    assert tokens[0] < 0.7 * tokens[1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.sampled_from(["public", "value", "oracle", "prm+public", "policy+public"]),
    st.integers(1, 3),
    st.sampled_from([0.0, 1.0]),
)
def test_it_ends_with_a_goal_or_with_all_ways_gone(seed, level, guide, chains, temperature):
    """A tree has few ways: whatever the guide says of them, all are tried before it gives up, and
    none is tried twice by a chain."""
    env = tree_env(tree_problem(seed, level))
    model = walker(seed)
    [found] = run(
        model,
        [env],
        "hybrid",
        guide,
        chains=chains,
        revisions=10**9,
        temperature=temperature,
    )
    assert env.task.is_solved(env.episode.problem, env.episode.state)
    if chains == 1:
        # Every line is drawn once where it is drawn.
        lines = told(model)
        assert len(lines) == len(set(lines)) == found.ledger.model_calls


# -- Chains ------------------------------------------------------------------------------------


@pytest.mark.parametrize("final", ["value", "vote"])
@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.parametrize("budget", [None, 30])
def test_without_revisions_it_is_best_of_n(guide, final, budget):
    everything = []
    for name, options in [
        ("hybrid", {"chains": 6, "revisions": 0}),
        ("best_of_n", {"n": 6, "parallel": 6}),
    ]:
        model = wanderer(5)
        envs = [tree_env(tree_problem(seed, 3)) for seed in range(4)]
        found = run(model, envs, name, guide, budget, final=final, **options)
        everything.append((found, model.written, model.calls, [env.episode for env in envs]))
    assert everything[0] == everything[1]


@pytest.mark.parametrize("guide", GUIDES)
def test_one_chain_is_revision(guide):
    everything = []
    for name, options in [("hybrid", {"chains": 1}), ("revision", {})]:
        model = wanderer(6)
        envs = [tree_env(tree_problem(seed, 3)) for seed in range(4)]
        found = run(model, envs, name, guide, revisions=5, **options)
        everything.append((found, model.written, model.calls))
    assert everything[0] == everything[1]


def test_chains_go_on_in_the_same_calls():
    model = biased(0.6)
    [found] = run(model, [doors("LLL", public=False)], "hybrid", "policy", chains=4, revisions=1)
    # Three lines of four attempts, the first line of four revisions, what is left of them.
    assert model.calls[:4] == [4, 4, 4, 4]
    assert len(model.calls) <= 6
    assert found.ledger.model_calls == sum(model.calls)


@pytest.mark.parametrize(("chains", "revisions"), [(8, 0), (4, 1), (2, 3), (1, 7)])
def test_the_split_is_a_parameter(chains, revisions):
    """Eight attempts in any case: every one of them writes one last line."""
    model = biased(0.7)
    [found] = run(
        model,
        [doors("LLLLLL", public=False)],
        "hybrid",
        "policy",
        chains=chains,
        revisions=revisions,
    )
    assert model.calls[0] == chains
    assert sum(read.count("\n") == 5 for read, _ in told(model)) == 8
    # Attempts of one chain share their beginnings.
    assert (found.ledger.model_calls == 8 * 6) == (revisions == 0)


def test_all_attempts_of_all_chains_compete():
    """The first attempt of one chain is worth most; whatever follows, it is the answer."""
    values = {"": 0.5, "L": 0.5, "R": 0.9}
    model = ScriptedModel(
        lambda text, seed: {"L": 0.5, "R": 0.5},
        lambda text: values["".join(text.split("\n")[1:])],
    )
    for seed in range(10):
        model.written.clear()
        [found] = run_searches(
            model,
            [doors("L", public=False)],
            load_strategy("hybrid", chains=2, revisions=2),
            [seed],
            guide="value",
        )
        assert found.actions == ("R",)  # drawn by each chain at the latest as its revision


def test_a_vote_of_all_attempts():
    """Answer 1 is worth 0.5 once; 2 and 2.0 are worth 0.3 each, and are one answer."""
    worth = {"answer: 1": 0.5, "answer: 2": 0.3, "answer: 2.0": 0.3}
    model = ScriptedModel(
        lambda text, seed: {"answer: 1": 0.5, "answer: 2": 0.25, "answer: 2.0": 0.25},
        lambda text: worth.get(text.split("\n")[-2], 0.5),
    )
    envs = [doors("L", public=False)]
    assert run(model, envs, "revision", "value", revisions=2)[0].actions == ("answer: 1",)
    model.written.clear()
    envs = [doors("L", public=False)]
    [found] = run(model, envs, "revision", "value", revisions=2, final="vote")
    assert found.actions == ("answer: 2",)
    assert len(model.written) == 3


# -- When it ends ------------------------------------------------------------------------------


class Halved(ScriptedModel):
    """Says of every line that it was half as likely, so that something always seems to be left."""

    def generate(self, *args, **kwargs):
        return [
            replace(one, logprobs=(one.logprobs[0] + math.log(0.5), *one.logprobs[1:]))
            for one in super().generate(*args, **kwargs)
        ]


@pytest.mark.parametrize("guide", ["public", "oracle"])
@pytest.mark.parametrize("chains", [1, 4])
@pytest.mark.parametrize("kind", [ScriptedModel, Halved])
def test_a_solution_ends_it(guide, chains, kind):
    """Also one that a revision's first line reaches, while other chains could go on, or would
    have to look for another place."""
    for seed in range(60):
        model = kind(lambda text, seed: {"L": 0.4, "R": 0.6})
        strategy = load_strategy("hybrid", chains=chains, revisions=99)
        [found] = run_searches(model, [doors("LLL")], strategy, [seed], guide=guide)
        assert found.actions == ("L", "L", "L")
        # After the call that solved it, attempts are written to their end, and none is begun.
        calls, lines = [], told(model)
        for rows in model.calls:
            calls.append(lines[:rows])
            lines = lines[rows:]
        solving = next(i for i, call in enumerate(calls) if ("L\nL\n", "L\n") in call)
        for call, following in pairwise(calls[solving:]):
            assert {read for read, _ in following} <= {read + line for read, line in call}


def test_what_is_over_at_once_is_kept_when_the_budget_ends_there():
    """Two attempts of four tokens, and the first lines of two revisions: nothing is left for the
    chain that would have to write on."""
    kept = 0
    for seed in range(64):
        model = biased(0.5, {"L": 0.9, "R": 0.0, "": 0.5, "LL": 1.0})
        [found] = run_searches(
            model,
            [doors("LL", public=False)],
            load_strategy("hybrid"),
            [seed],
            12,
            "value",
            refuse_short=False,
        )
        assert found.ledger.generated_tokens == 12
        firsts, seconds = told(model)[:2], told(model)[4:]
        if [line for _, line in firsts] == ["L\n", "R\n"] and seconds[0] == ("L\n", "L\n"):
            kept += seconds[1][0] == ""  # the other chain is back at the root
            assert found.actions == ("L", "L")
    assert kept > 2


@pytest.mark.parametrize("name", ["revision", "hybrid"])
@pytest.mark.parametrize("guide", ["public", "policy", "value", "oracle"])
@pytest.mark.parametrize("budget", range(1, 40, 2))
def test_any_budget_is_held_and_used(name, guide, budget):
    model = wanderer(7)
    [found] = run(
        model,
        [tree_env(tree_problem(3, 4), max_tokens=200)],
        name,
        guide,
        budget,
        line_tokens=6,
        revisions=500,
    )
    written = sum(len(completion.tokens) for _, completion in model.written)
    assert written == found.ledger.generated_tokens <= budget


@pytest.mark.parametrize("name", ["revision", "hybrid"])
@pytest.mark.parametrize("guide", ["public", "policy", "value", "oracle"])
def test_where_all_is_cut_it_ends_with_nothing(name, guide):
    model = ScriptedModel(lambda text, seed: {"8" * 60: 0.5, "9" * 60: 0.5}, value=lambda text: 0.5)
    [found] = run(model, [doors("LL")], name, guide, revisions=50, line_tokens=5)
    assert found.actions == ()
    # Both lines are tried by each chain, and there are no others.
    chains = 2 if name == "hybrid" else 1
    assert {line for _, line in told(model)} == {"8" * 15, "9" * 15}
    assert found.ledger.model_calls == 2 * chains


def test_a_line_that_was_cut_is_revised_under_values():
    """It is what ended the attempt; the lines before it were good."""
    table = {"": {"L": 0.6, "R": 0.4}, "L\n": {"9" * 60: 0.9, "L": 0.1}}
    model = ScriptedModel.table(table, otherwise={"L": 1.0}, value=lambda text: 0.5)
    [found] = run(
        model,
        [doors("LL", public=False)],
        "revision",
        "value",
        line_tokens=5,
        revisions=1,
        temperature=0.0,
    )
    assert found.actions == ("L", "L")


def test_a_place_that_repeats_itself_is_left():
    """A line that comes again is not followed, and nothing more is drawn there."""
    model = Halved.table(ALIKE, otherwise={"L": 1.0})
    [found] = run(model, [doors("RRR")], "revision", "public", revisions=50, temperature=0.0)
    lines = told(model)
    assert found.ledger.model_calls == len(lines)
    for read in {read for read, _ in lines}:
        drawn = [line for text, line in lines if text == read]
        # All of them, and one again, which shows that there are no others.
        assert len(drawn) == len(set(drawn)) + 1
        assert set(drawn) == {f"{line}\n" for line in ALIKE.get(read, {"L": 1.0})}


class TwoSpellings(ScriptedModel):
    """Writes a line of one token, then the same in two: networks do that now and then."""

    def generate(self, prefixes, *, without=None, **kwargs):
        found = []
        for place, one in enumerate(super().generate(prefixes, **kwargs)):
            tokens = one.tokens
            if without and without[place]:
                tokens = (*self.tokenizer.encode("1"), *self.tokenizer.encode("2"), tokens[-1])
            half = (math.log(0.5), *[0.0] * (len(tokens) - 1))
            found.append(Completion(tokens, half, half, True))
        return found


def test_a_line_in_other_tokens_is_the_same_line():
    """It is not followed, and nothing more is drawn where it came again."""
    model = TwoSpellings(lambda text, seed: "12")
    [found] = run(model, [doors("LL")], "revision", "public", revisions=50)
    # Two lines; each place gives the other spelling once.
    assert found.ledger.model_calls == 4
    assert [line for _, line in told(model)] == ["12\n"] * 4


def test_what_is_known_to_be_right_is_not_looked_at_again():
    """One end is judged, and not the way to it."""
    [found] = run(biased(0.9), [doors("LLL")], "revision", "oracle", temperature=0.0)
    assert found.ledger.verifier_calls == 1


# -- What the environment says -----------------------------------------------------------------


def corrects_itself(text, seed):
    """Tries left first; told that this is wrong, it goes right."""
    last = text.split("\n")[-2]
    return "R" if last.startswith("> wrong: ") else {"L": 0.999, "R": 0.001}


def walled(way):
    env = ReasonEnv(OpenDoors(), level=len(way), max_steps=2 * len(way), on_invalid="feedback")
    env.reset(seed=0, options={"problem": doors_problem(way)})
    return env


@pytest.mark.parametrize("name", ["sample", "revision", "hybrid", "self_consistency"])
def test_feedback_is_read_and_acted_on(name):
    model = ScriptedModel(corrects_itself)
    [found] = run(model, [walled("RLR")], name)
    assert found.actions == ("L", "R", "L", "L", "R")
    reads = [read for read, _ in told(model)]
    assert "L\n> wrong: a wall\n" in reads
    # In the first attempt.
    if name == "revision":
        assert found.ledger.model_calls == 5


def test_without_feedback_nothing_is_corrected():
    model = ScriptedModel(corrects_itself)
    env = ReasonEnv(OpenDoors(), level=3, max_steps=6)
    env.reset(seed=0, options={"problem": doors_problem("RLR")})
    [found] = run(model, [env], "sample")
    assert found.actions == ("L",)


def test_where_the_attempt_ended_at_a_wall_the_wall_is_revised():
    """The state that a wrong claim leaves is as good as before: what was lost is seen at the end,
    where the attempt is worth nothing."""
    way = "RLRRLLRL"
    envs = []
    for _ in range(30):
        envs.append(ReasonEnv(OpenDoors(), level=8, max_steps=8))
        envs[-1].reset(seed=0, options={"problem": doors_problem(way)})
    found = run(biased(0.5), envs, "revision", "oracle", revisions=8)
    assert [one.actions for one in found] == [tuple(way)] * 30


# -- Options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hybrid", {"chains": 0}, "chains must be 1 or more, received 0"),
        ("hybrid", {"chains": 2.5}, "chains must be a whole number of 1 or more, received 2.5"),
        ("hybrid", {"revisions": -1}, "revisions must be 0 or more, received -1"),
        ("revision", {"revisions": "3"}, "revisions must be a whole number .* received '3'"),
        ("revision", {"revisions": True}, "received True"),
        ("revision", {"temperature": -0.1}, "temperature must be 0 or more, received -0.1"),
        ("revision", {"temperature": math.inf}, "temperature must be 0 or more, received inf"),
        ("hybrid", {"temperature": math.nan}, "temperature must be 0 or more, received nan"),
        ("hybrid", {"temperature": "warm"}, "temperature must be 0 or more, received 'warm'"),
        ("hybrid", {"final": "votes"}, "Unknown final 'votes'.*Did you mean 'vote'"),
        ("revision", {"final": "visits"}, "Unknown final 'visits'; expected one of: value, vote"),
        ("best_of_n", {"final": "valu"}, "Unknown final 'valu'.*Did you mean 'value'"),
        ("best_of_n", {"n": 2.0}, "n must be a whole number of 1 or more, received 2.0"),
        ("self_consistency", {"n": 0}, "n must be 1 or more, received 0"),
        ("self_consistency", {"parallel": -1}, "parallel must be 1 or more, received -1"),
        ("self_consistency", {"temperature": -1}, "temperature must be 0 or more, received -1"),
        ("self_consistency", {"vote": "weights"}, "Unknown vote 'weights'.*mean 'weighted'"),
        ("revision", {"chains": 2}, "Unknown option of revision 'chains'"),
    ],
)
def test_options_out_of_range(name, options, message):
    model = biased(0.5)
    with pytest.raises(ValueError, match=message):
        run_searches(model, [doors("L")], load_strategy(name, **options), [0])
    assert model.calls == []
