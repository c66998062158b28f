"""Sokoban: verdicts, deadlocks, and the potential against a search that walks step by step."""

from collections import deque
from collections.abc import Iterator

import numpy as np
import pytest

from reason_env.checks import check_task
from reason_env.problem import Json, Kind, Problem, State
from reason_env.task import potential_at
from reason_env.tasks import sokoban
from reason_env.tasks.sokoban import Sokoban
from reason_env.tasks.sokoban_map import read_map, search

TASK = Sokoban()
PROBLEM = Problem("Sokoban", 1, "#@#--/---$-/-.---/--#--/----#")
CORNER = "@-$#/-.--"
ROW = "@$$-/-..-"
SHUT = "#$-/@--/--."


def test_the_episode_of_the_docstring() -> None:
    assert sokoban.__doc__ is not None
    prompt, *written = [s.strip() for s in sokoban.__doc__.splitlines() if s.startswith("    ")]
    problem = Problem("Sokoban", 1, prompt)
    assert TASK.prompt(problem, "compact") == prompt
    state = TASK.initial(problem)
    for left, line in zip(range(len(written), 0, -1), written):
        assert TASK.potential(problem, state) == potential_at(left)
        verdict = TASK.step(problem, state, line)
        assert (verdict.kind, verdict.valid) == (Kind.CLAIM, True)
        state = verdict.state
    assert TASK.is_solved(problem, state)
    assert TASK.show(problem, state) == "@----#/-#-#--/---#--/#-*-#-/------/--#-#-"


def test_verbose_prompt_has_the_map() -> None:
    assert "\n#@#--\n---$-\n-.---\n--#--\n----#\n" in TASK.prompt(PROBLEM, "verbose")


@pytest.mark.parametrize(
    ("start", "line", "kind", "after"),
    [
        (PROBLEM.data, "2,4 -> 3,4", Kind.CLAIM, "#@#--/-----/-.-$-/--#--/----#"),
        (PROBLEM.data, "2,4 -> 1,4", Kind.CLAIM, "#@#$-/-----/-.---/--#--/----#"),
        (PROBLEM.data, "2,4 -> 2,3", Kind.CLAIM, "#@#--/--$--/-.---/--#--/----#"),
        (PROBLEM.data, "2,4 -> 2,5", Kind.CLAIM, "#@#--/----$/-.---/--#--/----#"),
        (PROBLEM.data, " 2, 4->3 ,4 ", Kind.CLAIM, "#@#--/-----/-.-$-/--#--/----#"),
        (PROBLEM.data, "2,4 -> 2,6", Kind.CLAIM, "a push moves a box to a cell next to it"),
        (PROBLEM.data, "2,4 -> 3,5", Kind.CLAIM, "a push moves a box to a cell next to it"),
        (PROBLEM.data, "2,4 -> 2,4", Kind.CLAIM, "a push moves a box to a cell next to it"),
        (PROBLEM.data, "2,4 -> 03,4", Kind.CLAIM, "a push moves a box to a cell next to it"),
        (PROBLEM.data, "02,4 -> 3,4", Kind.CLAIM, "there is no box at 02,4"),
        (PROBLEM.data, "1,4 -> 1,5", Kind.CLAIM, "there is no box at 1,4"),
        (PROBLEM.data, "9" * 9_000 + ",4 -> 1,5", Kind.CLAIM, "there is no box at " + "9" * 40),
        (CORNER, "1,3 -> 1,4", Kind.CLAIM, "1,4 is not free"),
        (CORNER, "1,3 -> 0,3", Kind.CLAIM, "0,3 is not free"),
        (CORNER, "1,3 -> 2,3", Kind.CLAIM, "the player cannot get behind the box at 1,3"),
        (CORNER, "1,3 -> 1,2", Kind.CLAIM, "the player cannot get behind the box at 1,3"),
        (ROW, "1,2 -> 1,3", Kind.CLAIM, "1,3 is not free"),
        (ROW, "1,3 -> 1,4", Kind.CLAIM, "the player cannot get behind the box at 1,3"),
        (PROBLEM.data, "2,4 -> 3", Kind.THOUGHT, None),
        (PROBLEM.data, "2,4 down", Kind.THOUGHT, None),
        (PROBLEM.data, "2,4 -> 3,4 -> 3,3", Kind.THOUGHT, None),
        (PROBLEM.data, "-2,4 -> 3,4", Kind.THOUGHT, None),
        (PROBLEM.data, "(2,4) -> (3,4)", Kind.THOUGHT, None),
        (PROBLEM.data, "\u0662,4 -> 3,4", Kind.THOUGHT, None),
        (PROBLEM.data, str(PROBLEM.data), Kind.THOUGHT, None),
        (PROBLEM.data, "2" + " " * 9_990 + "4", Kind.THOUGHT, None),
        (PROBLEM.data, "answer: 3,2", Kind.ANSWER, "no answer is asked for"),
    ],
)
def test_verdicts(start: str, line: str, kind: Kind, after: str | None) -> None:
    """`after` is a map, or what the reason begins with."""
    state = State(start)
    verdict = TASK.step(PROBLEM, state, line)
    moved = after is not None and "/" in after
    assert (verdict.kind, verdict.valid) == (kind, moved or kind is Kind.THOUGHT)
    assert verdict.state == (State(after) if moved else state)
    if not verdict.valid:
        assert verdict.reason.startswith(str(after))


