"""What a search shows while it runs: a live table on a terminal, a line now and then elsewhere.

A display never ends a search: where nothing can be written any more (a closed pipe, a full
disk) it falls silent.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TextIO

from occamscope.errors import InputError
from occamscope.laws.control import Snapshot
from occamscope.laws.display import GAP, columns_of, short_numbers, shorten, stop_note

Show = Callable[[str], str]

# Where there is no live table: seconds to the first line, growth of the time between lines
# from one to the next, and its limit.
FIRST_LINE_S, GROWTH, LONGEST_S = 10.0, 1.5, 60.0
# The rate is that of about the last so many seconds.
RATE_OVER_S = 10.0
# A terminal whose size nobody tells.
COLUMNS, LINES = 80, 24
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
UP, CLEAR_LINE, CLEAR_BELOW = "\x1b[{}A", "\x1b[2K", "\x1b[J"


def watcher(
    verbose: bool | str,
    show: Show = str,
    stream: TextIO | None = None,
    time_limit_s: float | None = None,
    generations: int | None = None,
) -> SearchProgress | None:
    """Return what shows a search's snapshots, None for nothing.

    Parameters
    ----------
    verbose : "auto": a live table if the stream is a terminal, else nothing; True: lines
        elsewhere; False: nothing
    show, stream, time_limit_s, generations : as in `SearchProgress`

    Raises
    ------
    InputError
        If `verbose` is anything else.
    """
    if verbose != "auto" and not isinstance(verbose, bool | int):
        raise InputError(f"verbose: {verbose!r} must be 'auto', True or False")
    progress = SearchProgress(stream, show, time_limit_s, generations)
    if not verbose or (verbose == "auto" and not progress.live):
        return None
    return progress


def can_redraw(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """True if the stream is a terminal that understands cursor movements."""
    try:
        terminal = stream.isatty()
    except (ValueError, AttributeError):  # closed, or there is none
        return False
    if os.name == "nt" and not {"TERM", "WT_SESSION", "ANSICON"} & set(environment):
        return False
    known = environment.get("TERM", "" if os.name != "nt" else "windows")
    return terminal and known not in ("", "dumb", "unknown")


class SearchProgress:
    """Shows a search's snapshots; made for `SearchControl.watch`.

    As a context manager it also hides the cursor meanwhile, brings it back in any case, and
    leaves the last state behind:

    >>> with SearchProgress() as progress:
    ...     front = engine.fit(X, y, spec, names, control=SearchControl(watch=progress))
    ...     progress.end(front.stopped)
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        show: Show = str,
        time_limit_s: float | None = None,
        generations: int | None = None,
        live: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where and how to show.

        Parameters
        ----------
        stream : where to; standard error if None
        show : how to print the text of an expression
        time_limit_s, generations : the search's limits, for the time left
        live : redraw a table in place; None: if the stream is a terminal that can
        clock : tells the time in seconds
        """
        self.stream = sys.stderr if stream is None else stream
        self.live = can_redraw(self.stream) if live is None else live
        self._show, self._time_limit_s, self._generations = show, time_limit_s, generations
        self._clock = clock
        self._broken = self.stream is None  # a program without a console
        self._pace: deque[tuple[float, int]] = deque()
        self._last: Snapshot | None = None
        self._unsaid = False  # the last snapshot is not in the lines yet
        self._drawn: list[int] = []  # columns of each line of the table on the terminal
        self._wait = FIRST_LINE_S
        self._next_line = clock() + self._wait

    def __enter__(self) -> SearchProgress:
        if self.live:
            self._write(HIDE_CURSOR)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._unsaid and self._last is not None:
                self._say(self._last)
        finally:
            if self.live:
                self._write(SHOW_CURSOR)

    def __call__(self, snapshot: Snapshot) -> None:
        """Show where the search stands, if it is time."""
        self._last, self._unsaid = snapshot, True
        self._pace.append((snapshot.seconds, snapshot.evaluations))
        while len(self._pace) > 2 and snapshot.seconds - self._pace[1][0] >= RATE_OVER_S:
            self._pace.popleft()
        if self.live:
            self._draw(snapshot)
        elif self._clock() >= self._next_line:
            self._wait = min(self._wait * GROWTH, LONGEST_S)
            self._next_line = self._clock() + self._wait
            self._say(snapshot)
        elif self._is_last(snapshot):
            self._say(snapshot)

    def end(self, stopped: str) -> None:
        """Leave the last state behind, and say if the search was cut short.

        Parameters
        ----------
        stopped : the front's `stopped`
        """
        if self._unsaid and self._last is not None:
            self._say(self._last)
        note = stop_note(stopped)
        if note:
            self._write(note + "\n" if self.live else f"laws: {note}\n")
            self._drawn = []  # the table above stays where it is

    def rate(self) -> float:
        """Evaluations in a second, of late; 0 if nothing is known."""
        if not self._pace:
            return 0.0
        (first, before), (last, now) = self._pace[0], self._pace[-1]
        if last > first:
            return (now - before) / (last - first)
        return now / last if last > 0 else 0.0

    def seconds_left(self, snapshot: Snapshot) -> float | None:
        """Seconds to the first of the search's limits; None if nothing is known."""
        left, rate = [], self.rate()
        if rate > 0:
            left.append((snapshot.budget - snapshot.evaluations) / rate)
        if self._time_limit_s is not None:
            left.append(self._time_limit_s - snapshot.seconds)
        if self._generations is not None and snapshot.generation > 0:
            per_generation = snapshot.seconds / snapshot.generation
            left.append((self._generations - snapshot.generation) * per_generation)
        return max(min(left), 0.0) if left else None

    def _is_last(self, snapshot: Snapshot) -> bool:
        """True if a limit is reached: no other snapshot will come."""
        return (
            snapshot.evaluations >= snapshot.budget
            or (self._time_limit_s is not None and snapshot.seconds >= self._time_limit_s)
            or (self._generations is not None and snapshot.generation >= self._generations)
        )

    def _facts(self, snapshot: Snapshot) -> list[str]:
        """Say how far the search is, in pieces."""
        done = snapshot.evaluations / max(snapshot.budget, 1)
        early = snapshot.aborted / max(snapshot.evaluations, 1)
        left = self.seconds_left(snapshot)
        return [
            f"generation {snapshot.generation:,}",
            f"{snapshot.evaluations:,} of {snapshot.budget:,} evaluations ({done:.0%})",
            f"{self.rate():,.0f}/s",
            f"{early:.0%} aborted early",
            duration(snapshot.seconds),
            *([] if left is None else [f"about {duration(left)} left"]),
        ]

    def _law(self, text: str) -> str:
        """Print an expression; as it is, if it cannot be printed better."""
        with suppress(InputError):
            text = self._show(text)
        return short_numbers(text)

    def _say(self, snapshot: Snapshot) -> None:
        """Write a line, or leave the table as it is drawn."""
        self._unsaid = False
        if self.live:
            return
        text = f"laws: {', '.join(self._facts(snapshot))}"
        if snapshot.rows:
            size, loss, law = snapshot.rows[-1]
            count = f"{len(snapshot.rows)} law{'s' * (len(snapshot.rows) != 1)}"
            text += f"; {count}, best loss {loss:.4g} at complexity {size}: {self._law(law)}"
        self._write(shorten(text, 400) + "\n")

    def _draw(self, snapshot: Snapshot) -> None:
        """Draw the table over the one that is there."""
        width, height = self._size()
        # The last column stays free: some terminals break a line that fills it.
        room = max(width - 1, 1)
        lines = pack(self._facts(snapshot), room)
        rows = spread(snapshot.rows, height - 2 - len(lines))
        if rows:
            lines.append(f"{'complexity':>10}{GAP}{'loss':>10}{GAP}law")
            lines += [f"{c:>10}{GAP}{loss:>10.4g}{GAP}{self._law(law)}" for c, loss, law in rows]
        lines = [shorten(line, room) for line in lines[: max(height - 1, 1)]]
        # A terminal that became narrower has broken the lines that are there.
        above = min(sum(max(-(-columns // width), 1) for columns in self._drawn), height - 1)
        start = f"\r{UP.format(above)}" if above > 0 else "\r"
        self._write(start + "".join(f"{CLEAR_LINE}{line}\n" for line in lines) + CLEAR_BELOW)
        self._drawn = [columns_of(line) for line in lines]
        self._unsaid = False

    def _size(self) -> tuple[int, int]:
        """Columns and lines of the terminal: what the environment says, or the stream's own."""
        try:
            columns, lines = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError, AttributeError):
            columns, lines = COLUMNS, LINES
        given = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
        wanted = [int(text) if text.isdecimal() else 0 for text in given]
        return wanted[0] or columns or COLUMNS, wanted[1] or lines or LINES

    def _write(self, text: str) -> None:
        """Write and flush; fall silent where that is not possible."""
        if self._broken:
            return
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError):
            self._broken = True


def duration(seconds: float) -> str:
    """Write a time as minutes:seconds, from an hour on as hours:minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pack(facts: Sequence[str], width: int) -> list[str]:
    """Put as many facts on a line as go there."""
    lines: list[str] = []
    for fact in facts:
        if lines and columns_of(lines[-1] + GAP + fact) <= width:
            lines[-1] += GAP + fact
        else:
            lines.append(fact)
    return lines


def spread(rows: Sequence[tuple[int, float, str]], most: int) -> Sequence[tuple[int, float, str]]:
    """Choose at most so many rows, evenly, the last one always among them."""
    if len(rows) <= most:
        return rows
    if most <= 1:
        return rows[-1:] if most == 1 else ()
    step = (len(rows) - 1) / (most - 1)
    return [rows[round(k * step)] for k in range(most)]
