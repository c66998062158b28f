"""Bundles that replay, and say something untrue of who wrote them: generated again, they differ.

Nothing is imported, loaded or run because a bundle says so, and whatever it says, regeneration ends
in a result with a code.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
import sys

import numpy as np
import pytest
import torch

from agents.learning.optimizers import OptimizerConfig
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from benchmarks.records import LEDGER
from benchmarks.replay import play
from benchmarks.runner import run_suite
from benchmarks.suite import load_suite, resolve
from leaderboards import generation
from leaderboards import regenerate as module
from leaderboards.bundle import Submitter, pack
from leaderboards.decisions import RERUN, SPOT_REGENERATED
from leaderboards.generation import Source
from leaderboards.regenerate import SAMPLE, regenerate
from leaderboards.verify import verify

EPISODES = 8
SETTINGS = {"strategy": "best_of_n", "options": {"n": 4, "temperature": 0.9}, "budget_tokens": 48}
"""A budget that ends some of the searches, so that another one is another run."""


SMOKE = resolve(load_suite("smoke"))


@pytest.fixture(scope="module", autouse=True)
def _drawn_once():
    """Drawing the suite's problems again and again would be half of these tests' time."""
    drawn = {("smoke", None): SMOKE}

    def once(suite, limit):
        if (suite.name, limit) not in drawn:
            drawn[suite.name, limit] = resolve(suite, limit)
        return drawn[suite.name, limit]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leaderboards.claims.resolve", once)
        yield


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A second of cloning: it writes lines that end."""
    torch.set_num_threads(1)  # a model this small loses by sharing its work
    start = HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2)))
    optimizer = OptimizerConfig(lr=1e-2, warmup=5)
    config = SFTConfig(
        (EnvSpec.parse("Countdown-v0"),), steps=40, batch=16, workers=0, optimizer=optimizer
    )
    return sft(start, config, tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="session")
def other():
    """Other weights."""
    return HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2), 1))


@pytest.fixture(scope="session")
def make_bundle(model, tmp_path_factory):
    """Packs an honest run on the smoke suite."""

    def make(**settings):
        folder = tmp_path_factory.mktemp("written")
        suite = settings.pop("suite", "smoke")
        if "agent" not in settings:
            settings = {"model": model} | settings
        run = run_suite(suite, folder / "run", progress=False, **settings)
        assert not run.manifest.errors
        return pack(run.folder, folder / "bundle", Submitter("Ada Lovelace"))

    return make


@pytest.fixture(scope="session")
def written(make_bundle):
    """A bundle that the model wrote."""
    return make_bundle(**SETTINGS)


@pytest.fixture
def forge_of(make_forge, tmp_path):
    """A forger of a copy of a bundle."""

    def make(bundle):
        shutil.rmtree(tmp_path / "bundle", ignore_errors=True)
        return make_forge(shutil.copytree(bundle, tmp_path / "bundle"))

    return make


@pytest.fixture
def forge(forge_of, written):
    return forge_of(written)


@pytest.fixture
def source(model):
    return Source(model=model)


def rewrite(forge, index, actions):
    """Other lines in an episode, with their true terms and tokens, and totals that agree."""
    env = SMOKE.items[index].start()
    tokens = [list(env.tokenizer.encode(line + "\n")) for line in actions]
    outcome = play(env, actions)
    episode = forge.episodes[index]
    cost = max(sum(map(len, tokens)), episode["ledger"]["generated_tokens"])
    episode |= {
        "actions": list(actions),
        "tokens": tokens,
        "terms": outcome.terms.to_json(),
        "reward": outcome.reward,
        "solved": outcome.solved,
        "status": "unfinished" if outcome.ended == "unfinished" else "ok",
        "ledger": episode["ledger"] | {"generated_tokens": cost},
    }
    sum_up(forge)


def sum_up(forge):
    forge.run["ledger"] = {key: sum(e["ledger"][key] for e in forge.episodes) for key in LEDGER}
    forge.run["solved"] = sum(episode["solved"] for episode in forge.episodes)
    for status, total in (("unfinished", "unfinished"), ("error", "errors")):
        forge.run[total] = sum(episode["status"] == status for episode in forge.episodes)


