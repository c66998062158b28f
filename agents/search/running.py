"""One problem's search between the rounds of the scheduler: its open request, its ledger, and the
lines that it plays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from agents.models.base import Completion, RequestRefused
from agents.search.guides import Asked, Guide
from agents.search.ledger import BudgetSpent, Ledger
from agents.search.requests import (
    Answers,
    Choice,
    Evaluate,
    Generate,
    Node,
    Request,
    Search,
    Strategy,
    Value,
)
from reason_env import lines
from reason_env.answers import canonical_answer
from reason_env.env import ReasonEnv, Snapshot
from reason_env.problem import Kind
from reason_env.splits import numbered_seed
from reason_env.tokens import lines_of


class Row(NamedTuple):
    """One line to be written: what the model is told, and where it goes."""

    search: Running
    branch: int
    prefix: tuple[int, ...]
    limit: int
    seed: int
    temperature: float
    without: Sequence[Completion]


class Running:
    """A search and what it waits for.

    Attributes:
        ledger: what it has cost so far.
        asked: numbers that a model still has to say for the values asked for.
        choice: what the strategy returned, once it has.
        error: what went wrong, if something did.
        cause: the exception behind it.
        refused: what the strategy raised before its first request, if it did.
    """

    def __init__(
        self,
        env: ReasonEnv,
        strategy: Strategy,
        seed: int,
        budget: int | None,
        guide: Guide,
        line_tokens: int,
        prompt_style: str | None = None,
    ) -> None:
        self.env = env
        self.guide = guide
        self.ledger = Ledger()
        self.asked: list[Asked] = []
        self.choice: Choice | None = None
        self.error: str | None = None
        self.cause: Exception | None = None
        self.refused: Exception | None = None
        self._seed = seed
        self._budget = budget
        self._line_tokens = line_tokens
        # Whether the search may be told that a wrong claim has ended an episode.
        self._reads_ends = guide.oracle or env.task.public_verifier
        self._rows = 0
        self._request: Request | None = None
        self._branches: list[Node] = []
        self._todo: list[int] = []  # branches that need a line
        self._begun = False  # whether the open request has got one
        self._values: list[Value] = []
        prompt = tuple(env.tokenizer.encode(_text(env, prompt_style)))
        key = env.episode.state if self._reads_ends else None
        root = Node(None, env.episode, (), (), prompt, env.episode.stopped, key=key, seed=seed)
        try:
            self._search: Search = strategy(root)
            request = next(self._search)
            _check(request)
        except StopIteration as stop:
            self._finish(stop.value)
            return
        except Exception as error:
            self.refused = error
            self._fail(error)
            return
        try:
            self._begin(request)
        except Exception as error:
            self._fail(error)

    @property
    def over(self) -> bool:
        return self.choice is not None or self.error is not None

    def leave(self) -> Node | None:
        """Take the environment to what was chosen, if anything was."""
        if self.choice is None:
            return None
        node = self.choice.node
        self.env.restore(Snapshot(node.episode, self.env.snapshot().rng))
        return node

    # -- Requests ------------------------------------------------------------------------------

    def advance(self) -> None:
        """Hand a finished request back until one needs a model again."""
        while not (self._todo or self.asked or self.over):
            try:
                request = self._search.send(self._response())
                _check(request)
                self._begin(request)
            except StopIteration as stop:
                self._finish(stop.value)
            except Exception as error:
                self._fail(error)

    def _begin(self, request: Request) -> None:
        self._request = request
        if isinstance(request, Generate):
            self._branches = [node for node in request.nodes for _ in range(request.n)]
            self._todo = [i for i, node in enumerate(self._branches) if not node.done]
            self._begun = False
        elif isinstance(request, Evaluate):
            self._values, self.asked = self.guide.judge(request.nodes, self.env, self.ledger)

    def _response(self) -> object:
        request = self._request
        if isinstance(request, Generate):
            n, branches = request.n, self._branches
            return [branches[i : i + n] for i in range(0, len(branches), n)]
        if isinstance(request, Evaluate):
            return self._values
        assert isinstance(request, Answers)
        return [self._answer(node) for node in request.nodes]

    # -- Values and answers --------------------------------------------------------------------

    def context(self, asked: Asked) -> tuple[int, ...]:
        """What a model has to value."""
        assert isinstance(self._request, Evaluate)
        return self._request.nodes[asked.place].context

    def tell(self, asked: Asked, number: float) -> None:
        """Take what a model said of one of the nodes."""
        assert isinstance(self._request, Evaluate)
        self.ledger.evaluator_calls += 1
        known = self._values[asked.place]
        value, reward = known.value, known.reward
        if self._request.nodes[asked.place].done:
            # What a finished episode is worth is the reward of its last step.
            reward += asked.weight * number
        else:
            value += asked.weight * number
        self._values[asked.place] = Value(value, reward, known.solved)

    def _answer(self, node: Node) -> str | None:
        if not (node.done and node.lines):
            return None
        line = lines.normalise(node.lines[-1])
        task = self.env.task
        if lines.kind_of(line) is Kind.ANSWER:
            return canonical_answer(lines.answer_value(line))
        if task.asks_answer or node.wrong:
            return None
        if task.public_verifier:
            return task.show(node.episode.problem, node.episode.state)
        return line

    # -- Generation ----------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Lines to write this round, sharing what is left of the budget evenly."""
        if not self._todo:
            return []
        request = self._request
        assert isinstance(request, Generate)
        branches, self._todo = self._todo, []
        limits = [self._line_tokens] * len(branches)
        if self._budget is not None:
            left = self._budget - self.ledger.generated_tokens
            if left == 0 and not self._begun:
                self._stop()
                return []
            # The budget ends inside this request: what is done of it still goes back.
            for branch in branches[left:]:
                self._branches[branch] = self._branches[branch].ended()
            branches = branches[:left]
            if not branches:
                return []
            share, extra = divmod(left, len(branches))
            limits = [min(self._line_tokens, share + (i < extra)) for i in range(len(branches))]
        self._begun = True
        rows = []
        for branch, limit in zip(branches, limits):
            known = request.without[branch // request.n] if request.without else ()
            seed = numbered_seed(self._seed, self._rows)
            self._rows += 1
            context = self._branches[branch].context
            rows.append(Row(self, branch, context, limit, seed, request.temperature, known))
        return rows

    def write(self, row: Row, completion: Completion) -> None:
        """Charge a line and play it."""
        ledger = self.ledger
        ledger.generated_tokens += completion.cost
        ledger.prompt_tokens += len(row.prefix)
        ledger.model_calls += 1
        request = self._request
        if not isinstance(request, Generate):
            return  # a line before it, of this round, could not be played
        if completion.failed is not None:
            self._fail(RequestRefused(completion.failed))
            return
        try:
            node = self._play(self._branches[row.branch], completion)
        except Exception as error:
            self._fail(error)
            return
        self._branches[row.branch] = node
        if request.until == "solution" and not node.done:
            self._todo.append(row.branch)

    def _play(self, node: Node, completion: Completion) -> Node:
        if not completion.stopped:
            # Cut by a limit: a line that is not finished is never verified.
            return node.ended(completion)
        env = self.env
        episode, size = node.episode, node.size
        written: list[str] = []
        ids: list[tuple[int, ...]] = []
        reply: tuple[int, ...] = ()
        played, done, wrong = 0, False, False
        for line, tokens in lines_of(completion.tokens, env.tokenizer):
            written.append(line)
            ids.append(tokens)
            size += len(tokens)
            # A right claim would be the last one too.
            spent = node.depth + len(written) >= env.max_steps or size >= env.max_tokens
            if episode.stopped:
                # Ended by a wrong claim, of which this search may not know.
                done = spent or _is_answer(line)
                continue
            followed = env.follow(episode, line)
            self.ledger.env_steps += 1
            played += 1
            episode = followed.episode
            if followed.feedback:
                reply += tuple(env.tokenizer.encode(followed.feedback))
            if followed.truncated or (
                followed.terminated and (self._reads_ends or spent or _is_answer(line))
            ):
                done = True
                claimed = followed.verdict.kind is Kind.CLAIM
                wrong = self._reads_ends and claimed and not followed.verdict.valid
                break
        key = episode.state if self._reads_ends and not done else None
        return Node(
            node,
            episode,
            tuple(written),
            tuple(ids),
            reply,
            done,
            completion,
            played,
            key,
            wrong=wrong,
        )

    # -- The end -------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Tell the strategy that its budget is spent, and take its best so far."""
        try:
            self._search.throw(BudgetSpent())
            raise RuntimeError("A strategy went on after BudgetSpent; it must return its best")
        except StopIteration as stop:
            self._finish(stop.value)
        except Exception as error:
            self._fail(error)

    def _finish(self, choice: Choice) -> None:
        self._request = None
        if isinstance(choice, Choice):
            self.choice = choice
        else:
            self._fail(TypeError(f"A strategy returns a Choice, received {choice!r}"))

    def _fail(self, error: Exception) -> None:
        self._request = None
        self._todo, self.asked = [], []
        self.cause = error
        self.error = f"{type(error).__name__}: {error}"


def _check(request: Request) -> None:
    """Refuse what cannot be served.

    Raises:
        TypeError: not a request.
        ValueError: a number out of its range.
    """
    if isinstance(request, Generate):
        if request.n < 1 or request.until not in ("line", "solution"):
            raise ValueError(f"Expected n >= 1 and until line or solution, received {request}")
        if request.without and (request.until != "line" or request.temperature != 1):
            raise ValueError("without= needs one line at temperature 1")
        if request.without and len(request.without) != len(request.nodes):
            raise ValueError(
                f"without= has one list for each of the {len(request.nodes)} nodes, received "
                f"{len(request.without)}"
            )
        if not 0 <= request.temperature < math.inf:
            raise ValueError(f"temperature must be 0 or more, received {request.temperature}")
    elif not isinstance(request, Evaluate | Answers):
        raise TypeError(f"A strategy yields a request, received {request!r}")


def _text(env: ReasonEnv, prompt_style: str | None) -> str:
    """What a model is told at the start, the problem put in the style that it asks for."""
    text, task, problem = env.episode.text, env.task, env.episode.problem
    if prompt_style in (None, env.prompt_style):
        return text
    return task.prompt(problem, prompt_style) + text.removeprefix(
        task.prompt(problem, env.prompt_style)
    )


def _is_answer(line: str) -> bool:
    return lines.kind_of(lines.normalise(line)) is Kind.ANSWER
