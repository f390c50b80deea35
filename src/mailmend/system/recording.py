"""What a probe was asked and answered <-> JSON Lines, one look a line; redacted for a support bundle.

Used by tests' worlds, the recorded demo and bundles. The standard library's JSON is used on the outside,
because a file's undecodable bytes (lone surrogates, PEP 383) must come back as they were.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from typing import TYPE_CHECKING, Any, get_args

from mailmend import questions
from mailmend.model import Evidence, ParseError, Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailmend.questions import AnyQuestion

Recording = dict[tuple[str, "AnyQuestion"], Evidence[Any]]

HIDDEN = "[redacted]"

_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase)?|(?:\b|_)pw\b|sasl|secret|credential|private|key_file|keytab", re.IGNORECASE
)
_HARMLESS = re.compile(
    r"(?:(?:yes|no|dovecot|cyrus|private/auth|noanonymous|noplaintext)(?![^\s,])|[\s,])*"
    r"|(?:(?:proxy:)?(?:hash|lmdb|btree|cdb|dbm|texthash):/[^\s,]++[\s,]*+)*"
)
_ASSIGNMENT = re.compile(
    r"^([ \t]*+(?:-o[ \t]++)?([\w.-]++)[ \t]*+=[ \t]*+)(.*+(?:\n[ \t]++.*+)*)$", re.MULTILINE
)
_IN_URL = re.compile(r"(\w{2,10}://[^\s:/@]{1,80}:)[^\s@/]{1,200}@")
_STATIC = re.compile(r"\b(static|inline):[^\s,]+")
_PEM = re.compile(r"-----BEGIN [A-Z ]{3,40}-----.*?(?:-----END [A-Z ]{3,40}-----|\Z)", re.DOTALL)
# systemd's `postfix@out.service` is no address.
_ADDRESS = re.compile(
    r"(\"(?:[^\"\\\n]|\\.){1,64}\"|[^\s<>@,;:\"()\[\]|]{1,64})@"
    r"(?=\[[0-9A-Fa-f.:]|(?:[A-Za-z0-9_][\w-]{0,62}\.)*[A-Za-z0-9])(?![\w.-]*\.service\b)"
)


def dump(recording: Mapping[tuple[str, AnyQuestion], Evidence[Any]]) -> str:
    """A line for each look: epoch, question, what was asked, answer or error, and when."""
    return "".join(_line(item) for item in _plain(recording))


def bundle(recording: Mapping[tuple[str, AnyQuestion], Evidence[Any]]) -> str:
    """As `dump`, fit to be given away: no local part of an address, no password.

    The same local part gets the same stand-in throughout one bundle and another in the next, so that who
    wrote to whom can be followed and guessed at by nobody. Domains, addresses and host names stay.
    """
    salt = secrets.token_bytes(16)
    return "".join(_line(redact(item, salt)) for item in _plain(recording))


def load(text: str) -> Recording:
    """The recording that `dump` wrote. ParseError with the line's number for anything else."""
    import msgspec

    out: Recording = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            kind = _KINDS[item["question"]]
            question = msgspec.convert(item["asked"], type=kind)
            answer = (
                None if item["answer"] is None else msgspec.convert(item["answer"], type=_answer_type(kind))
            )
            at = msgspec.convert(item["at"], type=_datetime())
            out[item["epoch"], question] = Evidence(question, answer, item["error"], at)
        except (ValueError, KeyError, TypeError, msgspec.ValidationError) as bad:
            raise ParseError(f"line {number} of the recording: {bad or type(bad).__name__}") from None
    return out


def kinds() -> tuple[type[AnyQuestion], ...]:
    """Every kind of question there is."""
    return tuple(_KINDS.values())


def redact(item: dict[str, Any], salt: bytes) -> dict[str, Any]:
    """One look (as `dump` writes it) without secrets and local parts."""
    asked = item["asked"]
    named = (
        " ".join(str(asked.get(k, "")) for k in ("name", "path", "table")) if isinstance(asked, dict) else ""
    )
    if _SECRET_NAME.search(named) and item["question"] in ("Setting", "File", "MapLookup", "MapEntries"):
        item = {**item, "answer": _without_secret(item["answer"])}
    redacted = _walk(item, salt)
    assert isinstance(redacted, dict)  # noqa: S101 (a dict goes in, a dict comes out)
    return redacted


def _without_secret(answer: Any) -> Any:
    if isinstance(answer, dict):
        kept = {"path", "exists", "mode", "owner", "modified", "link"}
        return {k: v if k in kept else _without_secret(v) for k, v in answer.items()}
    return answer if answer is None or (isinstance(answer, str) and _HARMLESS.fullmatch(answer)) else HIDDEN


def _walk(value: Any, salt: bytes) -> Any:
    if isinstance(value, str):
        return _clean(value, salt)
    if isinstance(value, list | tuple):
        match value:
            case [str(name), str(secret)] if _SECRET_NAME.search(name) and not _HARMLESS.fullmatch(secret):
                return [name, HIDDEN]  # an override of master.cf
        return [_walk(v, salt) for v in value]
    if isinstance(value, dict):
        return {k: _walk(v, salt) for k, v in value.items()}
    return value


def _clean(text: str, salt: bytes) -> str:
    text = _PEM.sub(HIDDEN, text)
    text = _ASSIGNMENT.sub(_clean_assignment, text)
    text = _IN_URL.sub(rf"\g<1>{HIDDEN}@", text)
    text = _STATIC.sub(lambda m: m[0] if m[0] == "static:*" else f"{m[1]}:{HIDDEN}", text)
    return _ADDRESS.sub(lambda m: f"{_stand_in(m[1], salt)}@", text)


def _clean_assignment(match: re.Match[str]) -> str:
    secret = _SECRET_NAME.search(match[2]) and not _HARMLESS.fullmatch(match[3].strip())
    return f"{match[1]}{HIDDEN}" if secret else match[0]


def _stand_in(local: str, salt: bytes) -> str:
    digest = hashlib.blake2b(local.casefold().encode("utf-8", "surrogateescape"), key=salt, digest_size=4)
    return f"user-{digest.hexdigest()}"


def _plain(recording: Mapping[tuple[str, AnyQuestion], Evidence[Any]]) -> Iterable[dict[str, Any]]:
    import msgspec

    for (epoch, question), evidence in recording.items():
        yield {
            "epoch": epoch,
            "question": type(question).__name__,
            "asked": msgspec.to_builtins(question),
            "answer": msgspec.to_builtins(evidence.answer),
            "error": evidence.error,
            "at": evidence.at.isoformat(),
        }


def _line(item: dict[str, Any]) -> str:
    return json.dumps(item, ensure_ascii=True, separators=(",", ":")) + "\n"


def _answer_type(kind: type[AnyQuestion]) -> Any:
    """The A of `class Kind(Question[A])`."""
    bases = getattr(kind, "__orig_bases__", ())
    return next(get_args(base)[0] for base in bases if get_args(base))


def _datetime() -> Any:
    from datetime import datetime

    return datetime


_KINDS: dict[str, type[AnyQuestion]] = {
    name: kind
    for name, kind in vars(questions).items()
    if isinstance(kind, type) and issubclass(kind, Question) and kind is not Question
}
