"""The page Bounces: a relay whose mail Gmail refuses at random, looked at by its operator."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mailmend.jobs import report as job
from mailmend.jobs.ingest import ingest
from mailmend.model import CannotLook
from mailmend.ui.web.console import Console
from mailmend.ui.web.pages import bounces, bounces_reading
from mailmend.ui.web.works import Says
from ui.web.consoles import HOSTILE, ORIGIN, REFUSED, Visitor, log, looks

GROUP = "/bounces/group?cause=ipv6-ptr-or-auth&receiver=google&family=ipv6"
WORLD = "all-is-well"


class Tags(HTMLParser):
    """What a page consists of: its tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def harmless(page: str) -> None:
    """Nothing that a stranger wrote is markup, and nothing of it hides, moves or reorders."""
    found = Tags(page)
    assert not [name for name in found.attributes if name.startswith("on") or name == "style"]
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]", page)


@pytest.fixture
def operator(tmp_path: Path) -> Visitor:
    log(tmp_path / "mail.log")
    return Visitor(looks(WORLD, tmp_path / "mail.log", tmp_path / "state"))


def test_where_nothing_is_refused_nothing_is_wrong(tmp_path: Path) -> None:
    log(tmp_path / "mail.log", refused=0)
    page = Visitor(looks(WORLD, tmp_path / "mail.log", tmp_path / "state")).told("/bounces")
    assert "Nothing was refused" in page
    assert "data-plot" not in page
    assert "Show the cure" not in page


def test_a_log_that_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    page = Visitor(looks(WORLD, tmp_path / "none.log", tmp_path / "state")).told("/bounces")
    assert 'class="failed"' in page
    assert "none.log" in page
    assert "Look again" in page


def test_random_bounces_are_told_by_family_and_over_time(operator: Visitor) -> None:
    page = operator.told("/bounces")
    assert "refuses 100 % over IPv6 and 0 % over IPv4: 12 deliveries" in page
    assert "Refused over IPv6: reverse DNS or authentication does not hold" in page
    assert page.count("data-plot=") == 1
    assert "mailmend fix gmail.com" in page, "a console that only reads tells the command"
    assert 'action="/propose"' not in page


def test_a_filter_is_an_address_to_bookmark(operator: Visitor) -> None:
    assert "Nothing was refused" in operator.told("/bounces?family=ipv4")
    assert "Nothing was refused" in operator.told("/bounces?receiver=yahoo&days=0")
    page = operator.told("/bounces?receiver=google&family=ipv6&cause=ipv6-ptr-or-auth&days=30")
    assert '<option value="google" selected>' in page
    assert "ipv6-ptr-or-auth, most to gmail.com" in page


@pytest.mark.parametrize("query", ["days=-1", "days=x", "family=ipv5", "receiver=" + "a" * 200])
def test_what_cannot_be_asked_is_refused_with_the_reason(operator: Visitor, query: str) -> None:
    answer = operator.client.get(f"/bounces?{query}")
    assert answer.status_code == 422
    assert "cannot be" in answer.text


def test_a_group_tells_why_who_where_and_whose_mail(operator: Visitor) -> None:
    page = operator.told(GROUP)
    assert "whoever runs the DNS of your sending address and domain" in page
    assert "does not meet IPv6 sending guidelines" in page
    assert "https://support.google.com/a/answer/3726730" in page
    assert "bob@" not in page
    assert "gmail.com" in page
    assert "ann@example.com" in page
    assert "mailmend fix --remedy ipv4-for-receiver" in page
    assert "<h2>What happened</h2>" in page, "the page of the cause, from its Markdown"


def test_a_group_that_is_not_there_is_said_to_be_none(operator: Visitor) -> None:
    page = operator.told("/bounces/group?cause=mailbox-full&receiver=google")
    assert "No such refusal in that time" in page
    assert "The recipient&#39;s mailbox is full" in page
    assert "No rule here knows why" in operator.told("/bounces/group?cause=%3Cb%3E")