def refusal(bundle, source, **arguments):
    """The first reason why a bundle, which replay accepts, is not what the source writes."""
    assert verify(bundle).accepted
    return first(regenerate(bundle, source, **{"sample": None} | arguments))


def first(result):
    assert not result.accepted
    assert result.tier == "replayed"
    assert all(str(found).isprintable() for found in result.discrepancies)
    return str(result.discrepancies[0])


def drawn_with(seed, sample, count=EPISODES):
    """The draw that a note's seed stands for: it can be repeated anywhere."""
    return set(np.random.default_rng(seed).choice(count, sample, replace=False).tolist())


# Honest bundles.


def test_honest_bundle_is_rerun(written, source):
    result = regenerate(written, source, sample=None)
    assert (result.accepted, result.tier) == (True, RERUN)
    assert result.notes[-1] == (
        "8 of 8 episodes were generated again, and nothing differs: weights " + result.model_digest
    )
    # All the rest is what replay gives.
    before = verify(written)
    assert (result.score, result.bundle, result.actions) == (
        before.score,
        before.bundle,
        before.actions,
    )


def test_honest_bundle_is_spot_regenerated(written, source):
    result = regenerate(written, source, sample=3, seed=5)
    assert (result.accepted, result.tier) == (True, SPOT_REGENERATED)
    assert result.notes[-1].startswith("3 of 8 episodes")
    assert result.notes[-1].endswith("they were drawn with seed 5")


def test_weights_in_a_folder(written, model, tmp_path):
    model.save(tmp_path / "weights")
    for weights in (tmp_path / "weights", str(tmp_path / "weights")):
        assert regenerate(written, Source(model=weights), sample=2).tier == SPOT_REGENERATED


@pytest.mark.parametrize(
    ("sample", "tier"),
    [(7, SPOT_REGENERATED), (8, RERUN), (SAMPLE, RERUN)],
)
def test_a_sample_of_everything_is_a_rerun(written, source, sample, tier):
    assert regenerate(written, source, sample=sample).tier == tier


@pytest.mark.parametrize("agent", ["expert", "random"])
def test_oracle_agents_regenerate(make_bundle, agent):
    bundle = make_bundle(agent=agent, seed=3)
    result = regenerate(bundle, Source(agent=agent), sample=None)
    assert (result.tier, result.division) == (RERUN, "oracle")
    assert result.notes[-1].endswith(f"nothing differs: agent {agent}")
    assert regenerate(bundle, Source(agent=agent), sample=2).tier == SPOT_REGENERATED


@pytest.mark.parametrize("guide", ["policy", "public", "oracle", "0.5*policy+0.5*public"])
def test_guide_in_the_options(make_bundle, source, guide):
    bundle = make_bundle(**SETTINGS, guide=guide)
    result = regenerate(bundle, source, sample=None)
    assert (result.tier, result.division) == (RERUN, "oracle" if guide == "oracle" else "open")


@pytest.mark.parametrize("limits", [{"prompt": "verbose"}, {"line_tokens": 9}, {"limit": 3}])
def test_settings_that_only_some_runs_have(make_bundle, source, limits):
    bundle = make_bundle(strategy="sample", **limits)
    assert regenerate(bundle, source, sample=None).tier == RERUN


@pytest.mark.parametrize("suite", ["smoke", pytest.param("core-v1", marks=pytest.mark.slow)])
def test_which_episodes_are_drawn_together_does_not_matter(make_bundle, source, suite):
    """Trees of many prompts grow side by side, whichever these are."""
    bundle = make_bundle(suite=suite, limit=6, strategy="mcts", budget_tokens=48)
    for sample, seed in ((1, 0), (2, 1), (5, 2)):
        result = regenerate(bundle, source, sample=sample, seed=seed)
        assert result.tier == SPOT_REGENERATED, result.discrepancies


# Lines that something else wrote.


def expert_lines(honest, index):
    line = (honest / "episodes.jsonl").read_text().splitlines()[index]
    return json.loads(line)["actions"]


def test_lines_of_somebody_else(forge, honest, source):
    """Solved by the expert, and put down to the model."""
    mine = forge.episodes[5]["tokens"][0][0]
    rewrite(forge, 5, expert_lines(honest, 5))
    theirs = forge.episodes[5]["tokens"][0][0]
    bundle = forge.save()
    assert verify(bundle).score.solved == 1
    assert refusal(bundle, source) == (
        "not-regenerated: episodes.jsonl, episode 5: "
        f"line 1, token 1: {theirs} recorded, {mine} generated"
    )


