"""The pages: ranks, escaping, policy, and what is left alone."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.metrics import wilson
from leaderboards.board import _environment, rank, render
from leaderboards.bundle import Submitter, pack
from leaderboards.entries import Entry, add_entry
from leaderboards.verify import Result, Score, verify


class Page(HTMLParser):
    """Tags with attributes, and texts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def site(bundles, tmp_path):
    for bundle in bundles.values():
        add_entry(bundle, tmp_path / "entries", added="2026-01-02")
    return render(tmp_path / "entries", tmp_path / "site").parent


def test_pages(site):
    page = Page(site / "index.html")
    links = [a["href"] for a in page.all("a") if (a["href"] or "").startswith("entries/")]
    assert len(links) == 2
    for link in links:
        entry = Page(site / link)
        assert "Some transcripts" in entry.text
        for attributes in entry.all("a"):
            target = attributes["href"]
            assert target == "#main" or (site / "entries" / target).is_file()
    assert "Replay proves that the recorded actions earn the score" in page.text
    assert "100.0\xa0%" in page.text
    assert " to 100.0" in page.text


@pytest.mark.parametrize("name", ["index.html", "entries/*.html"])
def test_policy_allows_one_style_and_nothing_else(site, name):
    for path in site.glob(name):
        page = Page(path)
        (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
        style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy == (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )
        names = {tag for tag, _ in page.tags}
        assert not names & {"script", "img", "iframe", "object", "form", "base", "link"}
        for _, attributes in page.tags:
            assert not [a for a in attributes if a.startswith("on") or a == "style"]
        # The policy comes before anything that it governs.
        assert page.source.index("Content-Security-Policy") < page.source.index("<style>")


def test_table_is_accessible(site):
    page = Page(site / "index.html")
    assert page.all("html") == [{"lang": "en"}]
    for header in page.all("th"):
        assert header["scope"] in ("col", "row")
    (table,) = page.all("table")
    assert any(h.get("id") == table["aria-labelledby"] for h in page.all("h2"))
    assert all(svg["aria-hidden"] == "true" for svg in page.all("svg"))


INJECTIONS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'; DROP TABLE entries; --",
    "{{ 7*7 }}{% raw %}",
    "</style><script>alert(1)</script>",
    "[red]markup[/red] &lt;b&gt;",
    "<!--",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_injections_are_shown_as_text(runs, tmp_path, text):
    bundle = pack(runs["random"], tmp_path / "b", Submitter(text, "https://e.org/?a=1&b='x'", text))
    folder = add_entry(bundle, tmp_path / "entries")
    index = render(tmp_path / "entries", tmp_path / "site")
    for path in (index, index.parent / "entries" / f"{folder.name}.html"):
        page = Page(path)
        assert text in page.text
        assert not page.all("script")
        assert not page.all("img")
        assert {"href": "https://e.org/?a=1&b='x'", "rel": "nofollow noopener noreferrer ugc"} in (
            page.all("a")
        )
        for _, attributes in page.tags:
            assert not [a for a in attributes if a.startswith("on")]


def test_hostile_transcripts_are_shown_as_text(site, bundles, tmp_path):
    result = verify(bundles["random"])
    hostile = dataclasses.replace(result.transcripts[0], text="</pre><script>alert(1)</script>")
    changed = dataclasses.replace(result, transcripts=(hostile,))
    entry = Entry("x-00000000", "2026-01-02", changed, Path())
    (table,) = rank([entry])
    page = _environment().get_template("entry.html").render(
        row=table.rows[0], entry=entry, result=entry.result, of=1,
        style="", policy="", generator="", note="",
    )  # fmt: skip
    assert "<script>" not in page
    assert "&lt;/pre&gt;&lt;script&gt;" in page


def entry(name, solved, division="open", suite="smoke v1", suite_hash="a", tokens=10.0):
    score = Score(8, solved, 0, 0, wilson(solved, 8), tokens, ())
    result = Result(
        (), player=name, score=score, division=division, suite=suite, suite_hash=suite_hash
    )
    return Entry(name, "2026-01-02", result, Path())


def test_ties_share_a_rank():
    (table,) = rank([entry("a", 3), entry("b", 5), entry("c", 5, tokens=4.0), entry("d", 2)])
    ranks = [(row.entry.id, row.rank) for row in table.rows]
    assert ranks == [("c", 1), ("b", 1), ("a", 3), ("d", 4)]


def test_only_comparable_entries_share_a_table():
    tables = rank(
        [
            entry("a", 3, "oracle"),
            entry("b", 2),
            entry("c", 1, suite="smoke v1, first 3", suite_hash="b"),
            entry("d", 1, suite_hash="c"),
        ]
    )
    assert [(t.suite, t.division, len(t.rows)) for t in tables] == [
        ("smoke v1", "open", 1),
        ("smoke v1", "oracle", 1),
        ("smoke v1", "open", 1),
        ("smoke v1, first 3", "open", 1),
    ]


def test_empty_board(tmp_path):
    assert "No entries yet" in Page(render(tmp_path / "none", tmp_path / "site")).text


def test_same_entries_same_bytes(site, tmp_path):
    before = {path: path.read_bytes() for path in site.rglob("*.html")}
    render(tmp_path / "entries", site)
    assert {path: path.read_bytes() for path in site.rglob("*.html")} == before


def test_gone_entries_are_gone(site, tmp_path):
    render(tmp_path / "none", site)
    assert [path.name for path in site.rglob("*") if path.is_file()] == ["index.html"]


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")
    with pytest.raises(ValueError, match="something other than a board"):
        render(tmp_path / "none", tmp_path / "site")
    assert (tmp_path / "site" / "index.html").read_text() == "mine"


def test_bad_entry_stops_the_board(site, tmp_path):
    folder = next((tmp_path / "entries").iterdir())
    (folder / "entry.json").write_text("{}")
    with pytest.raises(ValueError, match=r"entry\.json"):
        render(tmp_path / "entries", site)
    assert (site / "index.html").is_file()
