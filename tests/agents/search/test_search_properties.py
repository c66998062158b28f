"""What holds for every strategy, whatever its options, guide, budget and company: on random trees,
by policies that write lines of every kind."""

import inspect
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_trees import (
    DEPTHS,
    RandomTrees,
    goals,
    leaves,
    optimum,
    regret,
    subtree,
    tree_env,
    tree_problem,
    walker,
    wanderer,
)

from agents.search import load_strategy, run_searches, strategy_names
from agents.search.guides import GUIDES, Guide
from agents.search.ledger import BudgetSpent
from reason_env.checks import check_task
from reason_env.env import ReasonEnv
from reason_env.task import potential_at

# -- Random options ----------------------------------------------------------------------------

TEMPERATURE = st.sampled_from([0.0, 0.6, 1.0, 1.0, 1.0, 2.0])
FINAL = st.sampled_from(["value", "vote"])
SAMPLES = {
    "n": st.integers(1, 10),
    "temperature": TEMPERATURE,
    "parallel": st.integers(1, 5),
}
BEAMS = {"branch": st.integers(1, 5), "temperature": TEMPERATURE, "final": FINAL}
REVISIONS = {"revisions": st.integers(0, 5), "temperature": TEMPERATURE, "final": FINAL}

OPTIONS = {
    "beam": {"width": st.integers(1, 5), **BEAMS},
    "best_of_n": {"final": FINAL, **SAMPLES},
    "dvts": {"trees": st.integers(1, 5), **BEAMS},
    "greedy": {},
    "hybrid": {"chains": st.integers(1, 3), **REVISIONS},
    "mcts": {
        "simulations": st.integers(1, 24),
        "branch": st.integers(1, 4),
        "c_puct": st.sampled_from([0.0, 0.3, 1.0, 5.0]),
        "discount": st.sampled_from([0.5, 0.9, 1.0]),
        "widening": st.sampled_from([0.0, 0.5, 1.0]),
        "root": st.sampled_from(["puct", "gumbel"]),
        "considered": st.integers(1, 8),
        "c_visit": st.sampled_from([0.0, 50.0]),
        "c_scale": st.sampled_from([0.0, 0.1, 1.0]),
        "noise": st.sampled_from([0.0, 0.25, 1.0]),
        "noise_alpha": st.sampled_from([0.03, 0.3, 10.0]),
        "transpositions": st.booleans(),
        "rollout": st.sampled_from([0.0, 0.5, 1.0]),
        "final": st.sampled_from(["value", "visits", "vote"]),
    },
    "revision": REVISIONS,
    "sample": {"temperature": TEMPERATURE},
    "self_consistency": {"vote": st.sampled_from(["majority", "weighted"]), **SAMPLES},
}
"""A range for every option of every strategy."""


@pytest.mark.parametrize("name", strategy_names())
def test_every_option_is_tried(name):
    """A new strategy, or a new option of one, is to be added to the table above."""
    known = list(inspect.signature(load_strategy(name)).parameters)[1:]
    assert set(OPTIONS.get(name, {})) == set(known)


@st.composite
def searches(draw):
    """A strategy with some of its options set, as (name, options)."""
    name = draw(st.sampled_from(strategy_names()))
    known = list(inspect.signature(load_strategy(name)).parameters)[1:]
    table = {key: value for key, value in OPTIONS.get(name, {}).items() if key in known}
    options = draw(st.fixed_dictionaries({}, optional=table))
    if options.get("root") == "gumbel":
        options.pop("noise", None)  # the two exclude each other
    return name, options


@st.composite
def guides(draw, public):
    """One guide, or a weighted sum of several."""
    names = [name for name in GUIDES if public or name != "public"]
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    weights = [draw(st.sampled_from(["", "0.5*", "2*", "0.01 * "])) for _ in chosen]
    return "+".join(weight + name for weight, name in zip(weights, chosen))


def tree_of(kind):
    return tree_problem(*kind).data


