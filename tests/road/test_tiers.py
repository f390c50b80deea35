"""Nothing equal to root gets past the bytes: not by a plan, a variable, a duplicate, a clone or a table."""

from __future__ import annotations

import pytest

from mailmend import settings
from mailmend.model import FileEdit, Refused
from mailmend.parse import maincf, mastercf
from mailmend.road.tiers import Touched, needs_confirmation, require, touched

MAIN = "myhostname = mail.example.org\nmydestination = $myhostname, localhost\nmynetworks = 127.0.0.0/8\n"
MASTER = """\
smtp      inet  n       -       y       -       -       smtpd
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
  -o syslog_name=postfix/$service_name
local     unix  -       n       n       -       -       local
vacation  unix  -       n       n       -       -       pipe
  flags=Rq user=nobody argv=/usr/bin/vacation -f ${sender} -- ${recipient}
"""
NOBODY: frozenset[str] = frozenset()

KNOWN = settings.load()
R, C, M = (
    sorted(name for name, group in (*KNOWN.exact.items(), *KNOWN.patterns) if group.tier == tier)
    for tier in ("R", "C", "M")
)


def main(after: str, before: str = MAIN) -> tuple[FileEdit, ...]:
    return (FileEdit("/etc/postfix/main.cf", before, after),)


def master(after: str, before: str = MASTER) -> tuple[FileEdit, ...]:
    return (FileEdit("/etc/postfix/master.cf", before, after),)


def example(name: str) -> str:
    """A parameter that a pattern stands for."""
    return name.replace("*", "client").replace("__", "_")


def tier(files: tuple[FileEdit, ...], target: str) -> str:
    return next(each.tier for each in touched(files) if each.target == target)


# ---- what must not be stopped ---------------------------------------------------------------


def test_a_comment_moved_is_no_change() -> None:
    files = main(f"# ours\n{MAIN}\n\n# end\n") + master(f"# ours\n{MASTER}")
    assert touched(files) == ()
    assert needs_confirmation(files) is None
    require(files, NOBODY)


@pytest.mark.parametrize(
    "line",
    [
        "smtpd_banner = $myhostname ESMTP",
        "message_size_limit = 20480000",
        "smtp_dns_reply_filter = regexp:/etc/postfix/ipv4_only_receivers",
        "smtp_dns_reply_filter = regexp:$config_directory/ipv4_only_receivers",
        "smtp_bind_address6 = 2001:db8::1",
        "myhostname = mx.example.org",
    ],
)
def test_what_is_plain_is_for_everybody(line: str) -> None:
    name = line.partition(" ")[0]
    files = main(str(maincf.parse(MAIN).assign(name, line.partition(" = ")[2])))
    (one,) = touched(files)
    assert (one.target, one.tier, one.step_up) == (name, "P", False)
    require(files, NOBODY)


def test_a_clone_of_the_smtp_client_runs_what_ran_before() -> None:
    clone = "smtp-ipv4 unix - - y - - smtp\n  -o inet_protocols=ipv4\n"
    files = master(MASTER + clone)
    require(files, NOBODY)
    assert {each.target for each in touched(files)} == {"smtp-ipv4/unix", "smtp-ipv4/unix/inet_protocols"}
    assert needs_confirmation(files) is None


def test_an_old_table_elsewhere_does_not_stop_a_new_one_before_it() -> None:
    before = f"{MAIN}smtp_dns_reply_filter = regexp:/srv/old\n"
    files = main(before.replace("regexp:/srv", "regexp:/etc/postfix/new, regexp:/srv"), before)
    require(files, NOBODY)


def test_an_override_of_the_client_changes_no_socket() -> None:
    edited = mastercf.parse(MASTER).assign_override("smtp/unix", "inet_protocols", "ipv4")
    assert needs_confirmation(master(str(edited))) is None


# ---- equal to root --------------------------------------------------------------------------


@pytest.mark.parametrize("name", R)
def test_equal_to_root_by_its_typed_name_alone(name: str) -> None:
    files = main(str(maincf.parse(MAIN).assign(name, "/srv/evil")))
    assert tier(files, name) == "R"
    with pytest.raises(Refused, match=f"^{name} is equal to root"):
        require(files, NOBODY)
    with pytest.raises(Refused):
        require(files, frozenset({"myhostname", f"{name}s"}))
    require(files, frozenset({name}))


