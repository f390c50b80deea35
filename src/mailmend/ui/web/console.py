"""What every page stands on: this host, the helper, who is logged in, and the templates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mailmend import __version__
from mailmend.jobs.here import Here, here
from mailmend.places import STATE
from mailmend.ui.encode import printable
from mailmend.ui.web.sessions import Authority, Session, Sessions

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")

HERE = Path(__file__).parent
PAGES = (
    ("/", "Now"),
    ("/bounces", "Bounces"),
    ("/settings", "Settings"),
    ("/changes", "Changes"),
    ("/dns", "DNS"),
)


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["plain"] = plain
    made.globals["pages"] = PAGES
    made.globals["version"] = __version__
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


@dataclass(frozen=True, slots=True)
class Console:
    """*authority* checks codes; *helper* is the helper's socket, None where the console only reads.

    *config_directory* and *state* as everywhere; *hosts*: the names that the console is asked by.
    """

    authority: Authority
    hosts: frozenset[str]
    helper: Path | None = None
    config_directory: str | None = None
    state: Path = STATE
    sessions: Sessions = field(default_factory=Sessions)
    templates: jinja2.Environment = field(default_factory=_templates)
    look: Callable[[], Here] | None = None

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
