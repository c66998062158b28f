"""Calibration and ranking against hand values and brute force; the study of a reward model."""

import json
import math
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.models.base import Completion
from agents.models.hf import HFModel
from agents.models.scripted import ScriptedModel
from agents.models.tiny import TinyConfig, tiny_model
from benchmarks import cli
from benchmarks.calibration import (
    auc,
    average,
    calibrated_floor,
    calibration_error,
    cluster_bootstrap,
    equal_mass,
    pearson,
    spearman,
)
from benchmarks.metrics import bootstrap
from benchmarks.reward_quality import AFTER, IN_REACH, MISTAKE, States, reward_quality, score, visit
from benchmarks.reward_report import describe, markdown, number, reliability_picture
from benchmarks.suite import Suite, make_env, resolve
from reason_env.problem import Problem
from reason_env.splits import split_of
from reason_env.task import DISCOUNT

ENV = "reason_env/Countdown-v0"
SPEC = "Countdown-v0:level=1,feedback=state"


def once(statistic, n):
    return float(statistic(np.ones((1, n)))[0])


def suite_of(problems, split="test", seed=0):
    kwargs = {"level": 1, "feedback": "state", "split": split}
    entry = {"env": ENV, "kwargs": kwargs, "episodes": problems}
    return Suite.from_json({"name": "t", "version": 1, "seed": seed, "entries": [entry]})


# -- Statistics ----------------------------------------------------------------------------------

FEW = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=2, max_size=12
)


@settings(deadline=None)
@given(FEW)
def test_auc_counts_pairs(rows):
    """Ties count half; weights are copies."""
    copies = np.array([[weight for _, _, weight in rows]], dtype=float)
    items = [(score, yes) for score, yes, weight in rows for _ in range(weight)]
    above = [score for score, yes in items if yes]
    below = [score for score, yes in items if not yes]
    found = auc([score for score, _, _ in rows], [yes for _, yes, _ in rows])(copies)[0]
    if not (above and below):
        assert math.isnan(found)
        return
    wins = sum((a > b) + (a == b) / 2 for a, b in product(above, below))
    assert found == pytest.approx(wins / len(above) / len(below))


@settings(deadline=None)
@given(FEW)
def test_correlations_are_those_of_the_copies(rows):
    x, y, weights = (np.array(column, dtype=float) for column in zip(*rows))
    many = np.repeat(np.stack([x, y]), weights.astype(int), axis=1)
    ranks = np.array(
        [[np.sum(row < v) + np.sum(row == v) / 2 for v in row] for row in many], dtype=float
    )
    for statistic, sample in ((pearson(x, y), many), (spearman(x, y), ranks)):
        if not weights.any():
            continue
        found = statistic(weights[None])[0]
        if sample.shape[1] < 2 or min(np.ptp(sample, axis=1)) == 0:
            assert math.isnan(found)
        else:
            assert found == pytest.approx(np.corrcoef(sample)[0, 1], abs=1e-9)


def test_known_values():
    assert once(auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 4) == 0.75
    assert once(auc([1, 1, 1], [1, 0, 0]), 3) == 0.5
    assert once(pearson([1, 2, 3], [2, 4, 6]), 3) == pytest.approx(1)
    assert once(spearman([1, 2, 3, 4], [1, 10, 5, 100]), 4) == pytest.approx(0.8)
    assert once(average([1, 2, 6]), 3) == 3


def test_calibration_error_by_hand():
    """Two bins: 0.1 and 0.3 with one of two in reach, 0.6 and 1.0 with two of two."""
    predictions, outcomes = [0.3, 1.0, 0.1, 0.6], [1, 1, 0, 1]
    assert equal_mass(predictions, 2).tolist() == [0, 1, 0, 1]
    # Half the items are 0.3 from their bin's outcome, half 0.2.
    assert once(calibration_error(predictions, outcomes, 2), 4) == pytest.approx(0.25)
    assert once(calibration_error(predictions, outcomes, 1), 4) == pytest.approx(0.25)
    assert once(calibration_error([0.5] * 4, [1, 1, 0, 0], 3), 4) == 0
    assert once(calibration_error([0.9, 0.1], [0, 1], 1), 2) == 0
    assert once(calibration_error([0.9, 0.1], [0, 1], 2), 2) == pytest.approx(0.9)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9]), min_size=1, max_size=30), st.integers(1, 7))
