"""explain as it is typed: the sentence that matters first, many counted, how often it is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from ui.typed import BOUNCE, mailmend, told


@pytest.mark.parametrize("argv", [["--json", "explain"], ["explain", "--json"]], ids=["before", "after"])
def test_json_may_stand_before_or_after_the_command(argv: list[str]) -> None:
    result = mailmend(*argv, str(BOUNCE))
    assert result.exit_code == 0
    document = told(result)
    assert document["schema"] == "mailmend.explain/1"
    refusal = document["refusals"][0]
    assert refusal["recipient"] == "someone@gmail.com"
    assert refusal["receiver"] == "google"
    assert refusal["relay"]["ip"] == "2001:db8:9::1a"
    assert refusal["source_ip"] == "2001:db8:1::10"
    assert (refusal["reply"]["code"], refusal["reply"]["status"]) == (550, "5.7.1")
    assert refusal["cause"] == "ipv6-ptr-or-auth"
    assert refusal["forwarded"] is True
    assert refusal["standing"] == "reported"
    assert {"severity", "ambiguous", "who", "steps", "remedies", "checks", "source"} <= refusal.keys()


@pytest.mark.parametrize("argv", [["explain"], ["explain", "-"]])
def test_standard_input_is_a_file_too(argv: list[str]) -> None:
    result = mailmend(*argv, stdin=BOUNCE.read_bytes())
    assert result.exit_code == 0
    assert "someone@gmail.com" in result.stdout


def test_the_sentence_that_matters_comes_first() -> None:
    lines = mailmend("explain", str(BOUNCE)).stdout.splitlines()
    assert "2001:db8:1::10" in " ".join(lines[:3])
    assert lines.index("What the receiver wrote") < lines.index("What to do") < lines.index("Go on with")
    assert any(f"mailmend explain --check {BOUNCE}" in line for line in lines)


def test_what_this_server_refused_is_not_said_to_be_a_receiver_s_words() -> None:
    line = (
        "Nov 22 10:00:00 mx postfix/smtpd[123]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1"
        " <a@b.example>: Relay access denied; from=<x@y.example> to=<a@b.example> proto=ESMTP helo=<h>\n"
    )
    said = mailmend("explain", stdin=line).stdout
    assert "What this server wrote" in said
    assert "the receiver wrote" not in said


def test_a_refusal_that_no_rule_knows_is_found_but_not_explained() -> None:
    result = mailmend("explain", stdin="550 5.7.1 The moon is in the wrong quarter for mail\n")
    assert result.exit_code == 1
    result = mailmend("--json", "explain", stdin="550 5.7.1 The moon is in the wrong quarter for mail\n")
    assert [r["cause"] for r in told(result)["refusals"]] == ["unknown"]


def test_a_strangers_reply_cannot_steer_the_terminal() -> None:
    reply = "550 5.7.1 [red]x[/red] \x1b]0;owned\x07 \u202e moc.elgoog \u009b31m\n"
    result = mailmend("explain", stdin=reply)
    assert "[red]x[/red]" in result.stdout
    assert not {"\x1b", "\x07", "\u202e", "\u009b"} & set(result.stdout)


def test_the_page_of_a_cause() -> None:
    result = mailmend("explain", "--cause", "ptr-missing")
    assert result.exit_code == 0
    assert told(mailmend("--json", "explain", "--cause", "ptr-missing"))["id"] == "ptr-missing"


def test_bench_without_a_labelled_row_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('{"text": "550 no"}')
    result = mailmend("bench", "explain", str(tmp_path / "rows"))
    assert result.exit_code == 2
    assert "no row has a `cause`" in result.stderr


def test_bench_says_how_often_explain_is_right(tmp_path: Path) -> None:
    rows = (
        '{"text": "550 5.7.25 does not have a PTR record - gsmtp", "cause": "ptr_missing"}\n'
        '{"text": "550 we did not like it today", "cause": "virus"}\n'
    )
    document = told(mailmend("--json", "bench", "explain", "-", stdin=rows))
    assert document["schema"] == "mailmend.bench/1"
    assert document["fine"] == {"share": 0.5, "right": 1, "of": 2}
    assert document["confusion"] == [{"labelled": "virus", "given": "unknown", "count": 1}]
    (tmp_path / "rows").write_text(rows)
    screen = mailmend("bench", "explain", str(tmp_path / "rows")).stdout
    assert "fine         50.0 %        1/2" in screen
    assert "virus     unknown" in screen


def test_many_bounces_are_counted_first_and_shown_by_one_example_each() -> None:
    said = {
        "does not have a PTR record": 4,
        "This message does not meet IPv6 sending guidelines": 3,
        "The MAIL FROM domain has an SPF record with a hard fail policy (-all)": 2,
        "we did not like it today": 1,
    }
    log = "".join(
        f"Nov 22 09:00:01 relay postfix/smtp[11]: 4F1A22B{n}{place}: to=<reader{n}@example.com>,"
        " relay=gmail-smtp-in.l.google.com[2001:db8:2::1a]:25, delay=1, delays=0/0/0/1, dsn=5.7.1,"
        f" status=bounced (host gmail-smtp-in.l.google.com[2001:db8:2::1a] said: 550 5.7.1 {text})\n"
        for place, (text, count) in enumerate(said.items())
        for n in range(count)
    )
    screen = mailmend("explain", stdin=log).stdout.splitlines()
    assert screen[0] == "10 refusals of 3 causes"
    assert [line.split()[:2] for line in screen[3:5]] == [["4", "ptr-missing"], ["3", "ipv6-ptr-or-auth"]]
    assert sum("reader0@example.com bounced" in line for line in screen) == 4
    assert not any("reader1@" in line for line in screen)
    groups = told(mailmend("--json", "explain", stdin=log))["groups"]
    assert [group["count"] for group in groups] == [4, 3, 2, 1]