@pytest.mark.parametrize(
    "dead",
    [
        "$--/-@-/--.",  # in a corner
        "-$--/-@--/----/---.",  # along a wall without a goal
        "-----/-$$--/-$$--/@----/....-",  # four in a square
        SHUT,
    ],
)
def test_deadlocks(dead: str) -> None:
    assert TASK.potential(PROBLEM, State(dead)) == 0.0
    assert TASK.expert_step(PROBLEM, State(dead), np.random.default_rng(0)) is None


def read(text: str) -> tuple[dict[tuple[int, int], str], tuple[int, int], frozenset]:
    cells = {(r, c): s for r, row in enumerate(text.split("/")) for c, s in enumerate(row)}
    (player,) = (cell for cell, sign in cells.items() if sign in "@+")
    return cells, player, frozenset(cell for cell, sign in cells.items() if sign in "$*")


def brute_force(text: str) -> int | None:
    """Fewest pushes, walking cell by cell: a walk costs 0, a push 1."""
    cells, player, boxes = read(text)
    floor = {cell for cell, sign in cells.items() if sign != "#"}
    goals = frozenset(cell for cell, sign in cells.items() if sign in ".*+")
    queue, seen = deque([(0, player, boxes)]), set()
    while queue:
        pushes, (r, c), boxes = queue.popleft()
        if boxes == goals:
            return pushes
        if ((r, c), boxes) in seen:
            continue
        seen.add(((r, c), boxes))
        for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            to, beyond = (r + dr, c + dc), (r + 2 * dr, c + 2 * dc)
            if to in boxes:
                if beyond in floor - boxes:
                    queue.append((pushes + 1, to, boxes - {to} | {beyond}))
            elif to in floor:
                queue.appendleft((pushes, to, boxes))
    return None


def random_map(rng: np.random.Generator, rows: int, columns: int, boxes: int) -> str:
    signs = list("@" + "$" * boxes + "." * boxes + "#" * int(rng.integers(5)))
    signs += "-" * (rows * columns - len(signs))
    drawn = "".join(rng.permutation(signs))
    return "/".join(drawn[i * columns : (i + 1) * columns] for i in range(rows))


def is_whole(text: str) -> bool:
    """Whether no box or goal is behind walls."""
    try:
        TASK.initial(Problem("Sokoban", 1, text))
    except ValueError as error:
        return "behind walls" not in str(error)
    return True


@pytest.mark.parametrize(("rows", "columns", "boxes"), [(3, 4, 1), (4, 4, 1), (4, 5, 2), (5, 3, 2)])
def test_potential_equals_brute_force(rows: int, columns: int, boxes: int) -> None:
    rng = np.random.default_rng([rows, columns, boxes])
    maps = [random_map(rng, rows, columns, boxes) for _ in range(80)]
    compared = [text for text in maps if is_whole(text)]
    distances = [brute_force(text) for text in compared]
    for text, distance in zip(compared, distances):
        assert TASK.potential(PROBLEM, State(text)) == potential_at(distance), text
    assert distances.count(None) > 10
    assert len(set(distances)) > 3


