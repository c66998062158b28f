"""report.html: the numbers of report.md, and nothing in it that acts, loads or hides."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from report_runs import NODE, forge, problems, reset, searched, write_trees, written

from benchmarks.charts import accuracy_at_budgets, training_panels
from benchmarks.html_report import embedded
from benchmarks.report import write_report
from benchmarks.run_folder import load_run

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=http://evil.example/x onerror=alert(3)>",
    "{{ 7*7 }}{% raw %}",
    "<!-- <script>",
    "\x1b[31mred\x1b[0m",
    "abc \u202eevil\u2066",
    "one\u2028two\u2029three",
    "lone \ud800 surrogate",
    '"><svg onload=alert(4)>',
    "[click](javascript:alert(5))",
    "x" * 100_000,
]
VOID = {"meta", "input", "link", "img", "br"}


class Page(HTMLParser):
    """A page's elements, texts and tables."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags, self.text, self.tables, self.open = [], "", [], []
        self.scripts = []
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
        elif tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += data
        elif self.open[-1:] != ["style"]:
            self.text += data
            if {"th", "td"} & set(self.open):
                self.tables[-1][-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def data(self):
        return json.loads(self.scripts[0])


def markdown_tables(text):
    """Tables of a Markdown report, as rows of cells."""
    tables, before = [], ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                tables.append([])
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not set(cells) <= {":--", "--:"}:
                tables[-1].append([c.replace("\\|", "|").replace("&lt;", "<") for c in cells])
        before = line
    return tables


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return [
        searched(root / "greedy", "greedy", 0.3, "weak | first"),
        searched(root / "mcts", "mcts", 0.3, "weak | first", trees=True, simulations=30),
        searched(root / "better", "greedy", 0.6, "strong"),
        searched(root / "short", "greedy", 0.6, "strong", budget=64),
    ]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    rows = [{"step": s, "loss": 1 / (s + 1), "odd": float("nan")} for s in range(80)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def report(runs, log, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    notes = "Read *me* `now`: <b>not</b> ![x](http://evil.example/y)"
    return write_report(runs, out, curves={"SFT": log}, title="Mine <1>", notes=notes)


@pytest.fixture(scope="module")
def page(report):
    return Page(report.with_name("report.html"))


def squeezed(tables):
    return [[[" ".join(cell.split()) for cell in row] for row in table] for table in tables]


def test_every_table_of_the_report_is_in_the_page(report, page):
    wanted = squeezed(markdown_tables(report.read_text()))
    assert len(wanted) == 6
    found = squeezed(page.tables)
    for table in wanted:
        assert table in found
    for text in (
        "Mine <1>",
        "Three families, easy levels.",
        problems().hash,
        "What search changed",
    ):
        assert text in page.text


def test_same_runs_same_page(runs, log, report, page, tmp_path):
    notes = "Read *me* `now`: <b>not</b> ![x](http://evil.example/y)"
    again = write_report(runs, tmp_path, curves={"SFT": log}, title="Mine <1>", notes=notes)
    assert again.with_name("report.html").read_text() == page.source


def test_policy_allows_one_style_and_one_script(page):
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL)[1]

    def digest(text):
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(page.scripts[1])}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert page.source.index("Content-Security-Policy") < page.source.index("<style>")
    assert page.all("script") == [{"type": "application/json", "id": "data"}, {}]
    assert "url(" not in style
    assert "@import" not in style
    for sink in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
    ):
        assert sink not in page.scripts[1]


def check_inert(page, links=()):
    """Nothing in the page acts or loads; these links lead out of it."""
    names = {tag for tag, _ in page.tags}
    assert not names & {"img", "iframe", "object", "embed", "form", "base", "link", "b", "audio"}
    assert len(page.all("script")) == 2
    for _, attributes in page.tags:
        assert not [a for a in attributes if a.startswith("on") or a in ("style", "src")]
    hrefs = [a["href"] for _, a in page.tags if "href" in a]
    assert [href for href in hrefs if not href.startswith("#")] == list(links)
    assert not page.open, "all elements are closed"


