"""A whitelist parser for expressions: no eval, no sympify.

Grammar, loosest binding first, as in Python and sympy:

    sum     = product { ("+" | "-") product }
    product = factor { ("*" | "/") factor }
    factor  = "-" factor | power
    power   = atom [ ("**" | "^") whole number ]
    atom    = number | name | function "(" sum ")" | "(" sum ")"

A minus right before a number is part of the number, unless a power follows.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from occamscope.errors import InputError
from occamscope.laws.tree import SEARCH_OPERATORS, Node, call, constant, power, variable

MAX_LENGTH = 4000  # characters
MAX_TOKENS = 600
MAX_NESTING = 60  # brackets, functions and signs inside one another
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


class Token(NamedTuple):
    """A piece of the text: kind is number, name, sign or end."""

    kind: str
    text: str
    position: int


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the variable names after a check that an expression can use them.

    Raises
    ------
    InputError
        If a name is no plain ASCII identifier, is a function or reserved, or comes twice.
    """
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(
                f"variable name {name!r}: use ASCII letters, digits and '_', no digit first"
            )
        if name in FUNCTIONS or name in _ALIASES or name in _RESERVED:
            raise InputError(f"variable name '{name}' has a meaning of its own; rename it")
    if len(set(names)) != len(names):
        raise InputError("variable names: a name comes twice")
    return tuple(names)


def parse_tree(text: str, names: Sequence[str]) -> Node:
    """Parse `text`, in which only the given variable names may occur.

    Raises
    ------
    InputError
        If the text is anything but an expression of the grammar; with the position.
    """
    if not isinstance(text, str):
        raise InputError(f"expression: expected text, got {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise InputError(f"expression: {len(text)} characters; at most {MAX_LENGTH} are read")
    return _Parser(text, frozenset(names)).parse()


def tokenize(text: str) -> list[Token]:
    """Split the text into tokens, the last one of kind "end"."""
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            _fail(text, position, f"unexpected character {text[position]!a}")
        if match.lastgroup != "space":
            tokens.append(Token(str(match.lastgroup), match.group(), position))
        position = match.end()
    if len(tokens) > MAX_TOKENS:
        raise InputError(f"expression: {len(tokens)} terms and signs; at most {MAX_TOKENS}")
    return [*tokens, Token("end", "", len(text))]


def _fail(text: str, position: int, problem: str, hint: str = "") -> NoReturn:
    """Raise the parser's error: the text around the problem and its position from 1."""
    start = max(position - 20, 0)
    excerpt = text[start : position + 20].encode("ascii", "backslashreplace").decode()
    raise InputError(f"expression: {problem} at position {position + 1}, near '{excerpt}'{hint}")


class _Parser:
    """Reads one expression by precedence climbing."""

    def __init__(self, text: str, names: frozenset[str]) -> None:
        self.text, self.names = text, names
        self.tokens = tokenize(text)
        self.index = 0
        self.nesting = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def fail(self, problem: str, token: Token | None = None) -> NoReturn:
        _fail(self.text, (token or self.token).position, problem)

    def take(self) -> Token:
        token = self.token
        self.index += token.kind != "end"
        return token

    def accept(self, *signs: str) -> Token | None:
        """Take the next token if it is one of the signs."""
        return self.take() if self.token.kind == "sign" and self.token.text in signs else None

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            self.fail(f"expected '{sign}', found {self.describe()}")

    def describe(self) -> str:
        return "the end" if self.token.kind == "end" else f"'{self.token.text}'"

    def parse(self) -> Node:
        node = self.sum()
        if self.token.kind != "end":
            self.fail(f"expected an operator, found {self.describe()}")
        return node

    def sum(self) -> Node:
        node = self.product()
        while sign := self.accept("+", "-"):
            node = call(sign.text, node, self.product())
        return node

    def product(self) -> Node:
        node = self.factor()
        while sign := self.accept("*", "/"):
            node = call(sign.text, node, self.factor())
        return node

    def factor(self) -> Node:
        if not self.accept("-"):
            return self.power()
        after = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        if self.token.kind == "number" and after.text not in ("**", "^"):
            return constant(-self.number())
        self.enter()
        node = call("neg", self.factor())
        self.nesting -= 1
        return node

    def power(self) -> Node:
        base = self.atom()
        if not self.accept("**", "^"):
            return base
        node = power(base, self.exponent())
        if self.token.text in ("**", "^"):
            self.fail("a power of a power needs brackets")
        return node

    def exponent(self) -> int:
        """Read a whole exponent, a negative one with or without brackets."""
        bracket = self.accept("(")
        start, sign = self.token, -1 if self.accept("-") else 1
        if self.token.kind != "number":
            self.fail(f"expected a whole number as exponent, found {self.describe()}")
        value = sign * self.number()
        if bracket:
            self.expect(")")
        if not value.is_integer() or value in (0, 1) or abs(value) > MAX_EXPONENT:
            self.fail(
                f"exponent {value:g}: allowed are whole numbers from -{MAX_EXPONENT} to "
                f"{MAX_EXPONENT} except 0 and 1",
                start,
            )
        return int(value)

    def atom(self) -> Node:
        if self.token.kind == "number":
            return constant(self.number())
        if self.token.kind == "name":
            return self.name()
        if not self.accept("("):
            self.fail(f"expected a number, a variable or '(', found {self.describe()}")
        return self.bracketed()

    def name(self) -> Node:
        token = self.take()
        if token.text in self.names:
            return variable(token.text)
        function = _ALIASES.get(token.text, token.text)
        if function not in FUNCTIONS:
            near = get_close_matches(token.text, [*self.names, *FUNCTIONS], n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            problem = f"'{token.text}' is no known variable or function"
            _fail(self.text, token.position, problem, hint)
        self.expect("(")
        return call(function, self.bracketed())

    def bracketed(self) -> Node:
        self.enter()
        node = self.sum()
        self.nesting -= 1
        self.expect(")")
        return node

    def enter(self) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail(f"brackets or signs nested more than {MAX_NESTING} deep")

    def number(self) -> float:
        token = self.take()
        value = float(token.text)
        if not math.isfinite(value):
            self.fail(f"number {token.text} is out of range", token)
        return value
