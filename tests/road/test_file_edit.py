"""An edited main.cf is said as settings to change, or line by line why not; nothing else of it goes anywhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailmend.parse import maincf
from mailmend.road.file_edit import main_cf

MAIN = """# A relay.
myhostname = relay.example.org
inet_protocols = all
mynetworks = 127.0.0.0/8
    [::1]/128
relayhost =
"""


# ---- what is no change --------------------------------------------------------------------


def test_the_same_file_changes_nothing_however_its_lines_end() -> None:
    for text in (MAIN, MAIN.replace("\n", "\r\n"), MAIN + "\n\n"):
        edit = main_cf(MAIN, text)
        assert (edit.changed, edit.unsaid) == ((), ())
    with_crlf = main_cf(MAIN.replace("\n", "\r\n"), MAIN)
    assert (with_crlf.changed, with_crlf.unsaid) == ((), ())


def test_a_comment_is_told_and_changes_nothing() -> None:
    edit = main_cf(MAIN, MAIN.replace("# A relay.", "# A relay of mine."))
    assert edit.changed == ()
    assert [(one.line, one.why) for one in edit.unsaid] == [(1, "a comment is not saved from here")]


def test_what_was_taken_out_and_no_setting_stands_for_is_told() -> None:
    edit = main_cf(MAIN, MAIN.replace("# A relay.\n", ""))
    assert edit.changed == ()
    assert [(one.text, one.why) for one in edit.unsaid] == [
        ("# A relay.", "it stays: a comment is not saved from here")
    ]
    twice = "inet_protocols = ipv6\n" + MAIN
    edit = main_cf(twice, MAIN)
    assert edit.changed == ()
    assert [one.text for one in edit.unsaid] == ["inet_protocols = ipv6"]


def test_what_keeps_postfix_from_starting_is_named_by_its_line() -> None:
    edit = main_cf(MAIN, MAIN + "inet_protocols ipv4\n")
    assert edit.changed == ()
    assert [(one.line, one.text) for one in edit.unsaid] == [(7, "inet_protocols ipv4")]


# ---- what is one --------------------------------------------------------------------------


def test_a_value_that_came_changed_or_went() -> None:
    text = MAIN.replace("= all", "= ipv4").replace("relayhost =\n", "") + "delay_warning_time = 4h\n"
    found = {one.name: (one.before, one.after, one.line) for one in main_cf(MAIN, text).changed}
    assert found == {
        "inet_protocols": ("all", "ipv4", 3),
        "relayhost": ("", None, 6),
        "delay_warning_time": (None, "4h", 6),
    }


def test_of_two_assignments_the_last_counts() -> None:
    edit = main_cf(MAIN, MAIN + "inet_protocols = ipv4\n")
    assert [(one.name, one.after, one.line) for one in edit.changed] == [("inet_protocols", "ipv4", 7)]


def test_how_a_line_that_changes_is_written_is_not_told_besides() -> None:
    edit = main_cf(MAIN, MAIN.replace("inet_protocols = all", "inet_protocols=ipv4"))
    assert [one.name for one in edit.changed] == ["inet_protocols"]
    assert edit.unsaid == ()


def test_each_change_has_its_tier() -> None:
    text = MAIN + "daemon_directory = /tmp/x\nsmtpd_recipient_restrictions = permit\n"
    assert {one.name: one.known.tier for one in main_cf(MAIN, text).changed} == {
        "daemon_directory": "R",
        "smtpd_recipient_restrictions": "M",
    }


_NAMES = st.sampled_from(["myhostname", "inet_protocols", "relayhost", "mynetworks", "mine"])
_LINES = st.one_of(
    st.builds("{} = {}".format, _NAMES, st.text("ab c$,=#\t", max_size=8)),
    st.builds("{}={}\n  {}".format, _NAMES, st.text("abc", max_size=3), st.text("ab #", max_size=4)),
    st.sampled_from(["", "# remark", "  # remark", "no equals", "  on"]),
)
_FILES = st.lists(_LINES, max_size=8).map("\n".join)


@given(_FILES, _FILES)
def test_doing_what_it_says_gives_the_file_its_meaning_or_it_says_why_not(before: str, after: str) -> None:
    edit = main_cf(before, after)
    result = maincf.parse(before)
    for one in edit.changed:
        result = result.remove(one.name) if one.after is None else result.assign(one.name, one.after)
    wanted = maincf.parse(after)
    refused = {one.text for one in edit.unsaid}
    for name in {*wanted.names(), *result.names()} - refused:
        assert result.get(name) == wanted.get(name)


def test_a_value_that_no_line_can_hold_is_refused_by_its_name() -> None:
    text = MAIN.replace("= all", "= a\x01l")
    edit = main_cf(MAIN, text)
    assert [one.text for one in edit.unsaid if "byte" in one.why] == ["inet_protocols"]
    assert edit.changed == ()
