"""Master listens on exactly the sockets that main.cf and master.cf ask for (postconf(5) inet_interfaces)."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.endpoints import canonical, configured
from mailmend.facts.expect import socket_name
from mailmend.facts.looking import Seen, answer, unknown
from mailmend.model import CannotLook, Finding, Probe, Scope, Standing, family_of
from mailmend.questions import Listeners, Master

CAUSES = ("listener-left-open", "listener-missing")


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """One finding per socket, open or asked for; nothing where Postfix does not run (see `loaded`)."""
    seen = Seen(probe)
    try:
        if answer(seen, Master()).pid is None:
            return
        asked = {(e.address, e.port): e for e in configured(seen)}
        really = {(canonical(s.address), s.port): s for s in answer(seen, Listeners())}
    except CannotLook as gap:
        yield unknown("listener-missing", "inet_interfaces", gap, seen)
        return
    for key in sorted(asked.keys() | really.keys(), key=lambda key: (key[1], key[0])):
        name = socket_name(*key)
        where = f"pid {really[key].pid}, fd {really[key].fd}" if key in really else ""
        standing: Standing = "measured"
        if key not in asked:
            cause = "listener-left-open"
            says = f"{name} is still open ({where}) although the saved configuration no longer asks for it"
        elif key not in really:
            cause = "listener-missing"
            says = f"{name} is not open although {asked[key].service} of master.cf asks for it"
        else:
            cause, standing = "listener-missing", "cleared"
            says = f"{name} is open as configured ({where})"
        yield Finding(cause, name, standing, says, seen.evidence, family=family_of(key[0]))