def test_caught_if_it_is_drawn(forge, honest, source):
    rewrite(forge, 5, expert_lines(honest, 5))
    bundle = forge.save()
    caught = {}
    for seed in range(8):
        result = regenerate(bundle, source, sample=2, seed=seed)
        caught[seed] = not result.accepted
        if result.accepted:
            assert result.tier == SPOT_REGENERATED
    assert caught == {seed: 5 in drawn_with(seed, 2) for seed in range(8)}
    assert set(caught.values()) == {True, False}


def test_each_forged_episode_is_named(forge, honest, source):
    for index in (1, 6):
        rewrite(forge, index, expert_lines(honest, index))
    result = regenerate(forge.save(), source, sample=None)
    assert [found.where for found in result.discrepancies] == [
        "episodes.jsonl, episode 1",
        "episodes.jsonl, episode 6",
    ]


def test_a_few_may_differ_as_rounding_has_it(forge, honest, source, monkeypatch):
    monkeypatch.setattr(module, "MAY_DIFFER", {"lines": 0.25, "search": 0})  # two of eight
    for number, index in enumerate((1, 6, 7), 1):
        rewrite(forge, index, expert_lines(honest, index))
        result = regenerate(forge.save(), source, sample=None)
        if number <= 2:
            assert result.tier == RERUN
            said = f"{number} differ in their lines, as rounding may have it: weights"
            assert said in result.notes[-1]
    assert len(result.discrepancies) == 3
    # Of a sample likewise: one of five.
    seen = set()
    for seed in range(6):
        differ = len(drawn_with(seed, 5) & {1, 6, 7})
        result = regenerate(forge.save(), source, sample=5, seed=seed)
        assert result.accepted == (differ <= 1)
        seen.add(result.accepted)
    assert seen == {True, False}


def test_searches_may_differ_more_than_lines(forge, honest, source, monkeypatch):
    monkeypatch.setattr(module, "MAY_DIFFER", {"lines": 0.125, "search": 0.25})
    rewrite(forge, 1, expert_lines(honest, 1))
    for number, index in enumerate((2, 3, 4), 1):
        forge.episodes[index]["ledger"]["prompt_tokens"] += 1
        sum_up(forge)
        result = regenerate(forge.save(), source, sample=None)
        assert result.accepted == (number <= 2)
        if number == 2:
            assert "1 differ in their lines and 2 differ in their search, as" in result.notes[-1]
    forge.episodes[4]["ledger"]["prompt_tokens"] -= 1
    rewrite(forge, 5, expert_lines(honest, 5))
    assert not regenerate(forge.save(), source, sample=None).accepted


def test_no_more_is_generated_than_anyone_reads(forge, honest, source, monkeypatch):
    monkeypatch.setattr(module, "MAX_DISCREPANCIES", 3)
    for index in range(EPISODES):
        forge.episodes[index]["ledger"]["prompt_tokens"] += 1
    sum_up(forge)
    result = regenerate(forge.save(), source, sample=None)
    assert len(result.discrepancies) == 3
    monkeypatch.setattr(module, "MAY_DIFFER", {"lines": 0, "search": 1})
    assert "8 differ in their search" in regenerate(forge.save(), source, sample=None).notes[-1]


def test_an_agent_may_not_differ(forge_of, honest, monkeypatch):
    monkeypatch.setattr(module, "MAY_DIFFER", {"lines": 1, "search": 1})
    forge = forge_of(honest)
    rewrite(forge, 5, ["answer: 1"])
    assert refusal(forge.save(), Source(agent="expert")).startswith("not-regenerated")


def test_how_many_may_differ():
    """The chance that the documentation gives; small samples may not differ at all."""
    lines, search = (int(share * SAMPLE) for share in module.MAY_DIFFER.values())
    assert (SAMPLE, lines, search) == (200, 2, 10)
    assert int(module.MAY_DIFFER["lines"] * 99) == int(module.MAY_DIFFER["search"] * 19) == 0
    rate = 1 / 30
    missed = sum(
        math.comb(SAMPLE, k) * rate**k * (1 - rate) ** (SAMPLE - k) for k in range(lines + 1)
    )
    assert round(1 - missed, 2) == 0.96