def test_bins_do_not_depend_on_the_order(predictions, bins):
    found = equal_mass(predictions, bins)
    assert found.min() == 0
    assert found.max() < bins
    by_value = dict(zip(predictions, found.tolist()))
    assert [by_value[p] for p in predictions] == found.tolist()
    assert equal_mass(predictions[::-1], bins).tolist() == found.tolist()[::-1]
    ordered = sorted(by_value)
    assert [by_value[p] for p in ordered] == sorted(by_value.values())


def test_bins_hold_equally_many():
    assert np.bincount(equal_mass(np.random.default_rng(0).random(1000), 10)).tolist() == [100] * 10
    with pytest.raises(ValueError, match="bins must be 1 or more, received 0"):
        equal_mass([0.5], 0)


def test_the_floor_is_what_a_calibrated_predictor_has():
    rng = np.random.default_rng(3)
    predictions = rng.random(2000)
    floor = calibrated_floor(predictions)
    drawn = [
        once(calibration_error(predictions, rng.random(2000) < predictions), 2000)
        for _ in range(300)
    ]
    assert floor == pytest.approx(np.mean(drawn), rel=0.05)
    assert 0.01 < floor < 0.05
    assert calibrated_floor([0.0, 1.0, 1.0]) == 0


def test_resampling_items_is_the_plain_bootstrap():
    values = np.random.default_rng(0).random(60)
    found = cluster_bootstrap({"mean": average(values)}, np.arange(60))["mean"]
    plain = bootstrap(values)
    assert (found.value, found.low, found.high) == pytest.approx(
        (plain.value, plain.low, plain.high)
    )


def test_states_of_one_problem_stand_together():
    """Ten copies of every state are no more evidence than one."""
    values = np.random.default_rng(0).random(60)
    ten = np.repeat(values, 10)
    problems = np.repeat(np.arange(60), 10)
    [one, copied, apart] = (
        cluster_bootstrap({"mean": average(v)}, clusters)["mean"]
        for v, clusters in ((values, np.arange(60)), (ten, problems), (ten, np.arange(600)))
    )
    assert (copied.low, copied.high) == pytest.approx((one.low, one.high))
    assert apart.high - apart.low < 0.5 * (one.high - one.low)


def test_what_is_not_defined_is_none():
    found = cluster_bootstrap({"auc": auc([0.1, 0.2], [1, 1]), "mean": average([1, 1])}, [0, 1])
    assert found["auc"] is None
    assert found["mean"].value == 1
    # Defined for the items, and for some of the resamples only.
    some = cluster_bootstrap({"auc": auc([0.1, 0.2, 0.3], [0, 1, 1])}, [0, 1, 2])["auc"]
    assert (some.value, some.low, some.high) == (1, 1, 1)
    with pytest.raises(ValueError, match="0 items"):
        cluster_bootstrap({}, [])


# -- Scores --------------------------------------------------------------------------------------


def test_scores_by_hand():
    """Two problems: one solved as foreseen, one lost at its first line."""
    states = States(
        problem=np.array([0, 0, 0, 1, 1, 1]),
        depth=np.array([0, 1, 2, 0, 1, 2]),
        reach=np.array([True, True, True, True, False, False]),
        worth=np.array([0.81, 0.9, 1.0, 0.81, 0.0, 0.0]),
        fate=np.array([IN_REACH] * 4 + [MISTAKE, AFTER]),
        process=np.array([0.1, 0.8, 1.0, 0.1, 0.9, 0.2]),
        value=np.array([0.5, 0.9, 0.8, 0.5, 0.1, 0.0]),
    )
    found = score(states)
    assert (found["states"], found["steps"], found["prompts"]) == (6, 4, 2)
    prm = {key: entry["value"] for key, entry in found["prm"]["all"].items() if key != "n"}
    assert prm == pytest.approx(
        {
            "base_rate": 0.5,
            "accuracy": 0.75,
            "brier": (0.04 + 0 + 0.81 + 0.04) / 4,
            "ece": (0.2 + 0 + 0.9 + 0.2) / 4,
            "auc": 0.75,
        }
    )
    value = {key: entry["value"] for key, entry in found["value"]["all"].items() if key != "n"}
    assert value["mean_potential"] == pytest.approx(1.9 / 4)
    assert value["absolute_error"] == pytest.approx(0.3 / 4)
    assert value["bias"] == pytest.approx(-0.1 / 4)
    assert value["bin_bias"] == pytest.approx(0.3 / 4)
    assert value["auc"] == 1
    assert found["prm"]["finds_mistake"]["value"] == 0.5
    assert found["prm"]["finds_after"]["value"] == 1
    assert {d: part["n"] for d, part in found["prm"]["by_depth"].items()} == {
        "0": 2,
        "1": 2,
        "2": 2,
    }
    assert {f: part["n"] for f, part in found["prm"]["by_fate"].items()} == {
        IN_REACH: 2,
        MISTAKE: 1,
        AFTER: 1,
    }
    assert found["prm"]["by_depth"]["0"]["auc"] is None
    assert found["prm"]["by_depth"]["0"]["accuracy"]["value"] == 0
    assert [row["n"] for row in found["prm"]["reliability"]] == [1] * 4
    assert sum(row["predicted"] for row in found["value"]["reliability"]) == pytest.approx(1.8)


