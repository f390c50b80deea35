"""Verdicts -> replies, worded and wrapped as Gmail's receivers word them (support.google.com/a/answer/3726730).

Replies seen from Google: a status code on every line, links on a line of their own with two blanks before
them, and `TOKEN - gsmtp` at the very end.
"""

from __future__ import annotations

import secrets
import time


def accepted() -> str:
    return f"250 2.0.0 OK  {int(time.time())} {_token()} - gsmtp"


def ipv6_guidelines(ip: str) -> str:
    return _reply(
        "550",
        "5.7.1",
        f"[{ip}] Our system has detected that this",
        "message does not meet IPv6 sending guidelines regarding PTR records",
        "and authentication. Please review",
        " https://support.google.com/mail/?p=ipv6_authentication_error for more",
        "information.",
    )


def ptr_missing(ip: str) -> str:
    return _reply(
        "550",
        "5.7.25",
        f"[{ip}] The IP address sending this message does not have a",
        "PTR record setup, or the corresponding forward DNS entry does not",
        "point to the sending IP. As a policy, Gmail does not accept messages",
        "from IPs with missing PTR records. Please visit",
        " https://support.google.com/mail/answer/81126#ip-practices for more",
        "information.",
    )


def unauthenticated(ip: str, domain: str, dkim: str) -> str:
    return _reply(
        "550",
        "5.7.26",
        "Your email has been blocked because the sender is unauthenticated.",
        "Gmail requires all senders to authenticate with either SPF or DKIM.",
        "",
        " Authentication results:",
        f" DKIM = {'did not pass' if dkim != 'pass' else 'pass'}",
        f" SPF [{domain}] with ip: [{ip}] = did not pass",
        "",
        " For instructions on setting up authentication, go to",
        " https://support.google.com/mail/?p=UnauthenticatedSender",
    )


def dmarc(domain: str) -> str:
    return _reply(
        "550",
        "5.7.26",
        f"Unauthenticated email from {domain} is not accepted due to",
        "domain's DMARC policy. Please contact the administrator of",
        f"{domain} domain if this was a legitimate mail. To learn about the",
        "DMARC initiative, go to",
        " https://support.google.com/mail/?p=DmarcRejection",
    )


def rate_limited(ip: str) -> str:
    return _reply(
        "421",
        "4.7.28",
        f"[{ip}] Our system has detected an unusual rate of",
        "mail originating from your IP address. To protect our",
        "users from spam, mail sent from your IP address has been temporarily",
        "rate limited. To review our sender guidelines, go to",
        " https://support.google.com/mail/?p=UnsolicitedRateLimitError",
    )


def domain_limited(kind: str, domain: str) -> str:
    """*kind* is `SPF` or `DKIM`: the three that Google counts by (receivers/gmail.toml, 2024 on)."""
    return _reply(
        "421",
        "4.7.28",
        f"Gmail has detected an unusual rate of mail originating from your {kind}",
        f"domain [{domain} 35]. To protect our users from spam, mail sent",
        "from your domain has been temporarily rate limited. To review our",
        "sender guidelines, go to",
        " https://support.google.com/mail/?p=UnsolicitedRateLimitError",
    )


def _reply(code: str, status: str, *lines: str) -> str:
    """RFC 5321 4.2.1: a hyphen after the code on all lines but the last."""
    told = [*lines[:-1], f"{lines[-1]} {_token()} - gsmtp"]
    return "\r\n".join(
        f"{code}{'-' if number < len(told) - 1 else ' '}{status} {line}" for number, line in enumerate(told)
    )


def _token() -> str:
    return f"{secrets.token_hex(4)}si{secrets.randbelow(10**7):07d}wmz.{secrets.randbelow(99)}"