def long_thought(forge):
    """An episode with a thought of several tokens that is not its first line."""
    return next(
        (index, place)
        for index, episode in enumerate(forge.episodes)
        for place, tokens in enumerate(episode["tokens"][:-1])
        if place > 0 and len(tokens) > 2
    )


def test_one_token_of_a_thought(forge, source):
    """A thought changes no score, so that replay has nothing against another."""
    index, place = long_thought(forge)
    env = SMOKE.items[index].start()
    episode = forge.episodes[index]
    line = episode["tokens"][place]
    before, after = line[1], env.tokenizer.encode("?")[0]
    line[1] = after
    episode["actions"][place] = env.tokenizer.decode(line).removesuffix("\n")
    assert refusal(forge.save(), source).endswith(
        f"episode {index}: line {place + 1}, token 2: {after} recorded, {before} generated"
    )


def test_the_same_text_in_other_tokens(forge, source):
    """`12` is one token to the model, and also spelt by two."""
    index, place, at, halves = next(
        (index, place, at, halves)
        for index, episode in enumerate(forge.episodes)
        for place, tokens in enumerate(episode["tokens"])
        for at, token in enumerate(tokens)
        if (halves := two_tokens(token))
    )
    line = forge.episodes[index]["tokens"][place]
    whole = line[at]
    line[at : at + 1] = halves
    forge.episodes[index]["ledger"]["generated_tokens"] += 1
    sum_up(forge)
    forge.run["config"]["budget_tokens"] += 1
    assert refusal(forge.save(), source).endswith(
        f"line {place + 1}, token {at + 1}: {halves[0]} recorded, {whole} generated"
    )


def two_tokens(token):
    tokenizer = HFModel(None).tokenizer
    text = tokenizer.decode([token])
    if len(text) < 2 or not text.isdigit():
        return None
    return [tokenizer.encode(part)[0] for part in (text[:1], text[1:])]


def test_a_line_more_and_a_line_less(forge, source):
    index = next(i for i, e in enumerate(forge.episodes) if len(e["actions"]) > 1)
    actions = forge.episodes[index]["actions"]
    whole, most = copy.deepcopy(forge.episodes), forge.run["config"]["budget_tokens"]
    forge.run["config"]["budget_tokens"] = 512
    rewrite(forge, index, actions[:-1])
    assert refusal(forge.save(), source).endswith("generated")
    forge.episodes, forge.run["config"]["budget_tokens"] = whole, most
    rewrite(forge, index, ["?", *actions])
    assert f"episode {index}: line 1, token 1: " in refusal(forge.save(), source)


def test_an_error_in_place_of_an_episode(forge, source):
    """What went wrong cannot be seen to have gone wrong."""
    nothing = dict.fromkeys(forge.episodes[2]["terms"], 0.0)
    forge.episodes[2] |= {
        "actions": [],
        "tokens": [],
        "terms": nothing,
        "reward": 0.0,
        "solved": False,
        "status": "error",
        "error": "RuntimeError: out of memory",
    }
    sum_up(forge)
    assert "episode 2: line 1, token 1: the end recorded" in refusal(forge.save(), source)


@pytest.mark.parametrize("key", LEDGER)
def test_raised_ledger(forge, source, key):
    """Within the budget: replay knows only the least that an episode can have cost."""
    index = min(range(EPISODES), key=lambda i: forge.episodes[i]["ledger"]["generated_tokens"])
    forge.episodes[index]["ledger"][key] += 1
    sum_up(forge)
    found = refusal(forge.save(), source)
    assert found.startswith(f"not-regenerated: episodes.jsonl, episode {index}: ledger: {{")


def test_lowered_ledger(forge, source):
    """Discarded candidates were never generated, it says."""
    for episode in forge.episodes:
        episode["ledger"]["generated_tokens"] = sum(map(len, episode["tokens"]))
    sum_up(forge)
    assert "episode 0: ledger" in refusal(forge.save(), source)


def test_division(forge, source):
    forge.episodes[3]["division"] = "oracle"
    assert refusal(forge.save(), source).endswith(
        "episode 3: division: 'oracle' recorded, 'open' generated"
    )


