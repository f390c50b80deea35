"""The nouns of mailmend: frozen values. Nothing here reads, decides or acts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Generic, Literal, Protocol, TypeVar

from mailmend.rehearsal import Rehearsal

Family = Literal["ipv4", "ipv6"]
Severity = Literal["bounced", "deferred", "rejected-inbound", "delivered", "notice"]
Standing = Literal["reported", "measured", "unknown", "cleared"]
Activation = Literal["none", "map", "reload", "restart"]
Effect = Literal["cures", "contains"]
Layer = Literal["saved", "running", "client", "delivery", "dns"]
Verdict = Literal["holds", "fails", "pending", "unknown"]

# From what costs a running server nothing to what closes its port for a moment.
ACTIVATIONS: tuple[Activation, ...] = ("none", "map", "reload", "restart")


class MailmendError(Exception):
    """What a person is told in one line: what is wrong, and what to do next."""

    def __init__(self, reason: str, next_step: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.reason}; {self.next_step}" if self.next_step else self.reason


class ParseError(MailmendError):
    """The input is not what it should be; the reason names the place (exit 2)."""


class CannotLook(MailmendError):
    """What had to be looked at is not there or not readable (exit 3)."""


class Refused(MailmendError):
    """Mailmend declines to act, or took its action back (exit 4)."""


@lru_cache(maxsize=1024)  # a log has the same few in every line
def family_of(ip: str | None) -> Family | None:
    """The address family of *ip*; None where there is no address or it is none."""
    try:
        return "ipv6" if ip_address(ip or "").version == 6 else "ipv4"
    except ValueError:
        return None


# ---- what a bounce says -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321 4.2) with its enhanced status code (RFC 3463), where it has them.

    *text* is one line: without codes, without the repeated `550-5.7.1` of a multi-line reply.
    """

    code: int | None
    status: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Relay:
    """The host that answered: the Remote-MTA of RFC 3464, `relay=` in Postfix's log."""

    host: str | None
    ip: str | None

    @property
    def family(self) -> Family | None:
        return family_of(self.ip)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver to one recipient, as a DSN (RFC 3464), a log or a reply tells it.

    *sender* is the envelope sender: "" is the null sender, None is not known.
    *source_ip* is the address that the receiver says it was contacted from.
    *forwarded* is True where the text shows an address expanded or rewritten on the way.
    *excerpt* is the text as it was found, for the person who pasted it.
    *notice* names the cause of a `notice` that is no reply at all: an automatic answer, a complaint.
    """

    severity: Severity
    recipient: str | None = None
    reply: Reply | None = None
    relay: Relay | None = None
    original_recipient: str | None = None
    sender: str | None = None
    source_ip: str | None = None
    forwarded: bool | None = None
    reporting_mta: str | None = None
    queue_id: str | None = None
    at: datetime | None = None
    excerpt: str = ""
    notice: Literal["auto-reply", "feedback-report"] | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """A page of causes/: what went wrong, whose move it is, what to do, and where that is written.

    *who* as in the taxonomy (`sender-dns`, `own-mta`, ...); *kind* `permanent`, `temporary`, `either`, or
    `state` for what is wrong on the host itself. *checks* decide it; *remedies* may heal it.
    *coarse* is the class that it falls into where a few classes are enough (`auth`, `rate`, `user_unknown`).
    *summary* is the sentence for one refusal, with {receiver}, {source}, {domain}, {recipient} in it.
    *forwarded_who* and its like take the place of the others for mail that was forwarded; () keeps those.
    """

    id: str
    title: str
    who: tuple[str, ...]
    kind: Literal["permanent", "temporary", "either", "state"]
    steps: tuple[str, ...]
    checks: tuple[str, ...]
    remedies: tuple[str, ...]
    sources: tuple[str, ...]
    page: str
    summary: str = ""
    coarse: str = ""
    forwarded_who: tuple[str, ...] = ()
    forwarded_steps: tuple[str, ...] = ()
    forwarded_remedies: tuple[str, ...] | None = None  # None: as ever; () where forwarding leaves none


@dataclass(frozen=True, slots=True)
class Refusal:
    """A delivery explained: who refused (*receiver*), why (*cause*), who must act, what to do.

    *ambiguous* lists the causes between which the reply cannot tell; *checks* are those that can.
    *marks* are the words of the reply that decided. *cause* is `unknown` where no rule matched. *gave_up* says
    that the queue tried for too long; the cause is why it did not get through meanwhile.
    """

    delivery: Delivery
    receiver: str | None
    cause: str
    ambiguous: tuple[str, ...]
    who: tuple[str, ...]
    steps: tuple[str, ...]
    remedies: tuple[str, ...]
    checks: tuple[str, ...]
    source: str | None
    standing: Standing
    marks: tuple[str, ...] = ()
    summary: str = ""
    gave_up: bool = False


# ---- looking ------------------------------------------------------------------------------

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Question(Generic[A_co]):
    """A question of fact with a typed answer. Every question is a frozen dataclass (questions.py)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Evidence(Generic[A]):
    """One look at the world. *error* says why the look failed; then *answer* is None and means nothing."""

    question: Question[A]
    answer: A | None
    error: str | None
    at: datetime

    @property
    def known(self) -> bool:
        return self.error is None


