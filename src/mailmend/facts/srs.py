"""Own domains and an SRS domain -> Postfix settings under which only what is forwarded leaves rewritten.

The usual way, `sender_canonical_maps` in every cleanup(8), rewrites whatever comes in, the mail for local
mailboxes too, and stops all mail while the daemon is down. Here the way out decides: mail of a foreign sender
that leaves for a foreign domain was forwarded, however that came about (aliases, virtual aliases, .forward).
`sender_dependent_default_transport_maps` sends it once through a listener on loopback, whose own cleanup asks
postsrsd for the new envelope; the second time its sender is of the SRS domain, and it leaves as always.
Mail for local, virtual and relay domains, own senders and the null sender never go that way, and what is in
transport_maps does not either: that table comes first (trivial-rewrite(8)).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LEAVING, RETURNING = "srs_leaving", "srs_returning"
REWRITE, CLEANUP, PACED = "srs-rewrite", "srs-cleanup", "srs-paced"
PORT = 10029
# The options of these services in which the daemon is asked.
ASKING = ("sender_canonical_maps", "smtpd_sender_restrictions")
# As 1.x listens where nobody moved it (tcp_table(5)); facts/postsrsd.py has what is so here.
FORWARD, REVERSE = "tcp:127.0.0.1:10001", "tcp:127.0.0.1:10002"


@dataclass(frozen=True, slots=True)
class Scoped:
    """*settings*: what is put before the value that stands there, by parameter. *services*: `name/type` -> its
    master.cf text. *tables*: file name in the configuration directory -> text of a regexp_table(5).
    """

    settings: tuple[tuple[str, str], ...]
    services: tuple[tuple[str, str], ...]
    tables: tuple[tuple[str, str], ...]


def scoped(
    domain: str,
    own: Sequence[str],
    folder: str,
    *,
    forward: str = FORWARD,
    reverse: str = REVERSE,
    paced: bool = False,
) -> Scoped:
    """The configuration that rewrites what leaves into *domain*; *own* are the host's domains, a leading dot
    for all below one. *folder* is config_directory. *paced*: what was rewritten leaves by the transport PACED,
    whose rates the caller sets (postconf(5), transport_destination_rate_delay).

    The setting virtual_alias_domains has to keep what it holds by default, `$virtual_alias_maps`.
    """
    returning = f"pipemap:{{regexp:{folder}/{RETURNING},{reverse}}}"
    settings = (
        ("sender_dependent_default_transport_maps", f"regexp:{folder}/{LEAVING}"),
        # Before the operator's own: a catch-all there would swallow bounces. It knows SRS addresses only.
        ("virtual_alias_maps", returning),
        ("virtual_alias_domains", domain),
    )
    services = [
        (f"{REWRITE}/unix", _entry(f"{REWRITE} unix - - y - - smtp", _TO_LOOPBACK)),
        (
            f"127.0.0.1:{PORT}/inet",
            _entry(f"127.0.0.1:{PORT} inet n - y - - smtpd", _AGAIN | _only_rewritten(forward)),
        ),
        (
            f"{CLEANUP}/unix",
            _entry(f"{CLEANUP} unix n - y - 0 cleanup", {"sender_canonical_maps": forward} | _ENVELOPE_ONLY),
        ),
    ]
    if paced:
        services.append(
            (f"{PACED}/unix", _entry(f"{PACED} unix - - y - - smtp", {"syslog_name": "postfix/srs"}))
        )
    tables = ((LEAVING, leaving(domain, own, paced)), (RETURNING, returns(domain)))
    return Scoped(settings, tuple(services), tables)


def leaving(domain: str, own: Sequence[str], paced: bool) -> str:
    """The table by sender: foreign ones to the rewriting listener, all others as always (no answer)."""
    names = "|".join(_below(name) for name in dict.fromkeys((domain, *own)))
    lines = [
        "# Whose mail is rewritten (SRS) when it leaves for a foreign domain, written by mailmend.",
        "# Every domain of this host belongs into the next line: its mail leaves as it is.",
        f"if !/@({names})$/",
        f"/^.+@.+$/ {REWRITE}:[127.0.0.1]:{PORT}",
        "endif",
    ]
    if paced:
        lines.append(f"/^srs[01][-+=].+@{re.escape(domain)}$/ {PACED}:")
    return "\n".join(lines) + "\n"


def returns(domain: str) -> str:
    """The table that lets through to postsrsd what can be one of its addresses, and nothing else."""
    return (
        "# Bounces to rewritten addresses are asked of postsrsd, written by mailmend.\n"
        f"/^(srs[01][-+=].+@{re.escape(domain)})$/ ${{1}}\n"
    )


def _below(name: str) -> str:
    return rf".+\.{re.escape(name[1:])}" if name.startswith(".") else re.escape(name)


def _only_rewritten(forward: str) -> dict[str, str]:
    """A sender that postsrsd would leave as it is would come here for ever: it waits in the queue instead."""
    return {"smtpd_sender_restrictions": f"check_sender_access pipemap:{{{forward},static:OK}}, defer"}


def _entry(head: str, options: dict[str, str]) -> str:
    lines = [f"  -o {k}={v}" if " " not in v else f"  -o {{ {k} = {v} }}" for k, v in options.items()]
    return "\n".join([head, *lines]) + "\n"


# Nothing of what an operator set for mail from outside may touch the message a second time: it was checked,
# and a changed byte breaks the sender's signature.
_TO_LOOPBACK = {
    "syslog_name": "postfix/srs",
    "inet_protocols": "ipv4",
    "smtp_bind_address": "127.0.0.1",
    "smtp_send_xforward_command": "yes",
    "smtp_tls_security_level": "none",
    "smtp_tls_policy_maps": "",
    "smtp_sasl_auth_enable": "no",
    "smtp_generic_maps": "",
    "smtp_header_checks": "",
    "smtp_mime_header_checks": "",
    "smtp_nested_header_checks": "",
    "smtp_body_checks": "",
    "smtp_discard_ehlo_keywords": "",
    "smtp_discard_ehlo_keyword_address_maps": "",
    "smtp_fallback_relay": "",
}
_AGAIN = {
    "syslog_name": "postfix/srs",
    "cleanup_service_name": CLEANUP,
    "mynetworks": "127.0.0.0/8",
    "smtpd_authorized_xforward_hosts": "127.0.0.0/8",
    "smtpd_client_restrictions": "",
    "smtpd_helo_restrictions": "",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "smtpd_recipient_restrictions": "permit_mynetworks, reject",
    "smtpd_data_restrictions": "",
    "smtpd_end_of_data_restrictions": "",
    "smtpd_tls_security_level": "none",
    "smtpd_sasl_auth_enable": "no",
    "smtpd_discard_ehlo_keywords": "",
    "smtpd_discard_ehlo_keyword_address_maps": "",
    "smtpd_proxy_filter": "",
    "content_filter": "",
    # Loopback is a client of our own otherwise, and headers of our own are completed.
    "local_header_rewrite_clients": "",
    "receive_override_options": "no_unknown_recipient_checks,no_header_body_checks,no_milters",
    # The header Received: of this pass must not make too large what was taken once.
    "message_size_limit": "0",
}
_ENVELOPE_ONLY = {
    "syslog_name": "postfix/srs",
    "sender_canonical_classes": "envelope_sender",
    "canonical_maps": "",
    "recipient_canonical_maps": "",
    "virtual_alias_maps": "",
    "masquerade_domains": "",
    "always_bcc": "",
    "sender_bcc_maps": "",
    "recipient_bcc_maps": "",
    "message_size_limit": "0",
}
