"""What is being done, on stderr, once a command takes more than a second: a spinner, or plain lines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailmend.ui.encode import printable

if TYPE_CHECKING:
    from rich.status import Status

PATIENCE = 1.0  # seconds of silence that nobody minds
_REDRAW = 0.1  # seconds between two states of a bar
_LINE = 5.0  # and between two lines, where there is no terminal
_WIDTH = 24  # cells of the bar itself


class Progress:
    """Call it with each step. Between `pause` and the next step nothing is drawn: somebody reads or answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._step = ""
        self._spinner: Status | None = None
        self._shown = False
        self._timer = self._patience()

    def __call__(self, step: str) -> None:
        with self._lock:
            self._step = step
            if self._shown:
                self._draw()

    def pause(self) -> None:
        """Clear the line; patience begins anew."""
        self.close()
        self._timer = self._patience()

    def close(self) -> None:
        """Clear the line for good."""
        self._timer.cancel()
        with self._lock:
            self._shown = False
            self._step = ""
            if self._spinner:
                self._spinner.stop()
                self._spinner = None

    def _patience(self) -> threading.Timer:
        timer = threading.Timer(PATIENCE, self._begin)
        timer.daemon = True
        timer.start()
        return timer

    def _begin(self) -> None:
        with self._lock:
            self._shown = True
            if self._step:
                self._draw()

    def _draw(self) -> None:
        step = printable(self._step)
        if not sys.stderr.isatty():
            sys.stderr.write(f"mailmend: {step}\n")
            sys.stderr.flush()
        elif self._spinner:
            self._spinner.update(step)
        else:
            from mailmend.ui.terminal import console

            self._spinner = console(stderr=True).status(step)
            self._spinner.start()


@contextmanager
def progress() -> Iterator[Progress]:
    """Steps told while the block runs; nothing of it is left on a terminal afterwards."""
    shown = Progress()
    try:
        yield shown
    finally:
        shown.close()


@contextmanager
def bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Called with (done, of how many): a bar on a terminal once it takes longer, a line now and then elsewhere.

    Of 0 says that nobody knows of how many.
    """
    begun = told = time.monotonic()
    with progress() as step:

        def advance(done: int, total: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told < (_REDRAW if sys.stderr.isatty() else _LINE):
                return
            told = now
            if not total:
                step(f"reading, {done} read")
                return
            left = (now - begun) / done * (total - done)
            step(f"{doing} {_drawn(done, total)} {done} of {total}, {left:.0f} s left")

        yield advance


def _drawn(done: int, total: int) -> str:
    full = _WIDTH * done // max(total, 1)
    return f"[{'#' * full}{'.' * (_WIDTH - full)}]"
