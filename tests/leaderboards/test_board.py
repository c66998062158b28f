"""The pages: ranks, escaping, policy, and what is left alone."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from leaderboards.board import TEMPLATES, _environment, rank, render
from leaderboards.bundle import Submitter, pack
from leaderboards.entries import Entry, add_entry
from leaderboards.verify import verify


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
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"].removeprefix("#") for a in page.all("a") if a["href"][0] == "#"} <= set(ids)
    for _, attributes in page.tags:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(ids)
    assert "Replay proves that the recorded actions earn the score" in page.text
    assert "100.0\xa0%" in page.text
    assert " to 100.0" in page.text


def sha256(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.mark.parametrize("name", ["index.html", "entries/*.html"])
def test_policy_allows_one_style_and_one_script_and_nothing_else(site, name):
    for path in site.glob(name):
        page = Page(path)
        (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
        (style,) = re.findall(r"<style>(.*?)</style>", page.source, re.DOTALL)
        (script,) = re.findall(r"<script>(.*?)</script>", page.source, re.DOTALL)
        assert policy == (
            f"default-src 'none'; style-src 'sha256-{sha256(style)}'; "
            f"script-src 'sha256-{sha256(script)}'; base-uri 'none'; form-action 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )
        names = {tag for tag, _ in page.tags}
        assert not names & {"img", "iframe", "object", "form", "base", "link", "image", "use"}
        for _, attributes in page.tags:
            assert not [a for a in attributes if a.startswith("on") or a == "style"]
        # The policy comes before anything that it governs.
        assert page.source.index("Content-Security-Policy") < page.source.index("<style>")


def test_script_makes_nothing_of_text():
    script = (TEMPLATES / "sort.js").read_text()
    assert not re.search(
        r"HTML|eval|Function\(|document\.write|setAttribute\(\s*[\"']on|setTimeout|import|fetch|"
        r"insertAdjacent|DOMParser|Fragment|srcdoc|\.src|\.href",
        script,
    )


def test_tables_are_accessible(site):
    page = Page(site / "index.html")
    assert page.all("html") == [{"lang": "en"}]
    for tag in ("header", "nav", "main", "footer", "h1"):
        assert len(page.all(tag)) == 1
    for header in page.all("th"):
        assert header["scope"] in ("col", "row")
    main, families = page.all("table")
    assert any(h.get("id") in main["aria-labelledby"].split() for h in page.all("h2"))
    assert len(page.all("caption")) == 2
    assert families["role"] == main["role"] == "table"
    for region in (a for _, a in page.tags if a.get("tabindex") == "0"):
        assert region["role"] == "region"
        assert region["aria-labelledby"]
    pictures = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(pictures) == 1
    assert all(svg["aria-hidden"] == "true" for svg in page.all("svg") if svg not in pictures)


def test_picture_says_in_words_what_it_shows(site):
    page = Page(site / "index.html")
    assert "Accuracy against generated tokens per problem, smoke v1, oracle division." in page.text
    assert "Rank 1, expert: 100.0 % (67.6 to 100.0) with 12 tokens, no budget." in page.text


def test_families(site):
    index = Page(site / "index.html")
    assert "Solved by family" in index.text
    assert "Countdown-v0" in index.text
    for path in site.glob("entries/*.html"):
        entry = Page(path)
        assert "By family" in entry.text
        # One family at one level: the same again by level would say nothing.
        assert "By level" not in entry.text


def test_every_tier_is_explained(site):
    text = Page(site / "index.html").text
    for tier in ("replayed", "spot-regenerated", "rerun"):
        assert f"Tier {tier}" in text


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
        assert len(page.all("script")) == 1
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
        style="", script="", policy="", generator="", note="",
    )  # fmt: skip
    assert "<script>alert" not in page
    assert "&lt;/pre&gt;&lt;script&gt;" in page


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
