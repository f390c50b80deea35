"""A configuration directory as Postfix reads it: asked of the real postconf(1), wherever one can be had."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmend.model import CannotLook
from mailmend.questions import MapLookup, Setting, SettingValue
from mailmend.system.postfix import Configuration
from system.programs import for_programs

MASTER = """\
smtp      inet  n       -       y       -       -       smtpd
qmgr      unix  n       -       n       300     1       qmgr
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
smtp-v4   unix  -       -       y       -       -       smtp
  -o inet_protocols=ipv4 -o myhostname=v4.example.org
  -o { smtp_bind_address = 192.0.2.7 }
  -o smtp_bind_address=$own_address
  -o own_address=192.0.2.8
"""
MAIN = """\
compatibility_level = 3.6
myhostname = relay.example.org
smtp_helo_name = $myhostname
smtpd_banner = $myhostname ESMTP
mynetworks = 127.0.0.0/8,
    192.0.2.0/24
maillog_file_prefixes = /log/$service_name
smtp_host_lookup = dns # a remark that is none
"""

NETWORKS = "127.0.0.0/8, 192.0.2.0/24"

Make = Callable[..., Configuration]
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A configuration directory, read by the lab's postconf or else the host's."""
    for root in sorted(REPOSITORY.glob(".lab/*/")):
        if (program := root / "usr/sbin/postconf").exists():
            script = tmp_path / "bin/postconf"
            script.parent.mkdir()
            # The unpacked program finds its libraries only when told where; each call leaves a mark.
            libraries = ":".join(sorted({str(path.parent) for path in root.glob("usr/lib/*/*.so*")}))
            script.write_text(
                f'#!/bin/sh\necho x >> {tmp_path}/calls\nLD_LIBRARY_PATH={libraries} exec {program} "$@"\n'
            )
            script.chmod(0o755)
            for_programs(monkeypatch, f"{script.parent}:{os.environ['PATH']}")
            break
    else:
        if shutil.which("postconf") is None:
            pytest.skip("no postconf here: the lab's root is not unpacked")

    def configuration(main: str = MAIN, master: str = MASTER) -> Configuration:
        folder = tmp_path / "etc"
        folder.mkdir(exist_ok=True)
        for name, text in (("main.cf", main), ("master.cf", master)):
            (folder / name).write_text(text)
            # Postfix naps over a file that is younger than two seconds.
            written = time.time() - 60 - len(text)
            os.utime(folder / name, (written, written))
        return Configuration(str(folder))

    return configuration


def calls(tmp_path: Path) -> int:
    path = tmp_path / "calls"
    return len(path.read_text().splitlines()) if path.exists() else 0


# ---- what cannot be read ----------------------------------------------------------------------


def test_no_postfix_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for_programs(monkeypatch, str(tmp_path))
    if shutil.which("postconf", path="/usr/sbin:/sbin:/usr/local/sbin"):
        pytest.skip("this host has a Postfix")
    with pytest.raises(
        CannotLook, match=r"^Postfix is not installed here: postconf was not found on this host; "
    ):
        Configuration().setting(Setting("myhostname"))
    with pytest.raises(CannotLook, match="Postfix is not installed here"):
        Configuration().services()


def test_postfix_without_main_cf(make: Make, tmp_path: Path) -> None:
    make()
    (tmp_path / "etc/main.cf").unlink()
    with pytest.raises(CannotLook, match=r"main\.cf: No such file or directory; name the directory with -c"):
        Configuration(str(tmp_path / "etc")).setting(Setting("myhostname"))


def test_main_cf_with_an_error_names_the_line(make: Make) -> None:
    with pytest.raises(
        CannotLook, match=r"etc/main\.cf, line 9: missing '=' after attribute name"
    ) as failure:
        make(MAIN + "this is no assignment\n").setting(Setting("myhostname"))
    assert "\n" not in str(failure.value)


def test_master_cf_with_an_error_names_the_line(make: Make) -> None:
    with pytest.raises(CannotLook, match=r"etc/master\.cf.* line 12"):
        make(master=MASTER + "\nbroken entry\n").services()


def test_master_cf_that_is_not_there(make: Make, tmp_path: Path) -> None:
    configuration = make()
    (tmp_path / "etc/master.cf").unlink()
    with pytest.raises(CannotLook, match=r"etc/master\.cf does not exist"):
        configuration.services()


def test_a_service_that_is_not_there(make: Make) -> None:
    with pytest.raises(CannotLook, match=r"master\.cf has no service smtp-v9/unix"):
        make().setting(Setting("inet_protocols", "smtp-v9/unix"))


# ---- main.cf ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        pytest.param("no_such_parameter", None, None, id="unknown-parameter"),
        pytest.param("relayhost", "", None, id="default-is-empty"),
        pytest.param("myhostname", "relay.example.org", "relay.example.org", id="as-written"),
        pytest.param("smtp_helo_name", "relay.example.org", "$myhostname", id="expanded"),
        pytest.param("smtp_dns_resolver_options", "", None, id="a-default"),
        pytest.param("mynetworks", "127.0.0.0/8, 192.0.2.0/24", "127.0.0.0/8, 192.0.2.0/24", id="two-lines"),
        pytest.param(
            "smtp_host_lookup", "dns # a remark that is none", "dns # a remark that is none", id="remark"
        ),
    ],
)
def test_a_setting_as_postfix_takes_it(make: Make, name: str, value: str | None, written: str | None) -> None:
    assert make().setting(Setting(name)) == SettingValue(value, written)


