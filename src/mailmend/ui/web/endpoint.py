"""What the console can be asked: a path, what it takes, typed, and who answers. Its OpenAPI follows from that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mailmend.model import ParseError

if TYPE_CHECKING:
    from mailmend.ui.web.console import Console
    from mailmend.ui.web.sessions import Session

FORM = 2 << 20  # bytes of a form, at most: a bounce that is pasted with its attachment


class Nothing(msgspec.Struct, forbid_unknown_fields=False):
    """An endpoint that takes nothing."""


Taken = TypeVar("Taken", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Asked(Generic[Taken]):
    """One request: *given* is what the endpoint takes; *session* None only where nobody has to be logged in."""

    request: Request
    console: Console
    given: Taken
    session: Session | None

    @property
    def person(self) -> Session:
        """Whose session it is, where the endpoint needs one."""
        assert self.session is not None  # noqa: S101 (the app lets nobody else in)
        return self.session

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """*template* for whoever asked; a name that begins with "_" is a part of a page."""
        return self.console.render(template, status, request=self.request, session=self.session, **values)

    @property
    def part(self) -> bool:
        """Whether a part of a page is wanted, by htmx."""
        return wants_a_part(self.request)


def wants_a_part(request: Request) -> bool:
    """Whether htmx asks for a part of a page, and not a browser for a whole one."""
    return request.headers.get("hx-request") == "true"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """*takes*: the fields of path and query (GET) or of path and form (POST).

    *public*: for whoever has no session yet. *watching*: asked by the page and by nobody's hand, so it keeps no
    session alive.
    """

    path: str
    act: Callable[[Asked[Any]], Awaitable[Response]]
    summary: str
    method: Literal["GET", "POST"] = "GET"
    takes: type[msgspec.Struct] = Nothing
    public: bool = False
    watching: bool = False


async def given(request: Request, endpoint: Endpoint) -> msgspec.Struct:
    """What *endpoint* takes of *request*. ParseError: it is not that, with what is wrong."""
    fields: dict[str, Any] = dict(request.path_params)
    wanted = {field.encode_name: field.type for field in msgspec.structs.fields(endpoint.takes)}
    if endpoint.method == "POST":
        form = await request.form(max_files=1, max_fields=2000, max_part_size=FORM)
        pairs = [(name, await _text(value)) for name, value in form.multi_items()]
    else:
        pairs = request.query_params.multi_items()
    for name, value in pairs:
        if name not in wanted or name in request.path_params:
            continue  # the token, and what a browser adds
        if _is_list(wanted[name]):
            fields.setdefault(name, []).append(value)
        else:
            fields[name] = value
    try:
        return msgspec.convert(fields, endpoint.takes, strict=False)
    except msgspec.ValidationError as error:
        raise ParseError(
            f"the page asked for what cannot be: {error}", "go back, and look at what was typed"
        ) from None


async def _text(value: Any) -> str:
    """A field, or a file that was dropped, as text: bytes that are not UTF-8 are carried as surrogates."""
    if isinstance(value, str):
        return value
    read: bytes = await value.read()
    return read.decode("utf-8", "surrogateescape")


def _is_list(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) in (list, tuple)


def openapi(endpoints: tuple[Endpoint, ...], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of *endpoints*: what each takes, and with what statuses it may answer."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = endpoint.path.replace(":path}", "}")
        (schema,), parts = msgspec.json.schema_components(
            [endpoint.takes], ref_template="#/components/schemas/{name}"
        )
        named = parts.get(schema["$ref"].rpartition("/")[2], {}) if "$ref" in schema else schema
        fields: dict[str, Any] = named.get("properties", {})
        required = set(named.get("required", ()))
        in_path = {name for name in fields if f"{{{name}}}" in path}
        operation: dict[str, Any] = {
            "summary": endpoint.summary,
            "parameters": [
                {"name": name, "in": "path" if name in in_path else "query", "schema": fields[name],
                 "required": name in in_path or name in required}
                for name in fields if name in in_path or endpoint.method == "GET"
            ],
            "responses": {code: {"description": says} for code, says in _STATUSES.items()},
        }  # fmt: skip
        if endpoint.method == "POST":
            body = {name: fields[name] for name in fields if name not in in_path}
            operation["requestBody"] = {
                "content": {
                    "application/x-www-form-urlencoded": {
                        "schema": {
                            "type": "object",
                            "properties": body | {"token": {"type": "string"}},
                            "required": sorted((required & body.keys()) | {"token"}),
                        }
                    }
                }
            }
        paths.setdefault(path, {})[endpoint.method.lower()] = operation
    return {"openapi": "3.1.0", "info": {"title": "mailmend", "version": version}, "paths": paths}


_STATUSES = {
    "200": "The page, or a part of it.",
    "303": "Done; look there.",
    "401": "Nobody is logged in.",
    "403": "Not from a page of this console.",
    "404": "There is no such thing.",
    "409": "Refused, with the reason and what to do.",
    "413": "More than is read.",
    "422": "What was asked for cannot be, with the reason.",
    "424": "It cannot be looked at, with the reason.",
    "429": "Too many of these at once.",
}