def worth(text):
    """The exact value, from the text alone: all lines are played again."""
    prompt, *rest = text.split("\n")
    numbers, target = prompt.split(" -> ")
    problem = Problem("Countdown", 1, (tuple(map(int, numbers.split())), int(target)))
    env = make_env(ENV, {"level": 1, "feedback": "state"})
    env.reset(seed=0, options={"problem": problem})
    for line in rest:
        if line and not line.startswith("> "):
            _, _, terminated, _, info = env.step(line)
            if terminated:
                return float(info["terms"]["outcome"])
    return env.potential()


def babbling(text, seed):
    """Sums of the numbers left, and now and then a mistake or the end."""
    shown = [line for line in text.split("\n") if "->" in line][-1]
    numbers = shown.removeprefix("> ").split(" -> ")[0].split()
    rng = np.random.default_rng(seed)
    if len(numbers) < 2 or rng.random() < 0.1:
        return "1 + 999999" if rng.random() < 0.5 else "answer: 1"
    first, second = rng.choice(numbers, 2, replace=False)
    return f"{first} {'+-*'[rng.integers(3)]} {second}"


def test_a_judge_that_knows_is_perfect():
    """And one that says the opposite is perfectly wrong."""
    policy = ScriptedModel(babbling)
    judge = ScriptedModel(babbling, value=worth, reward=lambda text: float(worth(text) > 0))
    states = visit(judge, policy, suite_of(40), samples=2)
    assert set(states.fate) == {IN_REACH, MISTAKE, AFTER}
    found = score(states)
    assert found["prm"]["all"]["accuracy"]["value"] == 1
    assert found["prm"]["all"]["brier"]["value"] == 0
    assert found["prm"]["all"]["ece"]["value"] == 0
    assert found["prm"]["all"]["auc"]["value"] == 1
    assert found["prm"]["finds_mistake"]["value"] == 1
    assert found["value"]["all"]["absolute_error"]["value"] == pytest.approx(0)
    assert found["value"]["all"]["spearman"]["value"] == pytest.approx(1)
    assert set(states.worth.round(9)) <= {0.0, 1.0, DISCOUNT, round(DISCOUNT**2, 9)}
    # Prompts are in reach and left out of the headline.
    assert states.reach[states.depth == 0].all()
    assert found["prompts"] == 80
    opposite = ScriptedModel(babbling, reward=lambda text: 1 - float(worth(text) > 0))
    wrong = score(visit(opposite, policy, suite_of(40), samples=2))
    assert wrong["prm"]["all"]["auc"]["value"] == 0
    assert wrong["prm"]["all"]["accuracy"]["value"] == 0
    assert wrong["prm"]["all"]["ece"]["value"] == 1
    assert wrong["value"] is None


def test_states_are_of_the_split_asked_for_and_stay_the_same():
    policy = ScriptedModel(lambda text, seed: "<eos>", value=lambda text: 0.0)
    read = {}
    for split in ("dev", "test"):
        judge = ScriptedModel(lambda text, seed: "", value=lambda text: 0.5)
        states = visit(judge, policy, suite_of(20, split))
        again = visit(judge, policy, suite_of(20, split))
        assert np.array_equal(states.problem, again.problem)
        items = resolve(suite_of(20, split)).items
        for item in items:
            env = make_env(item.env, item.kwargs)
            env.reset(seed=item.seed)
            assert split_of(env.task, env.episode.problem) == split
        read[split] = {context for context in judge.valued if len(context) > 3}
        assert sorted(set(states.problem.tolist())) == list(range(20))
    assert not read["dev"] & read["test"]


# -- The study -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """Folder of an untrained reward model."""
    model = HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2), 0))
    model.network.eval()
    model.add_value_head()
    model.add_reward_head()
    folder = tmp_path_factory.mktemp("judge") / "model"
    model.save(folder)
    return folder