@st.composite
def settings_of_problems(draw):
    """Which problems, and how their environments are set up."""
    kinds = st.tuples(st.integers(0, 10**6), st.sampled_from(DEPTHS))
    return {
        "problems": draw(st.lists(kinds, min_size=1, max_size=3, unique_by=tree_of)),
        "public": draw(st.booleans()),
        "kwargs": {
            "feedback": draw(st.sampled_from(["none", "state"])),
            "on_invalid": draw(st.sampled_from(["end", "feedback"])),
            "max_tokens": draw(st.sampled_from([9, 25, 64])),
        },
    }


def reset(setup):
    return [
        tree_env(tree_problem(*kind), RandomTrees(setup["public"]), **setup["kwargs"])
        for kind in setup["problems"]
    ]


# -- The properties ----------------------------------------------------------------------------


def own(env, model):
    """What the model wrote for a problem, which it knows by its prompt."""
    prompt = tuple(model.tokenizer.encode(env.episode.text))
    return prompt, [row for row in model.written if row[0][: len(prompt)] == prompt]


def check_ledger(env, model, critic, found, budget):
    """The ledger is the models' own account, and within the budget."""
    prompt, rows = own(env, model)
    ledger = found.ledger
    assert budget is None or ledger.generated_tokens <= budget
    assert ledger.generated_tokens == sum(len(completion.tokens) for _, completion in rows)
    assert ledger.prompt_tokens == sum(len(prefix) for prefix, _ in rows)
    assert ledger.model_calls == len(rows)
    assert ledger.evaluator_calls == sum(p[: len(prompt)] == prompt for p in critic.valued)


def check_written(env, model, found):
    """The chosen lines were written, each where those before it lead, and end where they say."""
    context, rows = own(env, model)
    encode, newline = model.tokenizer.encode, model.tokenizer.newline
    episode = env.episode
    assert len(found.actions) == len(found.tokens)
    # A line that `<eos>` ended is one completion with the giving up that follows.
    starts = [
        number
        for number in range(len(found.tokens))
        if not number or found.tokens[number - 1][-1] == newline
    ]
    for start, end in zip(starts, [*starts[1:], len(found.tokens)]):
        ids = tuple(token for line in found.tokens[start:end] for token in line)
        assert any(p == context and c.tokens[: len(ids)] == ids for p, c in rows)
        context += ids
        for action in found.actions[start:end]:
            followed = env.follow(episode, action)
            context += tuple(encode(followed.feedback))
            episode = followed.episode
    return episode


@settings(max_examples=150, deadline=None)
@given(
    searches(),
    settings_of_problems(),
    st.data(),
    st.one_of(st.none(), st.integers(1, 120)),
    st.sampled_from([walker, wanderer, wanderer]),
    st.booleans(),
)
def test_any_search(search, setup, data, budget, make_model, with_critic):
    name, options = search
    guide = data.draw(guides(setup["public"]))
    seeds = [data.draw(st.integers(0, 3)) for _ in setup["problems"]]

    def run(order):
        """Found by problem, and the models that it took."""
        model = make_model(7)
        critic = wanderer(8) if with_critic and Guide.parse(guide).learned else model
        envs = [reset(setup)[i] for i in order]
        found = run_searches(
            model,
            envs,
            load_strategy(name, **options),
            [seeds[i] for i in order],
            budget,
            guide,
            line_tokens=12,
            reward_model=None if critic is model else critic,
            refuse_short=False,
        )
        return dict(zip(order, found, strict=True)), dict(zip(order, envs)), model, critic

    everyone = list(range(len(seeds)))
    together, left, model, critic = run(everyone)
    for env, (i, found) in zip(reset(setup), together.items(), strict=True):
        assert found.error is None
        assert found.oracle == ("oracle" in guide)
        check_ledger(env, model, critic, found, budget)
        assert check_written(env, model, found) == left[i].episode
    assert sum(found.ledger.model_calls for found in together.values()) == sum(model.calls)
    some = data.draw(st.lists(st.sampled_from(everyone), min_size=1, unique=True))
    for order in ([everyone[-1]], some):
        for i, found in run(order)[0].items():
            assert (found, found.tree) == (together[i], together[i].tree)


# -- What goes wrong for one problem -----------------------------------------------------------


