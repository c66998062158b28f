"""What the three commands share: mistakes in one line, and threads that wait without spinning."""

import os
from typing import Any

import pytest

from reason_env import console
from reason_env.console import run_app
from reason_env.errors import MissingExtra


def app(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> list[Any]:
    """Makes this module's `started` the application; the list says how it found OMP_WAIT_POLICY."""
    found: list[Any] = []

    def started() -> None:
        found.append(os.environ.get("OMP_WAIT_POLICY"))
        if error:
            raise error

    monkeypatch.setattr(console, "started", started, raising=False)
    return found


@pytest.mark.parametrize(("before", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_passively_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, before: str | None, expected: str
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", before or "")  # so that it is put back afterwards
    if before is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    found = app(monkeypatch)
    run_app("reason_env.console:started", [], "train")
    assert found == [expected]


@pytest.mark.parametrize("error", [ValueError("no such task"), OSError("disk full")])
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    monkeypatch.delenv("REASON_DEBUG", raising=False)
    app(monkeypatch, error)
    with pytest.raises(SystemExit) as exit_:
        run_app("reason_env.console:started", [], "train")
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f"error: {error}\n"
    monkeypatch.setenv("REASON_DEBUG", "1")
    with pytest.raises(type(error)):
        run_app("reason_env.console:started", [], "train")


def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REASON_DEBUG", raising=False)
    found = app(monkeypatch)
    with pytest.raises(SystemExit):
        run_app("reason_env.console:started", ["no_such_package"], "train")
    error = capsys.readouterr().err
    assert "no_such_package" in error
    assert "train" in error
    assert not found
    monkeypatch.setenv("REASON_DEBUG", "1")
    with pytest.raises(MissingExtra):
        run_app("reason_env.console:started", ["no_such_package"], "train")
