"""The baselines: trained, scored on every suite, reported; and again without any work."""

from agents.learning.expert_iteration import ExpertIterationConfig
from agents.learning.ppo import PPOConfig
from agents.learning.sft import SFTConfig
from agents.learning.specs import EnvSpec
from agents.models.tiny import TinyConfig
from benchmarks.baselines import MODELS, Plan, Scored, plan, run_baselines
from benchmarks.suite import load_suite, suite_names

ENVS = (EnvSpec.parse("Countdown-v0:level=1"), EnvSpec.parse("Hanoi-v0:level=1"))
SMALL = Plan(
    suites=(Scored("smoke", ("greedy",)), Scored("math-v1", ("greedy",)), Scored("smoke", limit=1)),
    tiny=TinyConfig(layers=1, width=16, heads=2),
    sft=SFTConfig(ENVS, expert_share=1.0, steps=2, batch=4, workers=0),
    search=ExpertIterationConfig(ENVS, rounds=1, problems=4, simulations=2, budget_tokens=64),
    ppo=PPOConfig(ENVS, reward="outcome", estimator="rloo", updates=1, problems=4, minibatch=4),
    limit=2,
)


def test_every_baseline_is_scored_and_reported_once(tmp_path):
    said = []
    report = run_baselines(SMALL, tmp_path, said.append).read_text()
    assert len(said) == 12
    assert "| expert | expert | 2 of 2 |" in report
    assert "| expert | expert | 10 of 10 |" in report
    for part in (
        "## smoke",
        "## math-v1",
        "## smoke-first-1",
        *(f"| {name} | greedy |" for name in MODELS),
    ):
        assert part in report
    assert "| GSM8K | 0 | 100 |" in report
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/**/*.json*")}
    assert run_baselines(SMALL, tmp_path, lambda text: None).read_text() == report
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/**/*.json*")}


def test_the_published_plan_trains_on_every_family():
    published = plan()
    assert {scored.suite for scored in published.suites} <= set(suite_names())
    families = {entry.env for entry in load_suite("core-v1").entries}
    assert len(published.sft.envs) == len(families) == 20
    assert {f"reason_env/{spec.id}" for spec in published.sft.envs} == families
    for number in (published.sft.batch, published.search.problems, published.ppo.problems):
        assert number % 20 == 0
    assert published.ppo.envs == published.search.envs == published.sft.envs
    for spec in published.sft.envs:
        assert dict(spec.kwargs)["level"] == 1
        assert "split" not in dict(spec.kwargs)
