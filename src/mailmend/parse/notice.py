"""A message -> whether a mail system wrote it about another message, or somebody's answering machine, or a person.

Two things must agree before a message is taken for a bounce: that a mail system wrote it (From, the null
sender, software that names itself), and that its subject or its first sentences say that mail was not delivered. A
person's letter about a bounce has the second only, a newsletter or a report neither.
"""

from __future__ import annotations

import re
from typing import Literal

from mailmend.parse import message, words

Kind = Literal["returned", "auto-reply", "letter"]

OPENING = 6000  # characters in which a bounce has said what it is

_MAILER = re.compile(
    r"mailer?[-_. ]?d(?:ae|ea)mon|mail ?deliver\w*[-. ]*(?:sub)?system|delivery subsystem"
    r"|mail ?admin|postmaster|post_master|mdaemon|system administrator|mail delivery|mail_service"
    r"|delivery[-_. ]?(?:service|notification|status)|smtp[_ ]gateways?"
    r"|no-?reply@[\w.-]*\bdion\.ne\.jp|bounce-?handler",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"mailer-?daemon@|mdaemon@|mailer-?daemon$", re.IGNORECASE)
_SOFTWARE = re.compile(
    r"<smtp32|internet mail service|m-filter|microsoft cdo|amazon workmail|spamlion|sinamail|local-mailhub",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|failure notice"
    r"|(?:delivery|non-?delivery|delivered?)\b.{0,40}\b(?:fail|status|problem|report|delay|error)"
    r"|fail(?:ed|ure)?\b.{0,12}\b(?:mail|deliver|notice)|return(?:ed|ing)\b.{0,24}\b(?:mail|to sender|message)"
    r"|could(?: not|n't) be delivered|could not send|not delivered|(?:mail|message) delayed|delayed \d+"
    r"|mail(?:er)? (?:system )?error|has not yet been delivered|delayed mail|(?:mail|message) deliver\w* (?:has )?fail"
    r"|warning: (?:message|could not)|deliver\w* (?:failure|has failed|problem)|non remis|unzustellbar|nicht zugestellt"
    r"|zustell\w*(?:fehler|problem|bericht)|no (?:se ha )?entreg|non-?recapit|mancat\w+ (?:consegna|recapito)"
    r"|non recens|automatically rejected|processing error|user unknown|error sending your mail|errors from"
    r"|loop alert|could not deliver|не (?:удалось )?достав|недостав|无法(?:发送|送达|投递)"
    r"|退信|投递失败|配信(?:不能|失敗|エラー)|メールエラー",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"(?:could(?: not|n'?t)|can(?:not|'t)|was(?: not|n'?t)|were not|unable to|not able to|failed to"
    r"|has not(?: yet)? been|been) (?:be |able to |been )?(?:deliver|postpon|delay|reach)"
    r"|undeliverable|wasn't able to deliver|unable to deliver|did not (?:reach|receive)|delive?ry (?:to|of) .{0,80}"
    r"(?:fail|delay|postpone|abort)|delivery failed|delivery attempts?|fatal errors?|delivery (?:problems|errors)"
    r"|transcript of session|failed recipient|has been returned|message (?:was|has been) returned"
    r"|not delivered to|returned permanent errors|failed addresses"
    r"|following address(?:es|\(es\))? failed|attempting to deliver"
    r"|message to \S{1,320} (?:has been|was) (?:blocked|rejected)|affected recipient|failure reasons|mail system error"
    r"|无法(?:发送|送达|投递)|не может быть доставлено",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\s*(?:re|aw|sv|antw|fwd?|wg|tr)(?:\[\d\])?\s*:", re.IGNORECASE)
_AWAY = re.compile(
    r"out of (?:the )?office|on vacation|auto(?:matic|mated)?[- ]?(?:reply|response|antwort)"
    r"|abwesen|absence|away (?:from|until)"
    r"|réponse automatique|fuera de (?:la )?oficina",
    re.IGNORECASE,
)


def kind(whole: message.Part, opening: str) -> Kind:
    """What *whole* is, judged by its headers and its first text. Reports in MIME parts are told apart before."""
    subject = words.unworded(whole.header("subject"))
    if returned(whole, subject, opening):
        return "returned"
    machine = not _MAILER.search(whole.header("from")) and _answered_by_a_machine(whole, subject)
    return "auto-reply" if machine else "letter"


def returned(whole: message.Part, subject: str, opening: str) -> bool:
    """Whether a mail system wrote *whole* about mail that did not arrive, or has not yet."""
    if whole.header("x-failed-recipients"):
        return True
    answer = bool(_ANSWER.match(subject))
    named = _MAILER.search(whole.header("from")) or _SOFTWARE.search(whole.header("x-mailer"))
    if whole.header("list-unsubscribe"):
        # A newsletter, whoever sends it; some bounces keep the headers of the list mail that they return.
        named = _DAEMON.search(whole.header("from")) or _SOFTWARE.search(whole.header("x-mailer"))
        return bool(named and _SUBJECT.search(subject) and not answer)
    if named:
        if _SUBJECT.search(subject) and not answer:
            return True
        return says_undelivered(opening) and not (answer and _null_sender(whole) is None)
    # Nobody's name, but nobody to answer to either: then the subject and the text must both say it.
    return bool(_null_sender(whole) and not answer and _SUBJECT.search(subject) and says_undelivered(opening))


def says_undelivered(opening: str) -> bool:
    """Whether the first sentences of a text say, as mail systems do, that mail was not delivered."""
    return _SAYS.search(" ".join(opening[:OPENING].split())) is not None


def _null_sender(whole: message.Part) -> bool | None:
    """True for the null sender (RFC 5321 4.5.5) or a mail system's; None where none or another is given."""
    stated = next((value for key, value in whole.headers if key == "return-path"), None)
    return True if stated is not None and (stated in ("<>", "") or _MAILER.search(stated)) else None


def _answered_by_a_machine(whole: message.Part, subject: str) -> bool:
    """RFC 3834 5, and what answered before it."""
    stated = whole.header("auto-submitted").lower()
    if stated.startswith("auto-replied") or whole.header("precedence").lower() == "auto_reply":
        return True
    if any(whole.header(name) for name in ("x-autoreply", "x-autorespond", "x-autoresponder")):
        return True
    away = _AWAY.search(subject)
    return bool(away and (away.start() == 0 or stated.startswith("auto-") or _null_sender(whole)))