def test_no_more_findings_than_anyone_reads(forge, source, monkeypatch):
    monkeypatch.setattr(module, "MAX_DISCREPANCIES", 2)
    for episode in forge.episodes:
        episode["ledger"]["prompt_tokens"] += 1
    sum_up(forge)
    result = regenerate(forge.save(), source, sample=None)
    assert len(result.discrepancies) == 2


def test_what_replay_refuses_is_not_generated(forge, monkeypatch):
    monkeypatch.setattr(module, "differences", None)
    forge.episodes[0]["solved"] = not forge.episodes[0]["solved"]
    result = regenerate(forge.save(), Source(model="no such weights"))
    assert {found.code for found in result.discrepancies} >= {"forged-score"}


# Another source than the bundle names.


def test_other_weights(written, other):
    found = refusal(written, Source(model=other))
    assert found.startswith("wrong-model: run.json: config.model_digest is ")
    assert other.digest in found


def test_digest_of_other_weights(forge, other):
    forge.run["config"]["model_digest"] = other.digest
    assert refusal(forge.save(), Source(model=other)).startswith("not-regenerated")


@pytest.mark.parametrize("digest", [None, "", "A" * 64, "8bfe"])
def test_digest_of_nothing(forge, source, digest):
    forge.run["config"]["model_digest"] = digest
    assert first(regenerate(forge.save(), source)).startswith(("wrong-model", "missing-field"))


def test_agent_for_a_models_bundle(written):
    found = refusal(written, Source(agent="random"))
    assert found == "wrong-model: run.json: this is a run of a model"


def test_model_for_an_agents_bundle(honest, source):
    found = refusal(honest, source)
    assert found == "wrong-model: run.json: this is a run of the agent 'expert'"


def test_other_agent(honest):
    found = refusal(honest, Source(agent="random"))
    assert found.startswith("wrong-model: run.json: config.agent is 'expert'")


@pytest.fixture(scope="session")
def critics(other):
    """Two reward models."""
    found = []
    for seed in (0, 1):
        critic = copy.deepcopy(other)
        critic.add_value_head()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            torch.nn.init.normal_(critic.value_head.weight)
        found.append(critic)
    return found


def test_reward_model(make_bundle, forge_of, model, critics):
    critic, another = critics
    bundle = make_bundle(strategy="beam", guide="value", reward_model=critic, budget_tokens=48)
    assert regenerate(bundle, Source(model, critic), sample=None).tier == RERUN
    named = f"a reward model, '{critic.digest[:12]}'"
    assert refusal(bundle, Source(model)).endswith(f"this is a run with {named}")
    found = refusal(bundle, Source(model, another))
    assert found.startswith("wrong-settings: run.json: config.options is ")
    assert another.digest[:12] in found
    # It says that another one judged.
    forge = forge_of(bundle)
    forge.run["config"]["options"]["reward_model"] = another.digest[:12]
    assert refusal(forge.save(), Source(model, another)).startswith("not-regenerated")


def test_hidden_oracle(make_bundle, forge_of, source):
    """Replay cannot tell who valued the lines."""
    forge = forge_of(make_bundle(strategy="beam", guide="oracle", budget_tokens=48))
    del forge.run["config"]["options"]["guide"]
    for episode in forge.episodes:
        episode["division"] = "open"
    bundle = forge.save()
    assert verify(bundle).division == "open"
    assert refusal(bundle, source).startswith("not-regenerated")


def test_superfluous_reward_model(written, model, critics):
    found = refusal(written, Source(model, critics[0]))
    assert found == "wrong-model: run.json: this is a run with no reward model"


def test_reward_model_that_no_guide_asks(forge, model, critics):
    named = {"guide": "policy", "reward_model": critics[0].digest[:12]}
    forge.run["config"]["options"] |= named
    assert refusal(forge.save(), Source(model, critics[0])).startswith("cannot-run")


# Other settings than those of the run.

