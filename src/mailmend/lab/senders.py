"""The people whose mail is forwarded: every kind of SPF, DKIM and DMARC, each as DNS records and a message.

All send from the lab's sender. Each domain is named for what it has, and has the records of exactly that.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.lab.zones import SENDER4, SENDER6

SELECTOR = "s1"
POLICIES = ("", "none", "quarantine", "reject")
_SPF = f"v=spf1 ip4:{SENDER4} ip6:{SENDER6}"


@dataclass(frozen=True, slots=True)
class Kind:
    """*envelope* and *author* are addresses, "" the null sender; *signer* the d= of the signature, "" for none.

    *broken*: the message was changed after it was signed, before it came here. *count*: messages at once.
    """

    name: str
    envelope: str
    author: str
    signer: str = ""
    broken: bool = False
    count: int = 1


def kinds() -> tuple[Kind, ...]:
    """Every kind of sender."""
    plain = [
        Kind(f"{name}-{policy or 'silent'}", f"alice@{domain}", f"alice@{domain}", domain if signs else "")
        for name, _spf, signs in _METHODS
        for policy in POLICIES
        for domain in (f"{name}-{policy or 'silent'}.example",)
    ]
    return (
        *plain,
        Kind("null-unsigned", "", "mailer-daemon@both-none.example"),
        Kind("null-signed", "", "mailer-daemon@both-reject.example", "both-reject.example"),
        Kind("null-strict", "", "mailer-daemon@spf-reject.example"),
        Kind("list-munged", "bounces@list.example", "list@list.example", "list.example"),
        Kind("list-burst", "bounces@list.example", "list@list.example", "list.example", count=3),
        Kind("list-resigned", "bounces@list.example", "alice@both-reject.example", "list.example"),
        Kind("list-footer", "bounces@list.example", "alice@both-reject.example", "both-reject.example", True),
        Kind("broken-none", "alice@both-none.example", "alice@both-none.example", "both-none.example", True),
        Kind(
            "broken-reject",
            "alice@both-reject.example",
            "alice@both-reject.example",
            "both-reject.example",
            True,
        ),
        Kind("provider-signs", "alice@spf-reject.example", "alice@spf-reject.example", "list.example"),
        Kind("tight", "alice@news.tight.example", "alice@news.tight.example", "tight.example"),
        Kind("loose", "alice@news.loose.example", "alice@news.loose.example", "loose.example"),
        Kind("sibling", "alice@a.loose.example", "alice@a.loose.example", "b.loose.example"),
        Kind("below-none", "alice@sub.tree.example", "alice@sub.tree.example"),
        Kind("everybody-may", "alice@open.example", "alice@open.example"),
        Kind("softfail", "alice@soft.example", "alice@soft.example"),
    )


# Name, whether it publishes SPF, whether it signs.
_METHODS = (("spf", True, False), ("dkim", False, True), ("both", True, True), ("neither", False, False))


def records(dkim_public: str) -> tuple[str, ...]:
    """What all of them publish; *dkim_public* is their one key, base64 without armour."""
    lines = []
    for name, has_spf, _signs in _METHODS:
        for policy in POLICIES:
            domain = f"{name}-{policy or 'silent'}.example"
            lines += [f"{domain} TXT {_SPF} -all"] if has_spf else []
            lines += [f"_dmarc.{domain} TXT v=DMARC1; p={policy}"] if policy else []
    lines += [
        f"list.example TXT {_SPF} -all",
        "_dmarc.list.example TXT v=DMARC1; p=reject",
        f"news.tight.example TXT {_SPF} -all",
        "_dmarc.tight.example TXT v=DMARC1; p=reject; adkim=s",
        f"news.loose.example TXT {_SPF} -all",
        "_dmarc.loose.example TXT v=DMARC1; p=reject",
        "_dmarc.tree.example TXT v=DMARC1; p=reject; sp=none",
        f"sub.tree.example TXT {_SPF} -all",
        "open.example TXT v=spf1 +all",
        "_dmarc.open.example TXT v=DMARC1; p=reject",
        f"soft.example TXT {_SPF} ~all",
        "_dmarc.soft.example TXT v=DMARC1; p=none",
    ]
    senders = {a.rpartition("@")[2] for kind in kinds() for a in (kind.envelope, kind.author) if a}
    signers = {kind.signer for kind in kinds() if kind.signer}
    lines += [f"{domain} MX 10 mail.sender.example." for domain in sorted(senders)]
    lines += [
        f"{SELECTOR}._domainkey.{domain} TXT v=DKIM1; k=rsa; p={dkim_public}" for domain in sorted(signers)
    ]
    return tuple(lines)
