"""A pull request adds one entry and nothing else, or is refused; and the workflow that asks."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from leaderboards import cli
from leaderboards.bundle import Submitter, pack
from leaderboards.decisions import DECISIONS
from leaderboards.entries import BUNDLE, ENTRY, NotAccepted, add_entry, decide, load_entries
from leaderboards.strict import Refused
from leaderboards.submission import FOLDER, check_submission

WORKFLOW = Path(__file__).parents[2] / ".github" / "workflows" / "submission.yml"


@pytest.fixture(scope="module")
def template(bundles, tmp_path_factory):
    """A repository with one entry, decisions, a script and a link; and the same with one more."""
    folder = tmp_path_factory.mktemp("submission")
    base = folder / "base"
    (base / ".git").mkdir(parents=True)
    (base / ".git" / "HEAD").write_text("base")
    (base / "reason_env").mkdir()
    (base / "reason_env" / "env.py").write_text("pass\n")
    (base / "run").write_text("#!/bin/sh\n")
    (base / "run").chmod(0o755)
    (base / "link").symlink_to("run")
    old = add_entry(bundles["random"], base / FOLDER, added="2026-01-02")
    decide(old.name, "remove", "one", base / FOLDER)
    decide(old.name, "reinstate", "two", base / FOLDER)
    head = shutil.copytree(base, folder / "head", symlinks=True)
    (head / ".git" / "HEAD").write_text("head")
    add_entry(bundles["expert"], head / FOLDER, added="2026-01-03")
    return folder


@pytest.fixture
def base(template, tmp_path):
    return shutil.copytree(template / "base", tmp_path / "base", symlinks=True)


@pytest.fixture
def head(template, tmp_path):
    return shutil.copytree(template / "head", tmp_path / "head", symlinks=True)


def old(head):
    return next((head / FOLDER).glob("*random*"))


def new(head):
    return next((head / FOLDER).glob("*expert*"))


def test_one_new_entry(base, head, monkeypatch):
    entry = check_submission(base, head)
    assert (entry.id, entry.added) == (new(head).name, "2026-01-03")
    monkeypatch.chdir(head)
    assert check_submission(f"..{os.sep}base", ".").id == entry.id


def test_the_very_first_entry(bundles, tmp_path):
    for name in ("base", "head"):
        (tmp_path / name).mkdir()
    add_entry(bundles["expert"], tmp_path / "head" / FOLDER)
    assert check_submission(tmp_path / "base", tmp_path / "head").result.accepted


def write(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def append(path, text="\n"):
    path.write_bytes(path.read_bytes() + text.encode())


def replace(path, target):
    path.unlink()
    path.symlink_to(target)


CHANGES = {
    # Files outside.
    "outside README": (lambda h: write(h / "README.md"), "outside"),
    "outside workflow": (lambda h: write(h / ".github/workflows/x.yml"), "outside"),
    "outside changed code": (lambda h: append(h / "reason_env/env.py"), "outside"),
    "outside same size": (lambda h: write(h / "reason_env/env.py", "fail\n"), "outside"),
    "outside code by git name": (lambda h: write(h / "reason_env/.git/config"), "outside"),
    "outside near by": (lambda h: write(h / "leaderboards/entriesX/a"), "outside"),
    "outside elsewhere": (lambda h: write(h / "x/leaderboards/entries/a/entry.json"), "outside"),
    "outside submodule": (lambda h: (h / "sub").mkdir(), "outside"),
    "executable": (lambda h: (h / "reason_env/env.py").chmod(0o755), "outside"),
    "no longer executable": (lambda h: (h / "run").chmod(0o644), "outside"),
    "link elsewhere": (lambda h: replace(h / "link", "/etc/passwd"), "outside"),
    "file becomes link": (lambda h: replace(h / "reason_env/env.py", "env.py"), "outside"),
    "link becomes file": (lambda h: [(h / "link").unlink(), write(h / "link")], "outside"),
    # Deletions.
    "deleted code": (lambda h: (h / "reason_env/env.py").unlink(), "deleted"),
    "deleted entry": (lambda h: shutil.rmtree(old(h)), "deleted"),
    "deleted bundle": (lambda h: (old(h) / BUNDLE).unlink(), "deleted"),
    "deleted decisions": (lambda h: (h / FOLDER / DECISIONS).unlink(), "deleted"),
    "renamed": (lambda h: old(h).rename(old(h).with_name("other-12345678")), "deleted"),
    # Other entries and decisions.
    "other receipt": (lambda h: append(old(h) / ENTRY), "other-entry"),
    "other bundle": (lambda h: shutil.copy(new(h) / BUNDLE, old(h) / BUNDLE), "other-entry"),
    "added to another": (lambda h: write(old(h) / "notes.md"), "other-entry"),
    "folder added to another": (lambda h: (old(h) / "x").mkdir(), "other-entry"),
    "decisions": (lambda h: append(h / FOLDER / DECISIONS), "decisions"),
    "decisions as link": (lambda h: replace(h / FOLDER / DECISIONS, "/dev/null"), "decisions"),
    # The new folder.
    "several": (lambda h: shutil.copytree(new(h), h / FOLDER / "b-12345678"), "several-entries"),
    "entry and file": (lambda h: write(h / FOLDER / "a.md"), "several-entries"),
    "hidden": (lambda h: write(h / FOLDER / ".hidden/entry.json"), "several-entries"),
    "none": (lambda h: shutil.rmtree(new(h)), "no-entry"),
    "extra file": (lambda h: write(new(h) / "setup.py"), "extra-file"),
    "extra file with an odd name": (lambda h: write(new(h) / "\n::error::\x1b[0m"), "extra-file"),
    "extra folder": (lambda h: (new(h) / "x").mkdir(), "extra-file"),
    "no receipt": (lambda h: (new(h) / ENTRY).unlink(), "missing-file"),
    "no bundle": (lambda h: (new(h) / BUNDLE).unlink(), "missing-file"),
    "receipt as link": (lambda h: replace(new(h) / ENTRY, "/etc/passwd"), "symlink"),
    "bundle as link": (lambda h: replace(new(h) / BUNDLE, old(h) / BUNDLE), "symlink"),
    "link more": (lambda h: (new(h) / "x").symlink_to("/etc"), "symlink"),
    "bundle as pipe": (
        lambda h: [(new(h) / BUNDLE).unlink(), os.mkfifo(new(h) / BUNDLE)],
        "not-a-file",
    ),
    "bundle as folder": (
        lambda h: [(new(h) / BUNDLE).unlink(), (new(h) / BUNDLE).mkdir()],
        "not-a-file",
    ),
    "executable bundle": (lambda h: (new(h) / BUNDLE).chmod(0o755), "executable"),
    # The entry itself.
    "bad name": (lambda h: new(h).rename(h / FOLDER / "My Entry"), "not-an-entry"),
    "name with a command": (
        lambda h: new(h).rename(h / FOLDER / "\n::error::accepted\x1b[0m-12345678"),
        "not-an-entry",
    ),
    "added in the future": (
        lambda h: write(
            new(h) / ENTRY, (new(h) / ENTRY).read_text().replace("2026-01-03", "9999-12-31")
        ),
        "wrong-date",
    ),
    "key twice": (
        lambda h: write(new(h) / ENTRY, (new(h) / ENTRY).read_text().replace("{", '{"tier": 1,')),
        "duplicate-key",
    ),
    "huge receipt": (lambda h: append(new(h) / ENTRY, " " * 2**17), "not-an-entry"),
    "other name": (lambda h: new(h).rename(h / FOLDER / "expert-12345678"), "not-an-entry"),
    "forged receipt": (
        lambda h: write(new(h) / ENTRY, (new(h) / ENTRY).read_text().replace("8", "9")),
        "not-an-entry",
    ),
    "no JSON": (lambda h: write(new(h) / ENTRY, "{"), "not-json"),
    "damaged bundle": (lambda h: append(new(h) / BUNDLE, "x"), "not-an-entry"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_anything_else_is_refused(base, head, name):
    change, code = CHANGES[name]
    change(head)
    with pytest.raises(Refused) as error:
        check_submission(base, head)
    assert error.value.code == code, error.value
    assert str(error.value).isprintable()


def test_whole_entry_as_link(base, head, tmp_path):
    elsewhere = tmp_path / new(head).name
    shutil.move(new(head), elsewhere)
    (head / FOLDER / elsewhere.name).symlink_to(elsewhere)
    with pytest.raises(Refused, match="symlink"):
        check_submission(base, head)


def test_copies_and_used_ids_are_refused(base, head, bundles, runs):
    expert = new(head).name
    # A copy of an entry of the base.
    shutil.rmtree(new(head))
    copy = pack(runs["random"], head.parent / "copy", Submitter("Mallory"))
    folder = add_entry(copy, head.parent / "scratch")
    shutil.copytree(folder, head / FOLDER / folder.name)
    with pytest.raises(NotAccepted, match="one by one"):
        check_submission(base, head)
    # An id that a decision names, of an entry that is gone from both.
    shutil.rmtree(head / FOLDER / folder.name)
    for side in (base, head):
        add_entry(bundles["expert"], side / FOLDER, added="2026-01-03")
        decide(expert, "remove", "one", side / FOLDER, date="2030-01-01")
    shutil.rmtree(base / FOLDER / expert)
    with pytest.raises(FileExistsError, match="never used again"):
        check_submission(base, head)


def receipt(head, **changes):
    value = json.loads((new(head) / ENTRY).read_text()) | changes
    (new(head) / ENTRY).write_text(json.dumps(value))


@pytest.mark.parametrize(
    "change",
    [
        {"tier": "rerun"},
        {"tier": "spot-regenerated"},
        {"division": "open"},
        {"solved": 9},
        {"solved": 8.0},
        {"episodes": 7},
        {"suite": "core-v1"},
        {"verified": True},
        {"added": "2026-1-3"},
        {"added": None},
    ],
)
def test_receipt_that_lies(base, head, change):
    receipt(head, **change)
    with pytest.raises(Refused) as error:
        check_submission(base, head)
    assert error.value.code in ("not-an-entry", "wrong-date")


def test_decisions_are_those_of_the_base(base, head):
    """The one log that is read is not the submitter's."""
    (base / FOLDER / DECISIONS).write_text("damaged\n")
    shutil.copy(base / FOLDER / DECISIONS, head / FOLDER / DECISIONS)
    with pytest.raises(Refused, match=re.escape(str(base / FOLDER / DECISIONS))):
        check_submission(base, head)


