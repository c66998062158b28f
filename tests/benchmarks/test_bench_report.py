"""Reports: every run and comparison is in them, and the pictures are pictures."""

import json
import struct

import numpy as np
import pytest

from benchmarks.compare import compare, markdown
from benchmarks.environment import capture
from benchmarks.pictures import curves_picture, read_metrics
from benchmarks.players import Played
from benchmarks.records import LEDGER, Manifest
from benchmarks.report import accuracy_table, write_report
from benchmarks.run_folder import load_run
from benchmarks.runner import execute
from benchmarks.suite import Suite, make_env, resolve
from benchmarks.tables import cell, table

ENV = "reason_env/Countdown-v0"
ENTRIES = [
    {"env": ENV, "kwargs": {"level": level, "split": "test"}, "episodes": 10} for level in (1, 2)
]
SUITE = Suite.from_json(
    {"name": "mini", "version": 1, "seed": 0, "budget_tokens": 64, "entries": ENTRIES}
)
PROBLEMS = resolve(SUITE)


def make_run(folder, label, strategy, solve, budget=64, problems=PROBLEMS):
    """A run that solves the first `solve` problems of every ten."""

    def player(items, seeds):
        found = []
        for item in items:
            env = make_env(item.env, item.kwargs)
            env.reset(seed=item.seed)
            lines = []
            while not env.episode.stopped:
                good = item.index % 10 < solve
                lines.append(env.expert_line(np.random.default_rng(0)) if good else "1 + 1 = 3")
                env.step(lines[-1])
            ledger = {**dict.fromkeys(LEDGER, 0), "generated_tokens": 12}
            found.append(Played(tuple(lines), ((1,),) * len(lines), ledger, False))
        return found

    config = {"suite": problems.suite.to_json(), "suite_hash": problems.hash, "seed": 0}
    config |= {"limit": None, "strategy": strategy, "options": {}, "agent": None}
    config |= {"budget_tokens": budget, "model_digest": "ab" * 32}
    manifest = Manifest(config, label, "m", len(problems.items), capture())
    execute(problems, player, folder, manifest, progress=False)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [
        make_run(root / "a", "initialised", "greedy", 3),
        make_run(root / "b", "initialised", "mcts", 5),
        make_run(root / "c", "trained", "greedy", 6),
        make_run(root / "d", "trained", "mcts", 9, budget=32),
    ]


def size_of(png):
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_report_has_every_run_and_comparison(runs, tmp_path):
    log = tmp_path / "train"
    log.mkdir()
    rows = [{"step": s, "loss": 1 / (s + 1), "note": "text", "ok": True} for s in range(80)]
    (log / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "report"
    path = write_report(runs, out, curves={"SFT": log}, title="Mine", notes="Read *me*.")
    text = path.read_text()
    assert text.startswith("# Mine\n\nRead *me*.\n")
    assert "| initialised | greedy | 6 of 20 | 30.0 % [" in text
    assert "| trained | mcts (budget=32) | 18 of 20 | 90.0 % [" in text
    assert "| initialised / greedy | trained / greedy | 20 | +30.0 |" in text
    assert "| trained / greedy | trained / mcts (budget=32) [unequal] | 20 | +30.0 |" in text
    assert "| 4 | 0 | 0.125 | 0.125 |" in text, "McNemar's p and Holm's of two searches"
    assert "| 6 | 0 | 0.031 | 0.062 |" in text
    assert "| 6 | 0 | 0.031 |\n" in text, "a table with one test has no correction"
    assert "token budgets differ: 64, 32" in text
    assert "Countdown, level 1 | Countdown, level 2" in text
    assert PROBLEMS.hash in text
    assert "ab" * 6 in text
    for picture in ("accuracy.png", "training.png"):
        assert f"]({picture})" in text
        width, height = size_of(out / picture)
        assert width > 600
        assert height > 400
    before = (out / "accuracy.png").read_bytes()
    write_report(runs, out, curves={"SFT": log}, title="Mine", notes="Read *me*.")
    assert path.read_text() == text
    assert (out / "accuracy.png").read_bytes() == before


def test_suites_get_sections_of_their_own(runs, tmp_path):
    other = resolve(SUITE, limit=3)
    run = make_run(tmp_path / "e", "trained", "greedy", 9, problems=other)
    text = write_report([runs[0], run], tmp_path / "report").read_text()
    assert text.count("## mini v1") == 2
    assert "](accuracy-2.png)" in text
    assert "What training changed" not in text


def test_unfinished_runs_and_nothing_are_refused(runs, tmp_path):
    with pytest.raises(ValueError, match="at least one run"):
        write_report([], tmp_path)
    with pytest.raises(FileNotFoundError, match="not a run folder"):
        write_report([tmp_path], tmp_path)


def test_compare(runs):
    first, second = load_run(runs[0]), load_run(runs[2])
    comparison = compare(first, second)
    assert (comparison.overall.gained, comparison.overall.lost) == (6, 0)
    assert list(comparison.families) == ["Countdown, level 1", "Countdown, level 2"]
    assert comparison.warnings == ()
    text = markdown(comparison)
    assert "**trained / greedy** against **initialised / greedy**" in text
    assert "| all | 20 | +30.0 | +" in text
    assert accuracy_table([first]).count("\n") == 3


def test_tables_hold_any_text():
    text = table(["a", "b"], [["x|y\nz", "<b>"]])
    assert text == "| a | b |\n| :-- | --: |\n| x\\|y z | &lt;b> |\n"
    assert cell("plain") == "plain"


def test_bad_training_logs_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="No training log"):
        read_metrics(tmp_path)
    path = tmp_path / "metrics.jsonl"
    for line in ("{", "[]", '{"loss": 1}', '{"step": null}'):
        path.write_text('{"step": 0, "loss": 2}\n' + line + "\n")
        with pytest.raises(ValueError, match="line 2"):
            read_metrics(path)
    path.write_text('{"step": 0, "loss": 2}\n')
    with pytest.raises(ValueError, match=r"asked for \['los'\], the logs have \['loss'\]"):
        curves_picture({"x": path}, tmp_path / "x.png", keys=["los"])
