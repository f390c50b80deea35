"""All that may be asked of the helper: typed, bounded, and nothing else (facts in each docstring)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct

from mailmend.model import ParseError
from mailmend.ui.looks import Of

LONGEST = 65_536  # bytes of a request
REPORTED = 30  # days of a log that a page may have counted

Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:/@+-]{1,200}\Z")]
# What is set: a service of one address is named by it, as [::1]:25/inet.
Target = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:/@+\[\]-]{1,200}\Z")]
Word = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Value = Annotated[str, Meta(max_length=8192, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Grant = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
Code = Annotated[str, Meta(max_length=40)]
# It stands in the history: an address, or a word for where there is none.
Account = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9._@\\-]{0,63}\Z")]
Password = Annotated[str, Meta(min_length=1, max_length=512, pattern=r"\A[^\x00]*\Z")]  # PAM_MAX_RESP_SIZE
Source = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9.:%_-]{1,64}\Z")]
SessionId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8}\Z")]


# ---- what can be proposed ----------------------------------------------------------------------


class Proposal(Struct, forbid_unknown_fields=True, frozen=True, tag_field="what"):
    """A change in words: what it would make of the files is worked out by root, never told to it."""


class Assign(Struct, forbid_unknown_fields=True, frozen=True):
    """`name=value` as `mailmend set` takes it; *value* None takes it out."""

    name: Target
    value: Value | None


class Fix(Proposal, frozen=True, tag="fix"):
    """`mailmend fix`: the narrowest remedy, or *remedy*, for *receiver* or whom the log shows."""

    remedy: Name | None = None
    receiver: Name | None = None


class Set(Proposal, frozen=True, tag="set"):
    """`mailmend set`: all of *assignments* at once."""

    assignments: Annotated[tuple[Assign, ...], Meta(min_length=1, max_length=50)]


class Undo(Proposal, frozen=True, tag="undo"):
    """`mailmend undo`: the entry *change* of the history is taken back."""

    change: Name


class HoldOn(Proposal, frozen=True, tag="hold-on"):
    """`mailmend hold on`: *causes* () for the usual ones, *hours* None for the usual time; *limit*: messages."""

    causes: Annotated[tuple[Name, ...], Meta(max_length=50)] = ()
    hours: Annotated[int, Meta(ge=1, le=120)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 1000


class HoldOff(Proposal, frozen=True, tag="hold-off"):
    """`mailmend hold off`."""


class Activate(Proposal, frozen=True, tag="activate"):
    """`mailmend apply`: what is saved, whoever saved it, comes to the running server."""


AnyProposal = Fix | Set | Undo | HoldOn | HoldOff | Activate


# ---- what can be asked -------------------------------------------------------------------------


class Verb(Struct, forbid_unknown_fields=True, frozen=True, tag_field="verb"):
    """One request. *asks_root*: open to root alone, and to nobody's session."""

    asks_root: ClassVar[bool] = False


class LoginCode(Verb, frozen=True, tag="login-code"):
    """A code that begins one session, for whoever is root on a terminal."""

    asks_root: ClassVar[bool] = True


class Waiting(Verb, frozen=True, tag="waiting"):
    """The proposals that wait for a code, for whoever is root on a terminal."""

    asks_root: ClassVar[bool] = True


class ApprovalCode(Verb, frozen=True, tag="approval-code"):
    """A code that approves *digest* in *session*, once, and nothing else: for who was shown what that is."""

    asks_root: ClassVar[bool] = True
    session: SessionId
    digest: Digest


class Login(Verb, frozen=True, tag="login"):
    """Begin a session by *code*; *source* is where the page was asked from, to slow that down which guesses."""

    code: Code
    source: Source


class LoginByPassword(Verb, frozen=True, tag="login-by-password"):
    """Begin a session as the account *user* of this host, by its *password*, where the helper was told to allow it."""

    user: Account
    password: Password
    source: Source

    def __repr__(self) -> str:
        """Without the password: it stands in no log and no trace."""
        return f"LoginByPassword({self.user!r}, from {self.source})"


class Logout(Verb, frozen=True, tag="logout"):
    grant: Grant


class Require(Verb, frozen=True, tag="require"):
    """Refused where the session is over. It keeps none alive."""

    grant: Grant


class Keep(Verb, frozen=True, tag="keep"):
    """A person is there: the session goes on. Refused where it is over."""

    grant: Grant


class Propose(Verb, frozen=True, tag="propose"):
    """What *proposal* would do, with its difference, its digest and whether it asks for a code; nothing is done."""

    grant: Grant
    proposal: AnyProposal


class StepUp(Verb, frozen=True, tag="step-up"):
    """*code* approves *digest*, which was proposed in this session, for one `Apply` within minutes."""

    grant: Grant
    digest: Digest
    code: Code


class Apply(Verb, frozen=True, tag="apply"):
    """Do what was proposed in this session, if it still is what *digest* covers."""

    grant: Grant
    digest: Digest


class Confirm(Verb, frozen=True, tag="confirm"):
    """The change on trial stays."""

    grant: Grant
    change: Name


class Status(Verb, frozen=True, tag="status"):
    """What is under way, its steps so far, and how the last ones ended."""

    grant: Grant


class Follow(Verb, frozen=True, tag="follow"):
    """All lines of what is under way, from the first to its end. Refused where nothing is."""

    grant: Grant


class Look(Verb, frozen=True, tag="look"):
    """What `mailmend status`, `check`, `history` or (`entry`) `history` with *change* says; nothing is changed."""

    grant: Grant
    of: Of
    change: Name | None = None


class Trace(Verb, frozen=True, tag="trace"):
    """What `mailmend trace` says of *what*: a queue id, a Message-ID, an address."""

    grant: Grant
    what: Word


class Report(Verb, frozen=True, tag="report"):
    """What `mailmend report` makes of the last *days* of this host's log, where only root may read that."""

    grant: Grant
    days: Annotated[int, Meta(ge=1, le=REPORTED)]


Any_ = (
    LoginCode | Waiting | ApprovalCode | Login | LoginByPassword | Logout | Require | Keep | Propose | StepUp
    | Apply | Confirm | Status | Follow | Look | Trace | Report
)  # fmt: skip
_DECODER: msgspec.json.Decoder[Any_] = msgspec.json.Decoder(Any_)


def decode(line: bytes) -> Any_:
    """A request as it came. ParseError for whatever is not in the list, to the last field."""
    if len(line) > LONGEST:
        raise ParseError(f"a request has more than {LONGEST} bytes")
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(f"no request of the helper's list: {error}") from None


def encode(verb: Any_) -> bytes:
    """*verb* as `decode` reads it, with the line's end."""
    return msgspec.json.encode(verb) + b"\n"
