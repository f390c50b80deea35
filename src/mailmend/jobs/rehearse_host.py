"""This host -> what a rehearsal needs of it: its instances to copy, its addresses and names, the DNS about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailmend.jobs.here import Here
from mailmend.model import Probe
from mailmend.parse import spf
from mailmend.questions import File, HostAddresses, Instances, Records, Setting, SourceAddress
from mailmend.rehearsal import LeftOut
from mailmend.road.edits import config_directory

if TYPE_CHECKING:
    from mailmend.lab.clone import Clone
    from mailmend.lab.clone_copy import Source
    from mailmend.lab.clone_mail import Mail
    from mailmend.lab.clone_stage import Surroundings

# Nothing is sent there: the kernel is asked which of its addresses it would use.
_FAR = {"ipv4": "8.8.8.8", "ipv6": "2001:4860:4860::8888"}
_GOOGLE = (".google.com", ".googlemail.com")
_DEFAULTS = (
    "queue_directory",
    "data_directory",
    "alias_maps",
    "myhostname",
    "mydomain",
    "mydestination",
    "myorigin",
)
_MOST_RECORDS = 60
# Of a host with hundreds of addresses, those that it does not send from matter little.
_MOST_ADDRESSES = 20
# Domains that are the lab's own from the beginning.
_STAND_INS = ("gmail.com", "v6only.example", "elsewhere.example", "sender.example")


def source(here: Here) -> Source:
    """Every instance of this host, the one that the command is about first. CannotLook: it cannot be read."""
    from mailmend.lab.clone_copy import Source, names_of
    from mailmend.system.live import live

    main = config_directory(here.probe)
    known = here.probe.ask(Instances()).answer or ()
    listed = [i.config_directory for i in known if i.enabled or i.config_directory == main]
    directories = names_of([main, *listed] if main in listed else [main])
    defaults = {}
    for directory in directories:
        probe: Probe = here.probe if directory == main else live(directory)
        asked = {name: probe.ask(Setting(name)).answer for name in _DEFAULTS}
        defaults[directory] = {n: s.value or "" for n, s in asked.items() if s and s.written is None}
    return Source(directories, defaults)


def surroundings(
    here: Here, clone: Clone, after: Clone | None = None
) -> tuple[Surroundings, tuple[Mail, ...], tuple[LeftOut, ...]]:
    """What is around the host, the test mails, and what could not be seen of it. *after*: with the change."""
    from mailmend.lab.clone_stage import Surroundings
    from mailmend.lab.clone_ways import forwards, sender, ways

    probe = here.probe
    addresses = tuple(
        a.ip for a in probe.ask(HostAddresses()).answer or () if not (a.loopback or a.link_local)
    )
    sources = {family: probe.ask(SourceAddress(far)).answer for family, far in _FAR.items()}
    targets = [f.target for part in clone.parts for f in forwards(part, clone.texts, None)][:20]
    domains = dict.fromkeys(t.rpartition("@")[2].lower() for t in targets)
    googles = frozenset(d for d in domains if _is_googles(d, probe))
    records, left = [], list[LeftOut]()
    own = sender(clone.parts[0], clone.files).rpartition("@")[2]
    for ip in dict.fromkeys((*filter(None, sources.values()), *addresses[:_MOST_ADDRESSES])):
        pointers = probe.ask(Records(ip, "PTR"))
        if pointers.answer is None:
            left.append(
                LeftOut(f"the reverse DNS of {ip}", f"it could not be looked up ({pointers.error}): none")
            )
            continue
        records += [f"{ip} PTR {name}" for name in pointers.answer.records]
        records += [
            r for name in pointers.answer.records for r in _addresses(name.rstrip(".").lower(), probe)
        ]
    # The internet's side of the test: everybody who is forwarded to has a stand-in.
    for domain in domains:
        host = "1 aspmx.l.google.com." if domain in googles else "10 mx.elsewhere.example."
        if domain not in _STAND_INS:
            records.append(f"{domain} MX {host}")
    for part in clone.parts:
        records += _addresses(part.value("myhostname").lower(), probe)
    records += list(_spf_records(own.lower(), probe))
    for each in (clone, after):
        if each and each.rewriter:
            records += list(_spf_records(each.rewriter.domain, probe))
    hosts = probe.ask(File("/etc/hosts")).answer
    around = Surroundings(
        hostname=here.host().hostname,
        hosts=hosts.text if hosts else "",
        addresses=addresses,
        source4=sources["ipv4"],
        source6=sources["ipv6"],
        records=tuple(dict.fromkeys(records)),
    )
    for family, source_ip in sources.items():
        if source_ip is None:
            left.append(
                LeftOut(f"mail over {family.replace('ip', 'IP')}", "this host has no way out over it")
            )
    return around, ways(clone.parts, clone.texts, clone.files, googles | {"gmail.com"}), tuple(left)


def _is_googles(domain: str, probe: Probe) -> bool:
    if domain in ("gmail.com", "googlemail.com"):
        return True
    answer = probe.ask(Records(domain, "MX")).answer
    names = [record.split()[-1].rstrip(".").lower() for record in answer.records] if answer else []
    return any(f".{name}".endswith(_GOOGLE) for name in names)


def _addresses(name: str, probe: Probe) -> list[str]:
    """The address records of one of the host's own names."""
    if "." not in name:
        return []
    four, six = probe.ask(Records(name, "A")).answer, probe.ask(Records(name, "AAAA")).answer
    found = [f"{name} A {record}" for record in (four.records if four else ())]
    return found + [f"{name} AAAA {record}" for record in (six.records if six else ())]


def _spf_records(domain: str, probe: Probe) -> Iterator[str]:
    """The domain's SPF record and all that it leads to (RFC 7208), so that the stand-ins judge by the same."""
    waiting, known = [domain], set[str]()
    while waiting and len(known) < _MOST_RECORDS:
        name = waiting.pop(0)
        if name in known or "." not in name:
            continue
        known.add(name)
        texts = probe.ask(Records(name, "TXT")).answer
        for text in texts.records if texts else ():
            if not spf.is_spf(text):
                continue
            yield f"{name} TXT {text}"
            for word in text.split()[1:]:
                what, _, rest = word.lstrip("+-~?").replace("redirect=", "include:").partition(":")
                other = rest.partition("/")[0] or name
                if "%" in other:
                    continue
                if what == "include":
                    waiting.append(other.lower())
                elif what.partition("/")[0] in ("a", "mx"):
                    yield from _hosts(other.lower(), what.startswith("mx"), probe)


def _hosts(name: str, mx: bool, probe: Probe) -> Iterator[str]:
    """What `a` and `mx` of an SPF record look up."""
    if not mx:
        yield from _addresses(name, probe)
        return
    answer = probe.ask(Records(name, "MX")).answer
    for record in answer.records[:10] if answer else ():
        yield f"{name} MX {record}"
        yield from _addresses(record.split()[-1].rstrip(".").lower(), probe)
