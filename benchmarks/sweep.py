"""Accuracy against generated tokens: every strategy at the same budgets, in one folder.

    sweep("quickstart", "runs/sweep", model="runs/quickstart/ppo/model")

The unit is a greedy answer: the mean of its generated tokens, rounded up. Every strategy is then
given 1, 2, 4, ... units per problem, with settings that let it use as much (`SETTINGS`). Every
point is a run folder of its own, so a sweep that was killed goes on where it stopped when it is
called again, and every number can be replayed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.search import check_budget, load_strategy, strategy_names
from benchmarks.players import load_writer, source_of
from benchmarks.regret import NoPotential, RunRegret, run_regret
from benchmarks.run_folder import RUN, Run, load_run
from benchmarks.runner import CHUNK, run_suite
from benchmarks.suite import Resolved, Suite, load_suite, make_env, resolve
from reason_env.errors import choose

if TYPE_CHECKING:
    from agents.models import LanguageModel
    from reason_env import ReasonEnv

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
SINGLE = ("greedy", "sample")
"""One answer, whatever the budget: one point each, at the suite's own budget."""

Settings = Callable[[int, int], dict[str, Any]]


def _batch(multiple: int) -> int:
    """Answers written side by side: what the budget cuts off of the last ones stays below an
    eighth of it, and a strategy that can stop early is not kept from it."""
    return max(1, multiple // 8)


def _grid(multiple: int) -> tuple[int, int]:
    """Two factors with a product of at most `multiple`, the first the largest power of two that is
    not above its root."""
    smaller = 1 << (multiple.bit_length() - 1) // 2
    return smaller, multiple // smaller


SETTINGS: dict[str, Settings] = {
    "greedy": lambda multiple, budget: {},
    "sample": lambda multiple, budget: {},
    # An answer takes a token or more: that many can never be had, so the budget ends it.
    "best_of_n": lambda multiple, budget: {"n": budget, "parallel": _batch(multiple)},
    "self_consistency": lambda multiple, budget: {"n": budget, "parallel": _batch(multiple)},
    "revision": lambda multiple, budget: {"revisions": budget},
    # Half of it (on a logarithmic scale) goes into chains side by side, half into each chain.
    "hybrid": lambda multiple, budget: {"chains": isqrt(multiple), "revisions": budget},
    # A round writes a line for each branch of each beam, and there are as many rounds as lines in
    # an answer: so many answers' worth of tokens.
    "beam": lambda multiple, budget: dict(zip(("width", "branch"), _grid(multiple))),
    "dvts": lambda multiple, budget: dict(zip(("branch", "trees"), _grid(multiple))),
    # A simulation draws a line, and a line takes a token or more.
    "mcts": lambda multiple, budget: {"simulations": budget},
}
"""Settings with which a strategy can use its budget, from the multiple and the budget in tokens."""


@dataclass(frozen=True, slots=True)
class Point:
    """One strategy at one budget.

    Attributes:
        multiple: of the unit; None for `SINGLE`.
        options: the settings given to the strategy.
        regret: None where the suite has no exact potential.
    """

    strategy: str
    multiple: int | None
    options: Mapping[str, Any]
    run: Run
    regret: RunRegret | None

    @property
    def budget(self) -> int | None:
        """Generated tokens per problem that it might use; None: no limit."""
        budget: int | None = self.run.manifest.config["budget_tokens"]
        return budget

    @property
    def name(self) -> str:
        """`mcts, 8x`."""
        return self.strategy if self.multiple is None else f"{self.strategy}, {self.multiple}x"


@dataclass(frozen=True, slots=True)
class Sweep:
    """All points of a suite.

    Attributes:
        unit: generated tokens of a greedy answer, the mean rounded up.
        points: `SINGLE` first, the others by strategy and multiple.
        skipped: multiples that are below one answer -> why.
        model, reward_model: where they were loaded from; None: given as objects, or not at all.
        guide: as asked for; None: the best open one.
    """

    suite: Suite
    limit: int | None
    unit: int
    points: tuple[Point, ...]
    skipped: Mapping[int, str]
    model: str | None
    reward_model: str | None
    guide: str | None
    seed: int

    @property
    def greedy(self) -> Point:
        """The point that gives the unit."""
        return self.points[0]

    @property
    def strategies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(point.strategy for point in self.points))


def settings_of(strategy: str, multiple: int, budget: int) -> dict[str, Any]:
    """Settings with which a strategy can use `budget` tokens, `multiple` units of them.

    Raises:
        ValueError: no such strategy, or one that nobody has said this of.
    """
    choose(strategy, strategy_names(), "strategy")
    if strategy not in SETTINGS:
        raise ValueError(
            f"The strategy {strategy!r} has no row in benchmarks.sweep.SETTINGS, which says how it "
            f"uses a budget; rows: {', '.join(SETTINGS)}"
        )
    return SETTINGS[strategy](multiple, budget)


