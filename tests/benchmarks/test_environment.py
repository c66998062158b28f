"""What a run says of the machine and the code that it ran on."""

import json
import platform
import subprocess
from pathlib import Path

from benchmarks.environment import _commit, capture


def test_capture_names_no_machine():
    environment = capture()
    assert environment["packages"]["numpy"]
    assert set(environment) == {
        "packages",
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
