"""Questions and answers from files and from the Hugging Face hub as tasks.

    gym.make("reason_env/Jsonl-v0", source="questions.jsonl", question="problem", answer="final")
    gym.make("reason_env/GSM8K-v0", split="test")              # from the hub, extra `datasets`
    gym.make("reason_env/GSM8K-v0", split="test", source="shipped")  # comes with this package

An episode of GSM8K, whose lines before the answer are thoughts:

    Tom has 3 boxes of 12 pens and gives 4 pens away. How many are left?
    3 * 12 = 36 pens
    answer: 32

Value tasks with a private verifier (`reason_env.answers.judge_math`, extra `math`). To score every
problem of a split once, go through the list:

    for problem in env.unwrapped.task.pool(level=1, split="test"):
        observation, info = env.reset(options={"problem": problem})
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from reason_env.adapters.answer_task import AnswerTask
from reason_env.adapters.text import to_charset
from reason_env.answers import Form, Judgement, Status, form_of, judge_math
from reason_env.errors import choose, require
from reason_env.problem import Problem, State
from reason_env.splits import SPLITS, bucket, split_of
from reason_env.task import Budget, Room
from reason_env.tokenizer import TOKENIZER

FILES = (".jsonl", ".json")
SHIPPED = "shipped"
GSM8K_TEST = Path(__file__).parent / "data" / "gsm8k_test.jsonl"
_HOMES = {"test": "test", "validation": "dev", "dev": "dev", "val": "dev", "train": "train"}
"""Where `holdout="source"` puts the rows of a source's own splits."""
_PROBLEMS: dict[str, tuple[Problem, ...]] = {}
"""Problems of the sources that were read last, by everything that they follow from."""
_MOST_SOURCES = 8
_PER_CENT = re.compile(r"\\?%|\bpercent\b")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as the source has it, and where that is (for messages)."""

    values: Mapping[str, Any]
    split: str
    place: str


class Jsonl(AnswerTask):
    """Questions and answers of your own. `Problem.data` is the question, `solution` the answer.

    Args:
        source: a `.jsonl` file (one object a line), a `.json` file (a list of objects), or the id
            of a data set on the Hugging Face hub or of a folder that `datasets` loads.
        question: the column of the question, or several, which are joined by line breaks.
        answer: the column of the answer.
        form: what an answer must look like: `value`, `expression` or `text` (see
            `reason_env.answers.Form`); by default what each gold answer looks like.
        level_column: the column of the difficulty, a whole number from 1 up.
        most_levels: the largest level in that column.
        holdout: which split the rows are in. `train`, `dev` or `test`: all of them in that one.
            `content`: by their content, 80, 10 and 10 per cent. `source`: as in the source's own
            splits, with a tenth of its training rows as `dev` where it has no such split.
            By default `content` for a file and `source` for the hub.
        config: the configuration of a data set on the hub.

    Raises:
        ValueError: a setting or a row that cannot be used; names the file and the line.
        FileNotFoundError: no such file.
    """

    name: ClassVar[str] = "Jsonl"
    room: ClassVar[Room] = Room(compact=8192, verbose=8192 + 512)
    extras: ClassVar[tuple[str, ...]] = ("math",)
    file_holdout: ClassVar[str] = "content"
    hub_holdout: ClassVar[str] = "source"

    def __init__(
        self,
        source: str | Path | None = None,
        *,
        question: str | Sequence[str] = "question",
        answer: str = "answer",
        form: str | None = None,
        level_column: str | None = None,
        most_levels: int = 1,
        holdout: str | None = None,
        config: str | None = None,
    ) -> None:
        self.levels = range(1, most_levels + 1)  # type: ignore[misc]  # of the data, not the class
        self._source = None if source is None else str(source)
        self._questions = [question] if isinstance(question, str) else list(question)
        self._answer = answer
        self._form = None if form is None else choose(form, list(Form), "form")
        self._level_column = level_column
        is_file = self._source is not None and self._source.endswith(FILES)
        usual = self.file_holdout if is_file else self.hub_holdout
        known = [*SPLITS, "content", *([] if is_file else ["source"])]
        self._holdout = choose(usual if holdout is None else holdout, known, "holdout")
        self._config = config
        settings = (self._questions, answer, level_column, most_levels, config)
        stamp = _stamp(Path(self._source)) if is_file and self._source else None
        self._key = repr((type(self), self._source, stamp, settings))
        if is_file:
            _ = self._problems  # a file that cannot be used is better known now

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        of_level = [problem for problem in self._problems if problem.level == level]
        if not of_level:
            raise ValueError(f"{self._source} has no problem of level {level}")
        return of_level[int(rng.integers(len(of_level)))]

    def pool(self, level: int, split: str) -> Sequence[Problem]:
        found = self._pools.get((level, split))
        if not found:
            counts = {key: len(problems) for key, problems in sorted(self._pools.items())}
            raise ValueError(
                f"{self.name}: no {split} problem of level {level} in {self._source}; there are "
                f"{counts} by level and split. The setting holdout={self._holdout!r} decides "
                "which split a row is in"
            )
        return found

    def home(self, problem: Problem) -> str | None:
        return self._homes.get(self.canonical(problem))

    def initial(self, problem: Problem) -> State:
        if not isinstance(problem.data, str) or not isinstance(problem.solution, str):
            raise ValueError(
                "Expected a question and a solution, both strings, received "
                f"{problem.data!r:.80} and a solution of type {type(problem.solution).__name__}"
            )
        return State(None)

    def judge(self, problem: Problem, answer: str) -> Judgement:
        judgement = self._judge(str(problem.data), str(problem.solution), answer)
        if judgement.reason.startswith("gold:"):
            # What is wrong with it would tell it.
            return Judgement(judgement.status, "the gold answer cannot be used")
        return judgement

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        return f"answer: {problem.solution}" if state.answer is None else None

    def prompt(self, problem: Problem, style: str) -> str:
        if style == "compact":
            return str(problem.data)
        return (
            f"{problem.data}\n"
            "Think step by step, in as many lines as you need. Then write the answer on a line "
            f"of its own, in the form: {self._example}"
        )

    def canonical(self, problem: Problem) -> str:
        """Ignores white space and case."""
        return " ".join(str(problem.data).lower().split())

    def budget(self, level: int) -> Budget:
        return Budget(steps=128, tokens=4096)

    def _judge(self, question: str, gold: str, given: str) -> Judgement:
        """In answer to a question of per cent, `25%` is also the gold answer `25`, as most data
        sets have it."""
        form = self._form or form_of(gold)
        judgement = judge_math(gold, given, form=form)
        bare = _PER_CENT.sub("", given)
        asked = "percent" in question.lower() and "%" not in gold
        if judgement.status is Status.INCORRECT and asked and bare != given:
            return judge_math(gold, bare, form=form)
        return judgement

    # -- Rows --------------------------------------------------------------------------------

    @property
    def _example(self) -> str:
        return "answer: 42" if self._form is Form.VALUE else "answer: VALUE"

    def _gold(self, text: str) -> str:
        """The answer in a row's answer column."""
        return text.strip()

    @cached_property
    def _problems(self) -> tuple[Problem, ...]:
        # Once for all tasks alike: a vector environment or a run makes many of them. A class from
        # elsewhere may read rows by settings of its own.
        found = _PROBLEMS.get(self._key) if type(self).__module__ == __name__ else None
        if found is None:
            found = tuple(self._problem(row) for row in self._rows)
            while len(_PROBLEMS) >= _MOST_SOURCES:
                _PROBLEMS.pop(next(iter(_PROBLEMS)), None)
            _PROBLEMS[self._key] = found
        return found

    @cached_property
    def _rows(self) -> tuple[_Row, ...]:
        if self._source is None:
            raise ValueError(
                f"{self.name} needs a source: a {' or '.join(FILES)} file, or the id of a data "
                f"set on the Hugging Face hub, as in gym.make('reason_env/{self.name}-v0', "
                "source='questions.jsonl')"
            )
        if self._source.endswith(FILES):
            rows = tuple(_read_file(Path(self._source)))
        else:
            rows = tuple(_read_hub(self._source, self._config))
        if not rows:
            raise ValueError(f"{self._source} has no rows")
        return rows

    @cached_property
    def _homes(self) -> dict[str, str]:
        """Splits by content. A question that is in several splits is only in the last of train,
        dev and test, so that they stay disjoint."""
        homes: dict[str, str] = {}
        if self._holdout == "content":
            return homes
        own = {_HOMES.get(row.split, "train") for row in self._rows}
        ranks = list(SPLITS)
        for row, problem in zip(self._rows, self._problems):
            if self._holdout == "source":
                home = _HOMES.get(row.split, "train")
                if home == "train" and "dev" not in own and bucket(self, problem) in SPLITS["dev"]:
                    home = "dev"
            else:
                home = self._holdout
            content = self.canonical(problem)
            homes[content] = max(home, homes.get(content, home), key=ranks.index)
        return homes

    @cached_property
    def _pools(self) -> dict[tuple[int, str], tuple[Problem, ...]]:
        pools: dict[tuple[int, str], list[Problem]] = {}
        for problem in dict.fromkeys(self._problems):
            pools.setdefault((problem.level, split_of(self, problem)), []).append(problem)
        return {key: tuple(problems) for key, problems in pools.items()}

    def _problem(self, row: _Row) -> Problem:
        question = to_charset("\n".join(_text(row, column) for column in self._questions))
        tokens = len(TOKENIZER.encode(question)) + 1
        if tokens > self.room.compact:
            raise ValueError(
                f"{row.place}: the question has {tokens} tokens, at most {self.room.compact} fit"
            )
        if not question:
            raise ValueError(f"{row.place}: the question is empty")
        gold = self._gold(_text(row, self._answer))
        if not gold:
            raise ValueError(f"{row.place}: the answer is empty")
        level = 1
        if self._level_column is not None:
            text = _text(row, self._level_column)
            if not text.isdecimal() or int(text) not in self.levels:
                raise ValueError(
                    f"{row.place}: {self._level_column} must be a whole number in 1.."
                    f"{len(self.levels)} (most_levels), received {text!r:.40}"
                )
            level = int(text)
        return Problem(self.name, level, question, gold)


