"""Every question that mailmend asks of the world, and the shape of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mailmend.model import Delivery, Family, Question

# ---- the clock and the host ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Now(Question[datetime]):
    """The time, with its offset."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """*distribution* and *release* are ID and VERSION_ID of os-release(5).

    *init*: `systemd` where it runs as the service manager, else `none` or `sysv`.
    *unit*: the systemd unit that really holds the master (`postfix@-.service` on Debian 12).
    *maillog*: the file Postfix logs to, None for the journal (`journal` True) or where none was found.
    *webmin*: Webmin's module configuration for Postfix, where Webmin is installed.
    """

    hostname: str
    distribution: str
    release: str
    init: Literal["systemd", "sysv", "none"]
    unit: str | None
    maillog: str | None
    journal: bool
    container: bool
    webmin: str | None
    user: str
    root: bool


@dataclass(frozen=True, slots=True)
class Host(Question[HostFacts]):
    """Which machine this is and how Postfix is run on it."""


@dataclass(frozen=True, slots=True)
class HostAddress:
    ip: str
    interface: str
    loopback: bool
    link_local: bool
    temporary: bool
    deprecated: bool


@dataclass(frozen=True, slots=True)
class HostAddresses(Question[tuple[HostAddress, ...]]):
    """The addresses on this host's interfaces."""


@dataclass(frozen=True, slots=True)
class SourceAddress(Question[str]):
    """The address the kernel would send from towards *destination*; no route is an error."""

    destination: str


@dataclass(frozen=True, slots=True)
class FileState:
    """*text* keeps every byte (UTF-8 with surrogateescape); *link* is where a symbolic link points."""

    path: str
    exists: bool
    text: str
    mode: int
    owner: str
    modified: datetime | None
    link: str | None


@dataclass(frozen=True, slots=True)
class File(Question[FileState]):
    path: str


@dataclass(frozen=True, slots=True)
class Stat(Question[FileState]):
    """A file as File tells it, without its text: whether it is there, whose, and since when."""

    path: str


@dataclass(frozen=True, slots=True)
class Resolve(Question[tuple[str, ...]]):
    """The addresses that this host itself gives a name: /etc/hosts, DNS, whatever nsswitch.conf(5) says.

    So Postfix reads the names in inet_interfaces and master.cf. *family* None asks for both at once, which
    is not the same as twice for one. A name that nobody knows is (); no answer is an error.
    """

    name: str
    family: Family | None = None


# ---- DNS ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """*records* in presentation form: `5 mx.example.`, `192.0.2.1`, a TXT's strings joined without quotes.

    *exists* is False for NXDOMAIN (RFC 8020). *authenticated* is the AD flag of a local resolver.
    """

    records: tuple[str, ...]
    exists: bool
    authenticated: bool


@dataclass(frozen=True, slots=True)
class Records(Question[DnsAnswer]):
    """The records of *type* at *name* (absolute, lower case, no dot at the end).

    For PTR, *name* is the IP address itself. SERVFAIL, time-out and no resolver are errors.
    """

    name: str
    type: Literal["A", "AAAA", "MX", "PTR", "TXT", "TLSA", "CNAME", "NS", "SOA"]


# ---- Postfix: what is configured ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SettingValue:
    """*value* as the service would use it, `$name` expanded; *written* the text of main.cf or of `-o`.

    *written* is None where the default applies; *value* is None where this Postfix has no such parameter.
    """

    value: str | None
    written: str | None


@dataclass(frozen=True, slots=True)
class Setting(Question[SettingValue]):
    """A parameter's effective value; *service* is `name/type` of master.cf, whose `-o` wins."""

    name: str
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Defaults(Question[tuple[tuple[str, str], ...]]):
    """Every parameter that this Postfix knows, with its default as it is written, `$name` not expanded."""


@dataclass(frozen=True, slots=True)
class Manual(Question[str]):
    """What the installed postconf(5) says of a parameter first: one paragraph of plain text.

    "" where the manual is here and does not know it; no manual is an error.
    """

    name: str


@dataclass(frozen=True, slots=True)
class ConfigWarnings(Question[tuple[str, ...]]):
    """What postconf(1) itself warns of: unused, undefined and overridden parameters, each once."""


@dataclass(frozen=True, slots=True)
class Service:
    """An entry of master.cf (master(5)); *overrides* are its `-o name=value`, in order."""

    name: str
    type: str
    private: str
    unprivileged: str
    chroot: str
    wakeup: str
    process_limit: str
    command: str
    overrides: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        return f"{self.name}/{self.type}"


@dataclass(frozen=True, slots=True)
class Services(Question[tuple[Service, ...]]):
    """master.cf, entry by entry."""


@dataclass(frozen=True, slots=True)
class Instance:
    name: str
    group: str
    enabled: bool
    config_directory: str


@dataclass(frozen=True, slots=True)
class Instances(Question[tuple[Instance, ...]]):
    """The Postfix instances of this host (`postmulti -l`)."""


@dataclass(frozen=True, slots=True)
class MapTypes(Question[tuple[str, ...]]):
    """The lookup table types that this Postfix has (`postconf -m`)."""


