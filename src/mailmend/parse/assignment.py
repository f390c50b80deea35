"""`NAME=VALUE` as an operator types it -> what is to be changed, named as postconf(1) names it.

inet_protocols=ipv4                main.cf (postconf -e)
smtp/unix/inet_protocols=ipv4      a `-o` of a service (postconf -P)
smtp/inet/process_limit=50         a column of master.cf (postconf -F)
smtp/inet/command=smtpd -v         its program and arguments, without the `-o`, which stay
smtps/inet=smtps inet n - y - - smtpd    a whole entry (postconf -M)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mailmend.model import ParseError, Refused
from mailmend.parse import logical

# The columns that postconf -F names, and the words above them in master.cf.
COLUMNS = ("private", "unprivileged", "chroot", "wakeup", "process_limit", "command")
_ALSO = {"unpriv": "unprivileged", "maxproc": "process_limit", "limit": "process_limit"}
_IDENTITY = ("service", "type")
_SERVICE = re.compile(r"(?P<id>[^\s=]+/(?:inet|unix|fifo|pass|unix-dgram))(?:/(?P<of>[^/\s]+))?")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

Kind = Literal["setting", "override", "field", "service"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """*target* as `mailmend set` shows it; *service* is `name/type`, None for main.cf; *name* what of it is set.

    *value* None takes it out, so that the default applies, or the service is gone.
    """

    kind: Kind
    target: str
    service: str | None
    name: str
    value: str | None


def parse(text: str) -> Assignment:
    """Read `NAME=VALUE`; blanks around the first `=` and at the ends are dropped, as postconf(1) drops them.

    ParseError: no `=`, or a name that cannot be one. Refused: any byte below 0x20, or 0x7f.
    """
    _require_printable(text)
    name, equals, value = text.partition("=")
    if not equals:
        raise ParseError(
            f"{text.strip()}: there is no = in it", "write NAME=VALUE; --default NAME takes it out"
        )
    return _aimed(name.strip(" "), value.strip(" "))


def removal(text: str) -> Assignment:
    """Read the NAME that is to be taken out (postconf -X). Raises as `parse` does."""
    _require_printable(text)
    found = _aimed(text.strip(" "), None)
    if found.kind == "field":
        raise ParseError(f"{found.target} is a column, which always has a value", "set it to -")
    return found


def _aimed(name: str, value: str | None) -> Assignment:
    match = _SERVICE.fullmatch(name)
    if match is None:
        if not _NAME.fullmatch(name):
            hint = "NAME, SERVICE/TYPE/NAME or SERVICE/TYPE, as postconf(1) writes them"
            raise ParseError(f"{name or '(nothing)'} is no name of a setting", hint)
        return Assignment("setting", name, None, name, value)
    service, of = match["id"], match["of"]
    if of is None:
        if value == "":
            raise ParseError(f"{service} cannot be empty", f"--default {service} takes it out of master.cf")
        return Assignment("service", service, service, "", value)
    of = _ALSO.get(of, of)
    if of in _IDENTITY:
        raise ParseError(
            f"{name}: a service keeps its name and type", f"add another entry, then --default {service}"
        )
    if of in COLUMNS:
        if value == "":
            raise ParseError(f"{service}/{of} cannot be empty", "- stands for its default")
        return Assignment("field", f"{service}/{of}", service, of, value)
    if not _NAME.fullmatch(of):
        raise ParseError(f"{of} is no name of a setting", "")
    return Assignment("override", f"{service}/{of}", service, of, value)


def _require_printable(text: str) -> None:
    if byte := logical.control_character(text):
        shown = text.partition("=")[0].strip(" ")
        name = shown if _NAME.fullmatch(shown) or _SERVICE.fullmatch(shown) else "it"
        raise Refused(f"the value for {name} has the byte {byte} in it", "write it on one line, with blanks")
