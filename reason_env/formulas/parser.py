r"""Reads plain LaTeX, or what people type for it, into a tree. Nothing is calculated.

A `Node` is `(kind, text, args)`, and JSON as it is:

    num     text: a whole number or decimal, exact ("12", "7/20"); mixed: [num, div]
    sym     text: a variable with its marks ("x", "a_1", "f'"), or a quantity ("angle ABC")
    const   "pi", "e", "i", "infinity", "empty set", "reals"
    add mul neg div pow fact call (text: function) apply (text: symbol) deg (degrees) pct
    pm      the sign "+-" or "-+" before its argument
    unit    text: the unit of its argument, in base words ("square meter")
    rel     text: operators, joined by spaces ("< <=")
    list    a, b, c   set {a, b}   seq (a, b] with text "(]"   union   matrix [row, row]
    label   text: what is equal only to the same text: "text Evelyn", "ratio 3:4", "base 1010_2"
"""

from __future__ import annotations

from typing import NamedTuple

from reason_env.formulas import tokens
from reason_env.formulas.text import Unreadable
from reason_env.formulas.tokens import Token, tokenise

MAX_NESTING = 64
"""Of brackets, and of powers of powers."""
MAX_DEPTH = 160
"""Of the tree, where a/b/c is two deep."""


class Node(NamedTuple):
    kind: str
    text: str = ""
    args: tuple[Node, ...] = ()


def parse(text: str) -> Node:
    """Read one answer.

    Raises:
        Unreadable: says what was not understood.
    """
    try:
        node = _Parser(tokenise(text)).answer()
    except RecursionError:
        raise Unreadable("nested too deep") from None
    level: list[Node] = [node]
    for _ in range(MAX_DEPTH):
        level = [arg for parent in level for arg in parent.args]
        if not level:
            return node
    raise Unreadable("nested too deep")


