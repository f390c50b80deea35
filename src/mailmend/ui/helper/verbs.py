"""All that may be asked of the helper: typed, bounded, and nothing else (facts in each docstring)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct

from mailmend.model import ParseError

LONGEST = 65_536  # bytes of a request

Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:/@+-]{1,200}\Z")]
Word = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Value = Annotated[str, Meta(max_length=8192, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Grant = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
Code = Annotated[str, Meta(max_length=40)]
Source = Annotated[str, Meta(max_length=64)]


class Verb(Struct, forbid_unknown_fields=True, frozen=True, tag_field="verb"):
    """One request. *asks_root*: open to root alone, and to nobody's session."""

    asks_root: ClassVar[bool] = False


class Assign(Struct, forbid_unknown_fields=True, frozen=True):
    """`name=value` as `mailmend set` takes it; *value* None takes it out."""

    name: Name
    value: Value | None


class NewCode(Verb, frozen=True, tag="new-code"):
    """A code for one login or one step-up, for whoever is root on a terminal."""

    asks_root: ClassVar[bool] = True


class Login(Verb, frozen=True, tag="login"):
    """Begin a session by *code*; *source* is where the page was asked from, to slow that down which guesses."""

    code: Code
    source: Source


class Logout(Verb, frozen=True, tag="logout"):
    grant: Grant


class Keep(Verb, frozen=True, tag="keep"):
    """A person is there: the session goes on. Refused where it is over."""

    grant: Grant


class ProposeFix(Verb, frozen=True, tag="propose-fix"):
    """What `mailmend fix --dry-run` says: the narrowest remedy, or *remedy*, for *receiver* or whom the log shows."""

    grant: Grant
    remedy: Name | None = None
    receiver: Name | None = None


class ProposeSet(Verb, frozen=True, tag="propose-set"):
    """What `mailmend set --dry-run` says of *assignments*."""

    grant: Grant
    assignments: Annotated[tuple[Assign, ...], Meta(min_length=1, max_length=50)]


class Apply(Verb, frozen=True, tag="apply"):
    """Apply what was proposed, if it still is what *digest* covers. *code* where it asks for a step-up."""

    grant: Grant
    proposal: ProposeFix | ProposeSet
    digest: Digest
    code: Code | None = None


class Activate(Verb, frozen=True, tag="activate"):
    """What is saved, whoever saved it, comes to the running server: `mailmend apply`. With a step-up."""

    grant: Grant
    code: Code


class Confirm(Verb, frozen=True, tag="confirm"):
    """The change on trial stays."""

    grant: Grant
    change: Name


class Undo(Verb, frozen=True, tag="undo"):
    """The change is taken back; *code* where that asks for a step-up, as making it did."""

    grant: Grant
    change: Name
    code: Code | None = None


class HoldOn(Verb, frozen=True, tag="hold-on"):
    """Refused mail waits, as `mailmend hold on`: *causes* () for the usual ones, *hours* None for the usual time."""

    grant: Grant
    causes: Annotated[tuple[Name, ...], Meta(max_length=50)] = ()
    hours: Annotated[int, Meta(ge=1, le=120)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 1000


class HoldOff(Verb, frozen=True, tag="hold-off"):
    grant: Grant


class Trace(Verb, frozen=True, tag="trace"):
    """What `mailmend trace` says of *what*: a queue id, a Message-ID, an address."""

    grant: Grant
    what: Word


Any_ = (
    NewCode | Login | Logout | Keep | ProposeFix | ProposeSet | Apply | Activate | Confirm | Undo | HoldOn
    | HoldOff | Trace
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
