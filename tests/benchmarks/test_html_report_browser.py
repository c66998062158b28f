"""report.html in a real browser: it reads, filters and steps, and asks nobody for anything."""

import pytest
from report_runs import NODE, forge, problems, searched, write_trees, written

from benchmarks.report import write_report
from benchmarks.run_folder import load_run

HOSTILE = [
    "<img src=x onerror=document.title='owned'>",
    "</script><script>document.title='owned'</script>",
    "{{ 7*7 }}",
    "\u202egnp.exe",
    "x" * 20_000,
    "Z" + "\u0301" * 200,
]

DEEP = 6
"""An episode that goes as deep into its tree as the environment lets it."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    plain = searched(root / "plain", "greedy", 0.3, "first")
    forge(plain, 3, solved=not load_run(plain).episodes[3].solved)
    tree = searched(root / "tree", "mcts", 0.3, "first", trees=True, simulations=30)
    bad = written(
        root / "bad",
        lambda item: (
            ["hm"] * 40
            if item.index == DEEP
            else ["hm", HOSTILE[item.index % len(HOSTILE)], "1 + 1 = 3"]
        ),
        lambda item: "ValueError: <b>boom</b>" if item.index == 9 else None,
        label=HOSTILE[1],
    )
    nodes = [
        NODE,
        *({**NODE, "parent": 0, "line": text, "visits": i} for i, text in enumerate(HOSTILE * 3)),
    ]
    deep = [NODE, *({**NODE, "parent": i, "line": "hm"} for i in range(300))]
    write_trees(bad, {0: nodes, DEEP: deep})
    return write_report([plain, tree, bad], root / "report").with_name("report.html")


@pytest.fixture
def visit(chromium, path):
    """Opens the page; in the end nothing may have been logged or asked for."""
    contexts, problems_seen = [], []

    def call(width=1280, **settings):
        context = chromium.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems_seen.append(message.text))
        page.on("pageerror", lambda error: problems_seen.append(str(error)))
        page.on("request", lambda request: problems_seen.append(request.url))
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', (event) => "
            "console.error(event.violatedDirective))"
        )
        page.goto(path.as_uri())
        assert problems_seen.pop(0) == path.as_uri()
        return page

    yield call
    for context in contexts:
        context.close()
    assert problems_seen == []


def choose_run(page, place):
    page.select_option("#run", index=place)


def listed(page):
    return page.locator("#episodes li")


def test_filters(visit):
    page = visit()
    assert page.locator("#static").is_hidden()
    assert listed(page).count() == 26
    count = page.locator("#count")
    assert count.inner_text() == "26 listed; the page has 26 of the run's 26 episodes."
    for outcome in ("solved", "not solved"):
        page.select_option("#outcome", outcome)
        assert 0 < listed(page).count() < 26
        tags = listed(page).locator(".tag:first-child").all_inner_texts()
        assert set(tags) == {outcome}
    page.select_option("#outcome", "mismatch")
    assert listed(page).count() == 1
    assert "recorded as" in page.locator("#episode .problem").first.inner_text()
    page.select_option("#outcome", "")
    page.select_option("#family", "WaterJugs, level 1")
    assert listed(page).count() == 6
    page.fill("#search", "no line has this")
    assert listed(page).count() == 0
    assert page.locator("#episode").inner_text() == "No episode passes these filters."
    page.fill("#search", "")
    page.select_option("#family", "")
    choose_run(page, 2)
    page.select_option("#outcome", "error")
    assert listed(page).count() == 1
    assert page.locator("#episode .problem").inner_text() == "Failed: ValueError: <b>boom</b>"
    page.select_option("#outcome", "")
    page.fill("#search", "GNP.EXE")
    assert listed(page).count() == 3, "of four such episodes one failed"


def test_keyboard(visit):
    page = visit()
    page.focus("#episodes")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#episodes li[aria-selected=true]")
    assert chosen.count() == 1
    assert page.get_attribute("#episodes", "aria-activedescendant") == chosen.get_attribute("id")
    index = chosen.locator(".index").inner_text()
    assert page.locator("#episode h3").inner_text().startswith(f"Episode {index},")
    page.keyboard.press("End")
    assert listed(page).last.get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowDown")
    assert listed(page).last.get_attribute("aria-selected") == "true"
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    place = "document.activeElement.querySelector('.place').textContent"
    assert page.evaluate(place) == "1"
    lines = page.locator("#episode .lines tbody tr:not(.environment)").count()
    assert lines > 1
    page.keyboard.press("ArrowDown")
    assert page.evaluate(place) == "2"
    assert page.locator("tr[aria-current=step] .place").all_inner_texts() == ["2"]
    assert page.locator("#where").inner_text() == f"Line 2 of {lines}"
    page.keyboard.press("End")
    assert page.locator("#on").is_disabled()
    page.keyboard.press("ArrowRight")
    assert listed(page).nth(1).get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "episodes"
    page.click("#on")
    assert page.locator("tr[aria-current=step] .place").inner_text() == "2"


def test_lines_have_verdicts_and_rewards(visit, path):
    page = visit()
    record = load_run(path.parent.parent / "plain").episodes[0]
    page.locator("#episodes .index", has_text="0").first.click()
    rows = page.locator("#episode .lines tbody tr:not(.environment)")
    assert rows.locator(".text code").all_inner_texts() == list(record.actions)
    first = rows.first.locator("td").all_inner_texts()
    assert first[2].split()[0] in ("claim", "thought", "undo")
    assert "→" in first[3]
    assert len(first) == 9
    total = page.locator("#episode .lines tfoot td").all_inner_texts()
    assert float(total[-2]) == pytest.approx(record.reward, abs=1e-3)


def test_tree(visit, path):
    page = visit()
    choose_run(page, 1)
    run = load_run(path.parent.parent / "tree")
    listed(page).first.click()
    episode = run.episodes[int(listed(page).first.locator(".index").inner_text())]
    played = page.locator(".node.chosen code").all_inner_texts()
    assert played == list(episode.actions)
    for node in page.locator(".node.chosen").all():
        assert node.is_visible()
    visits = [
        int(text.split()[-1])
        for text in page.locator(".tree > ul > li > details > ul > li")
        .locator("xpath=./details/summary/span/span[2] | ./span/span[2]")
        .all_text_contents()
    ]
    assert len(visits) > 1
    assert visits[:5] == sorted(visits[:5], reverse=True)
    # The line one is at is marked in the tree.
    assert page.locator(".node.now code").inner_text() == played[0]
    page.click("#on")
    assert page.locator(".node.now code").inner_text() == played[1]
    closed = page.locator(".tree details:not([open])").first
    closed.locator("summary").focus()
    page.keyboard.press("Enter")
    assert page.locator(".tree details[open]").count() > 0
    hidden = page.locator(".tree details[open] > ul:empty")
    assert hidden.count() == 0


def test_hostile_lines_are_text(visit):
    page = visit()
    title = page.title()
    choose_run(page, 2)
    assert page.locator("#run option").nth(2).inner_text() == f"{HOSTILE[1]} / greedy"
    for index, text in enumerate(HOSTILE[:3]):
        page.locator("#episodes .index", has_text=str(index)).first.click()
        assert page.locator("#episode .lines .text code").nth(1).inner_text() == text
    page.locator("#episodes .index", has_text="0").first.click()
    more = page.locator(".tree .more")
    assert more.inner_text() == "13 more, less visited"
    more.click()
    assert page.locator(".tree code").count() == 18
    page.locator("#episodes .index", has_text=str(DEEP)).first.click()
    assert page.locator(".node.chosen").count() == 33, "32 lines and the start"
    assert page.title() == title
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2


@pytest.mark.parametrize("width", [390, 800])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_small_screens_need_no_sideways_scrolling(visit, place, width):
    page = visit(width)
    choose_run(page, place)
    for number in range(min(8, listed(page).count())):
        listed(page).nth(number).click()
        needed = page.evaluate("document.documentElement.scrollWidth")
        assert needed <= width, f"episode {number}"


def test_without_javascript_it_is_all_there(visit):
    page = visit(java_script_enabled=False)
    assert page.locator("#viewer").is_hidden()
    assert page.locator("#suite-1-accuracy").is_visible()
    assert page.locator("main .scroll table").count() >= 4
    details = page.locator("#static details")
    assert details.count() == 9
    for one in details.all():
        one.locator("summary").click()
    assert page.locator("#static .lines").first.is_visible()
    assert (
        page.get_by_text("Record and replay differ").count() + page.get_by_text("Failed:").count()
    )
    assert problems().suite.name in page.locator("main h2").first.inner_text()


def test_dark_is_dark(visit):
    page = visit(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 27)"
