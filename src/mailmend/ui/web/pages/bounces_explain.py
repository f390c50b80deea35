"""A bounce that is pasted or dropped -> what it means, as `mailmend explain` tells it. Nothing is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from mailmend.model import ParseError
from mailmend.road.group import alike
from mailmend.ui import figures
from mailmend.ui.screens.explaining import NOBODY_CAN, WHO, wrote
from mailmend.ui.web.endpoint import Asked, Endpoint, Nothing

if TYPE_CHECKING:
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
    }


def _explained(text: str) -> dict[str, Any]:
    """The kinds of refusals in *text*, most frequent first, and what was read in part."""
    from mailmend.jobs.explain import explain as job
    from mailmend.ui.commands.knowing import cause_pages, remedies

    notices: list[str] = []
    refusals = job([("what you gave", text.encode("utf-8", "surrogateescape"))], note=notices.append)
    causes, known = cause_pages(), remedies()
    kinds = sorted(alike(refusals), key=len, reverse=True)
    told = [
        {
            "first": first,
            "count": len(of_kind),
            "attempts": of_kind[:_NAMED],
            "wrote": wrote(first),
            "quoted": _quoted(first),
            "title": causes[first.cause].title if first.cause in causes else "",
            "sources": causes[first.cause].sources if first.cause in causes else (),
            "cures": [
                (each, (known[each].__doc__ or "").split("\n", 1)[0])
                for each in first.remedies
                if each in known
            ],
        }
        for of_kind in kinds[:_SHOWN]
        for first in of_kind[:1]
    ]
    return {"told": told, "more": len(kinds) - len(told), "notices": notices}


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
