"""Every forward of a configuration is found where it stands; what cannot be read is named, never left out."""

from __future__ import annotations

from typing import Any

from mailmend.facts.forwards import Forward, Forwards, forwards
from mailmend.questions import MapLookup
from worlds import world

VIRTUAL, ALIASES = "hash:/etc/postfix/forwards", "hash:/etc/aliases"


def found(**changes: Any) -> Forwards:
    changes.setdefault("tables", {}).setdefault(ALIASES, {})
    changes["settings"] = {
        "mydestination": "relay.example.org",
        "myorigin": "relay.example.org",
        "alias_maps": ALIASES,
        "virtual_alias_domains": "example.org",
        "virtual_alias_maps": "",
        **changes.get("settings", {}),
    }
    changes["files"] = {"/etc/passwd": "root:x:0:0::/root:/bin/sh\n", **changes.get("files", {})}
    return forwards(world.made(**changes).probe())


def told(seen: Forwards) -> list[tuple[str, str]]:
    return [(each.address, each.target) for each in seen.found]


# ---- what is no forward -----------------------------------------------------------------------


def test_mail_that_stays_here_is_none() -> None:
    seen = found(
        settings={"virtual_alias_maps": VIRTUAL},
        tables={
            VIRTUAL: {"info@example.org": "root@relay.example.org", "me@example.org": "me@example.org"},
            ALIASES: {
                "postmaster": "root",
                "prog": '"|/usr/bin/vacation, me@gmail.com"',
                "box": "/var/mail/box",
            },
        },
    )
    assert told(seen) == []
    assert seen.unread == ()


def test_what_the_alias_database_says_of_itself_and_of_lists_is_none() -> None:
    own = {"@": "@", "YP_LAST_MODIFIED": "1", "YP_MASTER_NAME": "x", "owner-list": "chief@elsewhere.example"}
    assert told(found(tables={ALIASES: own})) == []


# ---- where they stand -------------------------------------------------------------------------


def test_each_target_of_each_table_by_the_name_of_the_table() -> None:
    seen = found(
        settings={"virtual_alias_maps": VIRTUAL},
        tables={
            VIRTUAL: {
                "user@example.org": "someone@gmail.com, other@elsewhere.example",
                "@example.org": "all",
            },
            ALIASES: {"all": "one@gmail.com,\n \\all, :include:/etc/list"},
        },
        files={"/etc/list": "# who\ntwo@gmail.com\n"},
    )
    virtual, aliases = f"virtual_alias_maps: {VIRTUAL}", f"alias_maps: {ALIASES}"
    assert set(seen.found) == {
        Forward("user@example.org", "someone@gmail.com", (virtual,)),
        Forward("user@example.org", "other@elsewhere.example", (virtual,)),
        Forward("@example.org", "one@gmail.com", (virtual, aliases)),
        Forward("@example.org", "two@gmail.com", (virtual, aliases)),
        Forward("all@relay.example.org", "one@gmail.com", (aliases,)),
        Forward("all@relay.example.org", "two@gmail.com", (aliases,)),
    }


def test_a_domain_that_becomes_another_is_one_forward() -> None:
    seen = found(settings={"virtual_alias_maps": VIRTUAL}, tables={VIRTUAL: {"@example.org": "@gmail.com"}})
    assert told(seen) == [("@example.org", "@gmail.com")]


def test_what_people_write_into_their_homes() -> None:
    seen = found(
        settings={"forward_path": "$home/.forward${recipient_delimiter}${extension}, $home/.forward"},
        files={
            "/etc/passwd": "ann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\n"
            "daemon:x:2:2::/usr/sbin:/bin/sh\n",
            "/home/ann/.forward": "\\ann, ann@gmail.com\n",
            "/home/bob/.dovecot.sieve": 'require "copy";\nif true { keep; }\n  redirect :copy "bob@gmail.com";\n',
            "/usr/sbin/.forward": "nobody@gmail.com\n",
        },
    )
    assert [(f.address, f.target, f.by) for f in seen.found] == [
        ("ann@relay.example.org", "ann@gmail.com", ("/home/ann/.forward",)),
        ("bob@relay.example.org", "bob@gmail.com", ("/home/bob/.dovecot.sieve",)),
    ]


