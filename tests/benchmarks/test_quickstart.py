"""The quick start end to end, with a model and a recipe of seconds."""

from dataclasses import replace

import pytest

from agents.models.tiny import TinyConfig
from benchmarks.quickstart import QUICK, STAGES, run_recipe
from benchmarks.run_folder import load_run


@pytest.fixture(scope="module")
def small():
    return replace(
        QUICK,
        suite="smoke",
        tiny=TinyConfig(layers=1, width=32, heads=2),
        sft=replace(QUICK.sft, steps=3, batch=4, workers=0),
        search=replace(QUICK.search, rounds=1, problems=4, simulations=2),
        ppo=replace(QUICK.ppo, updates=1, problems=4),
    )


@pytest.fixture(scope="module")
def done(small, tmp_path_factory):
    root = tmp_path_factory.mktemp("recipe") / "run"
    return root, run_recipe(small, root)


def test_all_stages_are_scored_on_all_problems(done):
    root, _ = done
    for stage in STAGES:
        for strategy in ("greedy", "sample", "best_of_n", "mcts"):
            run = load_run(root / "scores" / f"{stage}-{strategy}")
            assert len(run.episodes) == 8
            assert run.division == "open"


def test_the_report_has_its_pictures_and_its_control(done):
    _, report = done
    text = report.read_text()
    assert "Control" in text
    for name in ("accuracy.png", "training.png"):
        assert f"]({name})" in text
        assert (report.parent / name).read_bytes().startswith(b"\x89PNG")


def test_the_entry_is_on_the_board(done):
    root, _ = done
    assert "smoke" in (root / "board" / "index.html").read_text()


def test_called_again_it_repeats_nothing(done, small):
    root, report = done
    models = {stage: (root / stage / "resume.pt").stat().st_mtime_ns for stage in STAGES}
    assert run_recipe(small, root) == report
    assert models == {stage: (root / stage / "resume.pt").stat().st_mtime_ns for stage in STAGES}
