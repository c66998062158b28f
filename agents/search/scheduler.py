"""Runs many problems' searches at once: every model call serves all of them.

Each round takes the open requests of all searches, generates one line for every open branch in one
model call, then values all nodes that wait for a value in one more, charges the ledgers, and hands
finished requests back. Nothing escapes the budget: a row may never write more tokens than its
search has left. A request that the budget ends within comes back with its open branches cut; the
next one raises `BudgetSpent` inside the strategy.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from agents.models.base import Completion, LanguageModel
from agents.search.guides import (
    LEARNED,
    NOBODY,
    Asked,
    Guide,
    Unguided,
    check_guide,
    default_guide,
)
from agents.search.ledger import Ledger
from agents.search.limits import check_budget
from agents.search.options import check_whole
from agents.search.requests import Strategy
from agents.search.running import Row, Running
from agents.search.tree import Tree
from reason_env.env import ReasonEnv
from reason_env.tokenizer import EOS

LINE_TOKENS = 64
_TRIAL_TOKENS = 256
_COLLECT_AFTER = 50_000
"""New objects between two collections of garbage; Python's own default is 700."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one problem's search.

    Attributes:
        actions: the chosen lines, as written.
        tokens: their token ids, the ending newline or `<eos>` included.
        ledger: what it cost.
        oracle: whether an oracle guide was read.
        error: what the strategy raised, or the task or guide that it asked; the problem then has
            no actions.
        tree: the tree, where the strategy grew one.
    """

    actions: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    ledger: Ledger
    oracle: bool
    error: str | None = None
    tree: Tree | None = field(default=None, compare=False)


def run_searches(
    model: LanguageModel,
    envs: Sequence[ReasonEnv],
    strategy: Strategy,
    seeds: Sequence[int],
    budget_tokens: int | None = None,
    guide: str | None = None,
    line_tokens: int = LINE_TOKENS,
    progress: Callable[[int], None] | None = None,
    reward_model: LanguageModel | None = None,
    refuse_short: bool = True,
) -> list[Found]:
    """Search all problems and return what was found, in order.

    Args:
        model: writes the lines and serves the `policy` guide.
        envs: one per problem, of step granularity, reset; left where the search ends.
        strategy: makes one problem's search from its root (`agents.search.load_strategy`).
        seeds: random stream of each problem.
        budget_tokens: most tokens the model may write per problem; None for no limit.
        guide: see `agents.search.guides`; None takes the best open one.
        line_tokens: most tokens of one line; a longer one is cut, and its branch ends there.
        progress: called with the number of problems that just finished.
        reward_model: serves the `value` and `prm` guides; None: the model itself.
        refuse_short: whether a budget that is too short for any of the problems is an error.

    Raises:
        ValueError: a budget below one answer, a line limit below 1, a guide that cannot serve (or
            none, for a strategy that asks one), a reward model that no guide asks; or what the
            strategy raised for all problems before its first request, as for an option out of its
            range.
    """
    critic = model if reward_model is None else reward_model
    running = _start(model, critic, envs, strategy, seeds, budget_tokens, guide, line_tokens)
    _check_reward_model(reward_model, running)
    if budget_tokens is not None and refuse_short:
        check_budget(envs, budget_tokens)
    live = [search for search in running if not search.over]
    with ExitStack() as remembered:
        remembered.enter_context(_rare_collections())
        for reader in {id(model): model, id(critic): critic}.values():
            remembered.enter_context(reader.remembering())
        while live:
            # Values at once, so that all searches write together again.
            for serve, served in ((_generate, model), (_evaluate, critic)):
                serve(served, live)
                for search in live:
                    search.advance()
                still = [search for search in live if not search.over]
                if progress and len(still) < len(live):
                    progress(len(live) - len(still))
                live = still
    return [_found(search) for search in running]


def check_searches(
    model: LanguageModel,
    envs: Sequence[ReasonEnv],
    strategy: Strategy,
    budget_tokens: int | None = None,
    guide: str | None = None,
    reward_model: LanguageModel | None = None,
) -> None:
    """Refuse what `run_searches` would refuse, without a call of any model.

    Raises:
        ValueError: as there.
    """
    critic = model if reward_model is None else reward_model
    seeds = [0] * len(envs)
    running = _start(model, critic, envs, strategy, seeds, budget_tokens, guide, LINE_TOKENS)
    _check_reward_model(reward_model, running)


def _start(
    model: LanguageModel,
    critic: LanguageModel,
    envs: Sequence[ReasonEnv],
    strategy: Strategy,
    seeds: Sequence[int],
    budget_tokens: int | None,
    guide: str | None,
    line_tokens: int,
) -> list[Running]:
    """All searches, each up to its first request.

    Raises:
        ValueError: see `run_searches`.
    """
    if len(seeds) != len(envs):
        raise ValueError(f"Expected one seed per problem, received {len(seeds)} for {len(envs)}")
    check_whole(1, line_tokens=line_tokens)
    if budget_tokens is not None:
        check_whole(1, budget_tokens=budget_tokens)
    running = []
    for env, seed in zip(envs, seeds):
        checked = check_guide(guide or default_guide(critic, env, model), critic, env, model)
        style = model.prompt_style
        running.append(Running(env, strategy, seed, budget_tokens, checked, line_tokens, style))
    refused = [search.refused for search in running if search.refused is not None]
    if refused and len(refused) == len(running):
        # An option out of its range: the caller's mistake, and no problem's own.
        raise refused[0]
    unguided = [search.env for search in running if not search.guide.parts]
    if unguided:
        _check_asks_nobody(strategy, unguided[0])
    return running


def _check_asks_nobody(strategy: Strategy, env: ReasonEnv) -> None:
    """Refuse a strategy that asks a guide where there is none. Whether it asks is found out by
    searching a little, with thoughts for lines, and no model.

    Raises:
        ValueError: it does ask.
    """
    trial = Running(env, strategy, 0, _TRIAL_TOKENS, Guide(()), LINE_TOKENS)
    while not trial.over:
        for row in trial.rows():
            tokens = (*env.tokenizer.encode("-"), env.tokenizer.newline)[: row.limit]
            numbers = (-1.0,) * len(tokens)
            trial.write(row, Completion(tokens, numbers, numbers, len(tokens) > 1))
        trial.advance()
    if isinstance(trial.cause, Unguided):
        raise trial.cause


def _check_reward_model(reward_model: LanguageModel | None, running: Sequence[Running]) -> None:
    """Refuse a reward model that no guide asks: the record would say that it was used.

    Raises:
        ValueError: names the guides that were chosen instead.
    """
    if reward_model is None or not running or any(search.guide.learned for search in running):
        return
    guides = sorted({"+".join(search.guide.names) or NOBODY for search in running})
    raise ValueError(
        f"A reward model serves the guides {' and '.join(LEARNED)}, and the guide here is "
        f"{' or '.join(guides)}: name one that it serves (reason-train reward-model trains both "
        "heads), or leave it out"
    )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for garbage less often: while trees grow nearly all objects live, and walking them
    again and again costs a third of a search."""
    before = gc.get_threshold()
    if before[0]:
        gc.set_threshold(max(before[0], _COLLECT_AFTER), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _found(search: Running) -> Found:
    """Leave the environment where the search ended, and say what it found."""
    node, oracle = search.leave(), search.guide.oracle
    if node is None or search.choice is None:
        return Found((), (), search.ledger, oracle, search.error)
    actions, tokens = node.actions[: node.played], node.tokens[: node.played]
    return Found(actions, tokens, search.ledger, oracle, None, search.choice.tree)


def _generate(model: LanguageModel, live: Sequence[Running]) -> None:
    """Write one line for every open branch of all searches."""
    rows: dict[float, list[Row]] = {}
    for search in live:
        for row in search.rows():
            rows.setdefault(row.temperature, []).append(row)
    for temperature, chosen in sorted(rows.items()):
        completions = model.generate(
            [row.prefix for row in chosen],
            stop=(model.tokenizer.newline, EOS),
            temperature=temperature,
            max_tokens=[row.limit for row in chosen],
            seeds=[row.seed for row in chosen],
            without=[row.without for row in chosen] if temperature == 1 else None,
        )
        for row, completion in zip(chosen, completions, strict=True):
            row.search.write(row, completion)


def _evaluate(critic: LanguageModel, live: Sequence[Running]) -> None:
    """Ask the critic for what the guides of all searches wait for."""
    waiting: dict[str, list[tuple[Running, Asked]]] = {}
    for search in live:
        for asked in search.asked:
            waiting.setdefault(asked.name, []).append((search, asked))
        search.asked = []
    for name, chosen in sorted(waiting.items()):
        ask = critic.values if name == "value" else critic.rewards
        numbers = ask([search.context(asked) for search, asked in chosen])
        for (search, asked), number in zip(chosen, numbers, strict=True):
            search.tell(asked, number)
