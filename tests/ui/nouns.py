"""The nouns of one story, as the jobs hand them over: an operator's forwards are refused by Google over IPv6."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mailmend.facts.case import Case, Fare, Way
from mailmend.jobs.fix import Fixed
from mailmend.jobs.status import Status
from mailmend.model import (
    Cause,
    Change,
    Delivery,
    Evidence,
    Expectation,
    FileEdit,
    Finding,
    Judgement,
    Objection,
    Plan,
    Proof,
    Proposal,
    Record,
    Refusal,
    Relay,
    Reply,
)
from mailmend.questions import (
    DeliveryCount,
    DnsAnswer,
    HostFacts,
    Listener,
    LogCounts,
    Records,
    Running,
    SettingValue,
)
from mailmend.road.way_back import WayBack

AT = datetime(2026, 11, 22, 13, 5, 1, tzinfo=UTC)
SIX = "2001:db8:1::10"

BOUNCED = Delivery(
    severity="bounced",
    recipient="someone@gmail.example",
    original_recipient="user@example.org",
    reply=Reply(
        550,
        "5.7.1",
        f"[{SIX} 16] Our system has detected that this message does not meet IPv6 sending guidelines"
        " regarding PTR records and authentication. Please review"
        " https://support.google.com/mail/?p=IPv6AuthError for more information. x-gsmtp",
    ),
    relay=Relay("gmail-smtp-in.l.google.com", "2001:db8:9::1a"),
    source_ip=SIX,
    forwarded=True,
    queue_id="4dKq2X1bWnz1",
    at=AT,
)
REFUSAL = Refusal(
    delivery=BOUNCED,
    receiver="google",
    cause="ipv6-ptr-or-auth",
    ambiguous=("ptr-missing", "fcrdns-mismatch", "spf-fail", "dkim-fail"),
    who=("sender-dns", "own-mta"),
    steps=(
        f"Ask whoever gave you {SIX} to set its PTR record to the name of this server, and let that name"
        " resolve back to it.",
        "Sign what you send with DKIM, or rewrite the envelope of what you forward (SRS).",
        "Until then, send to Google over IPv4 only: mailmend fix.",
    ),
    remedies=("ipv4-for-receiver", "dns-records"),
    checks=("ptr", "spf", "dkim", "receiver-log"),
    source="https://support.google.com/mail/answer/81126",
    standing="reported",
    marks=("does not meet IPv6 sending guidelines", "p=IPv6AuthError"),
    summary=f"Google takes no mail from {SIX}: over IPv6 it asks for a PTR record that resolves back, and for SPF"
    " or DKIM.",
)
UNKNOWN = Refusal(
    delivery=Delivery("deferred", "x@example.net", Reply(451, "4.3.0", "Try later, the moon is wrong"), None),
    receiver=None,
    cause="unknown",
    ambiguous=(),
    who=("unknown",),
    steps=(),
    remedies=(),
    checks=(),
    source=None,
    standing="reported",
)

CAUSE = Cause(
    id="ptr-missing",
    title="No reverse DNS for the sending address",
    who=("sender-dns",),
    kind="either",
    steps=(
        "Have the PTR record set where the address comes from.",
        "Let its name resolve back to the address.",
    ),
    checks=("ptr",),
    remedies=("dns-records", "ipv4-for-receiver"),
    sources=("https://support.google.com/mail/answer/81126", "RFC 1912 2.1"),
    page="# What happened\n\nThe receiver asked for `PTR`, and found none."
    "\n\n## Make sure\n\n    dig -x 2001:db8:1::10\n\n- one\n- two\n",
)

LOOKED = Evidence(Records(SIX, "PTR"), DnsAnswer((), False, False), None, AT)
BLIND = Evidence(Records("example.org", "TXT"), None, "resolver 192.0.2.53 does not answer", AT)
FINDINGS = (
    Finding("ptr-missing", SIX, "measured", f"{SIX} has no PTR record", (LOOKED,), "ptr", None, "ipv6"),
    Finding("ptr-missing", "192.0.2.10", "cleared", "192.0.2.10 is mail.example.org, which resolves back to it",
            (), "ptr", None, "ipv4"),
    Finding("ipv6-ptr-or-auth", "google", "measured", "google refused 20 of 40 over IPv6 and none of 20 over IPv4"
            " in the last 30 days", (), "receiver-log", "google", "ipv6"),
    Finding("spf-fail", "example.org", "unknown", "could not look: resolver 192.0.2.53 does not answer", (BLIND,),
            "spf"),
    Finding("listener-missing", "inet_interfaces", "cleared", "0.0.0.0:25 and [::]:25 are open as configured", (),
            "listeners"),
)  # fmt: skip

LISTENERS = (Listener("0.0.0.0", 25, 812, 13), Listener("::", 25, 812, 14))

DIFF = """--- /dev/null
+++ /etc/postfix/ipv4_only_receivers
@@ -0,0 +1,3 @@
+# Receivers that are reached over IPv4 only, written by mailmend.
+# See smtp_dns_reply_filter in postconf(5).
+/^[^ ]+\\.google\\.com\\. [^ ]+ IN AAAA / IGNORE
--- /etc/postfix/main.cf
+++ /etc/postfix/main.cf
@@ -30,3 +30,4 @@
 recipient_delimiter = +
 inet_interfaces = all
 inet_protocols = all