def test_page_is_inert_and_accessible(page):
    # A picture in the notes has become a link: it loads when a reader asks for it.
    check_inert(page, ["http://evil.example/y"])
    assert page.all("html") == [{"lang": "en"}]
    names = [tag for tag, _ in page.tags]
    assert {"main", "nav", "header", "footer"} <= set(names)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("aria-labelledby", "for"):
            assert set((attributes.get(name) or "").split()) <= set(ids)
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids
    for header in page.all("th"):
        assert header["scope"] in ("col", "row")
    for svg in page.all("svg"):
        # The inner one is a part of its panel.
        assert svg.get("aria-hidden") == "true" or svg.get("role") == "img" or "viewbox" in svg
    assert "from 1 to 0.0125 at step 79" in page.text


def test_notes_are_markdown_without_html_or_pictures(page):
    assert "<em>me</em> <code>now</code>: &lt;b&gt;not&lt;/b&gt;" in page.source
    assert "<img" not in page.source


def test_transcripts_carry_verdicts_terms_and_trees(runs, page):
    runs_data = page.data["runs"]
    assert [run["name"] for run in runs_data] == [load_run(run).name for run in runs]
    first = runs_data[0]["episodes"]
    assert (len(first), runs_data[0]["of"]) == (26, 26)
    record = load_run(runs[0]).episodes[first[0]["index"]]
    assert [line["text"] for line in first[0]["lines"]] == list(record.actions)
    env = reset(problems().items[record.index])
    for line in first[0]["lines"]:
        before = env.potential()
        _, reward, terminated, _, info = env.step(line["text"])
        assert (line["kind"], line["valid"], line["reason"]) == (
            info["kind"], info["valid"], info["reason"],
        )  # fmt: skip
        terms = [float(term) for term in line["terms"]]
        assert terms == pytest.approx(list(info["terms"].values()), abs=1e-3)
        assert float(line["reward"]) == pytest.approx(reward, abs=1e-3)
        assert float(line["before"]) == pytest.approx(before, abs=1e-3)
        assert (line["after"] == "") == terminated
    searches = runs_data[1]["episodes"]
    assert all(one["tree"]["nodes"][0][0] == -1 for one in searches)
    assert not any(one["tree"] for one in first)
    assert any(len(one["tree"]["way"]) > 2 for one in searches)


def test_first_transcripts_stand_without_the_script(page):
    headers = [table[0] for table in page.tables]
    tables = headers.count(
        ["#", "Line", "Verdict", "Potential", "Outcome", "Validity", "Shaping", "Reward", "Tokens"]
    )
    assert 8 <= tables <= 12, "three of each run, less those without lines"
    assert "valid" in page.text


@pytest.mark.parametrize("most", [0, 5])
def test_the_number_of_transcripts(runs, tmp_path, most):
    path = write_report(runs[:1], tmp_path, transcripts=most).with_name("report.html")
    page = Page(path)
    assert len(page.all("script")) == (2 if most else 0)
    if most:
        assert len(page.data["runs"][0]["episodes"]) == most
        assert page.data["runs"][0]["of"] == 26
    else:
        assert "Transcripts" not in page.text
    with pytest.raises(ValueError, match="transcripts must be 0 or more, received -1"):
        write_report(runs[:1], tmp_path, transcripts=-1)


def hostile_lines(item):
    return [HOSTILE[item.index % len(HOSTILE)]]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "run"
    written(
        folder,
        hostile_lines,
        lambda item: f"ValueError: {HOSTILE[0]}" if item.index == 25 else None,
        label=f"{HOSTILE[1]} {HOSTILE[6]}",
    )
    trees = {i: [NODE, {**NODE, "parent": 0, "line": text}] for i, text in enumerate(HOSTILE)}
    write_trees(folder, trees)
    forge(folder, 0, solved=True)
    out = folder.with_name("report")
    return write_report([folder], out, title=HOSTILE[1], notes=HOSTILE[2]).with_name("report.html")


