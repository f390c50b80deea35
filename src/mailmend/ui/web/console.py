"""What every page stands on: this host, the helper, who is logged in, and the templates."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jinja2
from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mailmend import __version__
from mailmend.jobs.here import Here, here
from mailmend.places import STATE
from mailmend.ui.encode import printable
from mailmend.ui.helper.client import Helper
from mailmend.ui.looks import Of
from mailmend.ui.looks import look as look_at
from mailmend.ui.screens.fixing import ACTIVATION
from mailmend.ui.show import Shape
from mailmend.ui.web.installed import Installed
from mailmend.ui.web.looks import Looks, Seen
from mailmend.ui.web.proposing import Shown
from mailmend.ui.web.saved import Stamp, stamp
from mailmend.ui.web.sessions import Authority, Session, Sessions

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")

HERE = Path(__file__).parent
MEANWHILE = 10.0  # seconds that a page is older at most while the host is looked at anew
PAGES = (
    ("/", "Now"),
    ("/bounces", "Bounces"),
    ("/settings", "Settings"),
    ("/changes", "Changes"),
    ("/dns", "DNS"),
)

_CODE = re.compile(r"`([^`]+)`")


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["plain"] = plain
    made.filters["prose"] = prose
    made.filters["words"] = words
    made.filters["clock"] = clock
    made.filters["as_it_is"] = escape  # for what is sent back: to be edited, not to be read
    made.globals["pages"] = PAGES
    made.globals["version"] = __version__
    made.globals["ACTIVATION"] = ACTIVATION
    # Whatever a stranger wrote is shown as it is: a hidden or reordering character as its escape. Jinja escapes markup.
    made.finalize = _shown
    return made


def _shown(value: Any) -> Any:
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return plain(value)
    return value


def plain(text: str) -> str:
    """*text* with what is not plainly visible as its escape, line by line."""
    return "\n".join(printable(line) for line in text.replace("\r\n", "\n").split("\n"))


def prose(text: str) -> Markup:
    """A sentence of ours with `commands` in it, as HTML; whatever else is in it is text."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(printable(text)))))  # noqa: S704


def words(value: Any, most: int = 2000) -> str:
    """A piece of a document as text: what a look was asked, what it answered."""
    if isinstance(value, dict):
        told = ", ".join(
            f"{key}: {words(each)}" for key, each in value.items() if each not in (None, "", [], {})
        )
    elif isinstance(value, list):
        told = "; ".join(words(each) for each in value)
    else:
        told = "nothing" if value is None else str(value)
    return told if len(told) <= most else f"{told[:most]} ... ({len(told)} characters)"


def clock(moment: str | datetime | None) -> str:
    """A moment (RFC 3339) as people here read it; where it is of today, only the time."""
    if moment is None:
        return "at an unknown time"
    at = (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).astimezone()
    return f"{at:%H:%M:%S}" if at.date() == datetime.now().astimezone().date() else f"{at:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Console:
    """*authority* checks codes; *helper* is the helper's socket, None where the console only reads.

    *group*: root and its users log in with their passwords, too.
    *config_directory* and *state* as everywhere; *hosts*: the names that the console is asked by.
    *origins*: what a browser is at where a proxy with TLS stands in front, as `https://NAME`.
    """

    authority: Authority
    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()
    helper: Path | None = None
    group: str | None = None
    config_directory: str | None = None
    state: Path = STATE
    sessions: Sessions = field(default_factory=Sessions)
    templates: jinja2.Environment = field(default_factory=_templates)
    look: Callable[[], Here] | None = None
    looks: Looks = field(default_factory=Looks)
    shown: Shown = field(default_factory=Shown)
    installed: Installed = field(default_factory=Installed)

    @property
    def asks(self) -> Helper | None:
        """The helper, where there is one: without it the console only reads."""
        return Helper(self.helper) if self.helper else None

    async def seen(
        self, session: Session, of: Of, change: str | None = None, *, within: float, meanwhile: float = 0.0
    ) -> Seen:
        """The document *of* the host, not older than *within* seconds: looked at by root where there is a helper.

        One that is older by *meanwhile* at most, and from after the last change, is shown while it is looked at anew.
        None is from before main.cf or master.cf were saved last.
        """
        name = f"{of} {change}" if change else of
        self.looks.hear(self.saved())
        if seen := self.looks.within(name, within):
            return seen

        def job() -> Shape:
            return self._look(session, of, change)

        if meanwhile and (seen := self.looks.within(name, within + meanwhile)):
            self.looks.begin(name, job, within)
            return seen
        return await self.run(self.looks.look, name, job, within)

    def _look(self, session: Session, of: Of, change: str | None) -> Shape:
        helper = self.asks
        return helper.look(session.grant, of, change) if helper else look_at(of, self.here(), change)

    def saved(self) -> Stamp:
        """Another after somebody saved main.cf or master.cf."""
        return stamp(self.config_directory)

    def here(self) -> Here:
        """This host, to be looked at afresh."""
        return self.look() if self.look else here(self.config_directory, self.state)

    async def run(
        self, job: Callable[Parameters, Answer], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Answer:
        """What *job* returns, which may block: beside the other requests."""
        return await run_in_threadpool(job, *args, **kwargs)

    def render(
        self, template: str, status: int = 200, *, request: Request, session: Session | None, **values: Any
    ) -> Response:
        """*template* as a response to *request*, for *session*."""
        made = self.templates.get_template(template)
        return HTMLResponse(made.render(console=self, request=request, session=session, **values), status)