@pytest.mark.parametrize("name", R)
def test_taking_it_out_of_main_cf_is_setting_it_too(name: str) -> None:
    with pytest.raises(Refused):
        require(main(MAIN, f"{MAIN}{name} = /x\n"), NOBODY)


@pytest.mark.parametrize("name", R)
@pytest.mark.parametrize(
    "written", ["-o {name}=/tmp/evil", "-o {{ {name} = /tmp/evil }}", "-vo{name}=/tmp/evil"]
)
def test_an_override_of_it_needs_the_override_typed(name: str, written: str) -> None:
    option = written.format(name=name)
    files = master(
        MASTER.replace("y       -       -       smtpd\n", f"y       -       -       smtpd {option}\n")
    )
    with pytest.raises(Refused):
        require(files, frozenset({name, "smtp/inet"}))
    assert tier(files, f"smtp/inet/{name}") == "R"


@pytest.mark.parametrize("name", R)
@pytest.mark.parametrize("way", ["$here", "${here}", "$(here)", "${here?x}", "a${there}"])
def test_a_variable_that_it_is_made_of_reaches_it(name: str, way: str) -> None:
    before = f"{MAIN}{name} = {way}\nthere = $here\nhere = /usr/lib/postfix\n"
    files = main(before.replace("here = /usr/lib/postfix", "here = /tmp"), before)
    with pytest.raises(Refused, match=name):
        require(files, frozenset({"here"}))
    require(files, frozenset({"here", name}))


@pytest.mark.parametrize("name", ["myorigin", "myhostname", "mydomain"])
def test_the_first_line_of_a_file_of_roots_does_not_go_out_as_a_name(name: str) -> None:
    """Debian's and Ubuntu's Postfix reads myorigin from the file that it names."""
    assert tier(main(f"{MAIN}{name} = /etc/shadow\n"), name) == "R"
    assert tier(main(f"{MAIN}{name} = /etc/mailname\n"), name) == "P"


def test_copies_of_bounces_go_to_others_only_with_a_word_more() -> None:
    assert (
        tier(main(f"{MAIN}bounce_notice_recipient = x@elsewhere.example\n"), "bounce_notice_recipient") == "M"
    )


def test_a_second_assignment_and_one_that_is_hidden_both_count() -> None:
    for after in (
        f"daemon_directory = /tmp\n{MAIN}daemon_directory = /usr/lib/postfix/sbin\n",
        f"{MAIN}daemon_directory\n = /tmp\n",
        f"{MAIN}daemon_directory=/tmp\0x\n",
    ):
        with pytest.raises(Refused):
            require(main(after, f"{MAIN}daemon_directory = /usr/lib/postfix/sbin\n"), NOBODY)


def test_a_line_that_is_no_setting_is_not_for_us_to_write() -> None:
    with pytest.raises(Refused):
        require(main(f"{MAIN}daemon_directory /tmp\n"), NOBODY)
    with pytest.raises(Refused):
        require(master(f"{MASTER}evil unix\n"), NOBODY)


@pytest.mark.parametrize(
    "value",
    [
        "hash:/home/bob/map",
        "proxy:hash:/home/bob/map",
        "hash:/etc/postfix/../../home/bob/map",
        "pipemap:{hash:/etc/postfix/a,regexp:/home/bob/b}",
        "hash:map",
        "hash:$queue_directory/map",
        "hash:${evil}/map",
        "mysql:/home/bob/my.cf",
        "hash:/etc/postfix/ok check hash:/tmp/x",
    ],
)
def test_a_table_where_others_write_is_equal_to_root(value: str) -> None:
    files = main(f"{MAIN}smtp_dns_reply_filter = {value}\n")
    with pytest.raises(Refused, match="smtp_dns_reply_filter"):
        require(files, NOBODY)
    require(files, frozenset({"smtp_dns_reply_filter"}))
    with pytest.raises(Refused):
        edited = mastercf.parse(MASTER).assign_override("smtp/unix", "smtp_dns_reply_filter", value)
        require(master(str(edited)), NOBODY)


def test_a_list_that_is_read_from_a_file_of_somebody() -> None:
    require(main(MAIN.replace("127.0.0.0/8", "127.0.0.0/8, /etc/postfix/networks")), NOBODY)
    for word in ("/home/bob/networks", "!/home/bob/networks"):
        with pytest.raises(Refused):
            require(main(MAIN.replace("127.0.0.0/8", f"127.0.0.0/8, {word}")), NOBODY)


