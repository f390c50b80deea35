"""What people write into Sieve scripts, and where Dovecot is told to look for them."""

from __future__ import annotations

import pytest

from mailmend.parse import sieve


@pytest.mark.parametrize(
    "script",
    [
        '# redirect "a@x.example";\n',
        '/* redirect "a@x.example";\n   redirect "b@x.example"; */ keep;',
        'require "vacation";\nvacation text:\nredirect "a@x.example";\n.\n;\n',
        'vacation "I said: redirect \\"a@x.example\\";";',
        'redirect :list "urn:example:friends";',
        'redirect "${whoever}";'.replace("${whoever}", "x"),
        "",
    ],
)
def test_what_sends_nothing_on(script: str) -> None:
    assert sieve.redirects(script) == ()


@pytest.mark.parametrize(
    ("script", "targets"),
    [
        ('redirect "a@x.example";', ("a@x.example",)),
        (
            'require ["copy"];\nif header :contains "subject" "x" { redirect :copy "a@x.example"; stop; }',
            ("a@x.example",),
        ),
        (
            'REDIRECT :copy "a@x.example";\nredirect "b@x.example"; redirect "a@x.example";',
            ("a@x.example", "b@x.example"),
        ),
        ('vacation text:\nback soon\n.\n;\nredirect "a@x.example";', ("a@x.example",)),
        ('fileinto "# no comment"; redirect "a@x.example";', ("a@x.example",)),
    ],
)
def test_whom_mail_is_sent_on_to(script: str, targets: tuple[str, ...]) -> None:
    assert sieve.redirects(script) == targets


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        ((), (sieve.ACTIVE, "")),
        (("#sieve = /srv/x\n",), (sieve.ACTIVE, "")),
        (("plugin {\n  sieve = file:~/sieve;active=~/.dovecot.sieve\n}\n",), ("~/.dovecot.sieve", "")),
        (("plugin {\n  sieve = file:~/sieve\n}\n",), (sieve.ACTIVE, "")),
        (
            ("mail_home = /var/vmail/%d/%n\n", "sieve = /var/vmail/%d/%n.sieve\n"),
            ("/var/vmail/%d/%n.sieve", "/var/vmail/%d/%n"),
        ),
        (
            ("sieve_script personal {\n  path = ~/sieve\n  active_path = ~/active.sieve\n}\n",),
            ("~/active.sieve", ""),
        ),
    ],
)
def test_where_dovecot_looks_for_it(texts: tuple[str, ...], place: tuple[str, str]) -> None:
    assert sieve.places(texts) == place


@pytest.mark.parametrize(
    ("template", "home", "path"),
    [
        ("~/.dovecot.sieve", "/home/ann", "/home/ann/.dovecot.sieve"),
        ("~/.dovecot.sieve", "", ""),
        ("/var/vmail/%d/%n/.dovecot.sieve", "", "/var/vmail/example.org/Ann/.dovecot.sieve"),
        ("/var/vmail/%Ld/%Ln", "", "/var/vmail/example.org/ann"),
        ("/srv/%{user | domain}/%{user|username}", "", "/srv/example.org/Ann"),
        ("/srv/%{passwd:home}/x", "", ""),
        ("/srv/%x", "", ""),
        ("ldap:/x", "", ""),
    ],
)
def test_the_place_of_one_user(template: str, home: str, path: str) -> None:
    assert sieve.filled(template, "Ann@example.org", home) == path
