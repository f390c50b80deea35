"""A kind of forwarded mail, DNS and this host -> whether receivers take it, why not, and what cures it.

The rules are those of `forward_outcome`. What they leave open because nobody logged it (a signature, the author), the
log of what became of such mail may still tell: mail that a receiver took although its SPF does not hold was signed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mailmend.facts.forward_measured import Sender, mail, ways
from mailmend.facts.forward_outcome import Mail, Prediction, Signature, Way, predict
from mailmend.facts.forwarding import entrances, filters, milters, rewriters
from mailmend.facts.looking import answer
from mailmend.model import Family, MailmendError, Probe
from mailmend.parse.spf import is_spf
from mailmend.questions import Records

Verdict = Literal["accepted", "refused", "unknown"]
Why = Literal[
    "",
    "host-name",  # this host's address has no name, whoever sent it
    "too-fast",
    "altered-here",  # it came with a good signature, and this host breaks it
    "altered-unknown",  # and programs that it passes here may
    "signature-broken",  # it came so
    "signature-foreign",  # it holds, for another domain than the author's
    "spf-only",
    "unsigned",  # and no SPF either
    "signature-unknown",
    "log-differs",  # by the rules it is taken, and it was not, or the other way round
]
# Causes with which a receiver says that it does not believe who sent a message.
AUTHENTICATION = frozenset(
    ("dmarc-reject", "unauthenticated", "spf-fail", "dkim-fail", "ipv6-ptr-or-auth", "dmarc-alignment")
)
# Milters that add a field of their own to the header of what they verify, and touch nothing else.
_VERIFIERS = frozenset(("opendkim", "opendmarc"))
_SIGNATURES: tuple[Signature, ...] = ("aligned", "foreign", "none", "broken")
_SIGNERS = 3  # of one message, that may be its author's


@dataclass(frozen=True, slots=True)
class Kind:
    """Mail that is alike for a receiver. *sender*: the envelope's domain as it came here, "" the null sender.

    *author*: the domain of From:, None: not known. *verified*: the domains whose signatures held when it arrived, ()
    for none; None: not known. *signed*: it has a signature at all; None: not known. *receiver*: its id in receivers/,
    the recipient's domain where it is nobody's we know: what becomes of mail at one says nothing of another.
    """

    sender: str
    author: str | None
    verified: tuple[str, ...] | None
    signed: bool | None
    receiver: str = ""


@dataclass(frozen=True, slots=True)
class Fared:
    """How mail of one kind fared over *family*, under the configuration that runs: how much was accepted, and how
    much was refused for a reason of `AUTHENTICATION`."""

    family: Family | None
    accepted: int
    refused: int


@dataclass(frozen=True, slots=True)
class Judged:
    """*verdict* is what the next message of this kind will meet; *told_by*: the rules, or what the log shows of it.

    *cause* is a page of causes/, "" where it is accepted. *cures*: the fewest remedies with which it is accepted; ()
    with `refused`: nothing on this host cures it. *certain*: they serve whatever is not known of it. *if_signed*,
    *if_unsigned*: both outcomes, where it depends on whether it arrives signed and nobody logged that. *assumed*: the
    author is taken to be of the envelope's domain, or the signer's. *policy*: what the author's domain asks for,
    None: not known. *over*: the one family over which it is refused, where it is taken over the other and that alone
    decides. *relay*: the next hop that all of it is handed to, whose address the receiver judges, and whose log alone
    has what became of it; "" for none. *error*: what could not be seen.
    """

    verdict: Verdict
    told_by: Literal["rules", "log"] = "rules"
    cause: str = ""
    why: Why = ""
    cures: tuple[str, ...] = ()
    certain: bool = True
    if_signed: Prediction | None = None
    if_unsigned: Prediction | None = None
    assumed: bool = False
    author: str | None = None
    policy: str | None = None
    over: Family | None = None
    relay: str = ""
    error: str = ""


def judge(
    kind: Kind,
    sender: str,
    recipient: str,
    probe: Probe,
    *,
    fared: Collection[Fared] = (),
    programs: Collection[str] = (),
) -> Judged:
    """*sender* is one such envelope sender, *recipient* one to whom it is forwarded. *programs*: what verified it.

    What cannot be looked at is an `unknown` with its *error*.
    """
    try:
        routes = tuple(_passed(way, programs, probe) for way in _ways(sender, recipient, probe))
        if not routes:
            return Judged("unknown", error=f"no address at which {recipient} would be reached is known")
        if relay := routes[0].relay:
            fared = ()  # a relay took it, or not: that tells nothing of the receiver
        case = _Case(kind, _mails(kind, sender, probe), routes, probe)
        judged = _by_rules(case)
        if judged.verdict == "unknown" and judged.over is None:
            judged = _by_log(case, fared) or _both(judged, case)
    except (
        MailmendError
    ) as gap:  # a refusal among them: where it does not leave by SMTP, nothing can be foretold
        return Judged("unknown", author=kind.author, error=gap.reason)
    return replace(_held_against(judged, fared), relay=relay)


@dataclass(frozen=True, slots=True)
class _Case:
    """What mail of a kind may be, *mails*, and the *routes* that it may take."""

    kind: Kind
    mails: tuple[Mail, ...]
    routes: tuple[Way, ...]
    probe: Probe

    def signed(self, signature: Signature) -> _Case:
        return replace(self, mails=tuple(replace(one, signature=signature) for one in self.mails))

    def each(self) -> Iterator[_Case]:
        """Every one mail that it may be, with every signature that it may have, changed on the way or not."""
        open_ = any(way.intact is None for way in self.routes)
        for intact in (True, False) if open_ else (None,):
            routes = tuple(_known(way, intact) for way in self.routes)
            for one in self.mails:
                for signature in _SIGNATURES if one.signature is None else (one.signature,):
                    yield replace(self, mails=(replace(one, signature=signature),), routes=routes)


def _ways(sender: str, recipient: str, probe: Probe) -> tuple[Way, ...]:
    return ways(Sender(sender, sender, None), recipient, probe)


def _passed(way: Way, programs: Collection[str], probe: Probe) -> Way:
    """*way*, with milters that are known to leave header and body as they are not counted as unknown."""
    doors = entrances(probe)
    if way.intact is not None or filters(probe, doors) or rewriters(probe):
        return way
    if len(milters(probe, doors)) > len(_VERIFIERS.intersection(programs)):
        return way
    return _known(way, True)


def _known(way: Way, intact: bool | None) -> Way:
    """*way* with what is not known of it taken to be *intact*; None leaves it open."""
    if intact is None or way.intact is not None:
        return way
    return replace(way, intact=intact, then=_known(way.then, intact) if way.then else None)


def _mails(kind: Kind, sender: str, probe: Probe) -> tuple[Mail, ...]:
    """What this mail may be, as far as it is known: one, or of an author who is not known several."""
    if kind.author is not None:
        return (_mail(kind, sender, kind.author, probe),)
    signers = (kind.verified or ())[:_SIGNERS]
    if kind.sender:
        own = _mail(kind, sender, kind.sender, probe)
        if own.signature == "foreign":  # a sending service: the author may be whoever signed
            return (own, *(_mail(kind, sender, signer, probe) for signer in signers))
        return (own,)
    if signers:
        return tuple(_mail(kind, sender, signer, probe) for signer in signers)
    # A notice of somebody whose domain nobody logged: it may ask for anything.
    signature: Signature | None = None if kind.verified is None else "broken" if kind.signed else "none"
    silent = Mail("", "", "", spf_aligned=False, signature=signature)
    return (silent, replace(silent, policy="reject"))


def _mail(kind: Kind, sender: str, author: str, probe: Probe) -> Mail:
    """With the best of its signatures: one that stands for the author is enough."""
    signers: Iterable[str | None] = (None,) if kind.verified is None else kind.verified or ("",)
    every = [
        mail(Sender(sender, f"postmaster@{author}", signer, signed=bool(kind.signed)), probe)
        for signer in signers
    ]
    return next((one for one in every if one.signature == "aligned"), every[0])


def _by_rules(case: _Case) -> Judged:
    told = [(one, way, predict(one, way)) for one in case.mails for way in case.routes]
    one, way, worst = min(told, key=lambda each: ("refused", "unknown", "accepted").index(each[2].verdict))
    verdicts = {prediction.verdict for _, _, prediction in told}
    cures, certain = _common([p.cures for _, _, p in told if p.verdict != "accepted"])
    return Judged(
        verdicts.pop() if len(verdicts) == 1 else "unknown",
        cause=worst.cause,
        why=_why(one, way, worst.cause, case.probe),
        cures=cures,
        certain=certain,
        assumed=case.kind.author is None,
        author=one.author or None,
        policy=one.policy if len({m.policy for m in case.mails}) == 1 else None,
        over=_family_refused([(way.family, prediction.verdict) for _, way, prediction in told]),
    )


def _family_refused(told: Sequence[tuple[Family, Verdict]]) -> Family | None:
    """The family over which all is refused, while over the other all is accepted; None where it is not so."""
    refused = {family for family, verdict in told if verdict == "refused"}
    accepted = {family for family, verdict in told if verdict == "accepted"}
    if len(refused) != 1 or not accepted or refused & accepted or any(v == "unknown" for _, v in told):
        return None
    return refused.pop()


def _by_log(case: _Case, fared: Collection[Fared]) -> Judged | None:
    """What of all that it may be agrees with what became of such mail, where that is all alike; None: it is not."""
    if not any(each.accepted or each.refused for each in fared):
        return None
    every = [_by_rules(one) for one in case.each() if _agrees(one, fared)]
    if len({each.verdict for each in every}) != 1 or every[0].verdict == "unknown":
        return None
    cures, certain = _common([each.cures for each in every if each.verdict != "accepted"])
    reasons = {each.why for each in every}
    why: Why = reasons.pop() if len(reasons) == 1 else "signature-unknown"
    certain = certain and all(each.certain for each in every)
    return replace(every[0], told_by="log", cures=cures, certain=certain, why=why)


def _both(judged: Judged, case: _Case) -> Judged:
    """Where nobody logged whether it arrives signed, both outcomes."""
    if case.mails[0].signature is not None:
        return judged
    signed, unsigned = _by_rules(case.signed("aligned")), _by_rules(case.signed("none"))
    return replace(
        judged,
        why="signature-unknown",
        if_signed=Prediction(signed.verdict, signed.cause, signed.cures),
        if_unsigned=Prediction(unsigned.verdict, unsigned.cause, unsigned.cures),
    )


def _agrees(case: _Case, fared: Collection[Fared]) -> bool:
    """Whether what became of such mail over a family is what the rules say of it."""
    return all(
        not ((each.accepted and verdict == "refused") or (each.refused and verdict == "accepted"))
        for way in case.routes
        for verdict in {predict(one, way).verdict for one in case.mails}
        for each in fared
        if each.family == way.family
    )


def _held_against(judged: Judged, fared: Collection[Fared]) -> Judged:
    """What was seen is believed before what was concluded."""
    accepted, refused = sum(each.accepted for each in fared), sum(each.refused for each in fared)
    if judged.verdict == "accepted" and refused:
        return replace(judged, verdict="unknown", told_by="log", why="log-differs")
    if judged.verdict == "refused" and judged.cause in AUTHENTICATION and accepted:
        verdict: Verdict = "unknown" if refused else "accepted"
        return replace(judged, verdict=verdict, told_by="log", why="log-differs", cures=())
    return judged


def _common(every: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], bool]:
    """The cures that serve for all that can be cured, and whether that is all."""
    cures = [each for each in every if each]
    if not cures:
        return (), True
    most = max(cures, key=len)
    if not all(set(each) <= set(most) for each in cures):
        most = tuple(dict.fromkeys(sum(cures, ())))
    return most, len(cures) == len(every)


def _why(one: Mail, way: Way, cause: str, probe: Probe) -> Why:
    if not cause:
        return ""
    if cause == "rate-limited-reputation":
        return "too-fast"
    if cause == "ptr-missing" or (cause == "ipv6-ptr-or-auth" and way.named is not True):
        return "host-name"
    if way.intact is not True and one.signature in ("aligned", "foreign"):
        return "altered-unknown" if way.intact is None else "altered-here"
    if one.signature == "none":
        return "spf-only" if one.envelope and _publishes_spf(one.envelope, probe) else "unsigned"
    return _SAYS.get(one.signature, "signature-unknown")


_SAYS: dict[Signature | None, Why] = {"broken": "signature-broken", "foreign": "signature-foreign"}


def _publishes_spf(domain: str, probe: Probe) -> bool:
    return any(map(is_spf, answer(probe, Records(domain, "TXT")).records))
