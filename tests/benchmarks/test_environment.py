"""What a run says of the machine and the code that it ran on."""

import json
import platform
import subprocess
import sys
import types
from pathlib import Path

from benchmarks.environment import _commit, capture, code_hashes, source_hash


def test_capture_names_no_machine():
    environment = capture()
    assert environment["packages"]["numpy"]
    assert set(environment) == {
        "packages",
        "code",
        "commit",
        "dirty",
        "dirty_files",
        "python",
        "hardware",
    }
    assert environment["hardware"]["cores"] >= 1
    text = json.dumps(environment, allow_nan=False)
    assert str(Path.home()) not in text
    assert platform.node() not in text


def test_files_that_differ_from_the_commit_are_named(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, "-C", tmp_path, *arguments], check=True, capture_output=True)

    assert _commit(tmp_path) == (None, None)
    git("init")
    (tmp_path / "first.py").write_text("1")
    (tmp_path / "second.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "x")
    commit, files = _commit(tmp_path)
    assert (len(commit), files) == (40, [])
    (tmp_path / "first.py").write_text("2")
    (tmp_path / "a name\twith \u00e4.py").write_text("")
    git("mv", "second.py", "moved.py")
    assert _commit(tmp_path)[1] == [
        "first.py",
        "moved.py",
        "second.py",
        "a name\twith \u00e4.py",
    ]
    (tmp_path / "below").mkdir()
    assert _commit(tmp_path / "below") == (None, None)
    for number in range(60):
        (tmp_path / f"new-{number}.py").touch()
    assert len(_commit(tmp_path)[1]) == 51
    assert _commit(tmp_path)[1][-1] == "... and 14 more"


def test_the_code_that_decides_an_episode_has_a_hash(tmp_path, monkeypatch):
    ours = code_hashes()
    assert list(ours) == ["reason_env", "agents", "benchmarks"]
    assert capture()["code"] == ours == code_hashes("random")

    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "someones_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "player.py").write_text("first")
    before = code_hashes("someones_package.player:make")
    assert before == {**ours, "someones_package": source_hash(package)}
    (package / "player.py").write_text("other")
    assert code_hashes("someones_package.player:make") != before

    (tmp_path / "someones_module.py").write_text("alone")
    assert code_hashes("someones_module:make")["someones_module"] == source_hash(
        tmp_path / "someones_module.py"
    )


def test_an_agent_without_a_file_has_no_hash(monkeypatch):
    monkeypatch.setitem(sys.modules, "by_hand", types.ModuleType("by_hand"))
    assert code_hashes("by_hand:make") == code_hashes("nowhere_at_all:make") == code_hashes()


def test_a_source_hash_tells_names_and_contents_apart(tmp_path):
    def written(**files):
        for old in tmp_path.glob("*.py"):
            old.unlink()
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        return source_hash(tmp_path)

    seen = [written(a="1", b="2"), written(a="2", b="1"), written(a="12", b=""), written(a="12")]
    assert len(set(seen)) == 4
    assert written(b="2", a="1") == seen[0]