@pytest.mark.parametrize(
    ("old", "new", "target"),
    [
        ("smtpd\n", "/srv/evil\n", "smtp/inet/command"),
        ("smtpd\n", "../../../tmp/evil\n", "smtp/inet/command"),
        ("smtpd\n", "smtpd -D\n", "smtp/inet/command"),
        ("smtpd\n", "smtpd -vD\n", "smtp/inet/command"),
        ("smtpd\n", "smtpd -n smtp -o daemon_directory=/tmp\n", "smtp/inet/command"),
        ("smtpd\n", "smtpd -c /tmp\n", "smtp/inet/command"),
        (
            "local     unix  -       n       n ",
            "local     unix  -       -       n ",
            "local/unix/unprivileged",
        ),
        (
            "smtp      inet  n       -       y ",
            "smtp      inet  n       n       y ",
            "smtp/inet/unprivileged",
        ),
        ("smtp      inet  n       -       y ", "smtp      inet  n       -       n ", "smtp/inet/chroot"),
        ("flags=Rq", "-D flags=Rq", "vacation/unix/command"),
    ],
)
def test_what_master_runs_and_as_whom(old: str, new: str, target: str) -> None:
    files = master(MASTER.replace(old, new, 1))
    assert tier(files, target) == "R"
    with pytest.raises(Refused):
        require(files, frozenset({"smtp/inet/process_limit"}))
    require(files, frozenset({target}))


@pytest.mark.parametrize(
    "entry",
    [
        "evil inet n n n - - smtpd\n",
        "evil unix - n n - - /tmp/evil\n",
        "evil unix - - n - - pipe\n  user=nobody argv=/tmp/x\n",
        "evil unix - - y - - smtp -o daemon_directory=/tmp\n",
        "smtp inet n - y - - smtpd\n",
    ],
)
def test_a_new_entry_that_is_no_clone(entry: str) -> None:
    with pytest.raises(Refused):
        require(master(MASTER + entry), NOBODY)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/postfix/dynamicmaps.cf",
        "/etc/postfix/dynamicmaps.cf.d/evil",
        "/etc/postfix/postfix-script",
        "/etc/cron.d/evil",
        "/etc/postfix/../cron.d/evil",
        "/root/.profile",
    ],
)
def test_a_file_that_is_no_table_of_postfix(path: str) -> None:
    with pytest.raises(Refused):
        require((FileEdit(path, None, "x\n"),), NOBODY)


DAEMON = "/etc/default/postsrsd"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SRS_DOMAIN=example.org\n", "SRS_DOMAIN=srs.example.org; id\n"),
        ("SRS_DOMAIN=example.org\n", "SRS_DOMAIN=$(id)\n"),
        ("SRS_DOMAIN=example.org\n", "SRS_DOMAIN=srs.example.org\nRUN_AS=root\n"),
        ("SRS_DOMAIN=example.org\n", "SRS_DOMAIN=srs.example.org\nSRS_EXTRA_OPTIONS=-A\n"),
        ("SRS_DOMAIN=example.org\n", None),
        (None, "SRS_DOMAIN=srs.example.org\n"),
    ],
)
def test_more_than_its_domain_in_the_settings_of_a_daemon_that_starts_as_root(
    before: str | None, after: str | None
) -> None:
    with pytest.raises(Refused):
        require((FileEdit(DAEMON, before, after),), NOBODY)


def test_the_domain_alone_is_no_plain_setting_either() -> None:
    (one,) = touched((FileEdit(DAEMON, "RUN_AS=x\n", "RUN_AS=x\nSRS_DOMAIN=srs.example.org\n"),))
    assert (one.tier, one.step_up) == ("M", True)
    require((FileEdit(DAEMON, "SRS_DOMAIN=example.org\n", "SRS_DOMAIN=srs.example.org\n"),), NOBODY)


SIGNER = "/etc/opendkim.conf"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("UMask 007\n", "UMask 007\nUserID root\n"),
        ("UMask 007\n", "UMask 007\nKeyFile /etc/shadow\n"),
        ("UMask 007\n", "UMask 000\nDomain example.org\n"),
        ("Domain example.org\n", None),
        (None, "Domain example.org\n"),
    ],
)
def test_more_than_whom_a_signer_signs_for(before: str | None, after: str | None) -> None:
    with pytest.raises(Refused):
        require((FileEdit(SIGNER, before, after),), NOBODY)