def test_hostile_output_is_text(hostile):
    page = Page(hostile)
    check_inert(page)
    assert "alert(1)" in page.text
    episodes = page.data["runs"][0]["episodes"]
    by_index = {one["index"]: one for one in episodes}
    texts = [by_index[i]["lines"][0]["text"] for i in range(len(HOSTILE))]
    assert texts[:5] == HOSTILE[:5]
    assert texts[5] == "<U+001B>[31mred<U+001B>[0m"
    assert texts[6] == "abc <U+202E>evil<U+2066>"
    assert texts[7] == "one<U+2028>two<U+2029>three"
    assert texts[8] == "lone <U+D800> surrogate"
    assert texts[11] == "x" * 2000 + " [98,000 more characters]"
    assert by_index[25]["error"] == f"ValueError: {HOSTILE[0]}"
    assert by_index[0]["mismatches"] == ["recorded as solved, but the replay gives not solved"]
    assert "Record and replay differ: recorded as solved" in page.text
    nodes = by_index[1]["tree"]["nodes"]
    assert nodes[1][1] == HOSTILE[1]
    assert by_index[1]["tree"]["way"] == {"0": 0, "1": 1}
    for character in "\x1b\u202e\u2028\u2029\u2066":
        assert character not in page.source
    assert hostile.stat().st_size < 400_000


def test_embedded_json_cannot_leave_its_element():
    value = ["</script>", "<!--", "]]>", "&lt;", "\u2028\u2029", "\ud800"]
    text = embedded(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert text.isascii()
    assert json.loads(text) == value


def test_lines_that_are_no_trees_are_counted(runs, tmp_path):
    folder = shutil.copytree(runs[1], tmp_path / "run")
    with (folder / "trees.jsonl").open("a") as file:
        file.write('{"index": 0, "tree": [{"parent": 0}]}\n{"index": 1, "tr')
    page = Page(write_report([folder], tmp_path / "out").with_name("report.html"))
    assert "2 lines of trees.jsonl" in page.text


def test_budgets_make_a_curve_and_equal_budgets_bars(runs):
    loaded = [load_run(run) for run in runs]
    assert accuracy_at_budgets(loaded[:3]) is None
    chart = accuracy_at_budgets(loaded)
    assert [series.name for series in chart.series] == [
        "weak | first / greedy", "weak | first / mcts (simulations=30)", "strong / greedy",
    ]  # fmt: skip
    points = chart.series[2].points
    assert len(points) == 2
    for point, run in zip(
        points, sorted(loaded[2:], key=lambda r: r.manifest.ledger["generated_tokens"])
    ):
        assert f"budget {run.manifest.config['budget_tokens']}" in point.text
        assert 0 <= point.x <= 100
        assert point.high <= point.y <= point.low
    assert all(0 <= tick.place <= 100 for tick in chart.across)
    assert len(chart.across) >= 2
    assert chart.described.count("tokens per problem") == 4


def test_panels_of_odd_logs(tmp_path):
    flat = [{"step": 5, "a": 1.0, "bad": float("inf")}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in flat))
    constant, bad = training_panels({"x": tmp_path})
    assert constant.curves[0].points == "500.0,500.0"
    assert (bad.curves, bad.described) == ((), "No finite value was logged.")
    rows = [{"step": s, "a": float(np.sin(s))} for s in range(5000)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (panel,) = training_panels({"x": tmp_path})
    assert 200 < len(panel.curves[0].points.split()) < 260
    assert panel.curves[0].raw
    places = [tuple(map(float, point.split(","))) for point in panel.curves[0].raw.split()]
    assert all(0 <= x <= 1000 and 0 <= y <= 1000 for x, y in places)


PAIRS = [
    ("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("accent", "paper"),
    ("soft", "chosen"), ("ink", "chosen"), ("good", "good-bg"), ("bad", "bad-bg"),
    ("ink", "bad-bg"), ("warn", "warn-bg"), ("quiet", "quiet-bg"),
]  # fmt: skip


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_is_enough(page, scheme):
    """WCAG AA: 4.5 for text, 3 for what is drawn."""
    style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL)[1]
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))

    def light(name):
        parts = [int(colours[name][i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one, other):
        low, high = sorted((light(one), light(other)))
        return (high + 0.05) / (low + 0.05)

    for front, back in PAIRS:
        assert contrast(front, back) >= 4.5, (front, back)
    for series in range(6):
        assert contrast(f"s{series}", "paper") >= 3
    assert contrast("edge", "card") >= 3