class GSM8K(Jsonl):
    """Grade-school word problems (Cobbe et al., 2021, arXiv 2110.14168), from the hub or from the
    published files, whose answers end in `#### 1,234`. A file counts as a test set unless
    `holdout` says otherwise. `source="shipped"` is the published test split, all 1,319 problems,
    which comes with this package (`data/gsm8k_test.jsonl`, MIT licence)."""

    name: ClassVar[str] = "GSM8K"
    extras: ClassVar[tuple[str, ...]] = ("datasets",)
    file_holdout: ClassVar[str] = "test"

    def __init__(
        self,
        source: str | Path = "openai/gsm8k",
        *,
        holdout: str | None = None,
        config: str | None = "main",
    ) -> None:
        source = GSM8K_TEST if source == SHIPPED else source
        super().__init__(source, form="value", holdout=holdout, config=config)

    def _gold(self, text: str) -> str:
        return text.rpartition("####")[2].strip().replace(",", "")


class MATH500(Jsonl):
    """The 500 test problems of MATH (Hendrycks et al., 2021, arXiv 2103.03874) that Lightman et
    al. (2023, arXiv 2305.20050) held out. All are test problems."""

    name: ClassVar[str] = "MATH500"
    extras: ClassVar[tuple[str, ...]] = ("datasets", "math")
    file_holdout: ClassVar[str] = "test"
    hub_holdout: ClassVar[str] = "test"

    def __init__(
        self,
        source: str | Path = "HuggingFaceH4/MATH-500",
        *,
        question: str = "problem",
        answer: str = "answer",
        level_column: str | None = None,
        holdout: str | None = None,
    ) -> None:
        super().__init__(
            source,
            question=question,
            answer=answer,
            level_column=level_column,
            most_levels=1 if level_column is None else 5,
            holdout=holdout,
        )


