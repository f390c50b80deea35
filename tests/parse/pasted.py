"""What people paste, each in words of our own: name -> (bytes, who did not get the mail, a word of the reply)."""
# ruff: noqa: E501 (lines stand here as they come)

from __future__ import annotations

import base64
import json
import quopri
import textwrap

WHO = "reader@example.com"
SAID = f"550 5.1.1 <{WHO}>: Recipient address rejected: User unknown in virtual mailbox table"
SENTENCE = f"""This is the mail system at host relay.example.org.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<{WHO}>: host mx.example.com[192.0.2.25] said: 550 5.1.1
    <{WHO}>: Recipient address rejected: User unknown in virtual
    mailbox table (in reply to RCPT TO command)
"""
REPORT = f"""Return-Path: <>
Date: Sun, 22 Nov 2026 09:00:01 +0000 (UTC)
From: MAILER-DAEMON@relay.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: anna@example.net
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="4F1A22B3C4D.1764"

--4F1A22B3C4D.1764
Content-Type: text/plain; charset=us-ascii

{SENTENCE}
--4F1A22B3C4D.1764
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.org
X-Postfix-Queue-ID: 4F1A22B3C4D
X-Postfix-Sender: rfc822; anna@example.net

Final-Recipient: rfc822; {WHO}
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; {SAID}

--4F1A22B3C4D.1764
Content-Type: message/rfc822

From: anna@example.net
To: {WHO}
Subject: hello

Hi.
--4F1A22B3C4D.1764--
"""
LINE = (
    f"Nov 22 09:00:01 relay postfix/smtp[11]: 4F1A22B3C4D: to=<{WHO}>, relay=mx.example.com[192.0.2.25]:25, delay=1,"
    f" delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.example.com[192.0.2.25] said: {SAID} (in reply to RCPT TO command))"
)
MESSAGE = LINE.split("]: ", 1)[1]
WAITS = "host mx.example.com[192.0.2.25] said: 451 4.7.1 Greylisting in action, come back later (in reply to RCPT TO command)"
QUEUED = {
    "queue_name": "deferred",
    "queue_id": "4F1A22B3C4D",
    "sender": "anna@example.net",
    "recipients": [{"address": WHO, "delay_reason": WAITS}],
}
EVENTS = [{"email": WHO, "event": "bounce", "reason": "550 5.1.1 no such user"}] * 3


def behind(sign: str, text: str) -> str:
    return "".join(f"{sign}{line}\n" for line in text.splitlines())


def forwarded(inner: str, kind: str, encoding: str = "7bit", boundary: str = "outer") -> str:
    """*inner* as a mail client forwards a message: as an attachment."""
    if encoding == "base64":
        inner = base64.encodebytes(inner.encode()).decode()
    elif encoding == "quoted-printable":
        inner = quopri.encodestring(inner.encode()).decode()
    return (
        "From: Anna <anna@example.net>\nTo: help@example.org\nSubject: Fwd: Undelivered Mail\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n--{boundary}\nContent-Type: text/plain\n\nCan you look at this?\n\n'
        f'--{boundary}\nContent-Type: {kind}; name="bounce.eml"\nContent-Disposition: attachment; filename="bounce.eml"\n'
        f"Content-Transfer-Encoding: {encoding}\n\n{inner}\n--{boundary}--\n"
    )


def bounce(subject: str, body: str, charset: str = "utf-8", encoding: str = "quoted-printable") -> bytes:
    raw = body.encode(charset)
    coded = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(raw)
    word = f"=?{charset}?b?{base64.b64encode(subject.encode(charset)).decode()}?="
    return (
        f"Return-Path: <>\nFrom: postmaster@example.org\nTo: anna@example.net\nSubject: {word}\nMIME-Version: 1.0\n"
        f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
    ).encode() + coded


def exchange(opening: str, sentence: str, administrators: str, server: str) -> str:
    return (
        f"{opening}\n\n{WHO}\n{sentence}\n\n{administrators}\n\n{server}: EX01.example.org\n\n{WHO}\nmx.example.com\n"
        f"Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup'\n"
    )


