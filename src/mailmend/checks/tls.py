"""The smtp client offers TLS on the way of the affected mail (postconf(5) smtp_tls_security_level)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.destinations import affected
from mailmend.facts.looking import Seen, answer, unknown
from mailmend.facts.route import Route, route
from mailmend.facts.settings import value
from mailmend.facts.tls_policy import policy
from mailmend.model import CannotLook, Finding, Probe, Scope
from mailmend.questions import Setting

CAUSES = ("tls-off",)

_NAME = "smtp_tls_security_level"


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """One finding per setting that decides: main.cf's, or the `-o` of a service on the way."""
    done: dict[str, None] = {}
    for recipient in affected(scope, probe):
        seen = Seen(probe)
        try:
            way = route(recipient, seen)
            if not way.smtp:
                continue
            finding = _look(way, seen)
        except CannotLook as gap:
            finding = unknown("tls-off", _NAME, gap, seen)
        if finding.subject not in done:
            done.setdefault(finding.subject)
            yield finding


def _look(way: Route, seen: Seen) -> Finding:
    own, main = answer(seen, Setting(_NAME, way.service)), answer(seen, Setting(_NAME))
    subject = f"{way.service}/{_NAME}" if own.value != main.value else _NAME
    level = (own.value or "").lower() or _legacy(way, seen)
    by_policy = policy(way, seen)
    if by_policy:
        subject, level = f"smtp_tls_policy_maps {way.domain}", by_policy
    if level in ("", "none"):
        setting = f"{subject.split()[0]} = {level or 'empty'}"
        says = f"{way.service} sends to {way.domain} in clear text only ({setting})"
        return Finding("tls-off", subject, "measured", says, seen.evidence)
    says = f"{way.service} uses TLS level {level} towards {way.domain}"
    return Finding("tls-off", subject, "cleared", says, seen.evidence)


def _legacy(way: Route, seen: Seen) -> str:
    """The two yes/no settings of before 2.3; an empty level leaves the word to them."""
    if value(seen, "smtp_enforce_tls", way.service) == "yes":
        return "encrypt"
    return "may" if value(seen, "smtp_use_tls", way.service) == "yes" else ""
