"""check forwarding on Debian as it boots, its forwards in SQLite, PostgreSQL and OpenLDAP, asked by Postfix itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailmend.model import CannotLook
from system.hosts import roots
from system.hosts.machine import Machine, booted

pytestmark = pytest.mark.full
PACKAGES = ("postfix-sqlite", "sqlite3", "postfix-pgsql", "postgresql", "postfix-ldap", "slapd", "ldap-utils")
QUERY = "SELECT target FROM forwards WHERE address='%s'"
TABLES = {
    "sqlite": f"dbpath = /var/lib/forwards.db\nquery = {QUERY}\n",
    "pgsql": f"hosts = 127.0.0.1\nuser = mail\npassword = secret of pgsql\ndbname = mail\nquery = {QUERY}\n",
    "ldap": (
        "server_host = ldap://127.0.0.1\nversion = 3\nbind = yes\nbind_dn = cn=admin,dc=example\n"
        "bind_pw = secret of ldap\nsearch_base = ou=mail,dc=example\nquery_filter = (mail=%s)\n"
        "result_attribute = description\n"
    ),
}
ROWS = (
    "CREATE TABLE forwards (address TEXT, target TEXT);"
    "INSERT INTO forwards VALUES ('ann@ours.example', 'ann.ours@gmail.com');"
)
ENTRIES = """dn: ou=mail,dc=example
objectClass: organizationalUnit
ou: mail

dn: cn=ann,ou=mail,dc=example
objectClass: inetOrgPerson
cn: ann
sn: ann
mail: ann@ours.example
description: ann.ours@gmail.com
"""
SETTINGS = (
    "virtual_alias_domains=ours.example",
    # Whom to ask for: a table that can be listed.
    "virtual_mailbox_maps=inline:{ann@ours.example=x, ben@ours.example=x}",
    "alias_maps=",
    "forward_path=/nowhere",
)
UNIT = {"pgsql": "postgresql", "ldap": "slapd"}
# What the server, or the client of it, says.
WRONG = {"pgsql": "password authentication failed", "ldap": "Invalid credentials"}
DOWN = {"pgsql": "Connection refused", "ldap": "Can't contact LDAP server"}


@pytest.fixture(params=roots.SUITES, ids=roots.SUITES.get)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A machine with all three servers, each of which forwards ann to Gmail."""
    try:
        archives = roots.packages(request.param, *PACKAGES)
        with booted(request.param, tmp_path) as running:
            run(running, "systemctl", "stop", "resolver")
            run(
                running,
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "dpkg",
                "--install",
                *(str(archive) for archive in archives),
                timeout=300,
            )
            run(running, "systemctl", "start", "resolver", check=False)
            serve(running)
            yield running
    except CannotLook as reason:
        if request.config.getoption("--require-lab"):
            raise
        pytest.skip(str(reason))


def run(
    machine: Machine, *argv: str, text: str | None = None, timeout: float = 60, check: bool = True
) -> str:
    done = machine.enter(*argv, text=text, timeout=timeout)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def serve(machine: Machine) -> None:
    """The data, and the tables of Postfix that ask for it."""
    run(machine, "sqlite3", "/var/lib/forwards.db", text=ROWS)
    as_postgres = ("runuser", "-u", "postgres", "--", "psql", "-v", "ON_ERROR_STOP=1")
    owner = "CREATE ROLE mail LOGIN PASSWORD 'secret of pgsql'; CREATE DATABASE mail OWNER mail;"
    for line in owner.split(";")[:2]:
        run(machine, *as_postgres, text=f"{line};\n")
    run(machine, *as_postgres, "mail", text=f"SET ROLE mail;\n{ROWS}\n")
    replace = "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\n"
    for name, value in (
        ("olcSuffix", "dc=example"),
        ("olcRootDN", "cn=admin,dc=example"),
        ("olcRootPW", "secret of ldap"),
    ):
        change = f"{replace}replace: {name}\n{name}: {value}\n"
        run(machine, "ldapmodify", "-Q", "-Y", "EXTERNAL", "-H", "ldapi:///", text=change)
    base = "dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n"
    admin = ("-x", "-D", "cn=admin,dc=example", "-w", "secret of ldap")
    run(machine, "ldapadd", *admin, text=base + ENTRIES)
    for name, text in TABLES.items():
        machine.write(f"/etc/postfix/{name}.cf", text)
        # As proxymap(8) needs it, which is no root.
        run(machine, "chgrp", "postfix", f"/etc/postfix/{name}.cf")
        run(machine, "chmod", "640", f"/etc/postfix/{name}.cf")


def told(machine: Machine, *tables: str) -> tuple[int, dict[str, Any]]:
    run(machine, "postconf", "-e", *SETTINGS, f"virtual_alias_maps={', '.join(tables)}")
    run(machine, "postfix", "reload")  # proxymap(8) answers for the tables that it has loaded
    done = machine.mailmend("--json", "check", "forwarding", timeout=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def unread(document: dict[str, Any], table: str) -> str:
    """Why *table* could not be read; "" where it could."""
    return next((e["why"] for e in document["unread"] if e["where"] == f"virtual_alias_maps: {table}"), "")


def test_each_server_is_asked_and_one_that_does_not_answer_is_named(machine: Machine) -> None:
    for kind in TABLES:
        for table in (f"{kind}:/etc/postfix/{kind}.cf", f"proxy:{kind}:/etc/postfix/{kind}.cf"):
            _, document = told(machine, table)
            assert [(e["address"], e["target"], e["by"]) for e in document["forwards"]] == [
                ("ann@ours.example", "ann.ours@gmail.com", [f"virtual_alias_maps: {table}"])
            ], (table, document["unread"])
            assert document["asked"]["tables"] == [f"virtual_alias_maps: {table}"]
            assert document["unread"] == []

    # With a wrong password, and while it is down, nothing is said to be no forward.
    for kind, unit in UNIT.items():
        table, good = f"{kind}:/etc/postfix/{kind}.cf", TABLES[kind]
        machine.write(f"/etc/postfix/{kind}.cf", re.sub("secret of ", "no secret of ", good))
        status, document = told(machine, table)
        assert (status, document["forwards"]) == (3, []), document
        assert WRONG[kind] in unread(document, table)
        machine.write(f"/etc/postfix/{kind}.cf", good)
        run(machine, "systemctl", "stop", unit)
        status, document = told(machine, table, "inline:{ben@ours.example=ben.ours@gmail.com}")
        assert status in (1, 3)
        assert DOWN[kind] in unread(document, table)
        run(machine, "systemctl", "start", unit)
