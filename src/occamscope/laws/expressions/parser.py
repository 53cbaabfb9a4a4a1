"""A whitelist parser for expressions: no eval, no sympify, no recursion.

Grammar, loosest binding first, as in Python and sympy:

    sum     = product { ("+" | "-") product }
    product = factor { ("*" | "/") factor }
    factor  = "-" factor | power
    power   = atom [ ("**" | "^") whole number ]
    atom    = number | name | function "(" sum ")" | "(" sum ")"

A minus right before a number is part of the number, unless a power follows.

Length and depth are limited, so that any text costs bounded time and memory and every
function that walks through a parsed tree stays far from Python's own limits.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from occamscope.errors import InputError
from occamscope.laws.expressions.tree import SEARCH_OPERATORS, Node, call, constant, power, variable

MAX_LENGTH = 20_000  # characters
MAX_TOKENS = 1_200  # numbers, names, signs and brackets
MAX_DEPTH = 100  # operators inside one another (a chain of 200 nodes), and open brackets
MAX_EXPONENT = 9

FUNCTIONS = frozenset(name for name, arity in SEARCH_OPERATORS.items() if name.isalpha())
_ALIASES = {"Abs": "abs"}  # as sympy prints it
# Names that a function written by `Expression.python_source` needs itself.
_RESERVED = frozenset({"np", "X", *keyword.kwlist})
_TOKEN = re.compile(
    r"(?P<space>[ \t]+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/^()])"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_POWERS = ("**", "^")
# How tightly an operator binds; a sign in front binds more than a product.
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3}
_LONGEST_SHOWN = 40  # characters of a word in a message


class Token(NamedTuple):
    """A piece of the text: kind is number, name, sign or end."""

    kind: str
    text: str
    position: int


class _Part(NamedTuple):
    """A finished operand and its depth."""

    node: Node
    depth: int


class _Waiting(NamedTuple):
    """What waits for operands: an operator's name, or "(" with its function if it has one."""

    sign: str
    function: str = ""


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the variable names after a check that an expression can use them.

    Raises
    ------
    InputError
        If a name is no plain ASCII identifier, is a function or reserved, or comes twice; or
        if the names are no list.
    """
    if isinstance(names, str | bytes | Mapping) or not isinstance(names, Iterable):
        raise InputError(f"variable names: expected a list of names, got {type(names).__name__}")
    names = tuple(names)
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(
                f"variable name {_shown(ascii(name))}: use ASCII letters, digits and '_', "
                "no digit first"
            )
        if name in FUNCTIONS or name in _ALIASES or name in _RESERVED:
            raise InputError(f"variable name '{name}' has a meaning of its own; rename it")
    if len(set(names)) != len(names):
        raise InputError("variable names: a name comes twice")
    return names


def parse_tree(text: str, names: Sequence[str]) -> Node:
    """Parse `text`, in which only the given variable names may occur.

    Raises
    ------
    InputError
        If the text is anything but an expression of the grammar, or larger than the limits;
        with the position.
    """
    if not isinstance(text, str):
        raise InputError(f"expression: expected text, got {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise InputError(f"expression: {len(text)} characters; at most {MAX_LENGTH} are read")
    return _Parser(text, frozenset(names)).parse()


def tokenize(text: str) -> list[Token]:
    """Split the text into tokens, the last one of kind "end"."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            _fail(text, position, f"unexpected character {text[position]!a}")
        if match.lastgroup != "space":
            tokens.append(Token(str(match.lastgroup), match.group(), position))
        if len(tokens) > MAX_TOKENS:
            _fail(text, position, f"more than {MAX_TOKENS} numbers, names and signs")
        position = match.end()
    return [*tokens, Token("end", "", len(text))]


def _fail(text: str, position: int, problem: str, hint: str = "") -> NoReturn:
    """Raise the parser's error: the text around the problem and its position from 1."""
    excerpt = text[max(position - 20, 0) : position + 20]
    raise InputError(f"expression: {problem} at position {position + 1}, near {excerpt!a}{hint}")


def _shown(word: str) -> str:
    """Cut a word that is too long for a message."""
    return word if len(word) <= _LONGEST_SHOWN else word[: _LONGEST_SHOWN - 3] + "..."