def test_the_last_of_two_assignments_wins_and_is_warned_of(make: Make) -> None:
    configuration = make(MAIN + "myhostname = second.example.org\n")
    assert configuration.setting(Setting("myhostname")).value == "second.example.org"
    assert any(
        "overriding earlier entry: myhostname=relay.example.org" in w for w in configuration.warnings()
    )


def test_a_misspelt_name_is_warned_of_once(make: Make) -> None:
    warnings = make(MAIN + "inet_protocol = ipv4\n").warnings()
    assert len([w for w in warnings if "unused parameter: inet_protocol=ipv4" in w]) == 1


# ---- a service's own ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "name", "value", "written"),
    [
        pytest.param("smtp/unix", "smtp_helo_name", "relay.example.org", "$myhostname", id="no-overrides"),
        pytest.param("smtp-v4/unix", "inet_protocols", "ipv4", "ipv4", id="override"),
        pytest.param("smtp/unix", "inet_protocols", None, None, id="not-the-neighbours"),
        pytest.param("smtp-v4/unix", "smtp_helo_name", "v4.example.org", "$myhostname", id="main-cf-follows"),
        pytest.param(
            "smtp-v4/unix", "smtp_bind_address", "192.0.2.8", "$own_address", id="last-one-through-its-own"
        ),
        pytest.param("smtp-v4/unix", "own_address", "192.0.2.8", "192.0.2.8", id="defined-by-the-service"),
        pytest.param("smtp-v4/unix", "mynetworks", "127.0.0.0/8, 192.0.2.0/24", NETWORKS, id="the-rest"),
        pytest.param(
            "relay/unix", "syslog_name", "postfix/relay", "postfix/$service_name", id="service_name"
        ),
        pytest.param(
            "relay/unix", "maillog_file_prefixes", "/log/relay", "/log/$service_name", id="in-main-cf"
        ),
    ],
)
def test_a_setting_as_one_service_takes_it(
    make: Make, service: str, name: str, value: str | None, written: str | None
) -> None:
    configuration = make()
    if value is None:  # what main.cf and the defaults say
        value, written = configuration.value(name), None
        assert value != "ipv4"
    assert configuration.setting(Setting(name, service)) == SettingValue(value, written)


def test_services_entry_by_entry(make: Make) -> None:
    services = make().services()
    assert [s.id for s in services] == ["smtp/inet", "qmgr/unix", "smtp/unix", "relay/unix", "smtp-v4/unix"]
    assert services[4].overrides[0] == ("inet_protocols", "ipv4")


# ---- one look for many questions -----------------------------------------------------------------


def test_a_hundred_questions_are_a_handful_of_calls(make: Make, tmp_path: Path) -> None:
    configuration = make()
    for name in list(configuration.main().values)[:100]:
        configuration.setting(Setting(name))
        configuration.setting(Setting(name, "smtp-v4/unix"))
    assert calls(tmp_path) in (0, 3)  # 0: the host's own postconf was used, which leaves no marks


def test_an_edited_file_is_read_again(make: Make) -> None:
    configuration = make()
    assert configuration.value("myhostname") == "relay.example.org"
    make(MAIN.replace("relay.example.org", "another.example.org"))
    assert configuration.value("myhostname") == "another.example.org"


def test_a_relative_directory_is_read_from_where_we_stand(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    monkeypatch.chdir(tmp_path)
    assert Configuration("etc").value("myhostname") == "relay.example.org"
    assert Configuration("etc").directory == tmp_path / "etc"


# ---- tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "-", "a\nb", "a\x00b"])
def test_a_key_that_postmap_would_take_for_something_else(make: Make, key: str) -> None:
    with pytest.raises(CannotLook, match="cannot be looked up in a table"):
        make(MAIN + "transport_maps = texthash:/etc/transport\n").map_lookup(
            MapLookup("texthash:/etc/transport", key)
        )


@pytest.mark.parametrize("table", ["hash:/etc/shadow", "pipemap:{x}", "texthash:/etc/transport2", "-v", ""])
def test_only_tables_that_the_configuration_names_are_opened(make: Make, table: str) -> None:
    with pytest.raises(CannotLook, match="is not a table that"):
        make(MAIN + "transport_maps = texthash:/etc/transport\n").map_lookup(MapLookup(table, "gmail.com"))


def test_tables_are_named_in_both_files(make: Make) -> None:
    configuration = make(
        MAIN + "transport_maps = proxy:texthash:/etc/t, regexp:/etc/r\n",
        MASTER + "  -o smtp_dns_reply_filter=pcre:/etc/filter\n",
    )
    wanted = {"proxy:texthash:/etc/t", "texthash:/etc/t", "regexp:/etc/r", "pcre:/etc/filter"}
    assert wanted <= configuration.tables()
