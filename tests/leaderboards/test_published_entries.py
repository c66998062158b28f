"""The entries that the repository ships still verify: a changed suite or verdict shows here."""

from leaderboards.board import render
from leaderboards.decisions import read_log
from leaderboards.entries import ENTRIES, load_entries
from leaderboards.verify import verify


def test_every_shipped_entry_replays():
    removed = read_log(ENTRIES).removed
    folders = [f for f in ENTRIES.iterdir() if f.is_dir() and f.name not in removed]
    assert folders
    for folder in folders:
        result = verify(folder / "bundle.tar.gz")
        assert result.accepted, (folder.name, result.discrepancies)


def test_the_board_shows_them(tmp_path):
    page = render(ENTRIES, tmp_path / "board").read_text()
    assert len(load_entries(ENTRIES)) >= 1
    assert "quickstart" in page
