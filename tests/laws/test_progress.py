"""What a search shows while it runs, on a fake terminal that obeys the escape codes."""

import io
import re

import pytest

from occamscope.errors import InputError
from occamscope.laws.control import Snapshot
from occamscope.laws.progress import SearchProgress, can_redraw, duration, pack, spread, watcher

ROWS = ((1, 0.9, "1.0"), (3, 0.25, "x0*x1"), (5, 1e-7, "x0*x1 - 2.123456"))
CODE = re.compile(r"\x1b\[(\??\d*)([A-Za-z])|(.)", re.DOTALL)


class Terminal(io.StringIO):
    """A terminal of some size: what it shows is in `lines`, what scrolled away in `gone`."""

    def __init__(self, width=80, height=24):
        super().__init__()
        self.width, self.height = width, height
        self.lines, self.gone, self.row, self.column = [""], [], 0, 0
        self.cursor = True

    def isatty(self):
        return True

    def write(self, text):
        for number, letter, character in CODE.findall(text):
            if letter:
                self.obey(number, letter)
            elif character == "\n":
                self.down()
            elif character == "\r":
                self.column = 0
            else:
                assert character.isprintable()
                self.put(character)
        return len(text)

    def obey(self, number, letter):
        if number == "?25":
            self.cursor = {"h": True, "l": False}[letter]
        elif letter == "A":
            self.row = max(self.row - int(number or 1), 0)
        elif (number, letter) == ("2", "K"):
            self.lines[self.row] = ""
        elif (number, letter) == ("", "J"):
            self.lines[self.row] = self.lines[self.row][: self.column]
            del self.lines[self.row + 1 :]
        else:
            raise AssertionError(f"unknown escape code {number}{letter}")

    def put(self, character):
        if self.column == self.width:
            self.down()
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
        self.column += 1

    def down(self):
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.lines):
            self.lines.append("")
        if len(self.lines) > self.height:
            self.gone.append(self.lines.pop(0))
            self.row -= 1

    def resize(self, width):
        """Break lines that are too long now, as terminals do."""
        broken = []
        for line in self.lines:
            broken += [line[k : k + width] for k in range(0, max(len(line), 1), width)]
        self.width, self.lines, self.row = width, broken, len(broken) - 1


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def ordinary_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)


def size(monkeypatch, columns, lines):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))


def snapshot(evaluations=500, seconds=2.0, rows=ROWS, aborted=100, generation=3, budget=1000):
    return Snapshot(generation, evaluations, aborted, budget, seconds, rows)


def test_the_table_says_how_far_the_search_is():
    terminal = Terminal()
    SearchProgress(terminal)(snapshot(seconds=125.0))
    head = "\n".join(terminal.lines[:2])
    for fact in ("generation 3", "500 of 1,000 evaluations (50%)", "4/s", "20% aborted", "2:05"):
        assert fact in head
    assert "about 2:05 left" in head


def test_the_table_replaces_itself():
    terminal = Terminal()
    progress = SearchProgress(terminal)
    long = ((1, 0.9, "1.0 + x0 + x1"), (3, 0.25, "x0*x1"))
    for k, rows in enumerate([ROWS, ROWS[:1], long, (), long, ROWS[:2]]):
        progress(snapshot(100 * (k + 1), seconds=k + 1.0, rows=rows))
    table = [line.split() for line in terminal.lines if line]
    assert "600 of 1,000" in " ".join(table[0])
    assert table[-3:] == [["complexity", "loss", "law"], ["1", "0.9", "1"], ["3", "0.25", "x0*x1"]]
    assert sum("evaluations" in line for line in terminal.lines) == 1
    assert terminal.gone == []


@pytest.mark.parametrize("width", [1, 2, 5, 12, 20, 33, 47, 80, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 5, 9, 24])
def test_a_terminal_of_any_size_neither_scrolls_nor_breaks_lines(monkeypatch, width, height):
    size(monkeypatch, width, height)
    terminal = Terminal(width, height)
    rows = tuple((k, 1 / k, "x0*" * k + "x1") for k in range(1, 40))
    progress = SearchProgress(terminal)
    for k in range(1, 6):
        progress(snapshot(k, rows=rows[: 8 * k]))
        assert len(terminal.lines) <= height
        assert all(len(line) < max(width, 2) for line in terminal.lines)
    if height == 1:
        return  # the one line scrolls away, whatever is written
    assert terminal.gone == []
    if width > 12:
        assert terminal.lines[0].startswith("generation 3")
    if height > 9 and width >= 33:
        assert terminal.lines[-2].split()[0] == "39"