class Probe(Protocol):
    """The seam: everything that mailmend learns about the world is asked here."""

    def ask(self, question: Question[A], /) -> Evidence[A]: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose mail a check is about. Empty tuples: what the host itself shows is used instead.

    *recipients* and *senders* are addresses or domains; *receiver* is the id of a receiver;
    *message* is the raw text (latin-1 decoded) of a message that was given to look at.
    """

    recipients: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    receiver: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check or a receiver says of one subject: an address, a domain or a setting.

    *cause* is the id of a page in causes/. *summary* is one sentence with the figures in it.
    *address* is the source address that a domain or setting was held against, where there was one.
    Only a `measured` finding may reach a plan by itself.
    """

    cause: str
    subject: str
    standing: Standing
    summary: str
    evidence: tuple[Evidence[Any], ...] = ()
    check: str | None = None
    receiver: str | None = None
    family: Family | None = None
    address: str | None = None


# ---- acting -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that becomes another.

    *kind* `setting`: a main.cf parameter; *target* its name.
    `override`: a `-o` of master.cf; *target* is `service/type/parameter`, as postconf(1) -P writes it.
    `field`: a column of master.cf; *target* is `service/type/column`, as postconf(1) -F names it.
    `service`: a master.cf entry; *target* is `service/type`, *after* its whole text.
    `file`: a lookup table that mailmend writes; *target* its path.
    `dns`: a record that somebody else publishes; *target* is `name TYPE`, *after* its text.
    None stands for "not there".
    """

    kind: Literal["setting", "override", "field", "service", "file", "dns"]
    target: str
    before: str | None
    after: str | None
    activation: Activation


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A file's text before and after (surrogateescape keeps every byte); None: not there."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must hold once a change is active, said so that it can be looked up afresh.

    *kind* names how it is judged (facts/expect.py); *subject* and *wanted* are its arguments.
    """

    layer: Layer
    kind: str
    subject: str
    wanted: str | None
    says: str


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a remedy must not be applied here (*blocking*), or what the operator should know first.

    *overridable*: it stops mailmend's own choice, not an operator who asks for the remedy by its name.
    """

    reason: str
    next_step: str = ""
    blocking: bool = True
    overridable: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A remedy worked out for this host: the changes, what they cost, what must hold afterwards."""

    remedy: str
    effect: Effect
    changes: tuple[Change, ...]
    expectations: tuple[Expectation, ...] = ()
    cost: tuple[str, ...] = ()
    objections: tuple[Objection, ...] = ()

    @property
    def blocked(self) -> bool:
        return any(objection.blocking for objection in self.objections)

    @property
    def forbidden(self) -> bool:
        """Blocked for whoever asks."""
        return any(objection.blocking and not objection.overridable for objection in self.objections)

    @property
    def activation(self) -> Activation:
        return max((c.activation for c in self.changes), key=ACTIVATIONS.index, default="none")


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done: approved by *digest*, which covers every byte of the files before and after.

    *chosen* is applied; *pending* (DNS records of others) is shown and watched; *declined* are the
    remedies that were weighed and not taken, each with its objections. *rehearsal* where one was held.
    """

    chosen: Proposal | None
    findings: tuple[Finding, ...]
    files: tuple[FileEdit, ...]
    diff: str
    digest: str
    pending: tuple[Proposal, ...] = ()
    declined: tuple[Proposal, ...] = ()
    reason: str = ""
    rehearsal: Rehearsal | None = None

    @property
    def activation(self) -> Activation:
        return self.chosen.activation if self.chosen else "none"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One expectation held against a fresh look."""

    expectation: Expectation
    verdict: Verdict
    evidence: tuple[Evidence[Any], ...] = ()
    says: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """All expectations of a plan, looked at again. Pending (DNS, real deliveries) is no failure."""

    judgements: tuple[Judgement, ...]
    at: datetime

    @property
    def holds(self) -> bool:
        return all(j.verdict in ("holds", "pending") for j in self.judgements)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a change must be confirmed: *at* for people, *seconds* of CLOCK_BOOTTIME in *boot* for us.

    Whoever sets the clock cannot bring it nearer, and no boot but this one can outlive it.
    """

    at: datetime
    boot: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the history: who changed what, when, why, and how it was proven.

    *state* `intent`: begun; `trial`: proven, and taken back unless it is confirmed before *confirm_by*.
    *ran*: Postfix ran when it was begun; *old* is what held then, the proof of having gone back.
    *config_directory* is the instance's, None for the default one. *note* says why it was taken back.
    """

    id: str
    at: datetime
    by: str
    remedy: str | None
    reason: str
    state: Literal["kept", "undone", "rolled-back", "intent", "trial"]
    files: tuple[FileEdit, ...]
    activation: Activation
    diff: str
    digest: str
    changes: tuple[Change, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    pending: tuple[Expectation, ...] = ()
    proof: Proof | None = None
    undoes: str | None = None
    old: tuple[Expectation, ...] = ()
    ran: bool = True
    config_directory: str | None = None
    confirm_by: Deadline | None = None
    note: str = ""
