"""Names of the lab's internet -> DNS records, changed while it runs (RFC 1034, RFC 2606 and 3849 names).

The truth is kept here; what a resolver makes of it (dead, lying) is nameserver.py's.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

RELAY4 = "192.0.2.10"
RELAY6 = "2001:db8:1::10"
# A second address of the relay whose reverse DNS is in order; the kernel does not choose it by itself.
RELAY6_GOOD = "2001:db8:1::25"
RECEIVER4 = "198.51.100.27"
RECEIVER6 = "2001:db8:2::1a"
SENDER4 = "203.0.113.25"
SENDER6 = "2001:db8:3::25"
ELSEWHERE4 = "203.0.113.153"
ELSEWHERE6 = "2001:db8:4::99"
ONLY6 = "2001:db8:4::66"

GOOGLE_HOSTS = (
    "gmail-smtp-in.l.google.com",
    "alt1.gmail-smtp-in.l.google.com",
    "aspmx.l.google.com",
    "aspmx2.googlemail.com",
)
TTL = 5

_SPF_SENDER = f"v=spf1 ip4:{SENDER4} ip6:{SENDER6} -all"
RECORDS = (
    "gmail.com MX 5 gmail-smtp-in.l.google.com.",
    "gmail.com MX 10 alt1.gmail-smtp-in.l.google.com.",
    "workspace.example MX 1 aspmx.l.google.com.",
    "oldworkspace.example MX 1 aspmx2.googlemail.com.",
    *(f"{host} A {RECEIVER4}" for host in GOOGLE_HOSTS),
    *(f"{host} AAAA {RECEIVER6}" for host in GOOGLE_HOSTS),
    f"{RECEIVER4} PTR mx.google.com.",
    f"{RECEIVER6} PTR mx.google.com.",
    "v6only.example MX 1 mx6.v6only.example.",
    f"mx6.v6only.example AAAA {ONLY6}",
    f"{ONLY6} PTR mx6.v6only.example.",
    "elsewhere.example MX 10 mx.elsewhere.example.",
    f"mx.elsewhere.example A {ELSEWHERE4}",
    f"mx.elsewhere.example AAAA {ELSEWHERE6}",
    f"{ELSEWHERE4} PTR mx.elsewhere.example.",
    f"{ELSEWHERE6} PTR mx.elsewhere.example.",
    # The relay: in order over IPv4; over IPv6 its provider gave no PTR. Its domain publishes no SPF yet.
    "example.org MX 10 relay.example.org.",
    f"example.org A {RELAY4}",
    f"relay.example.org A {RELAY4}",
    f"relay.example.org AAAA {RELAY6}",
    f"{RELAY4} PTR relay.example.org.",
    f"relay25.example.org AAAA {RELAY6_GOOD}",
    f"{RELAY6_GOOD} PTR relay25.example.org.",
    # Two senders with everything in order; one forbids mail that is not authenticated as its own.
    "sender.example MX 10 mail.sender.example.",
    f"sender.example TXT {_SPF_SENDER}",
    "_dmarc.sender.example TXT v=DMARC1; p=none",
    "strict.example MX 10 mail.sender.example.",
    f"strict.example TXT {_SPF_SENDER}",
    "_dmarc.strict.example TXT v=DMARC1; p=reject",
    f"mail.sender.example A {SENDER4}",
    f"mail.sender.example AAAA {SENDER6}",
    f"{SENDER4} PTR mail.sender.example.",
    f"{SENDER6} PTR mail.sender.example.",
)
APEXES = (
    "gmail.com",
    "google.com",
    "googlemail.com",
    "workspace.example",
    "oldworkspace.example",
    "v6only.example",
    "elsewhere.example",
    "example.org",
    "sender.example",
    "strict.example",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    *(f"{net}.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" for net in "1234"),
)


def owner(name: str) -> str:
    """The absolute name in lower case; an IP address stands for its name in the reverse tree."""
    try:
        return ip_address(name).reverse_pointer + "."
    except ValueError:
        return name.rstrip(".").lower() + "."


def parse(text: str) -> tuple[str, Any]:
    """`name [ttl] [IN] TYPE data` -> (owner, record). TXT data is one string, quoted or not, of any length.

    Raises ValueError where it cannot be read; the text is in the message.
    """
    from dnslib import QTYPE, RR, TXT, DNSError

    words = text.split()
    ttl = int(words.pop(1)) if len(words) > 1 and words[1].isdigit() else TTL
    if len(words) > 1 and words[1].upper() == "IN":
        words.pop(1)
    if len(words) < 3:
        raise ValueError(f"no DNS record: {text}")
    name, kind = owner(words[0]), words[1].upper()
    if kind == "TXT":
        data = text.split(words[1], 1)[1].strip().strip('"').encode()
        parts = [data[i : i + 255] for i in range(0, len(data), 255)] or [b""]
        return name, RR(name, QTYPE.TXT, ttl=ttl, rdata=TXT(parts))
    try:
        (record,) = RR.fromZone(f"{name} {ttl} IN {kind} {' '.join(words[2:])}")
    except (DNSError, ValueError, KeyError, IndexError) as failure:
        raise ValueError(f"no DNS record: {text}: {failure}") from failure
    return name, record


class Zones:
    """All records by owner; one name holds the records of every type."""

    def __init__(self, dkim_public: str, more: tuple[str, ...] = ()) -> None:
        """*dkim_public*: the senders' key, base64 without armour; *more*: further records of the beginning."""
        keys = (
            f"s1._domainkey.{d} TXT v=DKIM1; k=rsa; p={dkim_public}"
            for d in ("sender.example", "strict.example")
        )
        self._pristine = (*RECORDS, *keys, *more)
        self._records: dict[str, list[Any]] = {}
        self.reset()

    def reset(self) -> None:
        self._records = {}
        for name, record in map(parse, self._pristine):
            self._records.setdefault(name, []).append(record)

    def publish(self, texts: list[str]) -> None:
        """Each name and type that is mentioned gets exactly the records given now."""
        parsed = [parse(text) for text in texts]
        for name, record in parsed:
            kept = [old for old in self._records.get(name, []) if old.rtype != record.rtype]
            self._records[name] = kept
        for name, record in parsed:
            self._records[name].append(record)

    def withdraw(self, name: str, kind: str | None = None) -> None:
        """Remove the records of one type, or all that the name has."""
        from dnslib import QTYPE

        left = [r for r in self._records.get(owner(name), []) if kind and QTYPE[r.rtype] != kind.upper()]
        self._records[owner(name)] = left

    def lookup(self, name: str, kind: str) -> tuple[list[Any], bool]:
        """The records of *kind* at *name*, CNAMEs followed and included; False where no such name exists."""
        from dnslib import QTYPE

        name = owner(name)
        answer: list[Any] = []
        for _ in range(8):
            here = self._records.get(name, [])
            found = [r for r in here if QTYPE[r.rtype] == kind or kind == "ANY"]
            alias = next((r for r in here if QTYPE[r.rtype] == "CNAME"), None)
            if found or alias is None:
                return answer + found, bool(answer or here) or self._above_something(name)
            answer.append(alias)
            name = owner(str(alias.rdata.label))
        return answer, True

    def _above_something(self, name: str) -> bool:
        """An empty non-terminal or an apex exists (RFC 8020)."""
        bare = name.rstrip(".")
        below = any(records and known.endswith("." + name) for known, records in self._records.items())
        return below or bare in APEXES or any(apex.endswith("." + bare) for apex in APEXES)

    def values(self, name: str, kind: str) -> list[str]:
        """The data alone, in presentation form, names without their last dot; TXT strings joined."""
        from dnslib import QTYPE

        records, _ = self.lookup(name, kind)
        return [data(r) for r in records if QTYPE[r.rtype] == kind]


def data(record: Any) -> str:
    """A record's data: an address, `5 mx.example`, a name, or the joined strings of a TXT."""
    from dnslib import QTYPE

    if QTYPE[record.rtype] == "TXT":
        return b"".join(record.rdata.data).decode("utf-8", "surrogateescape")
    return str(record.rdata).rstrip(".")


def apex(name: str) -> str:
    """The zone that *name* lies in; the root where the lab knows none."""
    bare = name.rstrip(".").lower()
    inside = [a for a in APEXES if bare == a or bare.endswith("." + a)]
    return max(inside, key=len, default="") + "."
