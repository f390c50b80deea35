"""A folder of tests/worlds/rehearsals -> a running host in a lab: its files, keys, neighbours and instances.

The programs around Postfix are the most harmless there are (mailmend.lab.standins), as real ones would be
that have nothing against the mail.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mailmend

WORLDS = Path(__file__).parent / "rehearsals"
SOURCE = str(Path(mailmend.__file__).parents[1])
PASSWORD = "correct-horse-battery"  # noqa: S105 (nobody's)
KEY = "/etc/ssl/acme/mail.key"
INDEXED = {
    "forwarder": ["hash:/etc/postfix/virtual"],
    "everything": [
        "hash:/etc/postfix/sasl_passwd",
        "btree:/etc/postfix/virtual",
        "hash:/etc/postfix/mailboxes",
    ],
    "two-instances": ["hash:/etc/postfix/virtual"],
}
NEIGHBOURS: list[dict[str, Any]] = [
    {"kind": "milter", "places": ["/var/spool/postfix/opendkim/opendkim.sock"]},
    {"kind": "lmtp", "places": ["/var/spool/postfix/private/dovecot-lmtp"]},
    {"kind": "auth", "places": ["/var/spool/postfix/private/auth"]},
    {"kind": "filter", "places": [], "host": "127.0.0.1", "port": 10024, "onward": 10025},
]


def files(name: str) -> dict[str, str]:
    """Path on the host -> text."""
    folder = WORLDS / name
    return {f"/{p.relative_to(folder)}": p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def settle(lab: Any, name: str, *, start: bool = True) -> None:
    """Make the lab's relay this host, and start every instance of it."""
    lab.reset()
    text = files(name)
    names = [
        "smtp.provider.example",
        "mx.partner.example",
        "*.l.google.com",
        "mx.elsewhere.example",
        "mx6.v6only.example",
    ]
    authority = lab._world.call("certify", names=names)
    lab._world.call("relayhost", name="smtp.provider.example", port=587)
    for host in ("smtp.provider.example", "mx.partner.example"):
        lab.dns.publish(f"{host} A 203.0.113.153", f"{host} AAAA 2001:db8:4::99")
    if name == "everything":
        text["/etc/ssl/acme/authorities.pem"] = authority
        text["/etc/ssl/acme/mail.pem"] = lab.relay.read("/etc/ssl/certs/ssl-cert-snakeoil.pem")
        text[KEY] = lab.relay.read("/etc/ssl/private/ssl-cert-snakeoil.key")
    instances = [{"queue": "/var/spool/postfix", "data": "/var/lib/postfix"}]
    if name == "two-instances":
        instances.append({"queue": "/var/spool/postfix-out", "data": "/var/lib/postfix-out"})
    secret = (KEY, "/etc/postfix/sasl_passwd")
    inside(lab, "lay_out", {
        "hostname": "mail",
        "hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost\n192.0.2.10\tmail.acme.example mail\n",
        "addresses": [], "directories": [], "instances": instances,
        "files": {p: [t, 0o600 if p in secret else 0o755 if "/bin/" in p else 0o644] for p, t in text.items()},
        "indexes": [["postmap", table] for table in INDEXED[name]] + [["postalias", "hash:/etc/aliases"]],
    })  # fmt: skip
    if start:
        neighbours = [{"places": [], "host": "", "port": 0, "onward": 0, **each} for each in NEIGHBOURS]
        python(lab, "mailmend.lab.standins", input=json.dumps(neighbours if name == "everything" else []))
        inside(lab, "start", {"directories": directories(name)})


def directories(name: str) -> list[str]:
    return ["/etc/postfix", "/etc/postfix-out"] if name == "two-instances" else ["/etc/postfix"]


def inside(lab: Any, operation: str, request: dict[str, Any]) -> None:
    told = json.loads(python(lab, "mailmend.lab.clone_host", operation, input=json.dumps(request)))
    assert "error" not in told, told


def python(lab: Any, module: str, *arguments: str, input: str = "") -> str:
    argv = [sys.executable, "-P", "-m", module, *arguments]
    done = lab.relay.run(argv, input=input, env={"PYTHONPATH": SOURCE}, cwd="/")
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def lab_inside(lab: Any) -> str:
    """Why no lab can be opened on this host; "" where one can."""
    argv = [sys.executable, "-P", "-c", "from mailmend.lab import open_lab\nwith open_lab(): pass"]
    done = lab.relay.run(argv, env={"PYTHONPATH": SOURCE})
    return str(done.stderr.strip().splitlines()[-1]) if done.returncode else ""


def state(lab: Any, folders: tuple[str, ...] = ("/etc",)) -> str:
    """Every file of the host's configuration by its bytes, mode, owner and times."""
    found = lab.relay.run(["find", *folders, "-type", "f", "-printf", "%p %i %m %U:%G %s %T@ %C@\n"]).stdout
    sums = lab.relay.run(["find", "/etc/postfix", "-type", "f", "-exec", "sha256sum", "{}", "+"]).stdout
    return str(found + sums)


def tables(document: dict[str, Any]) -> Iterator[str]:
    yield from (each["what"] for each in document["left_out"])
