"""Which of Postfix's address classes a domain belongs to (Postfix ADDRESS_CLASS_README)."""

from __future__ import annotations

from typing import Literal

from mailmend.facts.looking import answer
from mailmend.facts.settings import file_words, value
from mailmend.model import Probe
from mailmend.parse.listing import words
from mailmend.questions import File, MapLookup

AddressClass = Literal["local", "alias", "mailbox", "relay", "default"]

# The lists whose domains are ours, and the order in which trivial-rewrite(8) tries them.
_LISTS: tuple[tuple[AddressClass, str], ...] = (
    ("local", "mydestination"),
    ("alias", "virtual_alias_domains"),
    ("mailbox", "virtual_mailbox_domains"),
    ("relay", "relay_domains"),
)
_FILE_CAP = 5000


def address_class(domain: str, probe: Probe) -> tuple[AddressClass, str | None]:
    """The class of *domain* and the parameter that names it; `default`, None for everybody else's."""
    for kind, name in _LISTS:
        if listed(domain, name, probe):
            return kind, name
    return "default", None


def listed(domain: str, name: str, probe: Probe) -> bool:
    """Whether the domain list of parameter *name* holds *domain*; the first pattern that matches decides."""
    parents = name == "relay_domains" and "relay_domains" in words(
        value(probe, "parent_domain_matches_subdomains")
    )
    return _matches(domain.lower(), words(value(probe, name)), probe, parents, below=name == "relay_domains")


def _matches(domain: str, patterns: tuple[str, ...], probe: Probe, parents: bool, below: bool) -> bool:
    for pattern in patterns:
        negated = pattern.startswith("!")
        bare = pattern.removeprefix("!")
        if bare.startswith("/"):
            text = answer(probe, File(bare)).text
            hit = _matches(domain, file_words(text)[:_FILE_CAP], probe, parents, below)
        elif ":" in bare and not bare.startswith("["):
            keys = (domain, *_parents(domain, parents)) if below else (domain,)
            hit = any(answer(probe, MapLookup(bare, key)) for key in keys)
        else:
            hit = domain == bare.lower() or (below and bare.lower() in _parents(domain, parents))
        if hit:
            return not negated
    return False


def _parents(domain: str, bare: bool) -> tuple[str, ...]:
    """Parent domains from near to far: `example.org` where *bare*, else `.example.org`."""
    labels = domain.split(".")
    return tuple(("" if bare else ".") + ".".join(labels[i:]) for i in range(1, len(labels)))


def transport_keys(domain: str, probe: Probe) -> tuple[str, ...]:
    """The keys of transport(5) for a domain: itself, then its parents, then `*`."""
    bare = "transport_maps" in words(value(probe, "parent_domain_matches_subdomains"))
    return (domain, *_parents(domain, bare), "*")


def origin(probe: Probe) -> str:
    """The domain appended to bare local names (myorigin; Debian lets it name a file)."""
    name = value(probe, "myorigin")
    if name.startswith("/"):
        lines = answer(probe, File(name)).text.split()
        name = lines[0] if lines else ""
    return name.lower()


def own_domains(probe: Probe) -> tuple[str, ...]:
    """The domains that this host's configuration names as its own; those inside tables cannot be listed."""
    names: dict[str, None] = dict.fromkeys(filter(None, (origin(probe),)))
    for parameter in ("mydomain", *(name for _, name in _LISTS)):
        for word in words(value(probe, parameter)):
            plain = word.lower().removeprefix(".")
            if not (":" in word or word[0] in "/![$" or "." not in plain):
                names.setdefault(plain)
    return tuple(name for name in names if not name.endswith((".localdomain", ".local")))


def is_own(domain: str, probe: Probe) -> bool:
    """Whether *domain* is ours: listed, inside one of the class tables, or the host's own name."""
    if domain in own_domains(probe) or domain == value(probe, "myhostname").lower():
        return True
    return address_class(domain, probe)[0] != "default"