def test_whom_a_signer_signs_for_is_no_plain_setting_either() -> None:
    (one,) = touched((FileEdit(SIGNER, "UMask 007\n", "UMask 007\nDomain example.org\n"),))
    assert (one.tier, one.step_up) == ("M", True)


# ---- code as another user; open relay and interception --------------------------------------


@pytest.mark.parametrize(("wanted", "name"), [("C", n) for n in C] + [("M", n) for n in M])
def test_more_than_being_logged_in_is_asked_for(wanted: str, name: str) -> None:
    files = main(str(maincf.parse(MAIN).assign(example(name), "x")))
    found = next(each for each in touched(files) if each.target == example(name))
    assert found.tier == settings.load().of(example(name)).tier
    assert found.step_up
    assert found.tier == wanted or "*" in name
    require(files, NOBODY)


@pytest.mark.parametrize(
    ("after", "target"),
    [
        (MASTER.replace("vacation -f", "formail -f"), "vacation/unix/command"),
        (MASTER + "new unix - n n - - pipe\n  user=nobody argv=/bin/x\n", "new/unix/command"),
        (MASTER + "new unix - n n - - spawn user=nobody argv=/bin/x\n", "new/unix/command"),
    ],
)
def test_what_a_pipe_runs_is_code_of_another_user(after: str, target: str) -> None:
    assert tier(master(after), target) == "C"
    require(master(after), NOBODY)


def test_a_command_in_an_alias_table() -> None:
    edit = FileEdit("/etc/postfix/aliases", "bob: alice\n", 'bob: alice\neve: "|/bin/sh"\n')
    assert [each.tier for each in touched((edit,))] == ["C"]


def test_a_table_that_is_asked_over_the_network() -> None:
    files = main(f"{MAIN}smtp_dns_reply_filter = tcp:192.0.2.1:99\n")
    assert tier(files, "smtp_dns_reply_filter") == "M"


def test_a_class_of_restrictions_is_a_restriction() -> None:
    before = f"{MAIN}smtpd_restriction_classes = friends\nfriends = reject\n"
    files = main(before.replace("friends = reject", "friends = permit"), before)
    assert tier(files, "smtpd_restriction_classes") == "M"
    assert needs_confirmation(files) == "relaying"


def test_what_nobody_judged_is_said_to_be_so() -> None:
    (one,) = touched(main(f"{MAIN}hopcount_limit = 10\n"))
    assert one == Touched("hopcount_limit", "unlisted", None, "10", "what it can do was never judged")
    assert one.step_up


# ---- by what an operator may lock himself out ------------------------------------------------


@pytest.mark.parametrize(
    ("files", "groups"),
    [
        (main(f"{MAIN}inet_protocols = ipv4\n"), "listeners"),
        (main(f"{MAIN}inet_interfaces = loopback-only\n"), "listeners"),
        (main(f"{MAIN}smtpd_tls_security_level = encrypt\n"), "TLS"),
        (main(MAIN.replace("127.0.0.0/8", "0.0.0.0/0")), "relaying"),
        (main(f"{MAIN}inet_protocols = ipv4\nrelayhost = x\n"), "listeners and relaying"),
        (main(f"{MAIN}smtpd_banner = x\n"), None),
        (master(MASTER + "587 inet n - y - - smtpd\n"), "listeners"),
        (master("\n".join(MASTER.splitlines()[1:]) + "\n"), "listeners"),
        (master(MASTER.replace("- smtpd", "- smtpd -o smtpd_tls_wrappermode=yes", 1)), None),
        (master(MASTER.replace("smtpd\n", "smtpd -o smtpd_tls_wrappermode=yes\n", 1)), "TLS"),
        (master(MASTER.replace("smtpd\n", "smtpd -o smtpd_relay_restrictions=permit\n", 1)), "relaying"),
        (master(MASTER.replace("smtpd\n", "smtpd -v\n", 1)), None),
    ],
)
def test_groups(files: tuple[FileEdit, ...], groups: str | None) -> None:
    assert needs_confirmation(files) == groups
