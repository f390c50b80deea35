"""Where Sieve sends mail on: Dovecot's active script of each user (RFC 5228 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailmend.facts.looking import answer
from mailmend.model import CannotLook, Probe
from mailmend.parse import sieve
from mailmend.questions import File

# As Debian and Ubuntu lay them out. What another file of Dovecot's includes is not followed.
SETTINGS = tuple(
    f"/etc/dovecot/{name}"
    for name in ("dovecot.conf", "conf.d/10-mail.conf", "conf.d/90-sieve.conf", "local.conf")
)


def redirected(
    accounts: Iterable[tuple[str, str]], addresses: Iterable[str], probe: Probe, unread: list[tuple[str, str]]
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(address, whom it is sent on to, the script that says so) of each script there is.

    *accounts*: the addresses of this host's accounts with their homes; *addresses*: those of mailboxes besides, whose
    homes Dovecot knows. What could not be looked at is put on *unread*: (where, why).
    """
    texts = []
    for path in SETTINGS:
        try:
            seen = answer(probe, File(path))
        except CannotLook as gap:
            unread.append((path, gap.reason))
            continue
        texts.append(seen.text if seen.exists else "")
    active, home = sieve.places(tuple(texts))
    known = dict(accounts)
    scripts = {address: sieve.filled(active, address, place) for address, place in known.items()}
    virtual = [each for each in addresses if each not in known]
    scripts |= {each: sieve.filled(active, each, sieve.filled(home, each, "")) for each in virtual}
    if any(texts) and virtual and not all(scripts[each] for each in virtual):
        unread.append(
            ("Sieve scripts of virtual mailboxes", f"where {active} lies is not known from {SETTINGS[1]}")
        )
    for address, path in scripts.items():
        if not path:
            continue
        try:
            script = answer(probe, File(path))
        except CannotLook as gap:
            unread.append((path, gap.reason))
            continue
        if script.exists and (targets := sieve.redirects(script.text)):
            yield address, targets, path