OTHER_SETTINGS = {
    "options": ({"options": {"n": 3, "temperature": 0.9}}, "not-regenerated"),
    "temperature": ({"options": {"n": 4, "temperature": 1.0}}, "not-regenerated"),
    "temperature as a whole": ({"options": {"n": 4, "temperature": 1}}, "not-regenerated"),
    "option left out": ({"options": {"n": 4}}, "wrong-settings"),
    "option given twice": ({"options": {"n": 4, "temperature": 0.9, "final": "value"}}, "wrong"),
    "guide": ({"options": {"n": 4, "temperature": 0.9, "guide": "oracle"}}, "not-regenerated"),
    "strategy": ({"strategy": "self_consistency"}, "wrong-settings"),
    "budget": ({"budget_tokens": 512}, "not-regenerated"),
    "huge budget": ({"budget_tokens": 2**63 - 1}, "not-regenerated"),
    "no budget": ({"budget_tokens": None}, "wrong-settings: run.json: config.budget_tokens"),
    "seed": ({"seed": 1}, "not-regenerated"),
    "huge seed": ({"seed": 2**63 - 1}, "not-regenerated"),
    "prompt": ({"prompt": "verbose"}, "not-regenerated"),
    "line_tokens": ({"line_tokens": 2}, "not-regenerated"),
    "more": ({"nucleus": 0.9}, "wrong-settings: run.json: config.nucleus is 0.9"),
}


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_other_settings(forge, source, name):
    change, code = OTHER_SETTINGS[name]
    forge.run["config"] |= change
    assert refusal(forge.save(), source).startswith(code)


@pytest.mark.parametrize(
    "change",
    [{"parallel": 4}, {"parallel": 8.0}, {"parallel": True}, {"parallel": None}, {"more": 1}],
)
def test_other_defaults(forge, source, change):
    forge.run["defaults"] |= change
    (key,) = change
    found = refusal(forge.save(), source)
    assert found.startswith(f"wrong-settings: run.json: defaults.{key} is {change[key]!r}")


def test_default_left_out(forge, source):
    del forge.run["defaults"]["parallel"]
    found = refusal(forge.save(), source)
    assert found == (
        "wrong-settings: run.json: defaults.parallel is None, but what was run here has 8"
    )


@pytest.mark.parametrize("change", [{"budget_tokens": 48}, {"options": {"n": 4}}, {"more": 1}])
def test_settings_of_an_agent(forge_of, honest, change):
    forge = forge_of(honest)
    forge.run["config"] |= change
    assert refusal(forge.save(), Source(agent="expert")).startswith("wrong-settings")


# Hostile settings.

HOSTILE = {
    "strategy": [
        *("ledger", "tree", "os", "os:system", "os.path", "../x", "/etc/passwd", "mcts:mcts"),
        *("__init__", "_NOT_STRATEGIES", "Best_of_n", "best_of_n ", "", 0, 7, True, [], {}, ["x"]),
    ],
    "options": [
        *({"name": "mcts"}, {"": 1}, {"__class__": 1}, {"root": 1}, {"self": 1}, {"o\u200bs": 1}),
        *({"n": value} for value in (0, -1, True, 4.0, "4", None, [], {}, [4], "os:system")),
        *({"n": 4, "temperature": value} for value in (-1, True, "1", None, [], {"a": [1]})),
        *({"n": 4, "parallel": 2**62}, {"n": 4, "final": ["value"]}, {"n": 4, "final": "os"}),
        *({"guide": value} for value in (5, True, {"a": 1}, ["oracle"], "os:system", "value")),
        *({"guide": value} for value in (None, "", [], 0, "nan*policy", "1e999*policy", "+")),
        *({"reward_model": value} for value in (None, "", "os:system", 5, True, [], {"a": 1})),
    ],
    "seed": [-1, 1.0, True, None, "0", [], {}, [0]],
    "prompt": [1, True, "", "x", "compact ", "os:system", [], {}, ["compact"]],
    "budget_tokens": [0, -1, True, 99.0, "99", [], {}],
    "line_tokens": [0, -1, True, 9.5, "9", [], {}],
    "limit": [0, -1, True, 8.0, "8", [], {}],
    "agent": ["expert", "os:system", "", 0, True, [], {}],
    "model_digest": [0, True, [], {}, "\x1b[0m", "=1+1"],
}
CODES = {
    *("cannot-run", "missing-field", "out-of-range", "too-long", "unknown-value", "unsafe-text"),
    *("wrong-model", "wrong-settings", "wrong-suite", "wrong-type"),
}


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key, values in HOSTILE.items() for value in values],
    ids=lambda value: ascii(value),
)
def test_hostile_settings(forge, source, key, value, nothing_generated):
    forge.run["config"][key] = value
    result = regenerate(forge.save(), source, sample=None)
    first(result)
    allowed = {"unknown-value", "unsafe-text", "wrong-type"} if key == "strategy" else CODES
    assert {found.code for found in result.discrepancies} <= allowed, result.discrepancies