def sweep(
    suite: str | Path | Suite,
    out: str | Path,
    *,
    model: str | Path | LanguageModel,
    reward_model: str | Path | LanguageModel | None = None,
    guide: str | None = None,
    strategies: Sequence[str] | None = None,
    multiples: Sequence[int] = MULTIPLES,
    limit: int | None = None,
    seed: int = 0,
    chunk: int = CHUNK,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Sweep:
    """Run every strategy at every budget (see the module's text), then write `sweep.json`,
    `sweep.md` and `sweep.png`.

    Args:
        suite, model, reward_model, guide, limit, seed, chunk: as for `run_suite`.
        out: folder for the runs and what is written of them; of the same sweep, or new.
        strategies: None: all. Greedy is always run.
        multiples: budgets in units. Those below one answer are skipped.
        progress: show a progress bar for each run.
        say: is told what was skipped, and what was there before.

    Raises:
        ValueError: a bad argument, or a folder that holds other runs.
    """
    from benchmarks.sweep_report import write_sweep

    names = _names(strategies)
    budgets = _check_multiples(multiples)
    suite = suite if isinstance(suite, Suite) else load_suite(suite)
    problems = resolve(suite, limit)
    for name in names:  # a wrong option need not wait for the weights
        load_strategy(name, **settings_of(name, 1, 1))
    out = Path(out)
    _refuse_strangers(out)
    writer = load_writer(model)
    critic = None if reward_model is None else load_writer(reward_model)

    def play(strategy: str, multiple: int | None, budget: int | None) -> Point:
        options = settings_of(strategy, multiple or 1, budget or 1)
        folder = out / (strategy if multiple is None else f"{strategy}-{multiple}x")
        before = _finished(folder)
        run = run_suite(
            suite,
            folder,
            model=writer,
            strategy=strategy,
            options=options,
            guide=guide,
            reward_model=critic,
            budget_tokens=budget,
            limit=limit,
            seed=seed,
            label="" if multiple is None else f"{multiple}x",
            chunk=chunk,
            progress=progress,
        )
        if before:
            say(f"{suite.name} {run.manifest.label} {strategy}: done before".replace("  ", " "))
        return Point(strategy, multiple, options, run, _regret(run))

    points = [play(name, None, None) for name in SINGLE if name in names]
    unit = _unit(points[0].run)
    skipped: dict[int, str] = {}
    grown: list[Point] = []
    for multiple in budgets:
        try:
            check_budget(_envs(problems), multiple * unit)
        except ValueError as error:
            skipped[multiple] = str(error)
            say(f"{multiple}x is skipped: {error}")
            continue
        grown += [play(n, multiple, multiple * unit) for n in names if n not in SINGLE]
    points += sorted(grown, key=lambda point: names.index(point.strategy))  # stable: by multiple
    done = Sweep(
        suite,
        limit,
        unit,
        tuple(points),
        skipped,
        source_of(model),
        source_of(reward_model),
        guide,
        seed,
    )
    write_sweep(done, out)
    return done


def parse_multiples(text: str) -> list[int]:
    """`1,2,4` -> `[1, 2, 4]`.

    Raises:
        ValueError: not whole numbers with commas between.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"Expected multiples such as 1,2,4,8, received {text!r}") from None


def _names(strategies: Sequence[str] | None) -> list[str]:
    """Greedy, and what was asked for, in the order of the table.

    Raises:
        ValueError: an unknown strategy, one named twice, or one without a row in the table.
    """
    asked = list(strategy_names() if strategies is None else strategies)
    if twice := [name for name in asked if asked.count(name) > 1]:
        raise ValueError(f"The strategy {twice[0]!r} is named twice in {','.join(asked)}")
    for name in asked:
        settings_of(name, 1, 1)
    return [name for name in SETTINGS if name in asked or name == "greedy"]


def _check_multiples(multiples: Sequence[int]) -> list[int]:
    if not multiples or min(multiples) < 1 or len(set(multiples)) != len(multiples):
        raise ValueError(
            f"multiples must be different whole numbers of 1 or more, received {list(multiples)}"
        )
    return sorted(multiples)


def _refuse_strangers(out: Path) -> None:
    """A folder with other things in it is not for a sweep.

    Raises:
        ValueError: names what is in its way.
    """
    from benchmarks.sweep_report import DATA, PICTURE, REPORT

    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is no folder; choose a new one with --out")
    own = re.compile(rf"({'|'.join(SETTINGS)})(-\d+x)?")
    present = sorted(path.name for path in out.iterdir()) if out.exists() else []
    known = (DATA, PICTURE, REPORT)
    strange = [name for name in present if name not in known and not own.fullmatch(name)]
    if strange:
        raise ValueError(
            f"{out} holds something else than a sweep ({', '.join(strange[:3])}); choose a new "
            "folder with --out"
        )


def _finished(folder: Path) -> bool:
    return (folder / RUN).exists() and load_run(folder, complete=False).manifest.status == "done"


def _unit(greedy: Run) -> int:
    """Generated tokens of a greedy answer, the mean rounded up.

    Raises:
        ValueError: nothing was generated.
    """
    tokens = greedy.manifest.ledger["generated_tokens"]
    if tokens == 0:
        first = next((e.error for e in greedy.episodes if e.error), "no error")
        raise ValueError(
            f"{greedy.folder}: the greedy run generated nothing, so there is no unit ({first})"
        )
    return -(-tokens // greedy.manifest.episodes)


def _envs(problems: Resolved) -> Any:
    """Environments of all problems, reset, one after the other."""
    for item in problems.items:
        env: ReasonEnv = make_env(item.env, item.kwargs)
        env.reset(seed=item.seed)
        yield env


def _regret(run: Run) -> RunRegret | None:
    try:
        return run_regret(run)
    except NoPotential:
        return None