def test_what_stood_above_the_table_stays():
    terminal = Terminal()
    terminal.write("$ python fit.py\nreading\n")
    progress = SearchProgress(terminal)
    for k in range(1, 5):
        progress(snapshot(k))
    assert terminal.lines[:2] == ["$ python fit.py", "reading"]
    assert terminal.lines[2].startswith("generation 3")


def test_a_terminal_that_becomes_narrower_is_cleaned_up(monkeypatch):
    size(monkeypatch, 100, 30)
    terminal = Terminal(100, 30)
    terminal.write("before\n")
    rows = tuple((k, 1 / k, "x0*" * 20 + "x1") for k in range(1, 8))
    progress = SearchProgress(terminal)
    progress(snapshot(1, rows=rows))
    size(monkeypatch, 50, 30)
    terminal.resize(50)
    progress(snapshot(2, rows=rows))
    assert terminal.lines[0] == "before"
    assert sum(line.startswith("generation") for line in terminal.lines) == 1
    assert sum("complexity" in line for line in terminal.lines) == 1


def test_the_cursor_is_hidden_meanwhile_and_comes_back():
    terminal = Terminal()
    with SearchProgress(terminal) as progress:
        progress(snapshot())
        assert not terminal.cursor
    assert terminal.cursor
    assert (terminal.row, terminal.column) == (len(terminal.lines) - 1, 0)
    assert "complexity" in "".join(terminal.lines)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_cursor_comes_back_when_the_search_fails(error):
    terminal = Terminal()
    with pytest.raises(error), SearchProgress(terminal) as progress:
        progress(snapshot())
        raise error
    assert terminal.cursor


def test_outside_a_context_the_cursor_is_left_alone():
    stream = Terminal()
    SearchProgress(stream)(snapshot())
    assert stream.cursor


def test_the_next_table_does_not_cover_a_note():
    terminal = Terminal()
    progress = SearchProgress(terminal)
    progress(snapshot(1))
    progress.end("time")
    progress(snapshot(2))
    assert any("time limit" in line for line in terminal.lines)


@pytest.mark.parametrize("live", [True, False])
def test_a_search_that_was_cut_short_says_so(live):
    stream = Terminal() if live else io.StringIO()
    with SearchProgress(stream) as progress:
        progress(snapshot())
        progress.end("interrupt")
    shown = stream.lines if live else stream.getvalue().splitlines()
    shown = [line for line in shown if line]
    assert "by the user" in shown[-1]
    assert "complexity" in shown[-2] or "x0*x1" in shown[-2]


def test_a_complete_search_ends_without_a_note():
    stream = io.StringIO()
    with SearchProgress(stream) as progress:
        progress(snapshot())
        progress.end("budget")
    assert len(stream.getvalue().splitlines()) == 1


def log_lines(until, step=1.0, **limits):
    """Seconds at which a log gets a line."""
    clock, stream = Clock(), io.StringIO()
    times = []
    progress = SearchProgress(stream, clock=clock, **limits)
    seconds, budget = 0.0, int(until / step)
    while seconds <= until:
        clock.now = 100.0 + seconds
        progress(snapshot(int(seconds / step), seconds=seconds, budget=budget))
        if len(stream.getvalue().splitlines()) > len(times):
            times.append(seconds)
        seconds += step
    assert len(stream.getvalue().splitlines()) == len(times)
    return times


def test_a_log_gets_lines_at_growing_intervals_up_to_a_minute():
    times = log_lines(400.0)
    assert times[0] == 10.0
    gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert gaps[:3] == [15.0, 23.0, 34.0]
    assert gaps[3:-1] == [51.0, 60.0, 60.0, 60.0, 60.0]
    assert times[-1] == 400.0  # the last line


def test_a_short_search_has_one_line_in_a_log():
    assert log_lines(4.0) == [4.0]


@pytest.mark.parametrize("limits", [{"time_limit_s": 3.0}, {"generations": 3}])
def test_the_last_line_comes_with_the_limit_that_ends_the_search(limits):
    stream = io.StringIO()
    progress = SearchProgress(stream, **limits)
    progress(snapshot(seconds=1.0, generation=1))
    assert stream.getvalue() == ""
    progress(snapshot(seconds=3.0, generation=3))
    assert len(stream.getvalue().splitlines()) == 1


def test_leaving_the_context_writes_the_line_that_is_missing():
    stream = io.StringIO()
    with SearchProgress(stream) as progress:
        progress(snapshot(300))
        progress(snapshot(400))
    assert stream.getvalue().count("\n") == 1
    assert "400 of 1,000" in stream.getvalue()
    assert "3 laws, best loss 1e-07 at complexity 5: x0*x1 - 2.123" in stream.getvalue()


