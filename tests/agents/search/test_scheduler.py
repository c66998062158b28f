"""Searches share model calls and nothing else: not answers, not errors, not their order."""

import contextlib
import inspect
import math

import pytest
from toys import babble, biased, doors

from agents.models.scripted import ScriptedModel
from agents.search import check_searches, load_strategy, run_searches, strategy_names
from agents.search.ledger import BudgetSpent
from agents.search.requests import Choice, Generate, evaluate, generate
from agents.search.requests import Value as GuideValue

COUNT = 5
SEEDS = [11, 12, 13, 11, 15]


def search(model, make_envs, order, strategy, budget=120, guide=None):
    """Found of the problems in that order, by problem."""
    envs = make_envs(COUNT)
    seeds = [SEEDS[i] for i in order]
    found = run_searches(model, [envs[i] for i in order], strategy, seeds, budget, guide)
    return dict(zip(order, found, strict=True))


@pytest.mark.parametrize("name", strategy_names())
@pytest.mark.parametrize("guide", ["policy", "value", "public", "oracle"])
def test_together_is_as_alone_in_any_order(make_envs, name, guide):
    strategy = load_strategy(name)

    def found(order):
        model = ScriptedModel(babble, value=lambda text: len(text) % 7 / 7)
        return search(model, make_envs, order, strategy, guide=guide)

    together = found([0, 1, 2, 3, 4])
    assert len({one.actions for one in together.values()}) > 2
    for order in ([4, 2, 0, 1, 3], [3, 1]):
        for i, one in found(order).items():
            assert (one, one.tree) == (together[i], together[i].tree)
    for i in range(COUNT):
        assert found([i]) == {i: together[i]}


@pytest.mark.parametrize("name", strategy_names())
def test_a_network_together_is_as_alone(trained, make_envs, name):
    trained.add_value_head()
    strategy = load_strategy(name)
    together = search(trained, make_envs, [0, 1, 2, 3, 4], strategy, 60, "public")
    for order in ([0], [4, 3], [2, 0, 1]):
        for i, one in search(trained, make_envs, order, strategy, 60, "public").items():
            assert one == together[i]


def test_one_call_serves_all_problems(make_envs):
    model = ScriptedModel(lambda text, seed: "hm" if text.count("hm") < 3 else "<eos>")
    search(model, make_envs, range(COUNT), load_strategy("sample"))
    assert model.calls == [COUNT] * 4


def test_the_chosen_way_is_where_the_environment_is_left(make_envs):
    envs = make_envs(3)
    found = run_searches(ScriptedModel(babble), envs, load_strategy("mcts"), [1, 2, 3], 100)
    for env, fresh, one in zip(envs, make_envs(3), found, strict=True):
        for line in one.actions:
            fresh.step(line)
        assert env.episode == fresh.episode


def test_progress_counts_every_problem_once(make_envs):
    done = []
    run_searches(
        ScriptedModel(babble),
        make_envs(COUNT),
        load_strategy("sample"),
        SEEDS,
        budget_tokens=80,
        progress=done.append,
    )
    assert sum(done) == COUNT


def test_no_problems_no_work():
    model = ScriptedModel(babble)
    assert run_searches(model, [], load_strategy("mcts"), []) == []
    assert model.calls == []


# -- The end of lines --------------------------------------------------------------------------


def first_line(model, **kwargs):
    env = doors("RL", max_steps=8)
    [found] = run_searches(model, [env], load_strategy("sample"), [0], **kwargs)
    return env, found


def test_giving_up_is_an_empty_answer():
    env, found = first_line(ScriptedModel.table({"": {"R": 1.0}}))
    assert found.actions == ("R", "answer:")
    assert found.tokens == (tuple(env.tokenizer.encode("R\n")), (2,))
    assert env.episode.stopped


def test_a_line_cut_by_its_limit_is_never_played():
    env, found = first_line(ScriptedModel(lambda text, seed: "L" * 9), line_tokens=4)
    assert found.actions == ()
    assert (found.ledger.generated_tokens, found.ledger.env_steps) == (4, 0)
    assert env.episode.steps == 0