def test_the_player_may_be_shut_out() -> None:
    """Boxes in the same places, the player on either side of them."""
    near, far = "-@-/-$-/#.#/---", "---/-$-/#.#/-@-"
    assert TASK.potential(PROBLEM, State(near)) == potential_at(1)
    assert TASK.potential(PROBLEM, State(far)) == potential_at(brute_force(far))
    assert brute_force(far) is None


def turned(problem: Problem) -> Iterator[Problem]:
    """The same map turned, reflected, with walls around it, a closed cell, and another place to
    stand."""
    rows = str(problem.data).split("/")
    for _ in range(4):
        rows = ["".join(column) for column in zip(*rows[::-1])]
        for shown in (rows, rows[::-1]):
            yield Problem(problem.task, problem.level, "/".join(shown))
    width = len(rows[0])
    if len(rows) < 7:
        walled = ["#" * (width + 2), *(f"#{row}#" for row in rows), "#" * (width + 2)]
        yield Problem(problem.task, problem.level, "/".join(walled))
        shut = [*(row + "##" for row in rows), "#" * (width + 1) + "-"]
        yield Problem(problem.task, problem.level, "/".join(shut))
    text = str(problem.data)
    stand = text.find("@")
    for i in (stand - 1, stand + 1):
        if stand >= 0 and text[i : i + 1] == "-":
            moved = text.replace("@", "-")
            yield Problem(problem.task, problem.level, moved[:i] + "@" + moved[i + 1 :])


def test_conforms() -> None:
    check_task(TASK, seeds=range(3), variants=turned)


@pytest.mark.parametrize(
    "other",
    [
        "#@#--/---$-/-.---/--#--/-----",  # another wall
        "#@#--/--$--/-.---/--#--/----#",  # the box elsewhere
        "#@#--/---$-/--.--/--#--/----#",  # the goal elsewhere
        "#@#--/---.-/-$---/--#--/----#",  # box and goal exchanged
    ],
)
def test_canonical_keeps_what_matters(other: str) -> None:
    assert TASK.canonical(Problem("Sokoban", 1, other)) != TASK.canonical(PROBLEM)


def test_where_the_player_stands_matters_as_far_as_boxes_part_the_room() -> None:
    sides = [Problem("Sokoban", 1, text) for text in ("@-$-/###./###-", "--$@/###./###-")]
    assert TASK.canonical(sides[0]) != TASK.canonical(sides[1])
    same = [Problem("Sokoban", 1, text) for text in ("@-$-/###./###-", "-@$-/###./###-")]
    assert TASK.canonical(same[0]) == TASK.canonical(same[1])


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (None, "as text"),
        (("@$.",), "as text"),
        ("", "rows and columns"),
        ("@$.------", "rows and columns"),
        ("/".join(["@$.", *["---"] * 8]), "rows and columns"),
        ("@$./--", "equal rows"),
        ("@$. ", "equal rows"),
        ("@$.\n", "equal rows"),
        ("-$.", "one player"),
        ("@$./--@", "one player"),
        ("@-.", "as many boxes"),
        ("@--", "as many boxes"),
        ("@$$.", "as many boxes"),
        ("@$.#$.", "behind walls"),
        ("-@*", "before the first push"),
        ("$@.", "cannot be pushed"),
        (f"@-------/-$$$$$--{'/--------' * 4}/-.....--/--------", "there are more"),
    ],
)
def test_bad_problems(data: Json, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        TASK.initial(Problem("Sokoban", 1, data))


def test_the_search_stops_where_there_are_more_positions_than_allowed() -> None:
    board = read_map(PROBLEM.data).board
    found = search(board, 1000)
    assert found is not None
    assert search(board, len(found)) == found
    assert search(board, len(found) - 1) is None


@pytest.mark.parametrize("level", TASK.levels)
def test_expert_and_duplicates(level: int) -> None:
    rng = np.random.default_rng(level)
    problems = [TASK.generate(rng, level) for _ in range(50)]
    assert len({TASK.canonical(problem) for problem in problems}) >= 49
    steps = TASK.budget(level).steps
    for problem in problems:
        state, written = TASK.initial(problem), 0
        while not TASK.is_solved(problem, state):
            line = TASK.expert_step(problem, state, rng)
            state = TASK.step(problem, state, str(line)).state
            written += 1
        assert 2 * written <= steps