def test_a_log_has_no_escape_codes():
    stream = io.StringIO()
    with SearchProgress(stream) as progress:
        progress(snapshot(1000))
        progress.end("time")
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()


def test_the_rate_is_that_of_late():
    progress = SearchProgress(io.StringIO())
    for k in range(100):
        progress(
            snapshot(10 * k if k < 50 else 500 + 100 * (k - 50), seconds=float(k), budget=10**6)
        )
    assert progress.rate() == pytest.approx(100.0)


def test_the_time_left_is_that_to_the_first_limit():
    now = snapshot(500, seconds=10.0, generation=5)
    for limits, left in [
        ({}, 10.0),
        ({"time_limit_s": 14.0}, 4.0),
        ({"generations": 6}, 2.0),
        ({"time_limit_s": 4.0}, 0.0),
    ]:
        progress = SearchProgress(io.StringIO(), **limits)
        progress(now)
        assert progress.seconds_left(now) == pytest.approx(left)
    assert SearchProgress(io.StringIO()).seconds_left(now) is None


def test_nothing_found_yet_is_no_error():
    for stream in (Terminal(), io.StringIO()):
        with SearchProgress(stream) as progress:
            progress(snapshot(0, 0.0, rows=(), aborted=0, generation=0, budget=0))
        text = " ".join(stream.lines) if isinstance(stream, Terminal) else stream.getvalue()
        assert "0 of 0 evaluations" in text


def test_expressions_are_shown_as_asked():
    terminal = Terminal()
    progress = SearchProgress(terminal, lambda text: text.replace("x0", "`mean radius`"))
    progress(snapshot())
    assert "`mean radius`*x1 - 2.123" in "".join(terminal.lines)


def test_an_expression_that_cannot_be_shown_better_is_shown_as_it_is():
    def fail(text):
        raise InputError("no")

    terminal = Terminal()
    SearchProgress(terminal, fail)(snapshot())
    assert "x0*x1 - 2.123" in "".join(terminal.lines)


class Broken(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error, self.calls = error, 0

    def write(self, text):
        self.calls += 1
        raise self.error


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed"), OSError("full")])
def test_a_stream_that_cannot_be_written_silences_the_display_only(error, live):
    stream = Broken(error)
    with SearchProgress(stream, live=live) as progress:
        for k in range(5):
            progress(snapshot(1000 + k))
    assert stream.calls == 1


def test_a_closed_stream_or_none_is_no_terminal(monkeypatch):
    stream = Terminal()
    io.StringIO.close(stream)
    assert not can_redraw(io.StringIO())
    monkeypatch.setattr("sys.stderr", None)
    with SearchProgress() as progress:
        progress(snapshot(1000))


def test_names_that_the_stream_cannot_encode_are_replaced():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with SearchProgress(stream) as progress:
        progress(snapshot(1000, rows=((1, 0.5, "`größe`"),)))
    assert b"`gr??e`" in raw.getvalue()


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_terminal_that_cannot_redraw_gets_lines(monkeypatch, term):
    if term is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", term)
    terminal = Terminal()
    with SearchProgress(terminal) as progress:
        progress(snapshot(1000))
    assert terminal.cursor
    assert terminal.lines[0].startswith("laws: generation 3")


def test_auto_shows_a_table_on_a_terminal_and_nothing_in_a_log():
    assert watcher("auto", stream=Terminal()).live
    assert watcher("auto", stream=io.StringIO()) is None
    assert not watcher(True, stream=io.StringIO()).live
    assert watcher(False, stream=Terminal()) is None


def test_other_values_of_verbose_are_refused():
    with pytest.raises(InputError, match="verbose"):
        watcher("loud")


def test_times_are_written_as_on_a_clock():
    assert [duration(s) for s in (0, 59.6, 61, 3599, 3600, 90061)] == [
        "0:00", "1:00", "1:01", "59:59", "1:00:00", "25:01:01",
    ]  # fmt: skip


def test_facts_fill_lines():
    assert pack(["aaa", "bb", "cccc", "dddddddd"], 8) == ["aaa  bb", "cccc", "dddddddd"]


def test_a_choice_of_rows_is_even_and_has_both_ends():
    rows = [(k, 1.0, "") for k in range(11)]
    assert [k for k, _, _ in spread(rows, 3)] == [0, 5, 10]
    assert [k for k, _, _ in spread(rows, 1)] == [10]
    assert list(spread(rows, 0)) == [] and list(spread(rows, -3)) == []
    assert spread(rows, 11) == rows