class AIME(Jsonl):
    """American Invitational Mathematics Examination: answers are whole numbers from 0 to 999. All
    are test problems."""

    name: ClassVar[str] = "AIME"
    extras: ClassVar[tuple[str, ...]] = ("datasets",)
    file_holdout: ClassVar[str] = "test"
    hub_holdout: ClassVar[str] = "test"

    def __init__(
        self,
        source: str | Path = "HuggingFaceH4/aime_2024",
        *,
        question: str = "problem",
        answer: str = "answer",
        holdout: str | None = None,
    ) -> None:
        super().__init__(source, question=question, answer=answer, form="value", holdout=holdout)

    def _gold(self, text: str) -> str:
        """Without the leading zeros of the answer sheet."""
        return text.strip().lstrip("0") or "0"


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file does; None: there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _text(row: _Row, column: str) -> str:
    """A column as text.

    Raises:
        ValueError: no such column, naming the nearest, or neither text nor a number in it.
    """
    try:
        value = row.values[choose(column, row.values, "column")]
    except ValueError as error:
        raise ValueError(f"{row.place}: {error}") from error
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = type(value).__name__
        raise ValueError(f"{row.place}: {column} must be text or a number, received {kind}")
    return str(value)


def _read_file(path: Path) -> Iterator[_Row]:
    if not path.is_file():
        raise FileNotFoundError(f"No file at {path.absolute()}")
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        values = _parse(text, str(path))
        if not isinstance(values, list):
            raise ValueError(f"{path}: expected a list of objects, one for each question")
        numbered = [(f"{path} item {number}", value) for number, value in enumerate(values)]
    else:
        numbered = [
            (place, _parse(line, place))
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
            for place in [f"{path} line {number}"]
        ]
    for place, value in numbered:
        if not isinstance(value, dict):
            raise ValueError(f"{place}: expected an object, received {type(value).__name__}")
        yield _Row(value, "", place)


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place}: not JSON: {error}") from error


def _read_hub(source: str, config: str | None) -> Iterator[_Row]:
    datasets = require("datasets", "datasets")
    try:
        loaded = datasets.load_dataset(source, config)
    except Exception as error:
        raise ValueError(
            f"{source!r} is neither a {' or '.join(FILES)} file nor a data set that "
            f"`datasets` can load (config {config!r}): {type(error).__name__}: {error}"
        ) from error
    for split, rows in loaded.items():
        for number, values in enumerate(rows):
            yield _Row(values, str(split), f"{source} {split} row {number}")
