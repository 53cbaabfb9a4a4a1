"""Whatever text or JSON comes in: an expression or one message, nothing run, little time."""

import json
import sys
import time
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occamscope.errors import InputError
from occamscope.laws.constraints import complexity_of, violation
from occamscope.laws.expressions import tree
from occamscope.laws.expressions.derivatives import values_and_jacobian
from occamscope.laws.expressions.equivalence import compare, structure
from occamscope.laws.expressions.expression import Expression, parse
from occamscope.laws.expressions.parser import FUNCTIONS, MAX_DEPTH, MAX_LENGTH, MAX_TOKENS
from occamscope.laws.expressions.rounding import value_and_error
from occamscope.laws.front import Front
from occamscope.laws.spec import SearchSpec

NAMES = ("z1", "z2", "z_3")
DATA = np.random.default_rng(0).normal(size=(7, 3))

# ---------------------------------------------------------------- nothing is run

RUNS_CODE = {
    "compile",
    "exec",
    "import",
    "open",
    "ctypes.dlopen",
    "marshal.loads",
    "pickle.find_class",
}
RUNS_PROGRAM = ("os.", "subprocess.", "socket.", "shutil.", "code.")


class Watch:
    """Python's own audit events: what starts code, files, programs or connections is refused."""

    on = False

    def __call__(self, event, arguments):
        if self.on and (event in RUNS_CODE or event.startswith(RUNS_PROGRAM)):
            self.on = False
            raise AssertionError(f"{event} {arguments!r:.80}")


WATCH = Watch()
sys.addaudithook(WATCH)


@contextmanager
def nothing_runs():
    WATCH.on = True
    try:
        yield
    finally:
        WATCH.on = False


@pytest.mark.parametrize(
    "code", ["eval('1')", "exec('1')", "compile('1', '', 'eval')", "__import__('antigravity')",
             "open('/dev/null')", "__import__('os').system('true')"],
)  # fmt: skip
def test_the_watch_sees_code_that_is_run(code):
    run = compile(code, "", "eval")
    with pytest.raises(AssertionError), nothing_runs():
        eval(run)  # noqa: S307


def check(text):
    """One text: an expression that is read back to itself and has values, or one message."""
    with nothing_runs():
        try:
            law = parse(text, NAMES)
        except InputError as error:
            message = str(error)
            assert message.isascii() and "\n" not in message and len(message) < 300
            return False
        again = parse(law.to_text(), NAMES)
        read = Expression.from_dict({"expression": text, "names": list(NAMES)})
        values = law.evaluate(DATA)
    assert again == law == read
    assert values.shape == (7,) and values.dtype == np.float64
    assert law.depth() <= MAX_DEPTH and law.complexity() <= 2 * MAX_TOKENS
    assert set(law.variables()) <= set(NAMES)
    return True


# ---------------------------------------------------------------- 10,000 strings

PIECES = [
    *NAMES, *sorted(FUNCTIONS), *"+-*/^()", "**", " ", "\t", "0", "1", "2", "3", "9", "10", ".5",
    "1e5", "-2.5", "1e308", "1e-320", "0.1", "exp(", "square(", "**2", "**-1", "^(-3)", "Abs(",
    "e", "E", ".", ",", "z4", "z", "neg(", "pow(",
]  # fmt: skip
HOSTILE = [
    "__import__('os').system('true')", "z1.__class__.__mro__", "().__class__.__bases__[0]",
    "(lambda: 1)()", "lambda z1: z1", "f'{z1}'", "f'{__import__(\"os\")}'", "eval('1')",
    "exec('1')", "open('/etc/passwd')", "globals()", "z1 if z1 else z2", "[z1 for z1 in z2]",
    "{z1: z2}", "z1; import os", "z1\nimport os", "\x00", "z1\x00", "#", "'''", '"', "\\", "\\x41",
    "z1 := 1", "z1 == z2", "z1 @ z2", "z1 // z2", "z1 % z2", "~z1", "not z1", "z1 and z2", "*z1",
    "**z1", "yield", "await z1", "0x10", "0b1", "1_000", "1j", "inf", "nan", "None", "True",
    "__builtins__", "__name__", "9**9**9**9", "z1**99999999999", "1e999999999", "\ufeffz1",
    "\u2212z1", "\uff1a", "\u202ez1", "\ud800", "\U0001f600", "S('z1')", "Symbol(z1)", "@", "`z1`",
    "${z1}", "{{z1}}", "%s", "z1\r\n", "\u00b2", "z\u2081",
]  # fmt: skip
VALID = [
    "z1*(z2**2 + z_3**2) - 1.25", "exp(-square(z1))/(z2 + 2.5)", "-z1**2*z2 - -3.5",
    "sqrt(abs(z1)) - tanh(z2)**-2", "2.0e-3*z1 + cube(z2 - z_3)^3",
]  # fmt: skip
pieces = st.lists(st.sampled_from(PIECES), max_size=10).map("".join)