def test_nothing_of_the_head_is_written(base, head):
    def listing():
        return {p: p.lstat().st_mtime_ns for p in [*head.rglob("*"), *base.rglob("*")]}

    before = listing()
    check_submission(base, head)
    assert listing() == before


@pytest.mark.parametrize(("change", "code"), [(lambda h: None, 0), (CHANGES["none"][0], 1)])
def test_command(base, head, monkeypatch, capsys, change, code):
    change(head)
    arguments = ["check-submission", "--base", str(base), "--head", str(head)]
    monkeypatch.setattr(sys, "argv", ["reason-board", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert (stop.value.code or 0) == code
    captured = capsys.readouterr()
    assert "New entry: smoke-v1-expert" in captured.out if code == 0 else "no-entry" in captured.err


def test_text_of_a_stranger_begins_no_line(base, head, runs, monkeypatch, capsys, tmp_path):
    """A log's reader may take what stands there for a command, also behind spaces."""
    shutil.rmtree(new(head))
    words = " ".join(["::error::accepted ##[error]"] * 7)
    run = shutil.copytree(runs["expert"], tmp_path / "run")
    value = json.loads((run / "run.json").read_text())
    value["config"]["agent"] = words
    (run / "run.json").write_text(json.dumps(value | {"label": words[:80]}))
    add_entry(pack(run, tmp_path / "bundle", Submitter(words[:80])), head / FOLDER)
    arguments = ["check-submission", "--base", str(base), "--head", str(head)]
    monkeypatch.setattr(sys, "argv", ["reason-board", *arguments])
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        cli.main()
    out = capsys.readouterr().out
    assert words in out
    assert not [line for line in out.splitlines() if line.strip().startswith(("::", "##"))]


# The workflow.


@pytest.fixture(scope="module")
def workflow():
    value = yaml.safe_load(WORKFLOW.read_text())
    # YAML 1.1 reads `on` as true.
    return value | {"on": value.pop(True)}


@pytest.fixture(scope="module")
def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_workflow_is_triggered_without_rights(workflow):
    assert set(workflow["on"]) == {"pull_request"}
    paths = [f"{FOLDER}/**", "leaderboards/rounds/**"]
    assert workflow["on"]["pull_request"] == {"paths": paths}
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert not job.keys() & {"permissions", "environment", "secrets", "env"}
        assert job["runs-on"] == "ubuntu-latest"
        assert job["timeout-minutes"] <= 60
    for word in ("secrets", "pull_request_target", "workflow_run", "GITHUB_TOKEN", "github.token"):
        assert word not in WORKFLOW.read_text()


def test_workflow_judges_with_the_base(steps):
    checkouts = {
        step["with"]["path"]: step["with"]
        for step in steps
        if step.get("uses", "").startswith("actions/checkout@")
    }
    assert set(checkouts) == {"base", "head"}
    assert checkouts["base"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    for options in checkouts.values():
        assert options["persist-credentials"] is False
        assert not options.keys() & {"submodules", "lfs", "token", "ssh-key"}
    assert {step["uses"] for step in steps if "uses" in step} == {
        "actions/checkout@v4",
        "actions/setup-python@v5",
    }


def test_workflow_runs_nothing_of_the_head(steps):
    runs = [step["run"] for step in steps if "run" in step]
    used = 0
    for step in steps:
        assert "working-directory" not in step
        assert step.get("shell", "bash") == "bash"
        # What a submitter chooses is never pasted into a command.
        assert "${{" not in step.get("run", "")
    for line in "\n".join(runs).splitlines():
        code = line.split("#")[0]
        assert not re.search(r"\bcd\b|\bpushd\b|PYTHONPATH|\bsource\b|\beval\b", code)
        if re.search(r"\bhead\b", code):
            assert re.fullmatch(
                r"judge-venv/bin/reason-board check-submission --base base --head head",
                code.strip(),
            )
            used += 1
    assert used == 1
    (install,) = (line for line in "\n".join(runs).splitlines() if "pip install" in line)
    assert "'./judge[bench]'" in install
    assert "-c judge/constraints.txt" in install
    assert "cp -R base judge" in "\n".join(runs)


def test_example_of_the_workflow_on_the_entries_of_this_repository(tmp_path):
    """The newest entry here, as if it were being submitted."""
    root = Path(__file__).parents[2]
    for side in ("base", "head"):
        shutil.copytree(root / FOLDER, tmp_path / side / FOLDER)
    newest = load_entries(root / FOLDER)[-1]
    shutil.rmtree(tmp_path / "base" / FOLDER / newest.id)
    assert check_submission(tmp_path / "base", tmp_path / "head").id == newest.id
    assert json.loads((root / FOLDER / newest.id / ENTRY).read_text())["id"] == newest.id
