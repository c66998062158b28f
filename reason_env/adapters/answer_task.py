"""AnswerTask: a family of which only the answer is verified."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from reason_env import lines
from reason_env.answers import Judgement, Status
from reason_env.problem import Kind, Problem, State, Verdict
from reason_env.task import Task, potential_at


class AnswerTask(Task):
    """Lines before the answer are thoughts; `State.data` is the `Status` of the answer once there
    is one, so that nothing is scored twice."""

    public_verifier: ClassVar[bool] = False
    asks_answer: ClassVar[bool] = True
    has_steps: ClassVar[bool] = False

    @abstractmethod
    def judge(self, problem: Problem, answer: str) -> Judgement:
        """Score an answer; the reason, which an agent may read, never tells the right one."""

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is not Kind.ANSWER:
            return Verdict(Kind.THOUGHT, True, state)
        answer = lines.answer_value(line)
        judgement = self.judge(problem, answer)
        answered = State(judgement.status.value, answer)
        if judgement.status is Status.CORRECT:
            return Verdict(Kind.ANSWER, True, answered)
        unscored = "unscored: " if judgement.status is Status.UNSCORED else ""
        return Verdict(Kind.ANSWER, False, answered, unscored + judgement.reason)

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.answer is not None and state.data == Status.CORRECT.value

    def potential(self, problem: Problem, state: State) -> float:
        return potential_at(1) if state.answer is None else float(self.is_solved(problem, state))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return []

    def show(self, problem: Problem, state: State) -> str:
        return ""
