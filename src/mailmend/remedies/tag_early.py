"""What comes in says in its header whether its author's domain stands for it; nothing is refused for that (RFC 9989).

The distribution's opendmarc, behind opendkim. It is the first step of `refuse-early`: for a week or so its lines in
the log show what would be refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mailmend.facts import judging, signing
from mailmend.facts.case import Case, written
from mailmend.facts.looking import answer
from mailmend.facts.services import overrides, services
from mailmend.facts.settings import program, value
from mailmend.facts.versions import version
from mailmend.model import CannotLook, Change, Effect, Expectation, Objection, Probe, Proposal
from mailmend.questions import Stat

ID = "tag-early"
HEALS = ("dmarc-reject",)
EFFECT: Effect = "contains"
# It needs packages and settings first: it is begun by an operator who asks for it, and by nobody else.
BY_NAME = True


def propose(case: Case, probe: Probe) -> Proposal:
    """opendmarc as the last milter of what comes over SMTP; nothing where it is one.

    What could not be looked at stops this remedy, and no other that is weighed beside it.
    """
    try:
        objections = tuple(objections_to(probe))
        if objections:
            return Proposal(ID, EFFECT, (), objections=objections)
        milter = signing.milter(judging.judge(probe).socket, probe) or f"inet:127.0.0.1:{judging.PORT}"
        told = tuple(_told(value(probe, "myhostname").lower(), probe))
        return Proposal(
            ID,
            EFFECT,
            (*told, *_changes(milter, probe)),
            (
                Expectation(
                    "running", "milter", milter, None, "Postfix reaches opendmarc at the start of a session"
                ),
            ),
            (
                *(f"{PurePosixPath(c.target).stem} is started anew, as {c.target} says then" for c in told),
                "a header field more in what comes in; while opendmarc is down mail comes in without it "
                "(default_action=accept)",
                "opendkim asks the root of DNS by itself: where it may not, its log says 'query timed out', and "
                f"{signing.SETTINGS} needs a line Nameservers",
                "what would be refused: grep 'opendmarc.* fail$' in the log; nothing is refused yet",
            ),
        )
    except CannotLook as gap:
        objection = Objection(f"what judges mail here could not be looked up: {gap.reason}", gap.next_step)
        return Proposal(ID, EFFECT, (), objections=(objection,))


def in_place(probe: Probe) -> bool:
    """Whether opendmarc is asked about all that comes over SMTP, and set as it has to be."""
    milter = signing.milter(judging.judge(probe).socket, probe)
    told = tuple(_told(value(probe, "myhostname").lower(), probe))
    return bool(milter) and signing.named(milter, value(probe, "smtpd_milters")) and not told


def _changes(milter: str, probe: Probe) -> Iterator[Change]:
    """Behind opendkim, whose results it reads; not for mail that is handed in here, which is own mail."""
    ours = f"{{ {milter}, default_action=accept }}"
    before = written(probe, "smtpd_milters")
    if not signing.named(milter, value(probe, "smtpd_milters")):
        yield Change("setting", "smtpd_milters", before, _last(ours, before), "reload")
    signer = signing.milter(signing.signer(probe).socket, probe)
    for entry in services(probe):
        own = overrides(probe, entry.id).get("smtpd_milters", "").strip()
        if (
            program(entry.command) == "smtpd"
            and signing.named(signer, own)
            and not signing.named(milter, own)
        ):
            yield Change("override", f"{entry.id}/smtpd_milters", own, _last(ours, own), "reload")


def _told(name: str, probe: Probe) -> Iterator[Change]:
    """What opendkim and opendmarc are told of each other, and of whom not to judge."""
    yield from signing.written_with(signing.SETTINGS, _verifying(name, probe), probe)
    yield from signing.written_with(judging.SETTINGS, _judging(name, probe), probe)


def _verifying(name: str, probe: Probe) -> Iterator[str]:
    found = judging.verifier(probe)
    if not found.name:
        yield f"AuthservID {name}"
    if not found.verifies:
        yield "Mode sv"
    if found.with_id:
        yield "AuthservIDWithJobID no"


def _judging(name: str, probe: Probe) -> Iterator[str]:
    found = judging.judge(probe)
    if not signing.milter(found.socket, probe):
        yield f"Socket inet:{judging.PORT}@localhost"
    if found.name != name:
        yield f"AuthservID {name}"
    if name not in found.trusted:
        yield f"TrustedAuthservIDs {name}"
    if not found.own_spf:
        yield "SPFSelfValidate true"
    if not found.ignores_users:
        yield "IgnoreAuthenticatedClients true"
    if judging.clients(probe) and not found.ignore_hosts:
        yield f"IgnoreHosts {judging.IGNORED}"


def _last(ours: str, before: str | None) -> str:
    return f"{before.strip()}, {ours}" if before and before.strip() else ours


def objections_to(probe: Probe) -> Iterator[Objection]:
    """What is missing, first things first."""
    known = version(probe)
    if known and known < (3, 0):
        yield Objection(
            f"Postfix {value(probe, 'mail_version')} has one milter_default_action for all milters (3.0 has one each)"
        )
    name = value(probe, "myhostname").lower()
    verifier = judging.verifier(probe) if answer(probe, Stat(signing.PROGRAM)).exists else None
    if verifier is None or not verifier.asked:
        yield Objection(
            "opendkim verifies no signatures here: forwards of others, which fail SPF, would be taken for forgeries",
            "mailmend fix --remedy dkim-sign, which puts it there",
        )
    elif verifier.name not in ("", name):
        yield Objection(
            f"opendkim writes what it verified under {verifier.name} (AuthservID in {signing.SETTINGS}), not as {name}",
            f"set AuthservID {name} there, then systemctl restart opendkim",
        )
    elif not answer(probe, Stat(judging.PROGRAM)).exists or not answer(probe, Stat(judging.SETTINGS)).exists:
        yield Objection("opendmarc is not installed", "apt-get install opendmarc dbconfig-no-thanks")
    else:
        yield from _settings(name, probe)


def _settings(name: str, probe: Probe) -> Iterator[Objection]:
    found = judging.judge(probe)
    if found.refuses:
        yield Objection(
            f"opendmarc refuses by itself (RejectFailures in {judging.SETTINGS}), and for good, also where DNS did "
            "not answer",
            f"set RejectFailures false in {judging.SETTINGS}, then systemctl restart opendmarc",
        )
        return
    clients = judging.clients(probe)
    ours = ("127.0.0.1", *clients) if clients else ()
    if unlisted := [each for each in ours if each not in found.ignored]:
        path = found.ignore_hosts or judging.IGNORED
        yield Objection(
            f"{path} does not name the networks of this host's own people, whom opendmarc would judge",
            f"write into {path} a line each: {' | '.join(unlisted)}"
            + (" and run systemctl restart opendmarc" if found.ignore_hosts else ""),
        )
        return
    place = signing.milter(found.socket, probe)
    if not place and signing.listens(f"inet:127.0.0.1:{judging.PORT}", probe):
        yield Objection(
            f"somebody else listens on port {judging.PORT}, where opendmarc would",
            f"give opendmarc another in {judging.SETTINGS}: Socket inet:PORT@localhost",
        )
    elif not tuple(_judging(name, probe)) and not signing.listens(place, probe):
        yield Objection(
            f"opendmarc does not run (nobody listens on {found.socket})", "systemctl restart opendmarc"
        )