MAILBOXES = {
    "settings": {
        "virtual_mailbox_domains": "mail.example.org",
        "virtual_mailbox_maps": "hash:/etc/postfix/mailboxes",
    },
    "tables": {
        "hash:/etc/postfix/mailboxes": {"eva@mail.example.org": "eva/", "tom@mail.example.org": "tom/"}
    },
}


def test_what_people_of_virtual_mailboxes_have_dovecot_send_on() -> None:
    seen = found(
        **MAILBOXES,
        files={
            "/etc/dovecot/conf.d/10-mail.conf": "mail_home = /var/vmail/%d/%n\n",
            "/var/vmail/mail.example.org/eva/.dovecot.sieve": 'if true { redirect "eva@gmail.com"; }\n',
        },
    )
    assert [(f.address, f.target, f.by) for f in seen.found] == [
        ("eva@mail.example.org", "eva@gmail.com", ("/var/vmail/mail.example.org/eva/.dovecot.sieve",))
    ]
    assert seen.unread == ()


def test_where_nobody_says_where_their_scripts_lie_that_is_said() -> None:
    assert found(**MAILBOXES).unread == ()  # no Dovecot
    seen = found(**MAILBOXES, files={"/etc/dovecot/conf.d/90-sieve.conf": "plugin {\n}\n"})
    assert [where for where, _ in seen.unread] == ["Sieve scripts of virtual mailboxes"]


def test_an_alias_that_comes_back_to_itself_is_a_loop() -> None:
    seen = found(
        settings={"virtual_alias_maps": VIRTUAL},
        tables={VIRTUAL: {"a@example.org": "b@example.org", "b@example.org": "a@example.org"}},
    )
    assert [(each.address, each.loop) for each in seen.found] == [
        ("a@example.org", True),
        ("b@example.org", True),
    ]


def test_a_list_that_includes_a_list_is_read_to_its_end_and_one_that_includes_itself_once() -> None:
    seen = found(
        tables={ALIASES: {"list": ":include:/etc/list"}},
        files={
            "/etc/list": '# all\none@gmail.com\n:include:/etc/more\n"|/usr/bin/archive"\n',
            "/etc/more": ":include:/etc/list\n:include:/etc/gone\ntwo@gmail.com\n",
        },
    )
    assert [target for _, target in told(seen)] == ["one@gmail.com", "two@gmail.com"]
    assert seen.unread == (
        (f"alias_maps: {ALIASES}: /etc/gone", "it is not there: local(8) keeps such mail waiting"),
    )


# ---- what cannot be read ----------------------------------------------------------------------


def test_a_table_of_patterns_is_asked_for_the_recipients_that_are_known_and_says_so() -> None:
    seen = found(
        settings={"virtual_alias_maps": "pcre:/etc/postfix/v"},
        tables={"pcre:/etc/postfix/v": {"root@relay.example.org": "boss@gmail.com"}},
    )
    # postmaster is an alias of root.
    assert told(seen) == [(f"{who}@relay.example.org", "boss@gmail.com") for who in ("postmaster", "root")]
    assert (seen.asked, seen.known) == (("virtual_alias_maps: pcre:/etc/postfix/v",), 1)


def test_a_table_that_is_not_there_is_named() -> None:
    seen = found(settings={"virtual_alias_maps": "hash:/etc/postfix/gone"})
    ((where, why),) = seen.unread
    assert where == "virtual_alias_maps: hash:/etc/postfix/gone"
    assert "No such file" in why


def test_a_table_too_long_to_be_read_whole_says_so() -> None:
    table = {f"u{n}@example.org": "root" for n in range(20_001)}
    seen = found(settings={"virtual_alias_maps": VIRTUAL}, tables={VIRTUAL: table})
    assert seen.unread == ((f"virtual_alias_maps: {VIRTUAL}", "it has more than the 20,000 that were read"),)


def test_ten_thousand_aliases_are_looked_up_in_no_table() -> None:
    entries = {f"u{n}@example.org": f"u{n}@gmail.com" for n in range(10_000)}
    probe = world.made(
        settings={"virtual_alias_maps": VIRTUAL, "virtual_alias_domains": "example.org"},
        tables={VIRTUAL: entries, ALIASES: {}},
        files={"/etc/passwd": ""},
    ).probe()
    assert len(forwards(probe).found) == 10_000
    asked = [question for _, question in probe.recording() if isinstance(question, MapLookup)]
    assert len(asked) < 20
