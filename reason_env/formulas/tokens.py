"""Tokens of plain LaTeX: numbers with their separators, names, functions, units, signs."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from reason_env.formulas.text import Unreadable

MAX_DIGITS = 256
MAX_TOKENS = 1024

INVERSES = {"sin", "cos", "tan", "cot", "sec", "csc"}
_FUNCTIONS = {
    *INVERSES,
    *(f"arc{name}" for name in INVERSES),
    *("sinh", "cosh", "tanh", "ln", "log", "exp", "gcd", "lcm", "max", "min"),
}
_GREEK = set(
    re.findall(
        "[A-Za-z]+",
        "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu "
        "xi rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma "
        "Phi Psi Omega ell",
    )
)
_IGNORED = set(
    re.findall(
        "[A-Za-z]+",
        "left right big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle limits quad qquad "
        "mathrm mathbf mathit boldsymbol operatorname rm bf it",
    )
)
_RELATIONS = {
    "=": "=",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
    "!=": "!=",
    **dict.fromkeys([r"\le", r"\leq", r"\leqslant"], "<="),
    **dict.fromkeys([r"\ge", r"\geq", r"\geqslant"], ">="),
    **dict.fromkeys([r"\ne", r"\neq"], "!="),
    r"\lt": "<",
    r"\gt": ">",
    r"\in": "in",
}
_SIGNS = {
    **{sign: sign for sign in "+-*/^_!%()[]{}|,;&"},
    **{
        sign: sign
        for sign in (r"\{", r"\}", r"\$", "\\\\", r"\pm", r"\mp", r"\circ", r"\cup", r"\end")
    },
    r"\langle": "(",
    r"\rangle": ")",
    **{sign: sign for sign in (r"\lfloor", r"\rfloor", r"\lceil", r"\rceil")},
    "**": "^",
    r"\%": "%",
    r"\cdot": "*",
    r"\times": "*",
    r"\ast": "*",
    r"\div": "/",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\lbrack": "[",
    r"\rbrack": "]",
    **dict.fromkeys([r"\lvert", r"\rvert", r"\vert"], "|"),
}
_COMMANDS = {
    **dict.fromkeys([r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"], r"\frac"),
    **dict.fromkeys([r"\binom", r"\dbinom", r"\tbinom"], r"\binom"),
    r"\sqrt": r"\sqrt",
}
_NAMES = {
    r"\pi": r"\pi",
    "pi": r"\pi",
    **dict.fromkeys([r"\infty", "infinity", "inf", "oo"], r"\infty"),
    **dict.fromkeys([r"\emptyset", r"\varnothing"], r"\emptyset"),
    r"\mathbb{R}": r"\mathbb",
    r"\imath": "i",
}

_UNITS: dict[str, str] = {
    alias: unit
    for unit, aliases in {
        "millimeter": "mm millimeters millimetre millimetres",
        "centimeter": "cm centimeters centimetre centimetres cms",
        "meter": "m meters metre metres",
        "kilometer": "km kilometers kilometre kilometres kms",
        "inch": "in inches",
        "foot": "ft feet",
        "yard": "yd yards",
        "mile": "mi miles",
        "gram": "g grams",
        "kilogram": "kg kilograms kgs",
        "pound": "lb lbs pounds",
        "ounce": "oz ounces",
        "liter": "l L liters litre litres",
        "milliliter": "ml mL milliliters",
        "second": "s sec secs seconds",
        "minute": "min mins minutes",
        "hour": "h hr hrs hours",
        "day": "days",
        "week": "weeks",
        "month": "months",
        "year": "yr yrs years",
        "degree": "degrees deg",
        "radian": "rad radians",
        "dollar": "dollars USD",
        "euro": "euros EUR",
        "cent": "cents",
        "square": "sq",
        "cubic": "cu",
        "mile per hour": "mph",
        "unit": "units",
        "per": "",
    }.items()
    for alias in [unit, *aliases.split()]
}
_PROSE = {
    *("is", "of", "if", "to", "by", "no", "the", "for", "all", "any", "one", "two", "six", "ten"),
    *("odd", "yes", "not", "but", "sum"),
}
"""Short words that nobody means as a product; those of four letters and more never are."""
_NO_UNITS = {
    *("or", "and", "not", "to", "but", "than", "maybe", "is", "if", "for", "when", "where", "else"),
    *("plus", "minus", "times", "half", "third", "quarter", "dozen", "hundred", "thousand"),
    *("million", "billion", "trillion", "squared", "cubed", "instead", "more", "less"),
    *("point", "halve", "tenth", "hundredth", "negative", "per cent", "percentage"),
}
"""What may not stand for a unit, since it changes the number; plurals are meant too."""

_ARGUMENTS = set("xyzABCXYZ")
_PERCENT = {"percent", "pct", "%", r"\%"}
_NUMBER = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?")
_UNIT = re.compile(r"[A-Za-z][A-Za-z ./-]*(?:\^[23])?")
_PATTERN = re.compile(
    r"""(?P<space>(?:\s|~|\\[,;:!>\ ])+)
      | (?P<repeating>[0-9]*\.[0-9]*(?:\\overline\s*\{[0-9]+\}|\\bar\s*\{[0-9]+\}
            |\\dot\s*\{[0-9]\}|\([0-9]+\)))
      | (?P<ratio>[0-9]+(?:\s*:\s*[0-9]+)+)
      | (?P<based>[0-9]+_(?:\{\s*[0-9]+\s*\}|[0-9]+))
      | (?P<grouped>[0-9]{1,3}(?:(?:\{,\}|\\,|,\\!|\\!,)[0-9]{3})+(?![0-9])(?:\.[0-9]+)?)
      | (?P<commas>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?)
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3}(?![0-9a-zA-Z]))?)
      | (?P<text>\\(?:text|textbf|textit|textrm|mbox|mathrm|operatorname|mathbf)\s*\{[^{}]*\})
      | (?P<matrix>\\begin\s*\{[pb]matrix\})
      | (?P<endmatrix>\\end\s*\{[pb]matrix\})
      | (?P<reals>\\mathbb\s*\{?\s*R\s*\}?)
      | (?P<quantity>m?\\(?:angle|triangle)\s*[A-Z]{1,4}(?![A-Za-z])
            |\\(?:overline|vec|hat|bar)\s*\{\s*[A-Za-z]{1,3}\s*\})
      | (?P<command>\\[A-Za-z]+)
      | (?P<word>[A-Za-z]+'*)
      | (?P<relation><=|>=|!=|[=<>])
      | (?P<sign>\*\*|\\[{}$%]|\\\\|[-+*/^_!%()\[\]{}|,;&])""",
    re.VERBOSE,
)


class Token(NamedTuple):
    kind: str
    text: str
    spaced: bool
    """Whether there is space before it."""


def tokenise(text: str) -> list[Token]:
    """Cut a text into tokens, the last of them of the kind `end`.

    Raises:
        Unreadable: something has no meaning here.
    """
    if re.search(rf"[0-9]{{{MAX_DIGITS + 1}}}", text):
        raise Unreadable(f"a number of more than {MAX_DIGITS} digits")
    found: list[Token] = []
    place, depth, spaced = 0, 0, False
    while place < len(text):
        match = _PATTERN.match(text, place)
        if match is None:
            raise Unreadable(f"did not expect {text[place]!r}")
        kind, part = str(match.lastgroup), match[0]
        if kind == "commas" and depth:
            # In brackets a comma separates: (1,200) is a pair.
            kind, part = "number", part[: part.index(",")]
        place += len(part)
        if kind == "space":
            spaced = True
            continue
        for token in _tokens(kind, part, spaced, found):
            depth += {"(": 1, "[": 1, r"\{": 1, ")": -1, "]": -1, r"\}": -1}.get(token.text, 0)
            found.append(token)
        if len(found) > MAX_TOKENS:
            raise Unreadable(f"more than {MAX_TOKENS} signs, numbers and names")
        spaced = False
    found.append(Token("end", "", False))
    return found


def base_unit(text: str) -> str:
    """The unit in base words: `cm^2`, `sq. cm` and `square centimeters` are one."""
    words = text.replace("/", " per ").replace(".", " ").split()
    return " ".join(_UNITS.get(word, word.removesuffix("s")) for word in words)


def _tokens(kind: str, part: str, spaced: bool, before: list[Token]) -> list[Token]:
    """The tokens that one match stands for."""
    match kind:
        case "number":
            return [Token("number", part if part.isdecimal() else str(Fraction(part)), spaced)]
        case "commas" | "grouped":
            return [Token("number", str(Fraction(re.sub(r"[^0-9.]", "", part))), spaced)]
        case "repeating":
            return [Token("number", str(_repeating(part)), spaced)]
        case "ratio":
            return [Token("label", "ratio " + re.sub(r"\s", "", part), spaced)]
        case "based":
            return [Token("label", "base " + re.sub(r"[{}\s]", "", part), spaced)]
        case "text":
            return _words(part, before, spaced)
        case "matrix":
            return [Token("command", r"\begin", spaced)]
        case "endmatrix":
            return [Token("sign", r"\end", spaced)]
        case "reals":
            return [Token("name", r"\mathbb", spaced)]
        case "quantity":
            name, letters = re.findall(r"(?<=\\)[a-z]+|[A-Za-z]+", part.removeprefix("m"))
            return [Token("name", f"{name} {letters}", spaced)]
        case "word":
            return _word(part, before, spaced)
        case "relation":
            return [Token("relation", _RELATIONS[part], spaced)]
        case "sign":
            return [Token("sign", _SIGNS[part], spaced)]
    name = part[1:]
    if name in _IGNORED:
        return []
    if part in (r"\degree", r"\degrees"):
        return [Token("sign", "^", spaced), Token("sign", r"\circ", False)]
    if name in _FUNCTIONS:
        return [Token("function", name, spaced)]
    if name in _GREEK:
        return [Token("name", part, spaced)]
    for table, found in (
        (_RELATIONS, "relation"),
        (_SIGNS, "sign"),
        (_COMMANDS, "command"),
        (_NAMES, "name"),
    ):
        if part in table:
            return [Token(found, table[part], spaced)]
    raise Unreadable(f"the command {part}")


def _repeating(part: str) -> Fraction:
    r"""`0.1\overline{6}` is 1/6."""
    head, _, tail = part.partition(".")
    fixed, cycle = re.findall(r"[0-9]*(?=\D)|[0-9]+", tail)[0], re.findall(r"[0-9]+", tail)[-1]
    shift = 10 ** len(fixed)
    whole = Fraction(int(head + fixed or "0"), shift)
    return whole + Fraction(int(cycle), (10 ** len(cycle) - 1) * shift)


def _words(part: str, before: list[Token], spaced: bool) -> list[Token]:
    r"""What `\text{...}` stands for: nothing, a comma, a letter, a unit or a label."""
    words = " ".join(part[part.index("{") + 1 : -1].split())
    if not words:
        return []
    if words.strip(",").strip().lower() in ("and", "or"):
        return [Token("sign", ",", spaced)]
    if words in _PERCENT:
        return [Token("sign", "%", spaced)]
    if not part.startswith(r"\text") and not part.startswith(r"\mbox"):
        if len(words) == 1:
            return _word(words, [], spaced)
        if words in _FUNCTIONS:
            return [Token("function", words, spaced)]
    if _NUMBER.fullmatch(words):
        return tokenise(words)[:-1]
    last = before[-1] if before else Token("start", "", False)
    if last.kind in ("number", "name", "unit") or last.text in (")", "}", "%", r"\circ"):
        if not (_UNIT.fullmatch(words) and all(map(_may_be_unit, words.split()))):
            raise Unreadable(f"the words {words!r}")
        return [Token("unit", words, spaced)]
    return [Token("label", "text " + words.casefold(), spaced)]


def _may_be_unit(word: str) -> bool:
    return not {word.lower(), word.lower().removesuffix("s")} & _NO_UNITS


def _word(part: str, before: list[Token], spaced: bool) -> list[Token]:
    """What bare letters stand for: a conjunction, a unit, a function, a word, or variables."""
    last = before[-1] if before else Token("start", "", False)
    word = part.rstrip("'")
    primes = part[len(word) :]
    if word.lower() in ("and", "or"):
        return [Token("sign", ",", spaced)]
    if word == "U" and last.text in (")", "]"):
        return [Token("sign", r"\cup", spaced)]
    if last.text == "/" and before[-2:-1] and before[-2].kind == "unit" and word in _UNITS:
        return [Token("unit", word, spaced)]
    counted = last.kind in ("number", "unit")
    formula = last.text in (r"\pi", ")", "}") and spaced and word != "in"
    known = word in _UNITS and len(word) > 1  # a single letter is a variable
    if word in _PERCENT:
        return [Token("sign", "%", spaced)]
    if word == "sqrt":
        return [Token("command", r"\sqrt", spaced)]
    if word in _NAMES:
        return [Token("name", _NAMES[word], spaced)]
    if word in _FUNCTIONS:
        return [Token("function", word, spaced)]
    unknown = counted and spaced and len(word) > (2 if last.kind == "number" else 1)
    if ((counted or formula) and known) or (unknown and _may_be_unit(word)):
        return [Token("unit", word, spaced)]
    for length in (6, 3, 2):  # sinx, but not cost
        if word[:length] in _FUNCTIONS and word[length:] in _ARGUMENTS:
            return [Token("function", word[:length], spaced), Token("name", word[length:], True)]
    if len(word) > 3 or word.lower() in _PROSE:
        return [Token("label", "text " + word.casefold(), spaced)]
    names = [Token("name", letter, False) for letter in word]
    names[-1] = Token("name", word[-1] + primes, False)
    names[0] = names[0]._replace(spaced=spaced)
    return names