class Fault:
    """Raises at the `call`-th time that it is asked whether to."""

    def __init__(self, call):
        self.call = call
        self.asked = 0

    @property
    def raised(self):
        return self.asked >= self.call

    def ask(self):
        self.asked += 1
        if self.raised:
            raise RuntimeError("out of order")


def faulty_env(problem, method, fault):
    """An environment whose task has a fault in one method, or which has one in `follow`."""

    class Faulty(RandomTrees):
        pass

    class FaultyEnv(ReasonEnv):
        pass

    owner = FaultyEnv if method == "follow" else Faulty
    sound = getattr(owner, method)

    def broken(self, *args):
        fault.ask()
        return sound(self, *args)

    setattr(owner, method, broken)
    env = FaultyEnv(Faulty(), level=problem.level)
    env.reset(seed=0, options={"problem": problem})
    return env


def faulty_strategy(strategy, prompt, fault):
    """The strategy, which has a fault at its later requests for the problem of that prompt."""

    def search(root):
        inner = strategy(root)
        try:
            request = next(inner)
            while True:
                try:
                    answer = yield request
                except BudgetSpent as spent:
                    request = inner.throw(spent)
                else:
                    if root.reply == prompt:
                        fault.ask()
                    request = inner.send(answer)
        except StopIteration as stop:
            return stop.value

    return search


KINDS = [(1, 3), (2, 4), (3, 2)]
UNGUIDED = ("greedy", "sample", "self_consistency", "best_of_n")
METHODS = ["strategy", "follow", "step", "is_solved", "potential"]


def search_with_fault(name, method, call):
    """Found of three problems, of which the second meets a fault; None: no fault at all."""
    model = wanderer(3)
    fault = Fault(call)
    envs = [tree_env(tree_problem(*kind)) for kind in KINDS]
    strategy = load_strategy(name)
    if method == "strategy":
        prompt = tuple(model.tokenizer.encode(envs[1].episode.text))
        strategy = faulty_strategy(strategy, prompt, fault)
    elif method is not None:
        envs[1] = faulty_env(tree_problem(*KINDS[1]), method, fault)
    found = run_searches(model, envs, strategy, [1, 2, 3], 100, "0.5*oracle+policy")
    check_ledger(tree_env(tree_problem(*KINDS[1])), model, model, found[1], 100)
    return found, fault


@pytest.mark.parametrize("name", strategy_names())
@pytest.mark.parametrize("method", METHODS)
def test_a_fault_loses_its_own_problem_only(name, method):
    sound, _ = search_with_fault(name, None, 0)
    assert [found.error for found in sound] == [None] * 3
    met = 0
    for call in (1, 2, 5):
        found, fault = search_with_fault(name, method, call)
        for i in (0, 2):
            assert (found[i], found[i].tree) == (sound[i], sound[i].tree)
        if fault.raised:
            met += 1
            assert found[1].error == "RuntimeError: out of order"
            assert (found[1].actions, found[1].tokens, found[1].tree) == ((), (), None)
        else:
            assert found[1] == sound[1]
    # Some ask no guide, nor is `is_solved` asked of what is no claim and no answer.
    assert met or (method == "potential" and name in UNGUIDED)


# -- The family of random trees itself ---------------------------------------------------------


@pytest.mark.parametrize("public", [True, False])
def test_the_family_keeps_the_contract_of_tasks(public):
    check_task(RandomTrees(public))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(DEPTHS))
def test_potential_and_optimum_are_exact(seed, level):
    """Against a plain walk through the task's own steps."""
    problem, task = tree_problem(seed, level), RandomTrees()

    def best(state):
        if task.is_solved(problem, state):
            return 1.0
        steps = task.legal_steps(problem, state)
        value = max((0.9 * best(task.step(problem, state, s).state) for s in steps), default=0.0)
        assert math.isclose(value, task.potential(problem, state))
        return value

    assert math.isclose(best(task.initial(problem)), optimum(problem))
    for way, leaf in leaves(problem.data):
        expected = optimum(problem) - (potential_at(len(way)) if leaf else 0.0)
        assert regret(problem, tuple(way)) == expected
        assert len(way) <= level
        assert (way in goals(problem.data)) == (subtree(problem.data, way) == 1)
