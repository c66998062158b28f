"""The guard that watches the verifier notices what it should."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from leaderboards.files import RUN


@pytest.mark.parametrize(
    "deed",
    [
        lambda folder: (folder / "x").write_text("x"),
        lambda folder: (folder / "x").mkdir(),
        lambda folder: os.close(os.open(folder / "x", os.O_CREAT)),
        lambda folder: (folder / "a").rename(folder / "b"),
        lambda folder: (folder / "a").unlink(),
        lambda folder: (folder / "l").symlink_to("/etc"),
        lambda folder: tempfile.TemporaryDirectory().cleanup(),
        lambda folder: os.system("true"),
        lambda folder: subprocess.run(["true"], check=True),
        lambda folder: pickle.loads(pickle.dumps(Path)),
        lambda folder: socket.getaddrinfo("localhost", 1),
    ],
)
def test_guard_notices(guard, tmp_path, deed):
    (tmp_path / "a").write_text("a")
    with pytest.raises(AssertionError), guard.watching():
        deed(tmp_path)


def test_guard_notices_a_hang(guard, hang):
    with pytest.raises(hang), guard.watching(seconds=0.05):
        time.sleep(5)


def test_guard_lets_reading_pass(guard, honest):
    with guard.watching():
        (honest / RUN).read_bytes()
    (honest.parent / "x").write_text("written when nobody watches")
    assert guard.verify(honest).accepted
