"""reasoning-gym's data sets, without importing it."""

from __future__ import annotations

from typing import NamedTuple


class Facts(NamedTuple):
    """What is known of a data set beforehand, measured over up to 200 items of each level.

    Attributes:
        levels: how many levels it has here (see `ReasoningGym`).
        prompt: tokens of the built-in tokenizer that its longest question takes.
        answer: of its longest gold answer.
        chance: the largest share of a level's items that one fixed answer, or one copy of a part
            of the question, solves, and two standard errors, rounded up.
    """

    levels: int
    prompt: int
    answer: int
    chance: float


EXCLUDED: dict[str, str] = {
    "acre": "its data is under the GPL",
    "composite": "it is a mixture of the others",
    "emoji_mystery": "its messages are hidden in invisible Unicode characters",
    "propositional_logic": (
        "a premise repeated, or weakened, is a right answer to its scorer, and one fixed formula "
        "is right for many items"
    ),
}
"""Data sets that are not registered, and why."""

DATASETS: dict[str, Facts] = {
    "ab": Facts(4, 856, 119, 0.1),
    "advanced_geometry": Facts(4, 347, 18, 0.05),
    "aiw": Facts(9, 585, 1, 0.35),
    "arc_1d": Facts(3, 1152, 99, 0.1),
    "arc_agi": Facts(2, 16571, 1828, 0.05),
    "base_conversion": Facts(4, 191, 14, 0.05),
    "basic_arithmetic": Facts(5, 51, 7, 0.1),
    "bf": Facts(2, 1232, 5, 0.15),
    "binary_alternation": Facts(3, 947, 2, 0.35),
    "binary_matrix": Facts(2, 1553, 1273, 0.05),
    "bitwise_arithmetic": Facts(1, 274, 14, 0.05),
    "boxnet": Facts(2, 4142, 1265, 0.05),
    "caesar_cipher": Facts(2, 232, 144, 0.1),
    "calendar_arithmetic": Facts(4, 198, 9, 0.4),
    "chain_sum": Facts(10, 118, 5, 0.15),
    "circuit_logic": Facts(1, 1452, 1, 0.75),
    "codeio": Facts(2, 12031, 2048, 0.1),
    "coin_flip": Facts(1, 73, 9, 0.15),
    "color_cube_rotation": Facts(3, 3299, 7, 0.2),
    "complex_arithmetic": Facts(4, 70, 20, 0.05),
    "count_bits": Facts(4, 76, 1, 0.3),
    "count_primes": Facts(4, 72, 2, 0.05),
    "countdown": Facts(3, 390, 30, 0.05),
    "course_schedule": Facts(4, 3216, 5, 0.7),
    "cryptarithm": Facts(3, 774, 39, 0.05),
    "decimal_arithmetic": Facts(4, 193, 9, 0.05),
    "decimal_chain_sum": Facts(4, 149, 10, 0.05),
    "dice": Facts(4, 287, 14, 0.1),
    "family_relationships": Facts(9, 353, 13, 0.35),
    "figlet_font": Facts(3, 3850, 13, 0.05),
    "fraction_simplification": Facts(1, 117, 14, 0.05),
    "futoshiki": Facts(3, 916, 592, 0.05),
    "game_of_life": Facts(1, 523, 221, 0.2),
    "game_of_life_halting": Facts(2, 1584, 5, 0.7),
    "gcd": Facts(4, 118, 1, 0.65),
    "graph_color": Facts(3, 602, 200, 0.2),
    "group_anagrams": Facts(2, 1738, 1446, 0.05),
    "gsm_symbolic": Facts(1, 630, 3, 0.1),
    "intermediate_integration": Facts(2, 592, 50, 0.1),
    "isomorphic_strings": Facts(3, 579, 5, 0.7),
    "jugs": Facts(1, 660, 258, 0.15),
    "kakurasu": Facts(3, 807, 169, 0.05),
    "knight_swap": Facts(1, 832, 220, 0.4),
    "knights_knaves": Facts(4, 1174, 120, 0.05),
    "largest_island": Facts(2, 1627, 1, 0.3),
    "lcm": Facts(4, 75, 10, 0.15),
    "leg_counting": Facts(10, 261, 3, 0.2),
    "letter_counting": Facts(7, 191, 1, 0.6),
    "letter_jumble": Facts(4, 1292, 885, 0.05),
    "list_functions": Facts(1, 592, 30, 0.15),
    "mahjong_puzzle": Facts(1, 3132, 4, 0.5),
    "manipulate_matrix": Facts(2, 1429, 1223, 0.15),
    "maze": Facts(2, 2766, 1, 0.5),
    "mini_sudoku": Facts(4, 382, 34, 0.1),
    "modulo_grid": Facts(1, 581, 438, 0.1),
    "n_queens": Facts(1, 653, 134, 0.15),
    "needle_haystack": Facts(1, 3149, 17, 0.05),
    "number_filtering": Facts(4, 1826, 1690, 0.05),
    "number_format": Facts(2, 1303, 13, 0.35),
    "number_sequence": Facts(1, 33, 2, 0.2),
    "number_sorting": Facts(1, 416, 78, 0.05),
    "palindrome_generation": Facts(3, 1876, 500, 0.05),
    "palindrome_partitioning": Facts(3, 393, 5792, 0.05),
    "path_star": Facts(4, 726, 25, 0.05),
    "polynomial_equations": Facts(4, 804, 17, 0.45),
    "polynomial_multiplication": Facts(3, 779, 1094, 0.1),
    "pool_matrix": Facts(2, 1755, 262, 0.05),
    "power_function": Facts(5, 212, 14, 0.15),
    "prime_factorization": Facts(3, 110, 19, 0.05),
    "products": Facts(10, 136, 39, 0.25),
    "puzzle24": Facts(2, 313, 9, 0.15),
    "quantum_lock": Facts(1, 520, 29, 0.1),
    "ransom_note": Facts(3, 1743, 5, 0.7),
    "rearc": Facts(2, 3777, 493, 0.1),
    "rectangle_count": Facts(1, 6802, 1, 0.3),
    "rotate_matrix": Facts(2, 1422, 1273, 0.05),
    "rotten_oranges": Facts(2, 2323, 2, 0.55),
    "rubiks_cube": Facts(1, 548, 39, 0.05),
    "rush_hour": Facts(3, 440, 0, 0.05),
    "self_reference": Facts(1, 536, 1, 0.5),
    "sentence_reordering": Facts(2, 318, 256, 0.1),
    "shortest_path": Facts(2, 1899, 196, 0.65),
    "simple_equations": Facts(4, 160, 4, 0.1),
    "simple_geometry": Facts(3, 574, 2, 0.1),
    "simple_integration": Facts(4, 451, 42, 0.05),
    "sokoban": Facts(4, 364, 76, 0.05),
    "spell_backward": Facts(5, 55, 10, 0.05),
    "spiral_matrix": Facts(2, 2031, 1249, 0.05),
    "string_insertion": Facts(3, 1419, 505, 0.05),
    "string_manipulation": Facts(4, 2747, 499, 0.05),
    "string_splitting": Facts(3, 1562, 12, 0.1),
    "string_synthesis": Facts(3, 1207, 17, 0.1),
    "sudoku": Facts(4, 320, 169, 0.05),
    "survo": Facts(2, 408, 53, 0.05),
    "syllogism": Facts(3, 179, 3, 0.9),
    "time_intervals": Facts(7, 175, 17, 0.15),
    "tower_of_hanoi": Facts(1, 481, 4189, 0.1),
    "tsumego": Facts(4, 996, 2, 0.15),
    "word_ladder": Facts(2, 205, 101, 0.05),
    "word_sequence_reversal": Facts(3, 828, 685, 0.05),
    "word_sorting": Facts(3, 731, 440, 0.1),
    "zebra_puzzles": Facts(2, 1414, 6, 0.5),
}
"""All others, by name."""