def test_feedback_is_read_by_the_model_and_charged_to_nobody(make_envs):
    seen = []

    def script(text, seed):
        seen.append(text)
        return {"": "44 - 9"}.get(text.partition("\n")[2], "<eos>")

    [found] = run_searches(
        ScriptedModel(script), make_envs(1), load_strategy("greedy"), [0], budget_tokens=100
    )
    assert seen == ["44 9 5 -> 30\n", "44 9 5 -> 30\n44 - 9\n> 35 5 -> 30\n"]
    assert found.ledger.generated_tokens == len(found.tokens[0]) + len(found.tokens[1])


# -- Strategies with mistakes ------------------------------------------------------------------


def raises_on_odd_seeds(root):
    [[node]] = yield from generate([root], until="solution")
    if node.actions[-1] == "answer: 2":
        raise RuntimeError("a bug")
    return Choice(node)


def asks_again_after_the_end(root):
    try:
        while True:
            yield from generate([root])
    except BudgetSpent:
        yield from evaluate([root])
    return Choice(root)


def ignores_the_end(root):
    while True:
        with contextlib.suppress(BudgetSpent):
            yield from generate([root])


def lets_the_end_through(root):
    while True:
        yield from generate([root])


def returns_nothing(root):
    yield from generate([root])


def asks_for_nothing(root):
    yield from generate([root])
    yield Generate([root], n=0)
    return Choice(root)


def asks_in_another_tongue(root):
    yield from generate([root])
    yield "please"
    return Choice(root)


@pytest.mark.parametrize(
    ("strategy", "error"),
    [
        (asks_again_after_the_end, "RuntimeError: A strategy went on after BudgetSpent"),
        (ignores_the_end, "RuntimeError: A strategy went on after BudgetSpent"),
        (lets_the_end_through, "BudgetSpent"),
        (returns_nothing, "TypeError: A strategy returns a Choice, received None"),
        (asks_for_nothing, "ValueError: Expected n >= 1"),
        (asks_in_another_tongue, "TypeError: A strategy yields a request"),
    ],
)
def test_a_mistake_is_told_and_charged(make_envs, strategy, error):
    model = ScriptedModel(babble)
    found = run_searches(model, make_envs(2), strategy, [1, 2], budget_tokens=90)
    for one in found:
        assert one.error.startswith(error)
        assert (one.actions, one.tokens) == ((), ())
        assert 0 < one.ledger.generated_tokens <= 90


def test_a_mistake_loses_its_own_problem_only(make_envs):
    def script(text, seed):
        return "answer: 2" if text.startswith("48") else "answer: 1"

    found = run_searches(
        ScriptedModel(script), make_envs(3), raises_on_odd_seeds, [0, 1, 2], budget_tokens=50
    )
    assert [one.error for one in found] == [None, "RuntimeError: a bug", None]
    assert [one.actions for one in found] == [("answer: 1",), (), ("answer: 1",)]
    assert len({str(one.ledger) for one in found}) == 1


def test_so_does_one_before_the_first_request(make_envs):
    def raises_at_once(root):
        if root.seed == 1:
            raise RuntimeError("a bug")
        return (yield from load_strategy("greedy")(root))

    envs, model = make_envs(3), ScriptedModel(babble)
    found = run_searches(model, envs, raises_at_once, [0, 1, 2], budget_tokens=50)
    assert [one.error for one in found] == [None, "RuntimeError: a bug", None]
    assert found[1].ledger.generated_tokens == 0
    calls = len(model.calls)
    with pytest.raises(RuntimeError, match="a bug"):  # where there is no other, it is told at once
        run_searches(model, make_envs(2), raises_at_once, [1, 1], budget_tokens=50)
    assert len(model.calls) == calls