REPORTS: dict[str, str | bytes] = {
    "as it came": REPORT,
    "quoted": behind("> ", REPORT),
    "quoted twice": behind("> > ", REPORT),
    "quoted without a blank": behind(">>", REPORT),
    "quoted with bars": behind("| ", REPORT),
    "forwarded as a message": forwarded(REPORT, "message/rfc822"),
    "forwarded as a file": forwarded(REPORT, "application/octet-stream", "base64"),
    "forwarded as a text": forwarded(REPORT, "text/plain", "quoted-printable"),
    "forwarded twice": forwarded(forwarded(REPORT, "message/rfc822"), "message/rfc822", boundary="outermost"),
    "a bounce of a bounce": REPORT.replace(
        f"From: anna@example.net\nTo: {WHO}\n",
        REPORT.replace("1764", "INNER").replace(WHO, "inner@example.com"),
    ),
    "UTF-16, little end first": REPORT.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + REPORT.encode("utf-16-be"),
    "UTF-16 without a mark": REPORT.encode("utf-16-le"),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + REPORT.encode(),
    "bare CR": REPORT.replace("\n", "\r"),
}
TEXTS: dict[str, str | bytes] = {
    "the sentence": SENTENCE,
    "quoted": behind("> ", SENTENCE),
    "wrapped at 40": "\n".join(textwrap.fill(part, 40) for part in SENTENCE.split("\n\n")),
    "indented": textwrap.indent(SENTENCE, "    "),
    "blanks that do not break": SENTENCE.replace(" ", "\u00a0"),
    "as HTML": "<div>"
    + SENTENCE.replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>\n")
    + "</div>",
    "preformatted": "<pre>" + SENTENCE.replace("<", "&lt;").replace(">", "&gt;") + '</pre><a href="x">x</a>',
    "in a letter": f"Hi all,\n\nI get this:\n\n{behind('> ', SENTENCE)}\nwhat to do?\n\nAnna\n",
    "in a fence": f"I get this:\n\n```\n{SENTENCE}\n```\nwhat to do?\n",
    "UTF-16 without a mark": SENTENCE.encode("utf-16-le"),
    "ISO-2022-JP": f"以下の宛先にメールを送信できませんでした。\n<{WHO}>: host mx.example.com[192.0.2.25] said: {SAID}\n".encode(
        "iso-2022-jp"
    ),
    "from Outlook": f"mx.example.com rejected your message to the following email addresses:\n\n{WHO} ({WHO}) <mailto:{WHO}>\n"
    f"The address you sent your message to wasn't found.\n\nmx.example.com gave this error:\n{SAID[10:]}\n",
    "from PHPMailer": f"SMTP Error: The following recipients failed: {WHO}: User unknown\nSMTP server error: RCPT TO command"
    " failed Detail: User unknown SMTP code: 550 Additional SMTP info: 5.1.1",
    "from Python": f"smtplib.SMTPRecipientsRefused: {{'{WHO}': (550, b'5.1.1 User unknown')}}",
    "from swaks": "=== Trying mx.example.com:25...\n=== Connected to mx.example.com.\n<-  220 mx.example.com ESMTP\n"
    " -> EHLO relay.example.org\n<-  250-mx.example.com\n<-  250 SIZE 1000\n -> MAIL FROM:<anna@example.net>\n<-  250 2.1.0 Ok\n"
    f" -> RCPT TO:<{WHO}>\n<** {SAID}\n -> QUIT\n<-  221 2.0.0 Bye\n",
    "from telnet": "Trying 192.0.2.25...\nConnected to mx.example.com.\nEscape character is '^]'.\n220 mx.example.com ESMTP\n"
    f"HELO x\n250 mx\nMAIL FROM:<a@example.net>\n250 ok\nRCPT TO:<{WHO}>\n550-5.1.1 User\n550 5.1.1 unknown\nQUIT\n",
}
LOGGED: dict[str, str | bytes] = {
    "as it is": LINE,
    "escaped": LINE.replace("<", "&lt;").replace(">", "&gt;"),
    "coloured by grep": f"\x1b[01;31m\x1b[K{LINE}\x1b[m\x1b[K",
    "with the name of its file": f"/var/log/mail.log:{LINE}",
    "wrapped at blanks": behind("> ", "\n".join(textwrap.wrap(LINE, 70))),
    "cut by a terminal": "\n".join(LINE[at : at + 80] for at in range(0, len(LINE), 80)),
    "cut at its end": LINE[: LINE.index("virtual")],
    "in a question": f"Why does this happen?\n\n{LINE}\n\nthanks, A.",
    "journalctl -o json": json.dumps({"SYSLOG_IDENTIFIER": "postfix/smtp", "_PID": "11", "_HOSTNAME": "relay", "MESSAGE": MESSAGE,
                                      "__REALTIME_TIMESTAMP": "1795338001000000"}),
    "journalctl -o json, as bytes": json.dumps({"SYSLOG_IDENTIFIER": "postfix/smtp", "_PID": "11", "MESSAGE": list(MESSAGE.encode())}),
    "journalctl -o json-pretty": json.dumps({"SYSLOG_IDENTIFIER": "postfix/smtp", "_PID": "11", "MESSAGE": MESSAGE}, indent=8),
    "journalctl -o verbose": f"Sun 2026-11-22 09:00:01.000000 UTC [s=abc;i=1]\n    SYSLOG_IDENTIFIER=postfix/smtp\n    _PID=11\n    MESSAGE={MESSAGE}\n",
    "RFC 5424": f"<22>1 2026-11-22T09:00:01.003Z relay postfix/smtp 11 - - {MESSAGE}",
    "Docker's file": json.dumps({"log": f"{LINE}\n", "stream": "stdout", "time": "2026-11-22T09:00:01.123456789Z"}),
    "docker compose logs": f"postfix-1  | {LINE}",
    "docker compose logs -t": f"postfix-1  | 2026-11-22T09:00:01.123456789Z {LINE}",
    "kubectl logs": f"2026-11-22T09:00:01.123456789Z stdout F {LINE}",
    "a shipper's JSON": json.dumps({"@timestamp": "2026-11-22T09:00:01Z", "host": "relay", "program": "postfix/smtp", "message": f" {MESSAGE}"}),
}  # fmt: skip
WAITING: dict[str, str | bytes] = {
    "Postfix": f"-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n4F1A22B3C4D      400 Sun Nov 22 09:00:00  anna@example.net\n({WAITS})\n"
    f"{' ' * 41}{WHO}\n\n-- 0 Kbytes in 1 Request.\n",
    "postqueue -j": json.dumps(QUEUED) + "\n",
    "postqueue -j | jq": json.dumps(QUEUED, indent=2),
    "postqueue -j | jq -s": json.dumps([QUEUED], indent=2),
    "postqueue -j, cut": (json.dumps(QUEUED) + "\n" + json.dumps({**QUEUED, "queue_id": "5A2B"}))[:-60],
    "Exim": f" 2d  2.3K 1vMabc-000000012Ab-3cDe <anna@example.net>\n        D done@example.com\n          {WHO}\n\n"
    "25m  1.1K 1vMabd-0000AB-3c <> *** frozen ***\n          other@example.com\n",
    "qmail": f"22 Nov 2026 09:00:00 GMT  #4711  812  <anna@example.net>  bouncing\n  remote\t{WHO}\n  done\tremote\tdone@example.com\n",
    "OpenSMTPD": f"4711abcd12345678|inet4|mta|auth|anna@example.net|{WHO}|{WHO}|1795338001|1795684001|0|3|pending|402|Network error on destination MXs\n",
    "sendmail": f"-----Q-ID----- --Size-- -----Q-Time----- ------------Sender/Recipient-----------\n5AM9x1Yk000712*    1234 Sun Nov 22 10:00 <anna@example.net>\n"
    f"                 (Deferred: Connection timed out with mx.example.com.)\n\t\t\t\t\t <{WHO}>\n\t\tTotal requests: 1\n",
}
LANGUAGES: dict[str, str | bytes] = {
    "German": bounce("Unzustellbar: hallo", exchange("Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:",
        "Die eingegebene E-Mail-Adresse konnte nicht gefunden werden.", "Diagnoseinformationen für Administratoren:", "Generierender Server")),
    "French": bounce("Non remis : bonjour", exchange("Échec de la remise pour ces destinataires ou groupes :",
        "L'adresse de messagerie que vous avez entrée est introuvable.", "Informations de diagnostic pour les administrateurs :", "Serveur de génération")),
    "Spanish": bounce("No se puede entregar: hola", exchange("No se pudo entregar el mensaje a estos destinatarios o grupos:",
        "No se encontró la dirección de correo electrónico que ha especificado.", "Información de diagnóstico para los administradores:", "Servidor de generación")),
    "Italian": bounce("Non recapitabile: ciao", exchange("Impossibile recapitare il messaggio ai destinatari o gruppi seguenti:",
        "Impossibile trovare l'indirizzo di posta elettronica immesso.", "Informazioni di diagnostica per gli amministratori:", "Server di generazione")),
    "Dutch": bounce("Onbestelbaar: hoi", exchange("De bezorging bij de volgende geadresseerden of groepen is mislukt:",
        "Het opgegeven e-mailadres is niet gevonden.", "Diagnostische informatie voor beheerders:", "Server die bericht genereert")),
    "Portuguese": bounce("Não é possível entregar: oi", exchange("Falha na entrega a estes destinatários ou grupos:",
        "O endereço de email inserido não foi encontrado.", "Informações de diagnóstico para administradores:", "Servidor de geração")),
    "Polish": bounce("Niedostarczone: cześć", exchange("Nie można dostarczyć wiadomości do następujących adresatów lub grup:",
        "Nie znaleziono wprowadzonego adresu e-mail.", "Informacje diagnostyczne dla administratorów:", "Serwer generujący")),
    "Japanese": bounce("配信不能: hello", exchange("次の受信者またはグループへのメッセージ配信に失敗しました:",
        "入力されたメール アドレスが見つかりませんでした。", "管理者向けの診断情報:", "生成元サーバー"), encoding="base64"),
    "Japanese, ISO-2022-JP": bounce("配信エラー通知", f"以下の宛先にメールを送信できませんでした。\n\n{WHO}\n550 5.1.1 User unknown\n", "iso-2022-jp", "7bit"),
    "Russian, KOI8-R": bounce("Недоставленное сообщение", f"Ваше сообщение не может быть доставлено:\n\n{WHO}\n550 5.1.1 User unknown\n", "koi8-r", "base64"),
    "German, a provider's own": bounce("Zustellung fehlgeschlagen", f"Ihre Nachricht konnte nicht zugestellt werden.\n\nEmpfänger: {WHO}\nGrund: 550 5.2.2 Das Postfach ist voll\n"),
    "Chinese": f"您的邮件无法送达以下收件人：\n\n收件人：{WHO}\n原因：550 5.1.1 User unknown",
    "German, a sentence": f"Ihre Nachricht an {WHO} konnte nicht zugestellt werden. Der Empfänger existiert nicht.",
}  # fmt: skip