def test_the_study_is_written_and_comes_out_the_same(judge, tmp_path):
    """An untrained model says 1/2 everywhere."""
    studies = [
        reward_quality(judge, SPEC, tmp_path / name, problems=5, samples=2) for name in ("a", "b")
    ]
    assert studies[0] == studies[1]
    folder = tmp_path / "a"
    assert {path.name for path in folder.iterdir()} == {
        "reward_quality.json",
        "reward_quality.md",
        "reward_quality.png",
    }
    study = json.loads((folder / "reward_quality.json").read_text())
    assert study == studies[0]
    assert (study["kwargs"]["split"], study["problems"], study["prompts"]) == ("test", 5, 10)
    assert study["policy_digest"] == study["model_digest"] == HFModel.load(str(judge)).digest
    assert study["prm"]["by_depth"]["0"]["brier"]["value"] == 0.25
    picture = (folder / "reward_quality.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert picture == (tmp_path / "b/reward_quality.png").read_bytes()
    text = (folder / "reward_quality.md").read_text()
    assert text == markdown(study, "reward_quality.png")
    assert "## Process reward against exact reachability" in text
    assert "## Value against the exact potential" in text
    assert number(study["prm"]["all"]["accuracy"]) in text
    assert len(describe(study)) == 2


def test_a_study_without_a_head(judge, tmp_path):
    model = HFModel.load(str(judge))
    model.reward_head = None
    model.save(tmp_path / "values")
    study = reward_quality(tmp_path / "values", SPEC, tmp_path / "out", policy=judge, problems=2)
    assert study["prm"] is None
    assert study["policy_digest"] != study["model_digest"]
    assert "Process reward" not in (tmp_path / "out/reward_quality.md").read_text()
    model.value_head = None
    model.save(tmp_path / "none")
    with pytest.raises(ValueError, match="neither a process reward head nor a value head"):
        reward_quality(tmp_path / "none", SPEC, tmp_path / "never", problems=2)
    assert not (tmp_path / "never").exists()


def test_a_policy_that_finishes_no_line(judge, tmp_path, monkeypatch):
    monkeypatch.setattr(
        HFModel,
        "generate",
        lambda self, prefixes, **settings: [
            Completion((5,) * most, (-1.0,) * most, (-1.0,) * most, stopped=False)
            for most in settings["max_tokens"]
        ],
    )
    with pytest.raises(ValueError, match="finished no line in 4 rollouts, so there is no step"):
        reward_quality(judge, SPEC, tmp_path / "out", problems=2, samples=2)
    assert not (tmp_path / "out").exists()


def test_bins_whose_outcomes_are_alike_can_be_drawn(judge, tmp_path):
    """The mean of equal numbers may be rounded past all of them."""
    study = reward_quality(judge, SPEC, tmp_path / "out", problems=5, samples=2)
    for head in ("prm", "value"):
        for row in study[head]["reliability"]:
            row["observed"] = {"value": 0.9, "low": 0.9 + 1e-16, "high": 0.9 - 1e-16}
    reliability_picture(study, tmp_path / "again.png")
    assert (tmp_path / "again.png").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 0}, "samples must be 1 or more, received 0"),
        ({"problems": 0}, "problems must be 1 or more, received 0"),
        ({"temperature": -1.0}, "temperature must be 0 or more, received -1.0"),
        ({"temperature": math.nan}, "temperature must be 0 or more, received nan"),
        ({"seed": -1}, "seed must be 0 or more, received -1"),
        ({"split": "tset"}, "Did you mean 'test'"),
        ({"env": "Cuontdown-v0"}, "Did you mean"),
        ({"env": "Countdown-v0:lvel=1"}, "lvel"),
        ({"model": "/no/such/model"}, "No model folder"),
    ],
)
def test_mistakes_are_named(judge, tmp_path, changes, message):
    given = {"model": judge, "env": SPEC, "out": tmp_path / "out", **changes}
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        reward_quality(**given)
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder(judge, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ValueError, match="out is no folder"):
        reward_quality(judge, SPEC, tmp_path / "out")


def test_the_command(judge, tmp_path, monkeypatch, capsys):
    arguments = [judge, "--env", SPEC, "--problems", 3, "--samples", 1, "--split", "dev"]
    arguments += ["--policy", judge, "--out", tmp_path / "study"]
    monkeypatch.setattr(sys, "argv", ["reason-bench", "reward-quality", *map(str, arguments)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    out = capsys.readouterr().out
    assert out.startswith("Process reward at ")
    assert "\nValue at " in out
    assert out.endswith(f"Study: {tmp_path / 'study/reward_quality.md'}\n")