@st.composite
def damaged(draw):
    """A valid expression with one part cut out, doubled or replaced."""
    text = draw(st.sampled_from(VALID))
    start = draw(st.integers(0, len(text)))
    stop = draw(st.integers(start, min(start + 5, len(text))))
    middle = draw(st.sampled_from([*PIECES, *HOSTILE, text[start:stop] * 2, ""]))
    return text[:start] + middle + text[stop:]


@st.composite
def hostile(draw):
    """What somebody would send who wants it run, alone or within an expression."""
    before, middle, after = draw(pieces), draw(st.sampled_from(HOSTILE)), draw(pieces)
    return draw(st.sampled_from([middle, before + middle, middle + after, before + middle + after]))


def strings(count):
    return settings(derandomize=True, max_examples=count, deadline=None, database=None)


@strings(3000)
@given(pieces)
def test_words_of_the_grammar_in_any_order(text):
    check(text)


@strings(3000)
@given(damaged())
def test_damaged_expressions(text):
    check(text)


@strings(2000)
@given(hostile())
def test_hostile_strings_are_never_run(text):
    check(text)


@strings(2000)
@given(st.text(max_size=30))
def test_any_unicode(text):
    check(text)


def test_the_strings_reach_both_ends():
    assert all(check(text) for text in VALID)
    assert not any(check(text) for text in HOSTILE)


# ---------------------------------------------------------------- bounded time and memory

LARGE = {
    "letters": "z" * 10**6,
    "digits": "1" * 10**6,
    "fraction": "0." + "1" * 10**6,
    "exponent": "1e" + "9" * 10**6,
    "brackets": "(" * 10**6,
    "closed brackets": "(" * 500_000 + ")" * 500_000,
    "minus": "-" * 10**6,
    "functions": "exp(" * 250_000,
    "sum": "z1+" * 333_333 + "z1",
    "powers": "z1" + "**2" * 333_333,
    "space": " " * 10**6,
    "zeros": "\x00" * 10**6,
    "smileys": "\U0001f600" * 10**6,
}


@pytest.mark.parametrize("length", [10**6, MAX_LENGTH], ids=["long", "longest"])
@pytest.mark.parametrize("kind", LARGE)
def test_large_text_costs_little_time_and_memory(kind, length):
    text = LARGE[kind][:length]
    tracemalloc.start()
    start = time.perf_counter()
    try:
        # A number may have as many digits as there is room for.
        assert check(text) == (kind == "fraction" and length == MAX_LENGTH)
        assert time.perf_counter() - start < 1.0
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_long_word_is_not_compared_with_every_name():
    names = [f"{'z' * 4000}{i}" for i in range(300)]
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"'z+\.\.\.' is no known"):
        parse("z" * 4000, names)
    assert time.perf_counter() - start < 1.0


CHAINS = {
    "sum": lambda n: "z1" + "+z2" * n,
    "difference to the right": lambda n: "z1-(" * n + "z2" + ")" * n,
    "product": lambda n: "z1" + "*z2" * n,
    "quotient": lambda n: "z1" + "/z2" * n,
    "sines": lambda n: "sin(" * n + "z1" + ")" * n,
    "signs": lambda n: "-" * n + "z1",
    "powers": lambda n: "(" * n + "z1" + ")**2" * n,
    "brackets": lambda n: "(" * n + "z1" + ")" * n,
}


