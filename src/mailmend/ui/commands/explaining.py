"""explain: files or standard input -> refusals, explained; with checks, decided."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import CannotLook, ParseError
from mailmend.ui import show
from mailmend.ui.ending import EXIT_PROBLEMS, Outcome
from mailmend.ui.progress import progress

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here
    from mailmend.model import Finding, Refusal

# One byte more than is ever explained, so that the reader of the text can say that it is too much.
MOST = 5 * 1024 * 1024 + 1


def explain(files: Sequence[str], host: Callable[[], Here] | None) -> Outcome:
    """Explain *files* (`-`, or none: standard input); *host* is given where checks shall decide."""
    from mailmend.jobs.explain import explain as job

    sources = [(name, _read(name)) for name in dict.fromkeys(files) or ("-",)]
    refusals = job(sources)
    findings: tuple[Finding, ...] | None = None
    if host and refusals:
        from mailmend.jobs.check import decide

        with progress() as step:
            refusals, findings = decide(host(), refusals, progress=step)
    again = " ".join(shlex.quote(name) for name in files)
    names = ["standard input" if name == "-" else name for name, _ in sources]
    return Outcome(
        exit=0 if any(one.cause != "unknown" for one in refusals) else EXIT_PROBLEMS,
        document=show.explanation(refusals, findings),
        screen=lambda target: _screen(target, refusals, findings, again, names),
    )


def _screen(
    target: Console,
    refusals: Sequence[Refusal],
    findings: Sequence[Finding] | None,
    again: str,
    names: Sequence[str],
) -> None:
    from mailmend.ui.screens import explaining

    if refusals:
        explaining.explained(target, refusals, findings, again)
    else:
        explaining.nothing(target, names)


def _read(name: str) -> bytes:
    """The bytes of a file, or of standard input; a little more than can be explained at most."""
    if name == "-":
        if sys.stdin.isatty():
            sys.stderr.write("mailmend: paste the bounce, the reply or the log lines, then press Ctrl-D\n")
        return sys.stdin.buffer.read(MOST)
    try:
        with Path(name).open("rb") as file:
            return file.read(MOST)
    except FileNotFoundError:
        raise ParseError(f"{name}: no such file", "give a file, or - for standard input") from None
    except IsADirectoryError:
        raise ParseError(f"{name} is a directory", "give the file in it that has the bounce") from None
    except PermissionError:
        raise CannotLook(f"{name} may not be read by you", "run it with sudo, or make it readable") from None
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise CannotLook(
            f"{name} cannot be read: {told}", "give another file, or - for standard input"
        ) from None


def page(cause_id: str) -> Outcome:
    """The page about one cause; a name that is nearly one is told with the one it is near."""
    from mailmend.ui.commands.knowing import cause_pages, no_such

    causes = cause_pages()
    cause = causes.get(cause_id)
    if cause is None:
        raise no_such("cause", cause_id, causes)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import explaining

        explaining.page(target, cause)

    return Outcome(0, show.document("cause", show.cause(cause)), screen)
