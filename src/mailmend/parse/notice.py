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
    r"|rejected your message to|gave this error:|remote server returned '",
    re.IGNORECASE,
)
# The same in other languages: as Exchange, the large providers and other servers write it. Compared without case.
_SAYS_ELSEWHERE = (
    "konnte nicht zugestellt", "konnten nicht zugestellt", "nicht übermittelt werden", "nicht ausgeliefert werden",
    "wurde nicht zugestellt", "nachrichtenzustellung", "zustellung fehlgeschlagen", "unzustellbar",
    "échec de la remise", "n'a pas pu être", "n'a pas été remis", "n’a pas pu être",
    "n’a pas été remis", "impossible de remettre", "no se pudo entregar", "no se puede entregar",
    "no se ha podido entregar", "no ha podido ser entregado", "no pudo ser entregado",
    "impossibile recapitare", "impossibile consegnare", "non è stato possibile consegnare",
    "non è stato possibile recapitare", "mancato recapito", "geadresseerden of groepen", "bericht kon niet worden",
    "e-mail kon niet worden", "falha na entrega a estes", "falha na entrega da mensagem",
    "não foi possível entregar", "não pôde ser entregue", "não é possível entregar",
    "nie można dostarczyć", "nie udało się dostarczyć", "nie mogła zostać dostarczona", "kan inte levereras",
    "inte att leverera", "kunde inte levereras", "kan ikke leveres", "kunne ikke leveres", "toimitus epäonnistui",
    "ei voitu toimittaa", "nelze doručit", "nepodařilo se doručit", "teslim edilemedi", "nem kézbesíthető",
    "не удалось доставить", "не может быть доставлено", "не было доставлено", "не доставлено",
    "无法发送", "无法送达", "无法投递", "未能送达", "投递失败", "無法傳遞", "無法送達", "傳遞失敗",
    "配信に失敗", "配信できません", "送信できません", "配信不能", "届けることができません",
    "배달하지 못", "배달되지 않", "전달할 수 없", "전송하지 못",
)  # fmt: skip
_SUBJECT_ELSEWHERE = (
    "non-remis", "unzustellbar", "zustellung fehlgeschlagen", "zustellfehler", "non remis", "échec de la remise",
    "échec d'envoi", "no se puede entregar", "no se ha podido entregar", "non recapitabile",
    "mancato recapito", "onbestelbaar", "não é possível entregar",
    "não entregue", "niedostarczone", "nie dostarczono", "zwrot poczty", "kan inte levereras", "kan ikke leveres",
    "ei voi toimittaa", "nedoručitelné", "teslim edilemedi", "kézbesíthetetlen", "не удается доставить", "배달되지 않",
    "전송 실패", "未傳遞", "無法傳遞", "未送达", "未递送",
)  # fmt: skip
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
        return bool(named and _failed(subject) and not answer)
    if named:
        if _failed(subject) and not answer:
            return True
        return says_undelivered(opening) and not (answer and _null_sender(whole) is None)
    # Nobody's name, but nobody to answer to either: then the subject and the text must both say it.
    return bool(_null_sender(whole) and not answer and _failed(subject) and says_undelivered(opening))


def _failed(subject: str) -> bool:
    lower = subject.lower()
    return _SUBJECT.search(subject) is not None or any(words in lower for words in _SUBJECT_ELSEWHERE)


def says_undelivered(opening: str) -> bool:
    """Whether the first sentences of a text say, as mail systems do, that mail was not delivered."""
    words = " ".join(opening[:OPENING].split())
    if _SAYS.search(words):
        return True
    lower = words.lower()
    return any(said in lower for said in _SAYS_ELSEWHERE)


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