@pytest.mark.parametrize("chain", CHAINS)
def test_depth_is_limited_at_one_place_with_a_clear_message(chain):
    deepest = MAX_DEPTH if chain == "brackets" else MAX_DEPTH - 1
    assert parse(CHAINS[chain](deepest // 2), NAMES)
    assert parse(CHAINS[chain](deepest), NAMES)
    with pytest.raises(InputError, match=rf"nested more than {MAX_DEPTH} deep at position \d+"):
        parse(CHAINS[chain](deepest + 1), NAMES)


def below(frames, call):
    """Call a function from far down the stack, as notebooks and servers do."""
    return call() if frames == 0 else below(frames - 1, call)


USES = {
    "text": lambda law: parse(law.to_text(), law.names),
    "functions": lambda law: parse(law.to_text(functions=True), law.names),
    "values": lambda law: law.evaluate(DATA),
    "torch": lambda law: law.to_torch()(__import__("torch").ones(4, 3)),
    "source": lambda law: compile(law.python_source(), "law.py", "exec"),
    "latex": lambda law: law.latex(),
    "sympy": lambda law: law.to_sympy(),
    "sympy as it stands": lambda law: law.to_sympy(evaluate=False),
    "terms": lambda law: law.terms(),
    "tidy": lambda law: law.tidy(),
    "rounded": lambda law: law.rounded(3),
    "renamed": lambda law: law.renamed(("a", "b", "c")),
    "comparison": lambda law: law == law.renamed(NAMES),
    "hash": hash,
    "repr": repr,
    "size": lambda law: (law.depth(), law.complexity(), law.variables(), law.constants()),
    "constraints": lambda law: (
        complexity_of(law, SearchSpec()),
        violation(law, SearchSpec(operators=tuple(tree.SEARCH_OPERATORS), maxsize=200,
                                  constraints={"sin": 150}, nested_constraints={"+": {"+": 150}})),
    ),
    "equivalence": lambda law: (structure(law), compare(law, law, DATA)),
    "derivatives": lambda law: values_and_jacobian(law, DATA),
    "rounding": lambda law: value_and_error(law.root, dict(zip(NAMES, DATA.T, strict=True))),
    "json": lambda law: Expression.from_dict(json.loads(json.dumps(law.to_dict()))),
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("chain", [c for c in CHAINS if c != "brackets"])
def test_every_use_of_a_law_copes_with_the_deepest_one(chain, use):
    law = parse(CHAINS[chain](MAX_DEPTH - 1), NAMES)
    assert law.depth() == MAX_DEPTH
    below(200, lambda: USES[use](law))


def test_a_front_copes_with_the_deepest_law():
    text = CHAINS["sines"](MAX_DEPTH - 1)
    spec = SearchSpec(operators=("sin",), maxsize=200, loss="mse")
    front = below(
        200,
        lambda: Front.from_expressions([text], DATA, DATA[:, 0], spec, NAMES, engine="evolution"),
    )
    assert front.table["expression"].tolist() == [text]


def test_a_front_leaves_out_what_could_not_be_read_back():
    root = tree.variable("z1")
    for _ in range(MAX_DEPTH):
        root = tree.call("sin", root)
    spec = SearchSpec(operators=("sin",), maxsize=200, loss="mse")
    laws = [Expression(root, NAMES), "z1"]
    front = Front.from_expressions(laws, DATA, DATA[:, 0], spec, NAMES, engine="evolution")
    assert front.table["expression"].tolist() == ["z1"]


@pytest.mark.parametrize(
    "text",
    ["exp(exp(exp(9.0)))", "sin(exp(exp(exp(exp(9.0)))))", "z1*cube(exp(exp(exp(9.0))))",
     "(" * 40 + "9.5" + ")**9" * 40, "log(-1.0) + z1", "sqrt(-2.0)", "exp(800.0)/exp(800.0)"],
)  # fmt: skip
def test_sympy_computes_no_numbers_beyond_floating_point(text):
    start = time.perf_counter()
    symbolic = parse(text, NAMES).to_sympy()
    assert len(str(symbolic)) < 30
    assert time.perf_counter() - start < 5.0
    if not symbolic.free_symbols:
        np.testing.assert_equal(float(symbolic), parse(text, NAMES).evaluate(DATA)[0])


# ---------------------------------------------------------------- JSON

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | pieces
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["expression", "names", "complexity", "x"]), inner)
    ),
    max_leaves=6,
)
nearly = st.fixed_dictionaries(
    {
        "expression": pieces | documents,
        "names": st.lists(st.sampled_from([*NAMES, "exp", ""])) | documents,
    }
)


@strings(500)
@given(documents | nearly)
def test_any_json_is_a_law_or_one_message(document):
    document = json.loads(json.dumps(document))
    with nothing_runs():
        try:
            law = Expression.from_dict(document)
        except InputError as error:
            assert str(error).isascii() and len(str(error)) < 300
            return
    assert Expression.from_dict(law.to_dict()) == law


@pytest.mark.parametrize(
    "document",
    [None, [], "z1", 3, {}, {"expression": "z1"}, {"names": ["z1"]},
     {"expression": "z1", "names": "z1"}, {"expression": "z1", "names": None},
     {"expression": "z1", "names": {"z1": 1}}, {"expression": "z1", "names": [["z1"]]},
     {"expression": ["z1"], "names": ["z1"]}, {"expression": None, "names": []},
     {"expression": "z1", "names": ["z1", "z1"]}, {"expression": "z1", "names": ["z1" * 10**6]}],
)  # fmt: skip
def test_json_that_is_no_law_is_refused_in_one_short_line(document):
    with pytest.raises(InputError) as caught:
        Expression.from_dict(document)
    assert len(str(caught.value)) < 300
