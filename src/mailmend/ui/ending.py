"""How a command ends: a screen or one JSON document on stdout, one line of error, and the exit status."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailmend.model import CannotLook, MailmendError, ParseError, Refused
from mailmend.ui.encode import printable

if TYPE_CHECKING:
    from rich.console import Console

EXIT_PROBLEMS = 1
EXIT_REFUSED = 4
# sysexits.h EX_SOFTWARE: a bug of our own must not look like an answer (0 to 4).
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
_ENDINGS: tuple[tuple[type[MailmendError], str, int], ...] = (
    (ParseError, "parse", 2),
    (CannotLook, "cannot-look", 3),
    (Refused, "refused", 4),
)


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command found: *document* for `--json`, *screen* draws it for a person, *exit* is the status."""

    exit: int
    document: Mapping[str, Any]
    screen: Callable[[Console], None]


def finish(outcome: Outcome, *, as_json: bool) -> int:
    """Put *outcome* on stdout, the one way or the other; return its exit status."""
    if as_json:
        write(document(outcome.document))
    else:
        from mailmend.ui.terminal import drawn

        write(drawn(outcome.screen))
    return outcome.exit


def document(content: Mapping[str, Any]) -> str:
    """One JSON document. Only ASCII leaves: control and bidi characters of strangers stay escaped."""
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"


def write(text: str) -> None:
    """All of *text* to stdout. A reader that left early (`| head`) is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at exit; that must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(command: Callable[[], Any], argv: Sequence[str]) -> int:
    """Call *command*; whatever it raises becomes one line on stderr (or one document) and a status.

    A bug is told in one line too; MAILMEND_DEBUG=1 lets it propagate with its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = command()
    except click.exceptions.NoArgsIsHelpError as error:
        return _told(argv, error, Told("usage", "a command is missing", "mailmend --help lists them", 2))
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "mailmend"
        return _told(argv, error, Told("usage", _usage(error), f"{where} --help shows what it takes", 2))
    except (Interrupted, click.Abort, KeyboardInterrupt) as error:
        if sys.stderr.isatty():
            sys.stderr.write("\n")  # below the ^C
        return _told(argv, error, Told("interrupted", "interrupted", "", EXIT_INTERRUPTED))
    except MailmendError as error:
        # Any other is a catalogue that does not hold together: ours to mend, and said as it is.
        kind, exit_status = next(
            ((k, e) for cls, k, e in _ENDINGS if isinstance(error, cls)), ("bug", EXIT_BUG)
        )
        return _told(argv, error, Told(kind, error.reason, error.next_step, exit_status))
    except Exception as error:
        if os.environ.get("MAILMEND_DEBUG"):
            raise
        step = "MAILMEND_DEBUG=1 shows where; please report it"
        return _told(argv, error, Told("bug", f"a bug in mailmend: {_place(error)}", step, EXIT_BUG))
    return status if isinstance(status, int) else 0


@dataclass(frozen=True, slots=True)
class Told:
    """An ending without an answer: its *kind* and words (show.error), and its exit status."""

    kind: str
    reason: str
    next_step: str
    exit: int


def _told(argv: Sequence[str], error: BaseException, told: Told) -> int:
    """One document where JSON was asked for, anywhere before `--`; else one line on stderr."""
    if "--json" in itertools.takewhile(lambda word: word != "--", argv):
        from mailmend.ui import show

        context = getattr(error, "ctx", None)
        write(document(show.error(_command(argv, context), told.kind, told.reason, told.next_step)))
    elif isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
    else:
        line = f"{told.reason}; {told.next_step}" if told.next_step else told.reason
        sys.stderr.write(f"mailmend: {printable(' '.join(line.split()))}\n")
    return told.exit


def _command(argv: Sequence[str], context: click.Context | None) -> str | None:
    if context is not None and context.parent is not None:
        return context.info_name
    from mailmend.ui.cli import mailmend

    return next((word for word in argv if word in mailmend.commands), None)


def _usage(error: click.UsageError) -> str:
    """click's own words as the beginning of our line: no capital, no full stop."""
    text = error.format_message().rstrip(".")
    return text[:1].lower() + text[1:]


def _place(error: Exception) -> str:
    """The error and the last line of ours that it went through: `KeyError: 'x' (road/plan.py:37)`."""
    here = Path(__file__).parent.parent
    place = ""
    frame = error.__traceback__
    while frame:
        path = Path(frame.tb_frame.f_code.co_filename)
        if path.is_relative_to(here):
            place = f" ({path.relative_to(here)}:{frame.tb_lineno})"
        frame = frame.tb_next
    return f"{type(error).__name__}: {error}{place}"
