"""What was typed can be meant: this Postfix knows the name, and the value is of the kind that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from mailmend.facts.looking import answer
from mailmend.facts.settings import services
from mailmend.model import Probe, Refused
from mailmend.parse import listing
from mailmend.parse.assignment import Assignment
from mailmend.questions import Defaults

# Set by Postfix itself, whatever main.cf says.
_ITS_OWN = ("mail_version", "mail_release_date", "process_id", "process_name", "service_name")
_TIME = re.compile(r"[0-9]+[smhdw]?")
_NUMBER = re.compile(r"[0-9]+")
_DEFAULT_TIME = re.compile(r"[0-9]+[smhdw]")
# Their defaults look like a number, or like yes and no, and are neither (postconf(5)).
_FREE = re.compile(
    r"compatibility_level|.*_feedback|.*_tcp_port|.*_directory|.*_path|smtpd_forbid_(?:bare_newline|unauth_pipelining)"
)
# A word that is none of these keeps every daemon from starting (postconf(5)).
_ONE_OF = {
    "inet_protocols": ("all", "ipv4", "ipv6"),
    "smtp_address_preference": ("any", "ipv4", "ipv6"),
    "lmtp_address_preference": ("any", "ipv4", "ipv6"),
    "mynetworks_style": ("class", "subnet", "host"),
}
# What Postfix makes up for every service of master.cf (postconf(5), "transport_...").
_OF_A_SERVICE = re.compile(
    r"(?P<service>.+?)_(?P<rest>(?:(?:initial_)?destination|delivery_slot|minimum_delivery|extra_recipient|recipient"
    r"|transport|time)_.+)"
)


def require(asked: Iterable[Assignment], texts: Iterable[str], probe: Probe) -> None:
    """Raise Refused, with the nearest names, for a name that nobody reads, and for a value that cannot be read.

    *texts* are main.cf and master.cf as they would be: a name that stands there as `$name` is somebody's own.
    Raises CannotLook where Postfix's own names cannot be listed.
    """
    known = dict(answer(probe, Defaults()))
    mentioned = _mentioned(texts)
    asked = tuple(asked)
    names = {id_.partition("/")[0] for id_ in _ids(asked, probe)}
    for each in asked:
        if each.kind in ("setting", "override"):
            _require_name(each, known, mentioned, names)
            _require_kind(each, known.get(each.name))


def require_services(asked: tuple[Assignment, ...], probe: Probe) -> None:
    """Raise Refused, with the nearest names, for a service that master.cf does not have."""
    ids = _ids(asked, probe)
    for each in asked:
        if each.service is not None and each.service not in ids:
            raise Refused(
                f"master.cf has no service {each.service}",
                _nearest(each.service, ids, "postconf -M lists them"),
            )


def _ids(asked: Iterable[Assignment], probe: Probe) -> set[str]:
    """The services that there are, and those that are added at once."""
    added = {a.target for a in asked if a.kind == "service" and a.value is not None}
    return {s.id for s in services(probe)} | added


def _require_name(each: Assignment, known: dict[str, str], mentioned: set[str], names: set[str]) -> None:
    if each.name in _ITS_OWN:
        raise Refused(f"{each.name} is set by Postfix itself", "nothing was changed")
    if each.name in known or each.name in mentioned or each.value is None:
        return
    made_up = _OF_A_SERVICE.fullmatch(each.name)
    if (
        made_up
        and made_up["service"] in names
        and any(name in known for name in (f"smtp_{made_up['rest']}", f"uucp_{made_up['rest']}"))
    ):
        return
    nobody = "no setting is called so in this Postfix, and none mentions it"
    raise Refused(f"{each.name}: {nobody}", _nearest(each.name, known, "postconf -d lists them"))


def _nearest(name: str, known: Iterable[str], otherwise: str) -> str:
    near = get_close_matches(name, known, 3, 0.75)
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def _require_kind(each: Assignment, default: str | None) -> None:
    """By what the default looks like: a time, a number, or yes and no. A value made of others cannot be told."""
    text = each.value
    if text is not None and "$" not in text and each.name in _ONE_OF:
        some = listing.words(text)
        if not some or not set(some) <= set(_ONE_OF[each.name]):
            raise Refused(f"{each.target} can be {', '.join(_ONE_OF[each.name])}, not {text!r}", "")
        return
    if text is None or default is None or "$" in text or _FREE.fullmatch(each.name):
        return
    if _DEFAULT_TIME.fullmatch(default):
        pattern, wanted = _TIME, "a time, such as 30s, 10m, 4h, 5d or 1w"
    elif _NUMBER.fullmatch(default):
        pattern, wanted = _NUMBER, "a number"
    elif default in ("yes", "no"):
        pattern, wanted = re.compile("yes|no", re.IGNORECASE), "yes or no"
    else:
        return
    if not pattern.fullmatch(text):
        raise Refused(f"{each.target} has to be {wanted}, not {text!r}", f"its default is {default}")


def _mentioned(texts: Iterable[str]) -> set[str]:
    """The names that other settings are made of, or that name a class of restrictions."""
    found: set[str] = set()
    for text in texts:
        lines = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("#"))
        found |= set(re.findall(r"\$[({]*(\w+)", lines))
        for classes in re.findall(r"smtpd_restriction_classes\s*=([^\n]*(?:\n[ \t][^\n]*)*)", lines):
            found |= set(listing.words(classes))
    return found
