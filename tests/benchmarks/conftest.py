"""What tests of the benchmark share."""

import os
import shutil
import sys

import pytest

from benchmarks import cli


@pytest.fixture
def bench(monkeypatch, capsys):
    """Runs the command line; gives exit code, output and errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["reason-bench", *map(str, arguments)])
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def chromium():
    """Chromium, headless; the test is skipped where there is none.

    Of one module: two drivers of playwright cannot run at once.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium or Chrome is installed")
    # Chromium has no sandbox for root, which is what containers run as.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()
