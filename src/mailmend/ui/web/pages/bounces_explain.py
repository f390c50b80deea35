"""A bounce that is pasted or dropped -> what it means, as `mailmend explain` tells it. Nothing is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from mailmend.model import ParseError
from mailmend.ui import figures
from mailmend.ui.screens.explaining import NOBODY_CAN, WHO
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing
from mailmend.ui.web.pages.bounces_told import prose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailmend.model import Refusal

_MOST = 2 << 20  # characters
_SHOWN, _NAMED, _QUOTED = 20, 3, 2000  # kinds; attempts of one; characters of a reply


class Pasted(msgspec.Struct):
    """*bounce*: as somebody pasted it; *file*: what was dropped or chosen, and wins."""

    bounce: str = ""
    file: str = ""


async def form(asked: Asked[Nothing]) -> Response:
    """Where a bounce is pasted."""
    return asked.page("bounces_explain.html", **_empty())


async def explain(asked: Asked[Pasted]) -> Response:
    """Every refusal in it: why, who must act, what to do."""
    given = asked.given.file or asked.given.bounce
    values = _empty()
    try:
        if not given.strip():
            raise ParseError("nothing was given", "paste the whole bounce, or choose its file")
        values |= await asked.console.run(_explained, given[:_MOST])
    except ParseError as failure:
        values["failure"] = failure
    status = 422 if values["failure"] and not asked.part else 200
    template = "_bounces_explained.html" if asked.part else "bounces_explain.html"
    return asked.page(template, status, **values)


def _empty() -> dict[str, Any]:
    return {
        "told": None,
        "more": 0,
        "notices": [],
        "failure": None,
        "WHO": WHO,
        "NOBODY_CAN": NOBODY_CAN,
        "name": figures.name,
        "prose": prose,
    }


def _explained(text: str) -> dict[str, Any]:
    """The kinds of refusals in *text*, most frequent first, and what was read in part."""
    from mailmend.jobs.explain import explain as job
    from mailmend.ui.commands.knowing import cause_pages, remedies

    notices: list[str] = []
    refusals = job([("what you gave", text.encode("utf-8", "surrogateescape"))], note=notices.append)
    causes, known = cause_pages(), remedies()
    kinds = sorted(_alike(refusals), key=len, reverse=True)
    told = [
        {
            "first": alike[0],
            "count": len(alike),
            "attempts": alike[:_NAMED],
            "quoted": _quoted(alike[0]),
            "title": causes[alike[0].cause].title if alike[0].cause in causes else "",
            "sources": causes[alike[0].cause].sources if alike[0].cause in causes else (),
            "cures": [
                (each, (known[each].__doc__ or "").split("\n", 1)[0])
                for each in alike[0].remedies
                if each in known
            ],
        }
        for alike in kinds[:_SHOWN]
    ]
    return {"told": told, "more": len(kinds) - len(told), "notices": notices}


def _alike(refusals: Sequence[Refusal]) -> list[list[Refusal]]:
    """Those that one explanation holds for; what no rule explains only where the reply is the same."""
    kinds: dict[tuple[object, ...], list[Refusal]] = {}
    for one in refusals:
        relay, reply = one.delivery.relay, one.delivery.reply
        key = (
            one.receiver,
            one.cause,
            one.delivery.severity,
            relay.family if relay else None,
            one.steps,
            reply.text if reply and one.cause == "unknown" else "",
        )
        kinds.setdefault(key, []).append(one)
    return list(kinds.values())


def _quoted(one: Refusal) -> str:
    """The reply as it was written: code, enhanced status, text."""
    said = one.delivery.reply
    if said is None:
        return ""
    told = (
        said.text if len(said.text) <= _QUOTED else f"{said.text[:_QUOTED]} ... ({len(said.text)} characters)"
    )
    begins = " ".join(str(each) for each in (said.code, said.status) if each)
    return told if told.startswith(begins) else f"{begins} {told}"


ENDPOINTS = (
    Endpoint("/bounces/explain", form, "Where a bounce is pasted."),
    Endpoint("/bounces/explain", explain, "What a bounce means.", "POST", Pasted),
)