@pytest.fixture
def nothing_generated(model, monkeypatch):
    """Refused before the model is asked anything."""

    def generate(*arguments, **options):
        pytest.fail("the model was asked")

    monkeypatch.setattr(model, "generate", generate)


def test_no_seed(forge, source):
    del forge.run["config"]["seed"]
    assert refusal(forge.save(), source).startswith("wrong-type: run.json: seed: expected a whole")


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("best_of_n", {"n": 2**63 - 1}),
        ("best_of_n", {"n": 2**63 - 1, "temperature": 5e-324}),
        ("best_of_n", {"n": 4, "temperature": 1e308}),
        ("best_of_n", {"n": 4, "guide": "1e308*policy"}),
        ("mcts", {"simulations": 2**63 - 1, "c_puct": 1e308}),
        ("dvts", {"trees": 10**5}),
        ("revision", {"revisions": 2**63 - 1}),
    ],
    ids=str,
)
def test_extreme_options_end(forge, source, strategy, options):
    """The budget ends what options do not; whatever the numbers, there is a result."""
    given = {key: value for key, value in options.items() if key != "guide"}
    forge.run["config"] |= {"strategy": strategy, "options": options}
    forge.run["defaults"] = generation.prepare(
        generation.PlayerSpec(source.model, strategy, given, 48), SMOKE, 0
    )[2]
    assert refusal(forge.save(), source, sample=2, seed=0).startswith("not-regenerated")


@pytest.mark.parametrize("parallel", [8, 10**5])
def test_a_claim_that_takes_for_ever(forge, source, monkeypatch, parallel):
    """Endless samples within an endless budget; the ledger says that they were few."""
    monkeypatch.setattr(generation, "SLACK", 500)
    forge.run["config"] |= {
        "options": {"n": 2**63 - 1, "temperature": 0.9, "parallel": parallel},
        "budget_tokens": 2**63 - 1,
    }
    del forge.run["defaults"]["parallel"]
    took = [forge.episodes[index]["ledger"]["generated_tokens"] for index in drawn_with(0, 2)]
    assert refusal(forge.save(), source, sample=2, seed=0) == (
        f"not-regenerated: run.json: run as it says, it takes over {sum(took) + 1000} tokens, "
        "500 an episode more than it records"
    )


def test_an_honest_run_needs_no_slack(written, source, monkeypatch):
    monkeypatch.setattr(generation, "SLACK", 0)
    assert regenerate(written, source, sample=None).tier == RERUN


def test_whatever_a_model_raises_is_a_finding(written, model, monkeypatch):
    monkeypatch.setattr(model, "generate", None)
    found = refusal(written, Source(model=model))
    assert found.startswith("cannot-run: run.json: TypeError: ")


# Agents of users.

AGENT = """
class Scribe:
    def reset(self, seed):
        self.lines = [f"{seed % 1000} {WORD}", "answer:"]

    def act(self, observation):
        return self.lines.pop(0)

WORD = "is all that I know"

def make():
    return Scribe()
"""


@pytest.fixture
def agent(tmp_path, monkeypatch):
    """`scribes.ours:make`, a user's agent, not yet imported."""
    (tmp_path / "scribes").mkdir()
    (tmp_path / "scribes" / "__init__.py").write_text("")
    (tmp_path / "scribes" / "ours.py").write_text(AGENT)
    monkeypatch.syspath_prepend(tmp_path)
    yield "scribes.ours:make"
    for name in ("scribes.ours", "scribes"):
        sys.modules.pop(name, None)


def test_users_agent(make_bundle, agent, monkeypatch):
    bundle = make_bundle(agent=agent)
    result = regenerate(bundle, Source(agent=agent), sample=None)
    assert (result.tier, result.division) == (RERUN, "open")
    assert result.notes[-1].endswith(f"agent {agent}")
    monkeypatch.setattr(sys.modules["scribes.ours"], "WORD", "is what I knew")
    assert "episode 0: line 1, token" in refusal(bundle, Source(agent=agent))


