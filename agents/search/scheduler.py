"""Runs many problems' searches at once: every model call serves all of them.

Each round takes the open requests of all searches, generates one line for every open branch in one
model call, values all nodes that wait for a value in one more, charges the ledgers, and hands
finished requests back. Nothing escapes the budget: a row may never write more tokens than its
search has left. A request that the budget ends within comes back with its open branches cut; the
next one raises `BudgetSpent` inside the strategy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from agents.models.base import Completion, LanguageModel
from agents.search.guides import check_guide, default_guide, verdicts
from agents.search.ledger import BudgetSpent, Ledger
from agents.search.requests import Choice, Evaluate, Generate, Node, Search, Strategy, Value
from agents.search.tree import Tree
from reason_env import lines
from reason_env.env import ReasonEnv
from reason_env.problem import Kind
from reason_env.splits import stream_seed
from reason_env.tokenizer import EOS
from reason_env.tokens import lines_of

LINE_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one problem's search.

    Attributes:
        actions: the chosen lines, as written.
        tokens: their token ids, the ending newline or `<eos>` included.
        ledger: what it cost.
        oracle: whether an oracle guide was read.
        error: what a strategy raised; the problem then has no actions.
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
) -> list[Found]:
    """Search all problems and return what was found, in order.

    Args:
        model: writes the lines and serves the `policy` and `value` guides.
        envs: one per problem, of step granularity, reset; left where the search ends.
        strategy: makes one problem's search from its root (`agents.search.load_strategy`).
        seeds: random stream of each problem.
        budget_tokens: most tokens the model may write per problem; None for no limit.
        guide: see `agents.search.guides`; None takes the best open one.
        line_tokens: most tokens of one line; a longer one is cut, and its branch ends there.
        progress: called with the number of problems that just finished.

    Raises:
        ValueError: a budget or line limit below 1, or a guide that cannot serve.
    """
    if len(seeds) != len(envs):
        raise ValueError(f"Expected one seed per problem, received {len(seeds)} for {len(envs)}")
    for name, number in (("budget_tokens", budget_tokens), ("line_tokens", line_tokens)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be 1 or more, received {number}")
    running = []
    for env, seed in zip(envs, seeds):
        chosen = guide or default_guide(model, env)
        check_guide(chosen, model, env)
        running.append(_Running(env, strategy, seed, budget_tokens, chosen, line_tokens))
    live = [search for search in running if search.found is None]
    while live:
        _generate(model, live)
        _evaluate(model, live)
        for search in live:
            search.advance()
        finished = sum(search.found is not None for search in live)
        if progress and finished:
            progress(finished)
        live = [search for search in live if search.found is None]
    return [search.found for search in running if search.found is not None]


@dataclass(slots=True)
class _Row:
    """One line to be written."""

    search: _Running
    branch: int
    prefix: tuple[int, ...]
    limit: int
    seed: int
    temperature: float
    without: Sequence[Completion]


class _Running:
    """One problem's search between rounds."""

    def __init__(
        self,
        env: ReasonEnv,
        strategy: Strategy,
        seed: int,
        budget: int | None,
        guide: str,
        line_tokens: int,
    ) -> None:
        self.env = env
        self.seed = seed
        self.budget = budget
        self.guide = guide
        self.line_tokens = line_tokens
        # Whether the search may be told that a wrong claim has ended an episode.
        self.reads_ends = guide == "oracle" or env.task.public_verifier
        self.ledger = Ledger()
        self.found: Found | None = None
        self.rows_asked = 0
        self.request: Generate | Evaluate | None = None
        self.branches: list[Node] = []
        self.written: list[bool] = []
        self.values: list[Value | None] = []
        root = Node(env.snapshot(), tuple(env.tokenizer.encode(env.episode.text)))
        self.search: Search = strategy(root)
        try:
            # An option out of its range raises here, before any work: it is the caller's mistake
            # and no problem's own, so it is not caught.
            self._take(next(self.search))
        except StopIteration as stop:
            self._finish(stop.value)

    # -- Requests ------------------------------------------------------------------------------

    def _take(self, request: Generate | Evaluate) -> None:
        self.request = request
        if isinstance(request, Generate):
            if request.n < 1 or request.until not in ("line", "solution"):
                raise ValueError(f"Expected n >= 1 and until line or solution, received {request}")
            if request.without and (request.until != "line" or request.temperature != 1):
                raise ValueError("without= needs one line at temperature 1")
            if not 0 <= request.temperature < math.inf:
                raise ValueError(f"temperature must be 0 or more, received {request.temperature}")
            self.branches = [node for node in request.nodes for _ in range(request.n)]
            self.written = [False] * len(self.branches)
        elif isinstance(request, Evaluate):
            self.values, cost = verdicts(self.guide, request.nodes, self.env)
            self.ledger += cost
        else:
            raise TypeError(f"A strategy yields Generate or Evaluate, received {request!r}")

    def advance(self) -> None:
        """Hand a finished request back until one needs the model again."""
        while self.found is None and self._ready():
            try:
                if isinstance(self.request, Generate):
                    n = self.request.n
                    branches = self.branches
                    groups = [branches[i : i + n] for i in range(0, len(branches), n)]
                    self._take(self.search.send(groups))
                else:
                    values = [value for value in self.values if value is not None]
                    self._take(self.search.send(values))
            except StopIteration as stop:
                self._finish(stop.value)
            except Exception as error:
                self._fail(error)

    def _ready(self) -> bool:
        if isinstance(self.request, Generate):
            return not self._open_branches()
        return all(value is not None for value in self.values)

    def _open_branches(self) -> list[int]:
        """Branches of a generate request that still need a line."""
        assert isinstance(self.request, Generate)
        once = self.request.until == "line"
        return [
            i
            for i, node in enumerate(self.branches)
            if not node.done and not (once and self.written[i])
        ]

    # -- Generation ----------------------------------------------------------------------------

    def rows(self) -> list[_Row]:
        """Lines to write this round, sharing what is left of the budget evenly."""
        if not isinstance(self.request, Generate):
            return []
        open_branches = self._open_branches()
        limits = [self.line_tokens] * len(open_branches)
        if self.budget is not None and open_branches:
            left = self.budget - self.ledger.generated_tokens
            if left == 0 and not any(self.written):
                self._stop()
                return []
            # The budget ends inside this request: what is done of it still goes back.
            for branch in open_branches[left:]:
                self.branches[branch] = replace(self.branches[branch], done=True)
            open_branches = open_branches[:left]
            if not open_branches:
                return []
            share, extra = divmod(left, len(open_branches))
            limits = [min(self.line_tokens, share + (i < extra)) for i in range(len(limits))]
        rows = []
        for branch, limit in zip(open_branches, limits):
            node = self.branches[branch]
            seed = stream_seed(self.seed, self.rows_asked)
            self.rows_asked += 1
            request = self.request
            rows.append(
                _Row(self, branch, node.context, limit, seed, request.temperature, request.without)
            )
        return rows

    def write(self, row: _Row, completion: Completion) -> None:
        """Charge a line and play it."""
        self.ledger += Ledger(
            generated_tokens=len(completion.tokens), prompt_tokens=len(row.prefix), model_calls=1
        )
        self.written[row.branch] = True
        self.branches[row.branch] = self._play(self.branches[row.branch], completion)

    def _play(self, node: Node, completion: Completion) -> Node:
        if not completion.stopped:
            # Cut by a limit: a line that is not finished is never verified.
            return replace(node, done=True, written=completion)
        self.env.restore(node.snapshot)
        actions, tokens, context = [*node.actions], [*node.tokens], [*node.context]
        context += completion.tokens
        played, done = node.played, False
        for line, ids in lines_of(completion.tokens, self.env.tokenizer):
            actions.append(line)
            tokens.append(ids)
            answered = lines.kind_of(lines.normalise(line)) is Kind.ANSWER
            # A right claim would be the last one too.
            spent = (
                len(actions) >= self.env.max_steps or sum(map(len, tokens)) >= self.env.max_tokens
            )
            if self.env.episode.stopped:
                # Ended by a wrong claim, of which this search may not know.
                done = answered or spent
                continue
            _, _, terminated, truncated, info = self.env.step(line)
            self.ledger += Ledger(env_steps=1)
            played += 1
            context += self.env.tokenizer.encode(info["feedback"])
            done = truncated or (terminated and (answered or spent or self.reads_ends))
            if done:
                break
        return Node(
            self.env.snapshot(),
            tuple(context),
            tuple(actions),
            tuple(tokens),
            (*node.logprobs, sum(completion.logprobs)),
            done,
            completion,
            played,
        )

    # -- The end -------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Tell the strategy that its budget is spent, and take its best so far."""
        try:
            self.search.throw(BudgetSpent())
            raise RuntimeError("A strategy went on after BudgetSpent; it must return its best")
        except StopIteration as stop:
            self._finish(stop.value)
        except Exception as error:
            self._fail(error)

    def _finish(self, choice: Choice) -> None:
        if not isinstance(choice, Choice):
            self._fail(TypeError(f"A strategy returns a Choice, received {choice!r}"))
            return
        self.request = None
        node = choice.node
        self.env.restore(node.snapshot)
        actions, tokens = node.actions[: node.played], node.tokens[: node.played]
        oracle = self.guide == "oracle"
        self.found = Found(actions, tokens, self.ledger, oracle, None, choice.tree)

    def _fail(self, error: Exception) -> None:
        self.request = None
        message = f"{type(error).__name__}: {error}"
        self.found = Found((), (), self.ledger, self.guide == "oracle", message)


def _generate(model: LanguageModel, live: Sequence[_Running]) -> None:
    rows = [row for search in live for row in search.rows()]
    for temperature in sorted({row.temperature for row in rows}):
        chosen = [row for row in rows if row.temperature == temperature]
        completions = model.generate(
            [row.prefix for row in chosen],
            stop=(model.tokenizer.newline, EOS),
            temperature=temperature,
            max_tokens=[row.limit for row in chosen],
            seeds=[row.seed for row in chosen],
            without=[row.without for row in chosen] if temperature == 1 else None,
        )
        for row, completion in zip(chosen, completions):
            row.search.write(row, completion)


def _evaluate(model: LanguageModel, live: Sequence[_Running]) -> None:
    waiting = []
    for search in live:
        if isinstance(search.request, Evaluate):
            nodes = search.request.nodes
            waiting += [(search, i, nodes[i]) for i, v in enumerate(search.values) if v is None]
    if not waiting:
        return
    values = model.values([node.context for _, _, node in waiting])
    for (search, i, node), value in zip(waiting, values):
        search.ledger += Ledger(evaluator_calls=1)
        # What a finished episode is worth is the reward of its last step.
        search.values[i] = Value(0.0, reward=value) if node.done else Value(value)