# -- Mistakes of the caller: named, and before any model call ----------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "bestofn"}, "Unknown strategy 'bestofn'.*Did you mean 'best_of_n'"),
        ({"name": "ledger"}, "Unknown strategy 'ledger'"),
        ({"name": "mcts", "simulation": 3}, "Unknown option of mcts.*Did you mean 'simulations'"),
        ({"name": "best_of_n", "root": 3}, "Unknown option of best_of_n 'root'"),
    ],
)
def test_unknown_names(options, message):
    with pytest.raises(ValueError, match=message):
        load_strategy(**options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("best_of_n", {"n": 0}, "n must be 1 or more, received 0"),
        ("best_of_n", {"parallel": 0}, "parallel must be 1 or more"),
        ("best_of_n", {"temperature": -1.0}, "temperature must be 0 or more, received -1.0"),
        ("sample", {"temperature": float("nan")}, "temperature must be 0 or more"),
        ("mcts", {"simulations": 0}, "simulations must be 1 or more, received 0"),
        ("mcts", {"branch": -1}, "branch must be 1 or more"),
        ("mcts", {"discount": 0.0}, r"discount must be in \(0, 1\], received 0.0"),
        ("mcts", {"c_puct": -0.1}, "c_puct must be 0 or more"),
    ],
)
def test_options_out_of_range(make_envs, name, options, message):
    model = ScriptedModel(babble)
    with pytest.raises(ValueError, match=message):
        run_searches(model, make_envs(2), load_strategy(name, **options), [1, 2])
    assert model.calls == []


WRONG = [None, True, "x", [], -1, 0.5, 2.5, math.nan, math.inf, 10**30]


@pytest.mark.parametrize("name", strategy_names())
def test_no_option_takes_what_it_should_not(name):
    """Whatever is given for an option, it serves or it is a named error before any call."""
    taken = {}
    for option in list(inspect.signature(load_strategy(name)).parameters)[1:]:
        for value in WRONG:
            model = biased(0.5, value={})
            strategy = load_strategy(name, **{option: value})
            try:
                run_searches(model, [doors("LR")], strategy, [1], 12)
                taken.setdefault(option, []).append(value)
            except ValueError as error:
                told = str(error)
                if option not in told or model.calls:
                    raise
    for option, values in taken.items():
        assert None not in values
        assert [type(value) for value in values if type(value) not in (int, float)] == (
            [bool] if option == "transpositions" else []
        )
        assert not any(value < 0 or not value < math.inf for value in values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget_tokens": 0}, "budget_tokens must be 1 or more, received 0"),
        ({"budget_tokens": -5}, "budget_tokens must be 1 or more"),
        ({"budget_tokens": 2.5}, "budget_tokens must be a whole number of 1 or more, received 2.5"),
        ({"line_tokens": 0}, "line_tokens must be 1 or more"),
        ({"seeds": [1]}, "one seed per problem, received 1 for 2"),
        ({"guide": "orcale"}, "Unknown guide 'orcale'.*Did you mean 'oracle'"),
        ({"guide": "value"}, "needs a model with a value head"),
    ],
)
def test_arguments_out_of_range(make_envs, arguments, message):
    model = ScriptedModel(babble)
    with pytest.raises(ValueError, match=message):
        run_searches(
            model,
            make_envs(2),
            **{"strategy": load_strategy("greedy"), "seeds": [1, 2], **arguments},
        )
    assert model.calls == []


def test_the_public_guide_needs_a_public_task():
    model = biased(0.5)
    envs = [doors("R", public=True), doors("R", public=False)]
    with pytest.raises(ValueError, match="Doors is not one"):
        run_searches(model, envs, load_strategy("best_of_n"), [1, 2], guide="public")
    assert model.calls == []


@pytest.mark.parametrize(
    ("heads", "guide", "message"),
    [
        ({}, None, "serves the guides value and prm, and the guide here is public"),
        ({"value": lambda text: 0.5}, "policy", "and the guide here is policy"),
        ({"reward": lambda text: 0.5}, "oracle+policy", r"the guide here is oracle\+policy"),
    ],
)
def test_a_reward_model_that_nobody_asks(heads, guide, message):
    model, critic = biased(0.5), ScriptedModel(babble, **heads)
    for run in (run_searches, check_searches):
        seeds = [[1]] if run is run_searches else []
        with pytest.raises(ValueError, match=message):
            run(
                model,
                [doors("R")],
                load_strategy("best_of_n"),
                *seeds,
                guide=guide,
                reward_model=critic,
            )
    assert model.calls == []


def test_total_is_reward_and_value():
    assert GuideValue(0.25, reward=0.5).total == 0.75
