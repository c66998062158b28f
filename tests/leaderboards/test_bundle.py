"""Packing: what goes in, what stays out, and what is never overwritten."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmarks.run_folder import load_run
from leaderboards.bundle import Submitter, code_hash, pack
from leaderboards.verify import verify


@pytest.mark.parametrize("name", ["bundle", "bundle.tar.gz"])
def test_honest_run_passes(runs, tmp_path, name):
    out = pack(runs["random"], tmp_path / "new" / name, Submitter("Ada", "https://example.org/a"))
    result = verify(out)
    assert result.accepted, result.discrepancies
    run = load_run(runs["random"])
    assert result.score.solved == run.manifest.solved
    assert result.score.tokens == run.manifest.ledger["generated_tokens"] / run.manifest.episodes
    assert 0 <= result.score.accuracy.low <= result.score.accuracy.value
    assert result.suite == "smoke v1"
    assert result.player == "random"
    assert result.submitter.link == "https://example.org/a"
    assert result.environment_code == code_hash()
    assert result.notes == ()
    assert sum(part.episodes for part in result.score.parts) == run.manifest.episodes


def test_directory_and_archive_are_equal(runs, tmp_path):
    first = verify(pack(runs["expert"], tmp_path / "a", Submitter("Ada")))
    second = verify(pack(runs["expert"], tmp_path / "b.tar.gz", Submitter("Ada")))
    assert first == second


def test_same_run_same_bytes(runs, tmp_path):
    archives = [
        pack(runs["expert"], tmp_path / f"{n}.tar.gz", Submitter("Ada")).read_bytes() for n in "ab"
    ]
    assert archives[0] == archives[1]


def test_transcripts_are_kept(bundles, runs):
    result = verify(bundles["random"])
    solved = {episode.index: episode.solved for episode in load_run(runs["random"]).episodes}
    assert {t.solved for t in result.transcripts} == set(solved.values())
    assert all(t.solved == solved[t.index] for t in result.transcripts)
    assert all(t.text.isascii() for t in result.transcripts)


@pytest.mark.parametrize("name", ["taken", "taken.tar.gz"])
def test_nothing_is_overwritten(runs, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match="not overwritten"):
        pack(runs["expert"], tmp_path / name, Submitter("Ada"))
    assert (tmp_path / name).read_text() == "mine"


def test_no_run_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a run folder"):
        pack(tmp_path, tmp_path / "out", Submitter("Ada"))
    assert not (tmp_path / "out").exists()


def test_unfinished_run(runs, tmp_path):
    run = shutil.copytree(runs["expert"], tmp_path / "run")
    lines = (run / "episodes.jsonl").read_text().splitlines(keepends=True)
    (run / "episodes.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(ValueError, match=r"has \d+ of \d+ episodes"):
        pack(run, tmp_path / "out", Submitter("Ada"))


@pytest.mark.parametrize(
    "submitter",
    [Submitter(""), Submitter("a\x1b[0m"), Submitter("a", "ftp://x"), Submitter("a", notes="=1")],
)
def test_bad_submitter_is_refused_before_anything_is_written(runs, tmp_path, submitter):
    with pytest.raises(ValueError, match="submitter"):
        pack(runs["expert"], tmp_path / "out", submitter)
    assert not (tmp_path / "out").exists()


def edit_run(runs, tmp_path, **changes):
    """A run folder whose run.json differs."""
    run = shutil.copytree(runs["expert"], tmp_path / "run")
    value = json.loads((run / "run.json").read_text()) | changes
    (run / "run.json").write_text(json.dumps(value))
    return run


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/home/ada/models/tiny", "tiny"),
        (r"C:\Users\ada", "..."),
        ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
    ],
)
def test_machine_paths_are_stripped(runs, tmp_path, path, kept):
    run = edit_run(runs, tmp_path, label=path)
    out = pack(run, tmp_path / "out", Submitter("Ada"))
    assert json.loads((out / "run.json").read_text())["label"] == kept


def test_machine_paths_in_errors_are_stripped(runs, tmp_path):
    run = shutil.copytree(runs["expert"], tmp_path / "run")
    lines = (run / "episodes.jsonl").read_text().splitlines()
    value = json.loads(lines[0]) | {
        "status": "error",
        "error": "OSError: /home/ada/secret/file.txt",
        "actions": [],
        "tokens": [],
        "solved": False,
    }
    (run / "episodes.jsonl").write_text("\n".join([json.dumps(value), *lines[1:]]) + "\n")
    out = pack(run, tmp_path / "out", Submitter("Ada"))
    assert "OSError: file.txt" in (out / "episodes.jsonl").read_text()


SECRET = "hf_" + "a" * 34


def test_secrets_are_not_published(runs, tmp_path):
    run = edit_run(runs, tmp_path, label=f"key {SECRET}")
    with pytest.raises(ValueError, match="looks like a secret") as error:
        pack(run, tmp_path / "out", Submitter("Ada"))
    assert SECRET not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_secrets_of_the_submitter_are_not_published(runs, tmp_path):
    with pytest.raises(ValueError, match=r"manifest\.json.*looks like a secret"):
        pack(runs["expert"], tmp_path / "out", Submitter("Ada", notes=f"use {SECRET}"))


@pytest.mark.parametrize("change", [{"error": f"Denied: {SECRET}"}, {"actions": [SECRET]}])
def test_secrets_in_episodes_are_not_published(runs, tmp_path, change):
    run = shutil.copytree(runs["expert"], tmp_path / "run")
    lines = (run / "episodes.jsonl").read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    (run / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"episodes\.jsonl, line 2.*looks like a secret"):
        pack(run, tmp_path / "out", Submitter("Ada"))
