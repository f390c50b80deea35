"""What is being done, on stderr, once a command takes more than a second: a spinner, or plain lines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailmend.ui.encode import printable

if TYPE_CHECKING:
    from rich.status import Status

PATIENCE = 1.0  # seconds of silence that nobody minds


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