def test_an_agent_is_not_imported_because_a_bundle_names_it(forge_of, honest, agent, source):
    forge = forge_of(honest)
    forge.run["config"]["agent"] = agent
    for episode in forge.episodes:
        episode["division"] = "open"
    bundle = forge.save()
    for named in (Source(agent="expert"), Source(agent="random"), source):
        assert refusal(bundle, named).startswith("wrong-model")
    assert "scribes" not in sys.modules
    # Only because the operator does.
    assert refusal(bundle, Source(agent=agent)).startswith("not-regenerated")
    assert "scribes.ours" in sys.modules


def test_a_model_is_not_loaded_because_a_bundle_names_it(forge, tmp_path, model, other):
    other.save(tmp_path / "other")
    forge.run["model"] = str(tmp_path / "other")
    assert regenerate(forge.save(), Source(model=model), sample=1).tier == SPOT_REGENERATED


# Between the two readings.


def rehash(forge):
    forge.manifest["submitter"]["name"] = "Mallory"
    forge.save()


def other_run(forge):
    forge.run["seconds"] += 1
    (forge.folder / "run.json").write_text(json.dumps(forge.run))


def other_episodes(forge):
    forge.episodes[0]["ledger"]["prompt_tokens"] += 1
    lines = "".join(json.dumps(episode) + "\n" for episode in forge.episodes)
    (forge.folder / "episodes.jsonl").write_text(lines)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (rehash, "changed"),
        (other_run, "changed"),
        (other_episodes, "changed"),
        (lambda forge: (forge.folder / "episodes.jsonl").write_text(""), "changed"),
        (lambda forge: (forge.folder / "episodes.jsonl").write_text("{}\n"), "wrong-type"),
        (lambda forge: (forge.folder / "run.json").write_text("{}"), "missing-field"),
        (lambda forge: (forge.folder / "run.json").unlink(), "missing-file"),
        (lambda forge: shutil.rmtree(forge.folder), "not-a-bundle"),
    ],
    ids=["all", "run", "episodes", "none", "no episode", "no run", "no file", "no folder"],
)
def test_changed_meanwhile(forge, source, monkeypatch, nothing_generated, change, code):
    def then_changed(path, rounds):
        result = verify(path, rounds)
        change(forge)
        return result

    monkeypatch.setattr(module, "verify", then_changed)
    assert first(regenerate(forge.save(), source)).startswith(f"{code}: ")


# What the operator says.


def test_unseeded_draws_differ(written, source):
    notes = {regenerate(written, source, sample=1).notes[-1] for _ in range(3)}
    assert len(notes) == 3
    seeds = {int(note.rpartition(" ")[2]) for note in notes}
    assert len({seed >> 40 for seed in seeds}) == 3


@pytest.mark.parametrize("sample", [0, -1])
def test_bad_sample(source, sample):
    with pytest.raises(ValueError, match=f"sample must be 1 or more, received {sample}"):
        regenerate("no such bundle", source, sample=sample)


def test_bad_seed(source):
    with pytest.raises(ValueError, match="seed must be 0 or more, received -1"):
        regenerate("no such bundle", source, seed=-1)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source(), "Name the model or the agent"),
        (Source(reward_model="x"), "Name the model or the agent"),
        (Source("x", agent="expert"), "and not both"),
        (Source(reward_model="x", agent="expert"), "reward model serves a model's guide"),
        (Source("http://localhost:1/v1#x"), "A server shows no weights"),
        (Source("x", "https://localhost:1/v1"), "A server shows no weights"),
    ],
)
def test_bad_source(source, message):
    with pytest.raises(ValueError, match=message):
        regenerate("no such bundle", source)


def test_no_bundle(source):
    with pytest.raises(FileNotFoundError, match="No bundle at"):
        regenerate("no such bundle", source)


def test_a_source_that_is_not_there_is_the_operators_mistake(written, honest, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError)):
        regenerate(written, Source(model=tmp_path / "nothing"))
    with pytest.raises(ValueError, match="no module 'nothing'"):
        regenerate(honest, Source(agent="nothing.here:make"))
    with pytest.raises(ValueError, match="Did you mean 'expert'"):
        regenerate(honest, Source(agent="expret"))
