"""reason-env: Gymnasium for reasoning. Importing it registers all environment ids."""

from reason_env.adapters.reasoning_gym_names import DATASETS as _REASONING_GYM
from reason_env.env import ReasonEnv, Snapshot
from reason_env.problem import Kind, Problem, State, Verdict
from reason_env.registration import make_task, register, task_names
from reason_env.rewards import RewardConfig, RewardTerms
from reason_env.task import Task
from reason_env.tokenizer import Tokenizer
from reason_env.tokens import EpisodeEnv, TokenEnv

__version__ = "0.1.0"

__all__ = [
    "EpisodeEnv",
    "Kind",
    "Problem",
    "ReasonEnv",
    "RewardConfig",
    "RewardTerms",
    "Snapshot",
    "State",
    "Task",
    "TokenEnv",
    "Tokenizer",
    "Verdict",
    "make_task",
    "register",
    "task_names",
]

register("Countdown", "reason_env.tasks.countdown:Countdown")
register("Arithmetic", "reason_env.tasks.arithmetic:Arithmetic")
register("ColumnArithmetic", "reason_env.tasks.column_arithmetic:ColumnArithmetic")
register("NumberTheory", "reason_env.tasks.number_theory:NumberTheory")
register("LinearEquation", "reason_env.tasks.linear_equation:LinearEquation")
register("LinearSystem", "reason_env.tasks.linear_system:LinearSystem")
register("Polynomial", "reason_env.tasks.polynomial:Polynomial")
register("Derivative", "reason_env.tasks.derivative:Derivative")
register("Integral", "reason_env.tasks.integral:Integral")
register("WordProblem", "reason_env.tasks.word_problem:WordProblem")
register("KnightsKnaves", "reason_env.tasks.knights_knaves:KnightsKnaves")
register("Propositional", "reason_env.tasks.propositional:Propositional")
register("Sat", "reason_env.tasks.sat:Sat")
register("Sudoku", "reason_env.tasks.sudoku:Sudoku")
register("GraphColoring", "reason_env.tasks.graph_coloring:GraphColoring")
register("GraphPath", "reason_env.tasks.graph_path:GraphPath")
register("WaterJugs", "reason_env.tasks.water_jugs:WaterJugs")
register("Hanoi", "reason_env.tasks.hanoi:Hanoi")
register("Blocksworld", "reason_env.tasks.blocksworld:Blocksworld")
register("Sokoban", "reason_env.tasks.sokoban:Sokoban")

# Other people's problems.
register("Game24", "reason_env.adapters.game24:Game24", adapter=True)
register("GSM8K", "reason_env.adapters.datasets:GSM8K", adapter=True)
register("MATH500", "reason_env.adapters.datasets:MATH500", adapter=True)
register("AIME", "reason_env.adapters.datasets:AIME", adapter=True)
register("Jsonl", "reason_env.adapters.datasets:Jsonl", adapter=True)
for _name in _REASONING_GYM:
    register(
        f"rg-{_name}",
        "reason_env.adapters.reasoning_gym:ReasoningGym",
        adapter=True,
        dataset=_name,
    )
