"""The roadmap experiment in miniature: all stages, controls of the right size, resumption, and a
report that says what its numbers say."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from agents.learning.expert_iteration import ExpertIterationConfig
from agents.learning.optimizers import OptimizerConfig
from agents.learning.ppo import PPOConfig
from agents.learning.sft import SFTConfig
from agents.learning.specs import EnvSpec
from agents.models.tiny import TinyConfig
from benchmarks.compute import rows_of, seconds_of
from benchmarks.metrics import Estimate, bootstrap, bootstrap_grid
from benchmarks.roadmap import run_roadmap, sized, train_stage
from benchmarks.roadmap_plan import ESTIMATORS, PLAN, REWARDS, STARTS, Plan, stages_of
from benchmarks.roadmap_report import verdict
from benchmarks.study_commands import app

ENVS = tuple(replace(spec) for spec in PLAN.sft.envs)
SMALL = OptimizerConfig(lr=1e-3, muon=False, warmup=1)
MINI = Plan(
    suite="roadmap",
    limit=2,
    seeds=(3,),
    tiny=TinyConfig(layers=1, width=32, heads=2),
    large=TinyConfig(layers=1, width=64, heads=2),
    sft=SFTConfig(ENVS, 0.25, steps=4, batch=8, workers=0),
    search=ExpertIterationConfig(
        ENVS,
        rounds=2,
        problems=6,
        minibatch=4,
        simulations=2,
        guide="public",
        values="outcome",
        optimizer=SMALL,
    ),
    ppo=PPOConfig(ENVS, updates=2, problems=3, minibatch=4, optimizer=SMALL),
    choice=PPOConfig(ENVS, updates=1, problems=3, samples=2, minibatch=4, optimizer=SMALL),
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("roadmap")
    said = []
    report = run_roadmap(MINI, out, "reason-bench roadmap", said.append, jobs=2)
    return out, report.read_text(), said


def test_every_stage_is_trained_and_scored(done):
    out, report, said = done
    stages = stages_of(MINI, 3, out / "seed-3")
    for prefix, start in STARTS.items():
        compared = {f"{prefix}reward-{name}" for name in REWARDS}
        compared |= {f"{prefix}estimator-{name}" for name in ESTIMATORS}
        assert {stages[name].start for name in compared} == {start}
        assert {stages[name].strategies for name in compared} == {("greedy", "sample")}
        assert f"| {stages[start].label} | sample |" in report
    assert len(said) == len(stages)
    for seed in MINI.seeds:
        for name, stage in stages.items():
            root = out / f"seed-{seed}"
            assert (root / name / "model/model.safetensors").is_file()
            for strategy in ("greedy", "sample", "mcts"):
                scored = (root / "scores" / f"{name}-{strategy}").is_dir()
                assert scored == (strategy in stage.strategies)
            assert stage.label in report


def test_controls_get_what_they_should(done):
    """The control the seconds of search and PPO, the large model those of the whole line; the
    expert's data is as much as search found."""
    out, _, _ = done
    root = out / "seed-3"
    stages = stages_of(MINI, 3, root)

    def median(name):
        return float(np.median([row["seconds"] for row in rows_of(root / name)]))

    extra = seconds_of(root / "searched", root / "trained")
    assert len(rows_of(root / "control")) == max(1, round(extra / median("initialised")))
    whole = extra + seconds_of(root / "initialised")
    assert len(rows_of(root / "large-long")) == max(1, round(whole / median("large")))
    found = sum(row["found"] for row in rows_of(root / "searched")) * MINI.search.problems
    expert = stages["expert-data"].config()
    assert expert.expert_share == 1.0
    assert expert.steps == max(1, 2 * -(-round(found) // 4))
    assert stages["control"].config().first_batch == MINI.sft.steps


def test_pictures_and_claims(done):
    out, report, _ = done
    for name in ("stages", "rewards", "early-rewards", "data", "parameters", "estimators"):
        assert f"({name}.png)" in report
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    for claim in ("R1", "R3", "R4"):
        assert f"| {claim}" in report
    assert "one training seed and 6 unseen problems" in report
    assert "reason-bench roadmap" in report


def test_again_changes_nothing(done):
    """Everything is loaded; nothing is trained or played a second time."""
    out, report, _ = done
    times = {p: p.stat().st_mtime_ns for p in out.rglob("metrics.jsonl")}
    times |= {p: p.stat().st_mtime_ns for p in out.rglob("episodes.jsonl")}
    again = run_roadmap(MINI, out, "reason-bench roadmap", lambda _: None)
    assert again.read_text() == report
    assert {p: p.stat().st_mtime_ns for p in times} == times


def test_processes_change_nothing(done, tmp_path):
    """A stage made beside others has the parameters of one made alone."""
    out, _, _ = done
    root = out / "seed-3"
    for name in ("initialised", "searched"):
        train_stage(tmp_path, name, stages_of(MINI, 3, tmp_path)[name], 3)
        alone, beside = (folder / name / "model/model.safetensors" for folder in (tmp_path, root))
        assert alone.read_bytes() == beside.read_bytes()


def test_what_a_stage_reads_is_made_first(tmp_path):
    """Each configuration can be made where only what its stage needs is there."""
    stages = stages_of(MINI, 3, tmp_path)
    row = '{"seconds": 1.0, "found": 0.5}\n'
    for stage in stages.values():
        for name in stage.needs:
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "metrics.jsonl").write_text(row)
        stage.config()
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()


def test_the_plan_is_what_it_says():
    assert PLAN.seeds == (0,)
    assert PLAN.search.guide == "public"  # no potential, no expert
    assert PLAN.search.values == "outcome"
    assert PLAN.ppo.reward == "outcome"
    for spec in PLAN.sft.envs:
        assert dict(spec.kwargs).get("split") is None
    assert sized(PLAN, 2, 50).seeds == (0, 1)
    assert sized(PLAN, None, None) == PLAN
    with pytest.raises(ValueError, match="seeds must be 1 or more, received 0"):
        sized(PLAN, 0, None)


def test_full_or_seeds(tmp_path):
    words = ["roadmap", "--full", "--seeds", "2", "--out", str(tmp_path / "roadmap")]
    result = CliRunner().invoke(app, words)
    assert "--full is --seeds 3, received --seeds 2 too" in str(result.exception)
    assert not (tmp_path / "roadmap").exists()


def test_sizes():
    """The large model has four times the parameters."""
    from agents.models.tiny import tiny_model

    small, large = (
        sum(p.numel() for p in tiny_model(shape).parameters()) for shape in (PLAN.tiny, PLAN.large)
    )
    assert 3.9 < large / small < 4.2


@pytest.mark.parametrize(
    ("low", "high", "least", "said"),
    [
        (0.21, 0.4, 0.2, "**Holds**"),
        (0.1, 0.4, 0.2, "**Not shown**"),
        (0.1, 0.19, 0.2, "**Does not hold**"),
        (-0.1, 0.0, 0.0, "**Does not hold**"),
    ],
)
def test_verdicts(low, high, least, said):
    assert verdict(Estimate((low + high) / 2, low, high), least).startswith(said)


# -- Intervals over seeds and problems ---------------------------------------------------------


def test_one_seed_is_the_plain_bootstrap():
    solved = np.random.default_rng(0).random(300) < 0.4
    grid, plain = bootstrap_grid(solved[None]), bootstrap(solved)
    assert grid.value == plain.value
    assert grid.low == pytest.approx(plain.low, abs=0.01)
    assert grid.high == pytest.approx(plain.high, abs=0.01)


def test_seeds_that_differ_widen_the_interval():
    """Three seeds at 30, 50 and 70 % say less than three at 50 %."""
    rng = np.random.default_rng(0)
    alike = rng.random((3, 400)) < 0.5
    apart = rng.random((3, 400)) < np.array([[0.3], [0.5], [0.7]])
    widths = [e.high - e.low for e in map(bootstrap_grid, (alike, apart))]
    assert widths[1] > 2 * widths[0]


def test_problems_are_shared_by_seeds():
    """Seeds that all solve the same half are no more problems than one seed's."""
    row = np.arange(400) % 2
    one, three = bootstrap_grid(row[None]), bootstrap_grid(np.stack([row] * 3))
    assert three.high - three.low == pytest.approx(one.high - one.low, abs=0.01)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [[]]])
def test_nothing_to_average(values):
    with pytest.raises(ValueError, match="Expected values of seeds and problems"):
        bootstrap_grid(values)


def test_specs_are_what_the_suite_asks():
    from benchmarks.suite import load_suite

    asked = {(e.env, tuple(sorted(e.kwargs.items()))) for e in load_suite("roadmap").entries}
    trained = {
        (f"reason_env/{s.id}", tuple(sorted({**dict(s.kwargs), "split": "test"}.items())))
        for s in PLAN.sft.envs
    }
    assert asked == trained
    assert all(isinstance(spec, EnvSpec) for spec in PLAN.sft.envs)
