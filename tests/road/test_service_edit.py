"""An edited master.cf is said as changes of services, columns and `-o`, each with its tier, or line by line why not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailmend.parse import mastercf
from mailmend.road.service_edit import master_cf

MASTER = """# services
smtp      inet  n       -       y       -       -       smtpd
#submission inet n      -       y       -       -       smtpd
smtps     inet  n       -       y       -       -       smtpd
  -o syslog_name=postfix/smtps
  -o smtpd_tls_wrappermode=yes
smtp      unix  -       -       y       -       100     smtp
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""
SMTP = "smtp      unix  -       -       y       -       100     smtp\n"


# ---- what is no change --------------------------------------------------------------------


def test_the_same_file_changes_nothing_however_its_lines_end() -> None:
    for before, after in (
        (MASTER, MASTER),
        (MASTER, MASTER.replace("\n", "\r\n")),
        (MASTER.replace("\n", "\r\n"), MASTER),
    ):
        edit = master_cf(before, after)
        assert (edit.changed, edit.unsaid) == ((), ())


def test_a_comment_and_blanks_are_told_and_change_nothing() -> None:
    edit = master_cf(MASTER, MASTER.replace("# services", "# mine").replace("smtp      unix", "smtp unix"))
    assert edit.changed == ()
    assert [(one.line, one.why) for one in edit.unsaid] == [
        (1, "a comment is not saved from here"),
        (7, "blanks, order and doubles are not saved from here"),
    ]


def test_what_is_no_service_is_named_by_its_line() -> None:
    edit = master_cf(MASTER, MASTER + "smtp unix -\n")
    assert edit.changed == ()
    assert [(one.line, one.text) for one in edit.unsaid] == [(10, "smtp unix -")]


def test_of_two_with_one_name_none_is_said() -> None:
    twice = MASTER + SMTP.replace("100", "7")
    for before, after in (
        (MASTER, twice),
        (twice, MASTER.replace("100", "8")),
        (twice, twice.replace("7", "8")),
    ):
        edit = master_cf(before, after)
        assert edit.changed == ()
        assert any("more than once" in one.why for one in edit.unsaid)
    assert master_cf(twice, twice).unsaid == ()


# ---- what is one --------------------------------------------------------------------------


def test_an_override_that_came_changed_or_went() -> None:
    text = (
        MASTER.replace("  -o syslog_name=postfix/smtps\n", "")
        .replace("wrappermode=yes", "wrappermode=no")
        .replace(SMTP, SMTP + "  -o smtp_helo_timeout=20s\n")
    )
    edit = master_cf(MASTER, text)
    assert {one.name: (one.before, one.after, one.line) for one in edit.changed} == {
        "smtps/inet/syslog_name": ("postfix/smtps", None, 4),
        "smtps/inet/smtpd_tls_wrappermode": ("yes", "no", 4),
        "smtp/unix/smtp_helo_timeout": (None, "20s", 6),
    }
    assert edit.unsaid == ()


def test_a_column_and_what_runs_have_their_tiers() -> None:
    text = MASTER.replace("100     smtp", "50      smtp -v").replace("smtp      inet  n", "smtp      inet  y")
    text = text.replace("maildrop  unix  -       n       n", "maildrop  unix  -       n       y")
    assert {one.name: (one.known.tier, one.after) for one in master_cf(MASTER, text).changed} == {
        "smtp/inet/private": ("M", "y"),
        "smtp/unix/process_limit": ("P", "50"),
        "smtp/unix/command": ("R", "smtp -v"),
        "maildrop/unix/chroot": ("R", "y"),
    }


def test_a_whole_service_is_equal_to_root_on_one_line() -> None:
    text = (
        MASTER.replace("#submission", "submission")
        + "x unix - - y - - smtp\n  -o smtp_bind_address=192.0.2.1\n"
    )
    found = {one.name: (one.known.tier, one.after) for one in master_cf(MASTER, text).changed}
    assert found["submission/inet"] == ("R", "submission inet n - y - - smtpd")
    assert found["x/unix"] == ("R", "x unix - - y - - smtp -o smtp_bind_address=192.0.2.1")
    gone = master_cf(MASTER, MASTER.replace(SMTP, ""))
    assert [(one.name, one.known.tier, one.after) for one in gone.changed] == [("smtp/unix", "R", None)]


def test_an_override_is_judged_by_what_it_sets() -> None:
    text = MASTER.replace(
        SMTP, SMTP + "  -o daemon_directory=/tmp\n  -o smtpd_client_restrictions=permit\n  -o no_such=|sh\n"
    )
    found = {one.name.rpartition("/")[2]: one.known.tier for one in master_cf(MASTER, text).changed}
    assert found["daemon_directory"] == "R"
    assert found["smtpd_client_restrictions"] == "M"
    assert found["no_such"] != "P"


_LINES = st.one_of(
    st.builds(
        "{} inet n - {} - {} smtpd".format,
        st.sampled_from(["smtp", "smtps", "10025"]),
        st.sampled_from("yn-"),
        st.sampled_from(["-", "1", "20"]),
    ),
    st.builds("  -o {}={}".format, st.sampled_from(["a", "b"]), st.sampled_from(["", "1", "x,y"])),
    st.sampled_from(["", "# remark", "  # remark", "too few", "  -v", "  -o { a = b c }"]),
)
_FILES = st.lists(_LINES, max_size=8).map("\n".join)


@given(_FILES, _FILES)
def test_doing_what_it_says_gives_the_file_its_meaning_or_it_says_why_not(before: str, after: str) -> None:
    edit = master_cf(before, after)
    result = mastercf.parse(before)
    for one in edit.changed:
        service, _, name = one.name.rpartition("/")
        if one.name.count("/") == 1:
            result = result.remove_service(one.name) if one.after is None else result.add_service(one.after)
        elif name in ("private", "unprivileged", "chroot", "wakeup", "process_limit", "command"):
            assert one.after is not None
            result = result.assign_column(service, name, one.after)
        else:
            result = result.assign_override(service, name, one.after)
    wanted = mastercf.parse(after)
    ours, theirs = ({s.id: s for s in each.services()} for each in (result, wanted))
    for id_ in {*ours, *theirs}:
        if any(one.text.startswith(id_) for one in edit.unsaid):
            continue
        one, other = ours.get(id_), theirs.get(id_)
        assert (one is None) == (other is None)
        if one and other:
            assert (one.command, one.process_limit, dict(one.overrides)) == (
                other.command,
                other.process_limit,
                dict(other.overrides),
            )
