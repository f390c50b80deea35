"""report: the log as a table, a page, CSV or JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import ParseError, Refused
from mailmend.parse import when
from mailmend.ui.ending import EXIT_PROBLEMS, Outcome
from mailmend.ui.progress import progress
from mailmend.ui.show import reports

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here

_MB = 1_000_000


def report(
    files: Sequence[str],
    here: Callable[[], Here],
    *,
    since: str | None,
    until: str | None,
    processes: int,
    html: str | None,
    csv: str | None,
    stored: bool | None = False,
) -> Outcome:
    """1 where the log shows a problem of this host's own, else 0. *html* and *csv* name files to write as well.

    *stored* as in the job.
    """
    from mailmend.jobs.report import report as job

    start, end = _time(since), _time(until)
    if start and end and end <= start:
        raise ParseError(f"--until {until} is not after --since {since}", "the time in between is looked at")
    paths = [Path(name) for name in files]
    for name in (csv, html):
        if name:
            _require_no_log(name, paths, here)
    with _reading() as step:
        told = job(
            here,
            paths,
            since=start,
            until=end,
            processes=processes,
            progress=step,
            stored=stored,
        )
    if csv:
        _write(csv, reports.table(told))
    if html:
        from mailmend.ui.report_page import page

        _write(html, page(told))

    def screen(target: Console) -> None:
        from mailmend.ui.screens import reporting

        reporting.reported(target, told)

    return Outcome(EXIT_PROBLEMS if told.report.findings else 0, reports.report(told), screen)


def _time(text: str | None) -> datetime | None:
    return when.since(text, datetime.now(UTC).astimezone()) if text is not None else None


def _require_no_log(name: str, paths: Sequence[Path], here: Callable[[], Here]) -> None:
    """Refused where *name* is a log that is read, or this host's own."""
    target = Path(name)
    if not target.is_file():
        return
    own = None if paths else here().log().path
    for each in (*paths, *([own] if own else [])):
        with suppress(OSError):
            if target.samefile(each):
                raise Refused(f"{name} is the log that is read", "name another file for the report")


def _write(name: str, text: str) -> None:
    """Whole or not at all, but to a terminal or a pipe."""
    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, "utf-8", "backslashreplace")
            return
        beside = path.with_name(f"{path.name}.new")
        beside.write_text(text, "utf-8", "backslashreplace")
        beside.replace(path)
    except OSError as error:
        raise Refused(f"{name} cannot be written: {error.strerror}", "name another file") from None


@contextmanager
def _reading() -> Iterator[Callable[[int, int], None]]:
    """Told with the bytes read, of how many: how fast, and how long it will take."""
    begun = time.monotonic()
    with progress() as step:
        step("reading the log")

        def advance(done: int, total: int) -> None:
            if total < _MB:
                return
            rate = max(done / max(time.monotonic() - begun, 0.001), 1)
            left = (total - done) / rate
            step(f"reading {done // _MB} of {total // _MB} MB, {rate / _MB:.0f} MB/s, {left:.0f} s left")

        yield advance