@dataclass(frozen=True, slots=True)
class MapLookup(Question[str]):
    """What *table* (`type:name`) returns for *key* (`postmap -q`); "" for not found."""

    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Entries:
    """Keys with their values, in no order that means anything; *more*: there are others."""

    found: tuple[tuple[str, str], ...]
    more: bool


@dataclass(frozen=True, slots=True)
class MapEntries(Question[Entries]):
    """What stands in *table* (`postmap -s`), at most *most* of it. A type that cannot be listed is an error."""

    table: str
    most: int = 20_000


# ---- Postfix: what runs -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """*pid* is None where no master runs for this configuration.

    *since* and *reloaded* are the starts of master and of qmgr: qmgr is started anew by every reload.
    *keeper* is the name of the process that waits for a master in the foreground (`postfix start-fg`),
    "" where master itself is process 1; None for a daemon that nobody waits for.
    *load* is a name of the last reload: another after each, and after a boot; "" where it was not seen.
    """

    pid: int | None
    since: datetime | None
    reloaded: datetime | None
    cgroup_unit: str | None = None
    keeper: str | None = None
    load: str = ""


@dataclass(frozen=True, slots=True)
class Master(Question[Running]):
    """The running master(8) of this configuration, found by its pid file and its own executable."""


@dataclass(frozen=True, slots=True)
class StartedWith(Question[tuple[tuple[str, str], ...]]):
    """Settings that only a start reads, as the running master was started with them, where it shows them.

    `import_environment/NAME` stands for each NAME=VALUE of that setting. What is not shown is left out.
    """


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket of master: *address* is `0.0.0.0`, `::` or one address; *fd* its number."""

    address: str
    port: int
    pid: int
    fd: int


@dataclass(frozen=True, slots=True)
class Listeners(Question[tuple[Listener, ...]]):
    """The sockets on which master listens, read from /proc."""


@dataclass(frozen=True, slots=True)
class Bindable(Question[str]):
    """ "" where a socket could be bound to *address*:*port* now, else why not. It is closed again at once."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class SocketListing(Question[str]):
    """What `ss -lntp` prints: the evidence a person knows."""


@dataclass(frozen=True, slots=True)
class DeliveryCount:
    """Deliveries that went alike. *text* is the reply of the last of them; *status* the log's word.

    Replies that name different addresses in brackets did not go alike. *first* and *last* are times.
    *forwarded* counts those with an orig_to= that differs from to=. *service* is what the log names behind
    the syslog_name's first part: `smtp`, `relay/smtp`.
    """

    relay_host: str | None
    family: Family | None
    status: Literal["sent", "bounced", "deferred"]
    code: int | None
    dsn: str | None
    text: str
    recipient_domain: str
    service: str
    count: int
    forwarded: int
    senders: tuple[str, ...]
    last: datetime
    first: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogCounts:
    """What the log says of the days looked at; *path* None is the journal. Times are the first and last line's.

    *local_ipv6_clients* counts smtpd's connections from ::1.
    """

    path: str | None
    lines: int
    unparsed: int
    since: datetime | None
    until: datetime | None
    counts: tuple[DeliveryCount, ...]
    local_ipv6_clients: int = 0


@dataclass(frozen=True, slots=True)
class RecentDeliveries(Question[LogCounts]):
    """How mail fared lately, by receiving host and address family, from Postfix's own log."""

    days: int = 30


@dataclass(frozen=True, slots=True)
class Addressed(Question[tuple[str, ...]]):
    """Whom mail came for lately, by Postfix's own log: addresses, in lower case, the most frequent first.

    What an address became (`to=`, where there is an `orig_to=`) is not among them. At most *most*.
    """

    days: int = 30
    most: int = 2000


@dataclass(frozen=True, slots=True)
class Spacing:
    """*messages* that one service tried to deliver; *close* of them came sooner after the one before than asked.

    *shortest* is the shortest time between two of them, in seconds; None where there were not two.
    """

    messages: int
    close: int
    shortest: float | None


@dataclass(frozen=True, slots=True)
class Spaced(Question[Spacing]):
    """How far apart the log's deliveries by *service* are, whose name stands behind the syslog_name's first part.

    Several recipients of one message are one delivery. *seconds* is what counts as close.
    """

    service: str
    seconds: float
    days: int = 1


@dataclass(frozen=True, slots=True)
class LogLines(Question[tuple[str, ...]]):
    """The log's lines of warning, error, fatal and panic since *since*."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Greeting(Question[str]):
    """The first line of the SMTP server at *address*:*port* (RFC 5321 4.2): a real dialogue, then QUIT."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What `sendmail -bv` made the smtp client do, as the log told it: no message is sent.

    *deliveries*: `deliverable` is severity `delivered`. *ignored*: the "ignoring DNS RR" lines.
    """

    deliveries: tuple[Delivery, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientTrial(Question[TrialResult]):
    """The smtp client's own way to *recipient*, up to RCPT TO. Asked by a proof, never by a check.

    Postfix mails its report of the probe to *sender*; None is the null sender, to which it sends none.
    """

    recipient: str
    sender: str | None = None


# What a probe was asked and answered, as it is kept (recordings, history, `--json`).
AnyQuestion = Question[Any]
