"""The entries that the repository ships still verify: a changed suite or verdict shows here."""

from leaderboards.board import render
from leaderboards.decisions import read_log
from leaderboards.entries import ENTRIES


def test_every_shipped_entry_replays_and_is_shown(tmp_path):
    page = render(ENTRIES, tmp_path / "board").read_text()  # verifies all of them
    removed = read_log(ENTRIES).removed
    names = [f.name for f in ENTRIES.iterdir() if f.is_dir() and f.name not in removed]
    assert {"core-v1", "quickstart-v1"} <= {"-".join(name.split("-")[:2]) for name in names}
    for name in names:
        assert f'href="entries/{name}.html"' in page