class _Parser:
    """Reads one expression with a stack of operands and a stack of what waits for them.

    Two states take turns: `operand` reads up to the end of one operand, `operator` what may
    follow it (Dijkstra's shunting yard).
    """

    def __init__(self, text: str, names: frozenset[str]) -> None:
        self.text, self.names = text, names
        self.tokens = tokenize(text)
        self.index = 0
        self.operands: list[_Part] = []
        self.waiting: list[_Waiting] = []
        self.brackets = 0  # of those that wait

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def fail(self, problem: str, token: Token | None = None, hint: str = "") -> NoReturn:
        _fail(self.text, (token or self.token).position, problem, hint)

    def take(self) -> Token:
        token = self.token
        self.index += token.kind != "end"
        return token

    def accept(self, *signs: str) -> Token | None:
        """Take the next token if it is one of the signs."""
        return self.take() if self.token.kind == "sign" and self.token.text in signs else None

    def describe(self) -> str:
        return "the end" if self.token.kind == "end" else f"'{_shown(self.token.text)}'"

    def parse(self) -> Node:
        self.operand()
        while self.operator():
            self.operand()
        return self.operands[0].node

    # ---------------------------------------------------------------- the two states

    def operand(self) -> None:
        """Read signs, functions and opening brackets up to a number or a variable."""
        while True:
            token = self.take()
            if token.kind == "number":
                self.push(constant(self.number(token)))
                return
            if token.kind == "name" and token.text in self.names:
                self.push(variable(token.text))
                return
            if token.kind == "name":
                self.wait("(", token, self.function(token))
            elif token.text == "(":
                self.wait("(", token)
            elif token.text == "-" and self.is_plain_number():
                self.push(constant(-self.number(self.take())))
                return
            elif token.text == "-":
                self.wait("neg", token)
            else:
                self.index -= token.kind != "end"
                self.fail(f"expected a number, a variable or '(', found {self.describe()}")

    def operator(self) -> bool:
        """Read what follows an operand; True if another operand must come."""
        while True:
            if self.accept(*_POWERS):
                self.raise_to(self.exponent())
            elif sign := self.accept(*"+-*/"):
                self.settle(_BINDING[sign.text])
                self.wait(sign.text, sign)
                return True
            elif self.brackets and self.accept(")"):
                self.settle()
                self.brackets -= 1
                function = self.waiting.pop().function
                if function:
                    self.apply(function, 1)
            elif self.token.kind == "end" and not self.brackets:
                self.settle()
                return False
            else:
                wanted = "')' or an operator" if self.brackets else "an operator"
                self.fail(f"expected {wanted}, found {self.describe()}")

    # ---------------------------------------------------------------- the two stacks

    def wait(self, sign: str, token: Token, function: str = "") -> None:
        """Let an operator or bracket wait for its operand."""
        self.waiting.append(_Waiting(sign, function))
        self.brackets += sign == "("
        if self.brackets > MAX_DEPTH:
            self.fail(f"brackets nested more than {MAX_DEPTH} deep", token)

    def settle(self, binding: int = 0) -> None:
        """Apply what waits and binds at least so tightly, up to the last bracket."""
        while self.waiting and _BINDING.get(self.waiting[-1].sign, -1) >= binding:
            sign = self.waiting.pop().sign
            self.apply(sign, SEARCH_OPERATORS[sign])

    def push(self, node: Node, depth: int = 1) -> None:
        if depth > MAX_DEPTH:
            before = self.tokens[max(self.index - 1, 0)]
            self.fail(f"operators nested more than {MAX_DEPTH} deep", before)
        self.operands.append(_Part(node, depth))

    def apply(self, operator: str, arity: int) -> None:
        """Replace the last operands by the operator's node."""
        parts = self.operands[-arity:]
        del self.operands[-arity:]
        node = call(operator, *(part.node for part in parts))
        self.push(node, 1 + max(part.depth for part in parts))

    def raise_to(self, exponent: int) -> None:
        """Replace the last operand by a power of it."""
        base = self.operands.pop()
        self.push(power(base.node, exponent), 1 + base.depth)
        if self.token.text in _POWERS:
            self.fail("a power of a power needs brackets")

    # ---------------------------------------------------------------- tokens

    def is_plain_number(self) -> bool:
        """True if the next token is a number to which no power is applied."""
        after = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        return self.token.kind == "number" and after.text not in _POWERS

    def number(self, token: Token) -> float:
        value = float(token.text)
        if not math.isfinite(value):
            self.fail(f"number {_shown(token.text)} is out of range", token)
        return value

    def exponent(self) -> int:
        """Read a whole exponent, a negative one with or without brackets."""
        bracket = self.accept("(")
        start, sign = self.token, -1 if self.accept("-") else 1
        if self.token.kind != "number":
            self.fail(f"expected a whole number as exponent, found {self.describe()}")
        value = sign * self.number(self.take())
        if bracket and not self.accept(")"):
            self.fail(f"expected ')', found {self.describe()}")
        if not value.is_integer() or value in (0, 1) or abs(value) > MAX_EXPONENT:
            self.fail(
                f"exponent {value:g}: allowed are whole numbers from -{MAX_EXPONENT} to "
                f"{MAX_EXPONENT} except 0 and 1",
                start,
            )
        return int(value)

    def function(self, token: Token) -> str:
        """Return the function that a name stands for, past its opening bracket."""
        function = _ALIASES.get(token.text, token.text)
        if function not in FUNCTIONS:
            word = _shown(token.text)
            short = len(token.text) <= _LONGEST_SHOWN
            near = get_close_matches(word, [*self.names, *FUNCTIONS], n=1) if short else []
            hint = f"; did you mean '{near[0]}'?" if near else ""
            self.fail(f"'{word}' is no known variable or function", token, hint)
        if not self.accept("("):
            self.fail(f"expected '(', found {self.describe()}")
        return function
