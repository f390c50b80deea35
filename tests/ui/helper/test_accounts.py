"""Log in with a password, by the host's real PAM: who is not let in first, then root and the users of the group."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ui.helper.conftest import PAGE, SOCKET, Asking, Start, said

pytestmark = pytest.mark.lab
PASSWORDS = {"anna": "Blaue Möwe 7", "ben": "not of the group", "root": "of this lab alone"}
NO = "that name and password do not open this console"
RULES = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")


@pytest.fixture
def relay(lab: Any, start: Start) -> Iterator[Any]:
    """anna is of the group postmasters, ben is not; the helper takes passwords."""
    lab.reset()
    relay = lab.relay
    before = {path: relay.read(path) for path in FILES}
    for command in (
        ["groupadd", "postmasters"],
        ["useradd", "--no-create-home", "--groups", "postmasters", "anna"],
        ["useradd", "--no-create-home", "ben"],
    ):
        assert relay.run(command).returncode == 0
    told = "".join(f"{name}:{password}\n" for name, password in PASSWORDS.items())
    assert relay.run(["chpasswd"], input=told).returncode == 0
    relay.write("/etc/pam.d/mailmend", RULES)
    start("--pam", "postmasters")
    yield relay
    relay.run(["sh", "-c", f"kill $(cat /root/helper.pid); rm -f {SOCKET} /etc/pam.d/mailmend"])
    for path, text in before.items():
        relay.write(path, text)


def typed(user: str, password: str | None = None, source: str = "192.0.2.7") -> dict[str, str]:
    known = PASSWORDS.get(user, "") if password is None else password
    return {"verb": "login-by-password", "user": user, "password": known, "source": source}


# ---- who is not let in -------------------------------------------------------------------------


def test_nobody_is_where_it_was_not_asked_for(relay: Any, ask: Asking, start: Start) -> None:
    start()
    assert "nobody logs in with a password here" in ask.refused(**typed("anna"))


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("anna", "Blaue Moewe 7"),
        ("ben", None),
        ("ben", "wrong"),
        ("nosuch", "x"),
        ("nobody", "x"),
        ("root", "wrong"),
    ],
)
def test_whatever_was_wrong_is_told_alike(relay: Any, ask: Asking, user: str, password: str | None) -> None:
    assert ask.refused(**typed(user, password)) == NO


def test_why_is_told_to_root_and_the_password_to_nobody(relay: Any, ask: Asking) -> None:
    relay.write("/root/helper", "")
    ask.refused(**typed("ben"))
    ask.refused(**typed("anna", "a secret that is wrong"))
    told = relay.read("/root/helper")
    assert "ben is neither root nor of the group postmasters" in told
    assert "no session for anna at 192.0.2.7: Authentication failure" in told
    assert PASSWORDS["ben"] not in told
    assert "a secret" not in told


@pytest.mark.parametrize(
    "command",
    [["usermod", "--lock", "anna"], ["usermod", "--expiredate", "1", "anna"], ["passwd", "-e", "anna"]],
)
def test_an_account_that_is_locked_or_over_is_not(relay: Any, ask: Asking, command: list[str]) -> None:
    assert relay.run(command).returncode == 0
    assert ask.refused(**typed("anna")) == NO


def test_an_account_without_a_password_is_not(relay: Any, ask: Asking) -> None:
    relay.run(["passwd", "--delete", "anna"])
    assert "no request of the helper's list" in ask.refused(**typed("anna", ""))
    relay.write("/etc/pam.d/mailmend", RULES.replace("nodelay", "nodelay nullok"))
    assert ask.refused(**typed("anna", "x")) == NO


@pytest.mark.parametrize(
    "user", ["", "anna\n", "anna\0", "-h", "../anna", "an na", "a" * 65, "anna;id", "\u202eanna", "$(id)"]
)
def test_what_is_no_name_never_comes_to_pam(relay: Any, ask: Asking, user: str) -> None:
    assert "no request of the helper's list" in ask.refused(**typed(user, "x"))


@pytest.mark.parametrize("password", ["x" * 513, "a\0b", "x" * 10_000])
def test_what_pam_would_cut_short_is_no_password(relay: Any, ask: Asking, password: str) -> None:
    assert "no request of the helper's list" in ask.refused(**typed("anna", password))


def test_who_guesses_waits_from_wherever_he_types_and_others_do_not(relay: Any, ask: Asking) -> None:
    said = [ask.refused(**typed("anna", "wrong", f"192.0.2.{number}")) for number in range(8)]
    assert said[:5] == [NO] * 5
    assert any("too many wrong tries" in each for each in said[5:])
    assert ask.done(**typed("root", source="192.0.2.9"))["grant"]
    assert ask.log_in("192.0.2.1")  # a code is not an account's


@pytest.mark.slow
def test_a_module_that_hangs_is_ended_and_others_are_answered(relay: Any, ask: Asking) -> None:
    relay.write("/etc/pam.d/mailmend", f"auth required pam_exec.so /bin/sleep 600.125\n{RULES}")
    try:
        assert "could not be checked" in ask.refused(**typed("anna"))
        assert relay.run(["pgrep", "-f", "mailmend helper --work"]).returncode != 0
        assert ask.log_in()
    finally:
        # pam_exec(8) gives its program a session of its own, as the operator who wrote that rule knows.
        hanging = relay.run(["pgrep", "-f", "sleep 600.125"]).stdout.split()
        relay.run(["kill", *hanging])


def test_without_rules_of_its_own_or_of_login_it_does_not_begin(relay: Any) -> None:
    relay.run(["sh", "-c", "rm /etc/pam.d/mailmend; mv /etc/pam.d/login /root/login"])
    try:
        done = relay.mailmend("helper", "--user", "nobody", "--pam", "postmasters", "--socket", "/run/other")
        assert (done.returncode, "no rules for mailmend" in done.stderr) == (4, True), done
    finally:
        relay.run(["mv", "/root/login", "/etc/pam.d/login"])


def test_a_group_that_is_not_there_is_said_at_once(relay: Any) -> None:
    done = relay.mailmend("helper", "--user", "nobody", "--pam", "nosuchgroup", "--socket", "/run/other")
    assert (done.returncode, "there is no group nosuchgroup" in done.stderr) == (4, True), done


# ---- who is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["anna", "root"])
def test_root_and_the_group_are_let_in_and_named_in_the_history(relay: Any, ask: Asking, user: str) -> None:
    relay.start()
    grant = ask.done(**typed(user))["grant"]
    shown = ask.propose(
        grant, {"what": "set", "assignments": [{"name": "message_size_limit", "value": "2048000"}]}
    )
    done = said(
        relay, PAGE, json.dumps({"verb": "apply", "grant": grant, "digest": shown["digest"]}).encode() + b"\n"
    )
    assert "done" in done[-1], done[-1]
    record = json.loads(relay.mailmend("--json", "history").stdout)["records"][0]
    assert record["by"].startswith(f"console:{user}/")
    assert record["by"].endswith("@192.0.2.7")


def test_the_group_may_be_the_first_one_of_a_user(relay: Any, ask: Asking) -> None:
    relay.run(["usermod", "--gid", "postmasters", "ben"])
    assert ask.done(**typed("ben"))["grant"]


def test_a_password_opens_no_change_that_asks_for_a_code(relay: Any, ask: Asking) -> None:
    relay.start()
    grant = ask.done(**typed("root"))["grant"]
    opens = {"name": "smtpd_relay_restrictions", "value": "permit_mynetworks, reject_unauth_destination"}
    shown = ask.propose(grant, {"what": "set", "assignments": [opens]})
    assert shown["step_up"]
    assert "fresh code" in ask.refused(verb="apply", grant=grant, digest=shown["digest"])


def test_without_rules_of_its_own_those_of_login_count(relay: Any, ask: Asking) -> None:
    relay.run(["rm", "/etc/pam.d/mailmend"])
    assert ask.done(**typed("anna"))["grant"]
    assert ask.refused(**typed("anna", "wrong")) == NO
