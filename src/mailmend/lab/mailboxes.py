"""SMTP servers that keep all they receive (RFC 5321): a plain one, and a stand-in for Google's.

The stand-in enforces what Google publishes for senders (support.google.com/a/answer/81126). Over IPv6 a
message needs a forward-confirmed PTR and SPF or DKIM. In the `lenient` world that is all; in the `strict`
one IPv4 needs them as well, and both families must satisfy the DMARC policy of the From: domain.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from dataclasses import asdict, dataclass
from email.parser import BytesHeaderParser
from functools import partial
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

from mailmend.lab import wording
from mailmend.lab.verdict import Verdict, judge
from mailmend.lab.zones import Zones

WORLDS = ("lenient", "strict")
MODES = ("ok", "ipv6-tempfail", "ipv4-tempfail", "tempfail")


@dataclass(frozen=True, slots=True)
class Received:
    """One message as a server got it. *trace* is X-Trace, else the local part of its Message-ID."""

    trace: str
    at: float
    family: str
    peer: str
    helo: str
    tls: bool
    mail_from: str
    recipients: tuple[str, ...]
    reply: str
    verdict: Verdict | None
    message: str


class Mailbox:
    """A server for aiosmtpd: accepts everything and keeps it. *wrapped*: TLS from the first byte (RFC 8314)."""

    wrapped = False

    def __init__(self, hostname: str, certificate: tuple[Path, Path] | None = None) -> None:
        self.hostname = hostname
        self.received: list[Received] = []
        self.tls = False
        self._certificate = certificate
        self._context: ssl.SSLContext | None = None

    def certify(self, context: ssl.SSLContext) -> None:
        """Offer STARTTLS from now on, with the certificate of *context*."""
        self.tls, self._context = True, context

    async def serve(self, sockets: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        context = self._context if self.wrapped else None
        for sock in sockets:
            await loop.create_server(self._session, sock=sock, ssl=context)

    def _session(self) -> Any:
        from aiosmtpd.smtp import SMTP

        context = self._context if self.tls else None
        if self.tls and self._certificate and not context:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
        return SMTP(
            self,
            hostname=self.hostname,
            ident="ESMTP ready - gsmtp",
            enable_SMTPUTF8=True,
            tls_context=context if not self.wrapped else None,
            **self._options(),
        )

    def _options(self) -> dict[str, Any]:
        return {}

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's)
        raw = envelope.original_content or envelope.content
        address = ip_address(session.peer[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        helo, mail_from = session.host_name or "", (envelope.mail_from or "").strip("<>")
        # Judging is pure computing: beside the loop, so that DNS is answered meanwhile.
        task = partial(self.decide, str(address), helo, mail_from, raw)
        reply, verdict = await asyncio.get_running_loop().run_in_executor(None, task)
        heading = BytesHeaderParser().parsebytes(raw)
        trace = str(heading.get("X-Trace") or heading.get("Message-ID", "")).strip(" <>").split("@")[0]
        self.received.append(
            Received(
                trace=trace,
                at=time.time(),
                family=f"ipv{address.version}",
                peer=str(address),
                helo=helo,
                tls=session.ssl is not None,
                mail_from=mail_from,
                recipients=tuple(envelope.rcpt_tos),
                reply=reply,
                verdict=verdict,
                message=raw.decode("utf-8", "surrogateescape"),
            )
        )
        return reply

    def decide(self, _ip: str, _helo: str, _mail_from: str, _raw: bytes) -> tuple[str, Verdict | None]:
        return "250 2.0.0 OK", None


class Submission(Mailbox):
    """A relayhost: lets everybody log in (RFC 4954)."""

    def __init__(self, hostname: str, *, wrapped: bool) -> None:
        super().__init__(hostname)
        self.wrapped = wrapped

    def _options(self) -> dict[str, Any]:
        from aiosmtpd.smtp import AuthResult

        return {"authenticator": lambda *_said: AuthResult(success=True), "auth_require_tls": False}


class Google(Mailbox):
    """The stand-in for Google's receivers."""

    def __init__(self, hostname: str, zones: Zones, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__(hostname, certificate)
        self.world = "lenient"
        self.mode = "ok"
        self.says = ""  # the reply to every message, instead of a judgement
        self._lock = threading.Lock()
        self.allow(None)
        self._zones = zones

    def allow(self, count: int | None, seconds: float = 0) -> None:
        """Take *count* messages within any *seconds* of one address, SPF domain or DKIM domain; None: any number."""
        self._allowed, self._seconds = count, seconds
        self._taken: dict[str, list[float]] = {}

    def decide(self, ip: str, helo: str, mail_from: str, raw: bytes) -> tuple[str, Verdict | None]:
        verdict = judge(ip, helo, mail_from, raw, self._zones)
        version = ip_address(ip).version
        strict = self.world == "strict"
        if self.says:
            reply = self.says
        elif self.mode in (f"ipv{version}-tempfail", "tempfail"):
            reply = wording.rate_limited(ip)
        elif version == 6 and not (verdict.fcrdns and verdict.authenticated):
            reply = wording.ipv6_guidelines(ip)
        elif strict and not verdict.fcrdns:
            reply = wording.ptr_missing(ip)
        elif strict and verdict.dmarc == "fail" and verdict.policy == "reject":
            reply = wording.dmarc(verdict.from_domain)
        elif strict and not verdict.authenticated:
            reply = wording.unauthenticated(ip, verdict.spf_domain, verdict.dkim)
        elif over := self._too_many(ip, verdict):
            reply = over
        else:
            reply = wording.accepted()
        return reply, verdict

    def _too_many(self, ip: str, verdict: Verdict) -> str:
        """The 4.7.28 for the first of the three identities that has sent as many as it may, else ""."""
        if self._allowed is None:
            return ""
        identities = {ip: wording.rate_limited(ip)}
        for kind, domain, result in (
            ("SPF", verdict.spf_domain, verdict.spf),
            ("DKIM", verdict.dkim_domain, verdict.dkim),
        ):
            if result == "pass":
                identities[f"{kind} {domain}"] = wording.domain_limited(kind, domain)
        with self._lock:
            now = time.monotonic()
            for identity, reply in identities.items():
                lately = [at for at in self._taken.get(identity, []) if at > now - self._seconds]
                self._taken[identity] = lately
                if len(lately) >= self._allowed:
                    return reply
            for identity in identities:
                self._taken[identity].append(now)
        return ""


def as_told(received: Received) -> dict[str, Any]:
    """For the way to the driver."""
    return asdict(received)
