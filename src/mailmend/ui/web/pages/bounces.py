"""Bounces: what was refused, by cause, receiver and address family; each group with all that is known of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.responses import Response

from mailmend.ui import figures
from mailmend.ui.screens.explaining import NOBODY_CAN, WHO, WHO_IN_SHORT
from mailmend.ui.web.endpoint import Asked, Endpoint
from mailmend.ui.web.pages import bounces_explain, bounces_trace
from mailmend.ui.web.pages.bounces_reading import read
from mailmend.ui.web.pages.bounces_told import NONE, Wanted, drawn, groups
from mailmend.ui.web.works import Work, patience, works

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailmend.jobs.report import Told
    from mailmend.model import Cause
    from mailmend.ui.web.pages.bounces_reading import Found
    from mailmend.ui.web.pages.bounces_told import Group

LASTS = 15.0  # seconds that a report is good
_PATIENCE = 0.15  # seconds that a page waits for it before it shows how far it is
_PATIENCE_OF_A_GROUP = 20.0
_EXAMPLES = 5


async def show(asked: Asked[Wanted]) -> Response:
    """The page, with the report where it is read already; else with how far that is."""
    return await _answer(asked, "bounces.html")


async def told(asked: Asked[Wanted]) -> Response:
    """The report alone, or how far it is read: the page asks until it is there."""
    return await _answer(asked, "_bounces_told.html")


async def _answer(asked: Asked[Wanted], template: str) -> Response:
    work = _work(asked)
    waits = not await patience(work, _PATIENCE)
    work = work.shown
    values: dict[str, Any] = {"view": None}
    if not waits and work.failure is None:
        values["view"] = await asked.console.run(_view, work, asked.given)
    return asked.page(template, work=work, waits=waits, wanted=asked.given, **_WORDS, **values)


def _work(asked: Asked[Wanted]) -> Work[Found]:
    days, console, grant = asked.given.days, asked.console, asked.person.grant
    return works(asked).ask(
        f"report {days}",
        "log",
        lambda says: read(console, grant, days, says),
        lasts=LASTS,
        anew=asked.given.again,
    )


def _view(work: Work[Found], wanted: Wanted) -> dict[str, Any]:
    return {**drawn(work.result.told, wanted, _causes()), "note": work.result.note}


async def group(asked: Asked[Wanted]) -> Response:
    """One group: why, who must act, what cures it, the replies word for word, whose mail."""
    work = _work(asked)
    if not await patience(work, _PATIENCE_OF_A_GROUP):
        return asked.page("bounces_waits.html", work=work, wanted=asked.given)
    values = await asked.console.run(_opened, work.shown.result.told, asked.given)
    return asked.page("bounces_group.html", wanted=asked.given, **_WORDS, **values)


def _opened(told: Told, wanted: Wanted) -> dict[str, Any]:
    """The group, the page of its cause, what mailmend can do about it, and examples."""
    found = groups(told.report, wanted, _causes())
    one = found[0] if found else None
    cause = _causes().get(wanted.cause)
    return {
        "group": one,
        "cause": cause,
        "page": page(wanted.cause) if cause else "",
        "cures": cures(cause),
        "examples": _examples(told, one) if one else [],
    }


def cures(cause: Cause | None) -> list[tuple[str, str]]:
    """What `mailmend fix` can do about *cause*: the remedies' ids, with what each does."""
    from mailmend.ui.commands.knowing import remedies

    known = remedies()
    return [
        (name, (known[name].__doc__ or "").split("\n", 1)[0])
        for name in (cause.remedies if cause else ())
        if name in known
    ]


def _examples(told: Told, of: Group) -> list[dict[str, str | None]]:
    """Some of the failures whole where the store has them, else the replies alone, word for word."""
    from datetime import UTC, datetime, timedelta

    from mailmend.model import MailmendError
    from mailmend.system.store.sqlite import Store

    out: list[dict[str, str | None]] = []
    if told.store:
        since = of.first or datetime.now(UTC) - timedelta(days=7)
        try:
            newest = Store(told.store.parent).refusals(of.receiver, of.family, since).newest  # type: ignore[arg-type]
        except MailmendError:
            newest = ()
        for kept in newest:
            if (kept.place.cause or "unknown") == of.cause and all(e["text"] != kept.line.text for e in out):
                line = kept.line
                out.append(
                    {
                        "at": figures.moment(kept.at),
                        "queue_id": line.queue_id,
                        "recipient": line.recipient,
                        "text": line.text,
                    }
                )
    if not out:
        out = [{"at": None, "queue_id": None, "recipient": None, "text": text} for text in of.texts]
    return out[:_EXAMPLES]


@lru_cache(200)
def page(cause: str) -> Markup:
    """The page of *cause* as HTML: from our own Markdown, in which no HTML counts."""
    from markdown_it import MarkdownIt

    drawn = MarkdownIt("commonmark", {"html": False}).render(_causes()[cause].page)
    # A command that is longer than the screen is scrolled by keys as well.
    return Markup(drawn.replace("<pre>", '<pre tabindex="0">'))  # noqa: S704


def _causes() -> Mapping[str, Cause]:
    from mailmend.ui.commands.knowing import cause_pages

    return cause_pages()


_WORDS: dict[str, Any] = {
    "WHO": WHO,
    "WHO_IN_SHORT": WHO_IN_SHORT,
    "NOBODY_CAN": NOBODY_CAN,
    "NONE": NONE,
    "number": figures.number,
    "moment": figures.moment,
    "name": figures.name,
    "family": figures.family,
}

ENDPOINTS = (
    Endpoint("/bounces", show, "What was refused, and why.", takes=Wanted),
    Endpoint("/bounces/told", told, "The report, or how far it is read.", takes=Wanted, watching=True),
    Endpoint("/bounces/group", group, "Refusals of one kind, with all that is known.", takes=Wanted),
    *bounces_explain.ENDPOINTS,
    *bounces_trace.ENDPOINTS,
)
