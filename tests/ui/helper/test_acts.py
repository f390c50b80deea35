"""A change on a real Postfix goes on whoever goes away meanwhile, and the right state is found afterwards."""

from __future__ import annotations

import json
import sys
import time
from textwrap import dedent
from typing import Any

import pytest

from ui.helper.conftest import MAIN, PAGE, SOCKET, Asking, Start, Told, settings

pytestmark = pytest.mark.lab
# Asks for an apply and goes away at the line that begins with the word; then all that was heard is printed.
LEAVES = dedent(
    f"""
    import json, os, socket, sys
    os.setgroups([]), os.setgid({PAGE}), os.setuid({PAGE})
    request, until = sys.argv[1:]
    heard = []
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(60)
        asked.connect("{SOCKET}")
        asked.sendall(request.encode() + b"\\n")
        for line in asked.makefile("rb"):
            heard.append(json.loads(line))
            if heard[-1].get("says", "").startswith(until):
                break
    print(json.dumps(heard))
    """
)


def leave(relay: Any, grant: str, digest: str, until: str) -> list[Told]:
    request = json.dumps({"verb": "apply", "grant": grant, "digest": digest})
    done = relay.run([sys.executable, "-c", LEAVES, request, until])
    heard: list[Told] = json.loads(done.stdout)
    assert heard[-1]["says"].startswith(until), heard
    return heard


def ended(ask: Asking, grant: str) -> Told:
    """How the change that is under way ends."""
    for _ in range(600):
        told = ask.done(verb="status", grant=grant)
        if told["under_way"] is None:
            last: Told = told["last"][0]
            return last
        time.sleep(0.1)
    raise AssertionError(told)


def worker(relay: Any) -> str:
    """The process that carries out the change; it is no child of anybody who would end it."""
    found: str = relay.run(["pgrep", "-f", "mailmend helper --work"]).stdout
    return found.split(maxsplit=1)[0]


def test_nothing_is_under_way_where_nothing_was_begun(ask: Asking, grant: str) -> None:
    told = ask.done(verb="status", grant=grant)
    assert (told["under_way"], told["last"]) == (None, [])
    assert "nothing is under way" in ask.refused(verb="follow", grant=grant)


def test_a_page_that_goes_away_ends_no_change_and_another_sees_it_to_its_end(
    relay: Any, ask: Asking, grant: str
) -> None:
    shown = ask.propose(grant, settings(inet_protocols="ipv4"))
    other = ask.propose(grant, settings(message_size_limit="2048000"))
    leave(relay, grant, shown["digest"], "making sure")
    pid = worker(relay)
    assert relay.run(["ps", "-o", "sid=,pgid=", "-p", pid]).stdout.split() == [pid, pid], "of its own"
    # The same connection again, or another page: what is under way, and its steps so far.
    told = ask.done(verb="status", grant=grant)["under_way"]
    assert (told["what"], told["digest"], told["ended"]) == ("set", shown["digest"], None)
    assert told["by"].startswith("console:")
    assert [line["says"] for line in told["lines"]][:1] == ["looking at what is set"]
    assert "another change is under way" in ask.refused(verb="apply", grant=grant, digest=other["digest"])
    followed = ask.done(verb="follow", grant=grant)
    assert followed["state"] == "trial"
    last = ended(ask, grant)
    assert (last["ended"], last["document"], last["error"]) == ("done", followed, None)
    assert last["change"]["state"] == "trial"
    assert "[::]:25" not in relay.run(["ss", "-lnt"]).stdout
    ask.done(verb="confirm", grant=grant, change=last["change"]["id"])
    told = ask.done(verb="status", grant=grant)["last"]
    assert [each["what"] for each in told] == ["confirm", "set"]
    assert told[1]["change"]["state"] == "kept"


def test_the_end_of_the_helper_ends_no_change_and_the_next_one_knows_it(
    relay: Any, ask: Asking, grant: str, start: Start
) -> None:
    shown = ask.propose(grant, settings(inet_protocols="ipv4"))
    leave(relay, grant, shown["digest"], "activating")
    start()  # the one before is killed
    assert "session is over" in ask.refused(verb="status", grant=grant)
    grant = ask.log_in()
    last = ended(ask, grant)
    assert (last["ended"], last["digest"]) == ("done", shown["digest"])
    assert last["document"]["proof"]["holds"]
    assert last["change"]["state"] == "trial"


def test_a_change_whose_process_dies_is_taken_back_and_told_as_what_it_is(
    relay: Any, ask: Asking, grant: str
) -> None:
    before = relay.read(MAIN)
    shown = ask.propose(grant, settings(inet_protocols="ipv4"))
    leave(relay, grant, shown["digest"], "activating")
    relay.run(["kill", "-9", worker(relay)])
    last = ended(ask, grant)
    assert (last["ended"], last["document"], last["error"]) == ("interrupted", None, None)
    for _ in range(300):
        if last["change"]["state"] == "rolled-back":
            break
        time.sleep(0.1)
        last = ask.done(verb="status", grant=grant)["last"][0]
    assert last["change"]["state"] == "rolled-back"
    assert "interrupted" in last["change"]["note"]
    assert relay.read(MAIN) == before
    assert "[::]:25" in relay.run(["ss", "-lnt"]).stdout
    # And the helper is there for the next one.
    again = ask.propose(grant, settings(message_size_limit="2048000"))
    assert ask.done(verb="apply", grant=grant, digest=again["digest"])["state"] == "kept"


def test_journals_are_for_root_alone_and_few(relay: Any, ask: Asking, grant: str) -> None:
    for _ in range(8):
        ask(verb="confirm", grant=grant, change="20260101-000000-none")
    told = ask.done(verb="status", grant=grant)["last"]
    assert [each["ended"] for each in told] == ["refused"] * 5
    assert "no entry" in told[0]["error"]["reason"]
    listed = relay.run(["sh", "-c", "stat -c '%a %U' /var/lib/mailmend/console /var/lib/mailmend/console/*"])
    folder, *files = listed.stdout.splitlines()
    assert folder == "700 root"
    assert set(files) == {"600 root"}
    assert len(files) == 5


def test_the_newest_is_told_first_whatever_the_older_are_named(relay: Any, ask: Asking, grant: str) -> None:
    # Named by a date, as once they were, by a clock that has been set back since.
    older = '{"id": "x", "what": "confirm", "digest": null, "by": "x", "began": "2099-12-31T00:00:00+00:00"}'
    relay.run(["mkdir", "-p", "/var/lib/mailmend/console"])
    relay.write("/var/lib/mailmend/console/20991231-000000-000000-abcd.jsonl", older + "\n")
    for change in ("20260101-000000-first", "20260101-000000-second"):
        ask(verb="confirm", grant=grant, change=change)
    told = ask.done(verb="status", grant=grant)["last"]
    assert ["second" in str(told[0]["error"]), "first" in str(told[1]["error"])] == [True, True]
    assert told[2]["ended"] == "interrupted"