def test_one_reader_at_a_time_and_one_reading_for_everybody(
    operator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, readings = bounces_reading.read, list[int]()

    def counted(console: Console, grant: str, days: int, says: Says) -> bounces_reading.Found:
        readings.append(days)
        return read(console, grant, days, says)

    monkeypatch.setattr(bounces, "read", counted)
    for path in ("/bounces", GROUP, "/bounces?family=ipv4", "/bounces/told", "/bounces?days=1"):
        operator.told(path)
    assert readings == [7, 1]
    operator.told("/bounces?again=true")
    assert readings == [7, 1, 7]


def test_a_bounce_that_is_pasted_is_explained(operator: Visitor) -> None:
    page = operator.post("/bounces/explain", bounce=REFUSED.partition("said: ")[2])
    assert "ipv6-ptr-or-auth" in page
    assert "whoever runs the DNS of your sending address and domain" in page
    assert "mailmend fix --remedy ipv4-for-receiver" in page


def test_a_bounce_that_is_dropped_is_explained(operator: Visitor) -> None:
    answer = operator.client.post(
        "/bounces/explain",
        data={"token": operator.session.token, "bounce": ""},
        files={"file": ("bounce.txt", REFUSED.partition("said: ")[2].encode() + b"\n\xff\xfe", "text/plain")},
        headers={"Origin": ORIGIN},
    )
    assert answer.status_code == 200
    assert "ipv6-ptr-or-auth" in answer.text


def test_nothing_pasted_and_no_refusal_are_told_apart(operator: Visitor) -> None:
    assert "nothing was given" in operator.post("/bounces/explain", 422, bounce=" \n ")
    assert "No refusal found in it" in operator.post("/bounces/explain", bounce="Dear Ann, see you at ten.\n")


def test_more_than_two_megabytes_is_not_read(operator: Visitor) -> None:
    operator.post("/bounces/explain", 413, bounce="x" * (2 << 20))


def test_a_message_is_traced_by_its_queue_id(operator: Visitor) -> None:
    page = operator.told("/bounces/trace?what=ABCDE00000")
    assert "ann@example.com" in page
    assert "bob@gmail.com" in page
    assert "does not meet IPv6 sending guidelines" in page
    assert "Nothing in the log names it" in operator.told("/bounces/trace?what=0123456789")
    assert "neither a queue id nor a Message-ID" in operator.told("/bounces/trace?what=hello+you")


def test_what_strangers_wrote_is_text_wherever_it_stands(tmp_path: Path) -> None:
    says = f"host mx.example.net[2607:f8b0:400e:c00::1a] said: 550 5.7.1 {HOSTILE} (in reply to DATA)"
    log(tmp_path / "mail.log", says=says.replace("\x00", "\\0"))
    operator = Visitor(looks(WORLD, tmp_path / "mail.log", tmp_path / "state"))
    pages = [
        operator.told("/bounces"),
        operator.told("/bounces/group?cause=unknown&receiver=google&family=ipv6"),
        operator.told("/bounces/trace?what=ABCDE00000"),
        operator.post("/bounces/explain", 422, bounce=f"550 5.7.1 {HOSTILE}"),  # a NUL: binary, not text
        operator.post("/bounces/explain", bounce=says.replace("\x00", "")),
        operator.post("/bounces/explain", bounce="550 5.7.1 <script>alert(1)</script> " + "a" * 1_900_000),
        operator.told("/bounces/trace?what=%3Cscript%3Ealert(1)%3C/script%3E"),
        operator.told("/bounces?receiver=%3Cscript%3Ealert(1)%3C/script%3E"),
    ]
    for page in pages:
        harmless(page)
    assert "&lt;script&gt;alert(1)" in pages[1], "it is shown as it is"
    assert "\\u202e" in pages[1]


def test_a_long_log_is_read_by_a_process_of_its_own_to_the_same_report(tmp_path: Path) -> None:
    log(tmp_path / "mail.log", refused=300, sent=400)
    far: list[tuple[int, int]] = []
    told = bounces_reading.apart(
        None, tmp_path / "state", [tmp_path / "mail.log"], None, lambda *at: far.append(at)
    )
    here = looks(WORLD, tmp_path / "mail.log", tmp_path / "state")
    assert told.report == job.report(here, [tmp_path / "mail.log"]).report
    with pytest.raises(CannotLook, match=r"none\.log"):
        bounces_reading.apart(None, tmp_path / "state", [tmp_path / "none.log"], None, lambda *_: None)


def test_a_store_that_knows_enough_is_asked_and_the_log_left_alone(tmp_path: Path) -> None:
    log(tmp_path / "mail.log")
    look = looks(WORLD, tmp_path / "mail.log", tmp_path / "state")
    (tmp_path / "state").mkdir()
    ingest([tmp_path / "mail.log"], look())
    operator = Visitor(look)
    assert "From the delivery store" in operator.told("/bounces?days=0")
    page = operator.told(GROUP + "&days=0")
    assert "does not meet IPv6 sending guidelines" in page
    assert "/bounces/trace?what=ABCDE000" in page, "each with its queue id"