+smtp_dns_reply_filter = regexp:/etc/postfix/ipv4_only_receivers
"""
CHANGE = Change("setting", "smtp_dns_reply_filter", None, "regexp:/etc/postfix/ipv4_only_receivers", "reload")
CHOSEN = Proposal(
    "ipv4-for-receiver",
    "contains",
    (CHANGE,),
    (
        Expectation(
            "saved", "setting-is", "smtp_dns_reply_filter", CHANGE.after, "smtp_dns_reply_filter is saved"
        ),
    ),
    (
        "mail to google goes over IPv4 only; everything else, and receiving, keeps IPv6",
        "it contains the fault, it does not cure it: the IPv6 address stays without good standing",
    ),
)
REVERSE = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
PENDING = Proposal(
    "dns-records",
    "cures",
    (
        Change("dns", f"{REVERSE} PTR", None, "mail.example.org.", "none"),
        Change("dns", "example.org TXT", "v=spf1 mx -all", f"v=spf1 mx ip6:{SIX} -all", "none"),
    ),
    (),
    ("PTR records are set where the address comes from: your provider's control panel or support",),
)
DECLINED = (
    Proposal(
        "bind-address", "contains", (), (), (), (Objection("no other IPv6 address here has a good name"),)
    ),
    Proposal("ipv4-client", "contains", (CHANGE,), (), ("all mail leaves over IPv4 only",)),
)
PLAN = Plan(
    chosen=CHOSEN,
    findings=FINDINGS[:1] + FINDINGS[2:3],
    files=(
        FileEdit("/etc/postfix/ipv4_only_receivers", None, "x"),
        FileEdit("/etc/postfix/main.cf", "a", "b"),
    ),
    diff=DIFF,
    digest="0" * 64,
    pending=(PENDING,),
    declined=DECLINED,
    reason="the narrowest remedy that works here",
)
PROOF = Proof(
    (
        Judgement(CHOSEN.expectations[0], "holds", (), f"smtp_dns_reply_filter = {CHANGE.after}"),
        Judgement(Expectation("running", "running-since", "qmgr", AT.isoformat(), "Postfix has loaded what is saved"),
                  "holds", (), "qmgr started 2026-11-22T13:05:02+00:00, pid of master 812"),
        Judgement(Expectation("running", "listener", "[::]:25", "open", "[::]:25 is still open"), "holds", (),
                  "[::]:25 is open (pid 812, fd 14)"),
        Judgement(Expectation("delivery", "delivered", ".google.com any", AT.isoformat(),
                              "mail to google is delivered"), "pending", (),
                  "no delivery since; the next ones will tell"),
        Judgement(Expectation("client", "client-family", "postmaster@gmail.com", "ipv4",
                              "the smtp client tries only IPv4 for postmaster@gmail.com"), "holds", (),
                  "the client uses ipv4 only; ignoring DNS RR: gmail-smtp-in.l.google.com. 30 IN AAAA 2001:db8:9::1a"),
    ),
    AT,
)  # fmt: skip
FAILED = Proof(
    (
        Judgement(CHOSEN.expectations[0], "holds"),
        replace(PROOF.judgements[2], verdict="fails", says="[::]:25 is not open"),
    ),
    AT,
)
RECORD = Record(
    id="20261122-130501-ipv4-for-receiver",
    at=AT,
    by="anna",
    remedy="ipv4-for-receiver",
    reason="the narrowest remedy that works here",
    state="kept",
    files=PLAN.files,
    activation="reload",
    diff=DIFF,
    digest=PLAN.digest,
    changes=(CHANGE,),
    expectations=CHOSEN.expectations,
    pending=(
        Expectation("dns", "record-seen", f"{REVERSE} PTR", "mail.example.org.", "the PTR is published"),
    ),
    proof=PROOF,
)
CASE = Case(
    receiver="google",
    name="Google",
    suffixes=(".google.com",),
    ways=(
        Way(
            recipient="postmaster@gmail.com",
            sender=None,
            domain="gmail.com",
            service="smtp/unix",
            nexthop="gmail.com",
            relayed=False,
            hosts=("gmail-smtp-in.l.google.com",),
            ipv4_hosts=("gmail-smtp-in.l.google.com",),
        ),
    ),
    services=("smtp/unix",),
    findings=FINDINGS,
    ipv4=Fare(20, 0),
    ipv6=Fare(20, 20),
)
FIXED = Fixed(PLAN, CASE, FINDINGS, "kept", RECORD, PROOF, PLAN.reason)
ROLLED_BACK = replace(FIXED, state="rolled-back", proof=FAILED, record=replace(RECORD, state="rolled-back"))

COUNT = DeliveryCount("gmail-smtp-in.l.google.com", "ipv6", "bounced", 550, "5.7.1", "no", "gmail.com", "smtp",
                      20, 20, ("alice@example.com",), AT)  # fmt: skip
STILL = (
    Finding(
        "ptr-missing", SIX, "measured", f"{SIX} has no PTR record", check="ptr", family="ipv6", address=SIX
    ),
)
STATUS = Status(
    host=HostFacts("mail.example.org", "debian", "12", "systemd", "postfix@-.service", "/var/log/mail.log", False,
                   False, None, "root", True),
    version="3.7.11",
    settings={
        "inet_protocols": SettingValue("all", "all"),
        "inet_interfaces": SettingValue("all", None),
        "mynetworks": SettingValue("127.0.0.0/8 [::1]/128", "127.0.0.0/8 [::1]/128"),
        "relayhost": SettingValue("", None),
    },
    running=Running(812, AT, AT, "postfix@-.service"),
    listeners=LISTENERS,
    sockets='LISTEN 0 100 0.0.0.0:25 0.0.0.0:* users:(("master",pid=812,fd=13))',
    findings=FINDINGS[4:],
    deliveries=LogCounts("/var/log/mail.log", 99, 0, AT, AT, (COUNT, replace(COUNT, family="ipv4", status="sent"))),
    records=(RECORD,),
    ways_back=(WayBack(RECORD, Proof((Judgement(RECORD.pending[0], "pending"),), AT), STILL),),
    errors=(),
    clients=(("smtp/unix", ("ipv4", "ipv6")), ("relay/unix", ("ipv4",))),
)  # fmt: skip