_CONSTANTS = {
    r"\pi": "pi",
    "e": "e",
    "i": "i",
    r"\infty": "infinity",
    r"\emptyset": "empty set",
    r"\mathbb": "reals",
}
_CLOSERS = {"(": (")", "]"), "[": ("]", ")"), r"\{": (r"\}",)}
_FENCES = {r"\lfloor": (r"\rfloor", "floor"), r"\lceil": (r"\rceil", "ceil")}
_SUMS = {"+", "-", r"\pm", r"\mp"}
_APPLIED = set("fghFGH")


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.place = 0
        self.depth = 0
        self.bars = 0

    # Tokens

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        token = self.next
        if token.kind == "end":
            raise Unreadable("something is missing at the end")
        self.place += 1
        return token

    def took(self, *texts: str) -> str | None:
        """Take the next token if it is one of these signs."""
        if self.next.kind == "sign" and self.next.text in texts:
            return self.take().text
        return None

    def expect(self, *texts: str) -> str:
        found = self.took(*texts)
        if found is None:
            raise Unreadable(f"expected {texts[0]!r}, found {self.next.text!r}")
        return found

    # From the whole to the parts

    def answer(self) -> Node:
        items = self.items(expand=True)
        if self.next.kind != "end":
            raise Unreadable(f"did not expect {self.next.text!r}")
        return items[0] if len(items) == 1 else Node("list", "", tuple(items))

    def items(self, expand: bool) -> list[Node]:
        """Items between commas; with `expand`, `a \\pm b` is two."""
        found: list[Node] = []
        while True:
            item = self.relation()
            if expand and _has_sign(item):
                found += [_choose(item, "+"), _choose(item, "-")]
            else:
                found.append(item)
            if not self.took(",", ";"):
                return found
            while self.took(","):  # "a, b, and c"
                pass

    def relation(self) -> Node:
        sides, operators = [self.union()], []
        while self.next.kind == "relation":
            operators.append(self.take().text)
            sides.append(self.union())
        return Node("rel", " ".join(operators), tuple(sides)) if operators else sides[0]

    def union(self) -> Node:
        parts = [self.quantity()]
        while self.took(r"\cup"):
            parts.append(self.quantity())
        return Node("union", "", tuple(parts)) if len(parts) > 1 else parts[0]

    def quantity(self) -> Node:
        """A formula and its unit; or words; or a ratio."""
        if self.next.kind == "label":
            label = Node("label", self.take().text)
            while label.text.startswith("text ") and self.next.text.startswith("text "):
                label = Node("label", label.text + self.take().text.removeprefix("text"))
            if self.next.kind in ("end", "relation") or self.next.text in (",", ";", ")"):
                return label
            raise Unreadable(f"words before {self.next.text!r}")
        owed = self.next.text == "-" and self.tokens[self.place + 1].text == r"\$"
        if owed:
            self.take()
        unit = "dollar" if self.took(r"\$") else ""
        value = self.sum()
        value = Node("neg", "", (value,)) if owed else value
        if value.kind == "deg":
            value, unit = value.args[0], "degree"
        elif value.kind == "neg" and value.args[0].kind == "deg":
            value, unit = Node("neg", "", value.args[0].args), "degree"
        while self.next.kind == "unit":
            word = self.take().text
            if self.took("^"):
                power = self.script().text
                word = {"2": "square ", "3": "cubic "}.get(power, f"{power} ") + word
            if self.next.text == "/" and self.tokens[self.place + 1].kind == "unit":
                self.take()
                word += " per"
            unit = f"{unit} {word}"
        return Node("unit", tokens.base_unit(unit), (value,)) if unit else value

    def sum(self) -> Node:
        terms: list[Node] = []
        while True:
            sign = self.took(*_SUMS)
            if sign is None and terms:
                return terms[0] if len(terms) == 1 else _operation("add", *terms)
            if sign in (r"\pm", r"\mp"):
                terms.append(Node("pm", "+-" if sign == r"\pm" else "-+", (self.term(),)))
                continue
            signs = [sign]
            while sign := self.took("+", "-"):
                signs.append(sign)
            term = self.term()
            for sign in signs:
                term = _operation("neg", term) if sign == "-" else term
            terms.append(term)

    def term(self) -> Node:
        value, flat = self.factor(), False
        while True:
            operator = self.took("*", "/")
            if operator is None:
                if not self.starts_factor():
                    return value
                if self.next.kind == "number":
                    raise Unreadable("a number right after something else")
                right = self.factor()
            else:
                minus = self.took("-") is not None
                right = self.factor()
                right = _operation("neg", right) if minus else right
            if operator == "/":
                value = _operation("div", value, right)
            else:
                value = _operation("mul", *(value.args if flat else [value]), right)
            flat = operator != "/"

    def starts_factor(self) -> bool:
        kind, text, _ = self.next
        if kind == "sign":
            opens = text in ("(", "[", "{", r"\{") or text in _FENCES
            return opens or (text == "|" and not self.bars)
        return kind in ("number", "name", "function", "command")

    def factor(self) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable(f"nested more than {MAX_NESTING} deep")
        value = self.atom()
        while True:
            if self.took("!"):
                value = _operation("fact", value)
            elif self.took("%"):
                value = _operation("pct", value)
            elif self.took("^"):
                if self.took(r"\circ") or self.took_degrees():
                    value = _operation("deg", value)
                else:
                    value = _operation("pow", value, self.script())
            else:
                self.depth -= 1
                return value

    def took_degrees(self) -> bool:
        """Take `{\\circ}`."""
        found = [token.text for token in self.tokens[self.place : self.place + 3]]
        if found == ["{", r"\circ", "}"]:
            self.place += 3
            return True
        return False

    def script(self) -> Node:
        """What is raised: `{...}`, a number, or the next factor; with its sign."""
        if self.took("-"):
            return _operation("neg", self.script())
        if self.next.kind == "number":  # without what may follow: x^2\\frac{1}{2}
            value = Node("num", self.take().text)
            return _operation("pow", value, self.script()) if self.took("^") else value
        return self.group() if self.next.text == "{" else self.factor()

    def group(self) -> Node:
        self.expect("{")
        value = self.sum()
        self.expect("}")
        return value

    def argument(self) -> Node:
        """Of a command: `{...}`, one digit, or a name."""
        if self.next.kind == "number":
            if len(self.next.text) > 1:
                raise Unreadable(f"how many digits of {self.next.text}?")
            return Node("num", self.take().text)
        return self.group() if self.next.text == "{" else self.atom()

    # Atoms

    def atom(self) -> Node:
        token = self.take()
        kind, text, _ = token
        if kind == "number":
            return self.number(text)
        if kind == "name":
            return self.name(text)
        if kind == "function":
            return self.function(text)
        if kind == "command":
            return self.command(text)
        if kind == "sign":
            if text == "{":
                self.place -= 1
                return self.group()
            if text in _CLOSERS:
                return self.bracket(text)
            if text in _FENCES:
                closer, name = _FENCES[text]
                value = self.sum()
                self.expect(closer)
                return Node("call", name, (value,))
            if text == "|":
                self.bars += 1
                value = self.sum()
                self.expect("|")
                self.bars -= 1
                return Node("call", "abs", (value,))
        raise Unreadable(f"did not expect {text!r}")

    def number(self, text: str) -> Node:
        """A number, or a mixed one: `1 1/2`, `1\\frac{1}{2}`."""
        number = Node("num", text)
        ahead = [token.text for token in self.tokens[self.place : self.place + 7]]
        match ahead:
            case [r"\frac", "{", top, "}", "{", bottom, "}"]:
                length = 7
            case [r"\frac", digits, *_] if digits.isdecimal() and len(digits) == 2:
                top, bottom, length = digits[0], digits[1], 2
            case [top, "/", bottom, *_] if top.isdecimal():
                length = 3
            case _:
                if self.next.kind == "number":
                    raise Unreadable("numbers side by side")
                return number
        if not all(digits.isdecimal() for digits in (text, top, bottom)):
            return number
        if int(top) >= int(bottom):
            raise Unreadable("a mixed number with a part of one or more")
        self.place += length
        return Node("mixed", "", (number, Node("div", "", (Node("num", top), Node("num", bottom)))))

    def name(self, text: str) -> Node:
        if text in _CONSTANTS:
            return Node("const", _CONSTANTS[text])
        inverse = text in _APPLIED and [t.text for t in self.tokens[self.place :][:5]] == [
            *("^", "{", "-", "1", "}")
        ]
        if inverse:
            self.place += 5
            text += "^-1"
        called = text[0] in _APPLIED or self.defines()
        if called and self.next.text == "(" and not self.next.spaced:
            self.take()
            args = self.items(expand=False)
            self.expect(")")
            return Node("apply", text, tuple(args))
        if inverse:
            raise Unreadable(f"{text} of what?")
        if self.took("_"):
            index = self.take().text
            if index == "{":
                index = ""
                while not self.took("}"):
                    index += self.take().text
            text += f"_{index}"
        return Node("sym", text)

    def defines(self) -> bool:
        """Whether `(x) =` follows, which makes a function of any name."""
        match self.tokens[self.place : self.place + 4]:
            case [(_, "(", _), ("name", _, _), (_, ")", _), (_, "=", _)]:
                return True
        return False

    def function(self, name: str) -> Node:
        power: Node | None = None
        base: Node | None = None
        while sign := self.took("^", "_"):
            if sign == "^":
                power = self.script()
            elif name == "log":
                base = self.argument()
            else:
                raise Unreadable(f"an index of {name}")
        if power == Node("neg", "", (Node("num", "1"),)) and name in tokens.INVERSES:
            name, power = f"arc{name}", None
        operand = self.operand()
        if name == "exp":
            value = _operation("pow", Node("const", "e"), operand)
            return _operation("pow", value, power) if power else value
        if operand.kind == "seq" and name in ("gcd", "lcm", "max", "min"):
            return Node("call", name, operand.args)
        value = Node("call", name, _operation("", operand, *([base] if base else [])).args)
        return Node("pow", "", (value, power)) if power else value

    def operand(self) -> Node:
        """What a function is applied to: a group, or factors up to the next sign or function."""
        if self.next.text in ("(", "{"):
            return self.atom()
        minus = self.took("-") is not None
        factors = [self.factor()]
        while self.starts_factor() and self.next.kind not in ("function", "number"):
            if self.next.text in ("(", "[", r"\{"):
                break
            factors.append(self.factor())
        value = factors[0] if len(factors) == 1 else Node("mul", "", tuple(factors))
        return Node("neg", "", (value,)) if minus else value

    def command(self, text: str) -> Node:
        if text == r"\frac":
            if self.next.kind == "number" and len(self.next.text) == 2:  # \\frac12
                digits = self.take().text
                return Node("div", "", (Node("num", digits[0]), Node("num", digits[1])))
            top = self.argument()
            return _operation("div", top, self.argument())
        if text == r"\sqrt":
            index = None
            if self.took("["):
                index = self.sum()
                self.expect("]")
            value = self.argument()
            return Node("call", "root", (value, index or Node("num", "2")))
        if text == r"\binom":
            top = self.argument()
            return Node("call", "binom", (top, self.argument()))
        if text == r"\begin":
            return self.matrix()
        raise Unreadable(f"the command {text}")

    def bracket(self, opener: str) -> Node:
        if opener == r"\{" and self.took(r"\}"):
            return Node("const", "empty set")
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise Unreadable(f"nested more than {MAX_NESTING} deep")
        bars, self.bars = self.bars, 0
        items = self.items(expand=opener == r"\{")
        closer = self.expect(*_CLOSERS[opener])
        self.bars = bars
        self.depth -= 1
        if opener == r"\{":
            return Node("set", "", tuple(items))
        if len(items) == 1 and opener + closer in ("()", "[]") and items[0].kind != "rel":
            return items[0]
        return Node("seq", opener + closer, tuple(items))

    def matrix(self) -> Node:
        rows: list[list[Node]] = [[]]
        while True:
            rows[-1].append(self.relation())
            if self.took("&"):
                continue
            if self.took("\\\\"):
                if self.next.text == r"\end":
                    break
                rows.append([])
            else:
                break
        self.expect(r"\end")
        if len({len(row) for row in rows}) > 1:
            raise Unreadable("rows of different lengths")
        return Node("matrix", "", tuple(Node("list", "", tuple(row)) for row in rows))


def _operation(kind: str, *args: Node) -> Node:
    """A node whose arguments are formulas, not sets or pairs or statements."""
    for arg in args:
        if arg.kind in ("list", "set", "seq", "union", "matrix", "rel", "label", "unit"):
            raise Unreadable(f"calculation with a {arg.kind}")
    return Node(kind, "", args)


def _has_sign(node: Node) -> bool:
    return node.kind == "pm" or any(map(_has_sign, node.args))


def _choose(node: Node, sign: str) -> Node:
    """The tree with the upper or the lower of its signs."""
    if node.kind == "pm":
        value = _choose(node.args[0], sign)
        upper = node.text[0] if sign == "+" else node.text[1]
        return value if upper == "+" else Node("neg", "", (value,))
    return Node(node.kind, node.text, tuple(_choose(arg, sign) for arg in node.args))
