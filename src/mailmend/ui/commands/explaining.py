"""explain: files or standard input -> refusals, explained; with checks, decided."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mailmend.ui import given, show
from mailmend.ui.ending import EXIT_PROBLEMS, Outcome
from mailmend.ui.progress import bar, progress

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.here import Here
    from mailmend.model import Finding, Refusal


def explain(files: Sequence[str], host: Callable[[], Here] | None) -> Outcome:
    """Explain *files* (`-`, or none: standard input); *host* is given where checks shall decide."""
    from mailmend.jobs.explain import explain as job

    named = tuple(dict.fromkeys(files)) or ("-",)
    notices: list[str] = []

    def note(notice: str) -> None:
        """What was read in part or left out: said at once, and in the document."""
        given.say(notice)
        notices.append(notice)

    with bar("explaining") as advance:
        refusals = job(given.every(named, note), advance, note if given.several(named) else None, note)
    findings: tuple[Finding, ...] | None = None
    if host and refusals:
        from mailmend.jobs.check import decide

        with progress() as step:
            refusals, findings = decide(host(), refusals, progress=step)
    again = " ".join(shlex.quote(name) for name in files)
    names = ["standard input" if name == "-" else name for name in named]
    return Outcome(
        exit=0 if any(one.cause != "unknown" for one in refusals) else EXIT_PROBLEMS,
        document={**show.explanation(refusals, findings), "notices": notices},
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
