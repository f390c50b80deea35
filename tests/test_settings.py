"""settings.toml: everything that is known to be dangerous is in its tier, and a wrong file says where."""

from __future__ import annotations

from typing import Any

import pytest

from mailmend import settings
from mailmend.settings import SettingsError


def names(text: str) -> list[str]:
    return text.split()


# Named one by one, so that a pattern that swallows one of them is seen.
R = names("""import_environment daemon_directory command_directory meta_directory shlib_directory multi_instance_wrapper
    multi_instance_directories alternate_config_directories debugger_command maillog_file maillog_file_prefixes
    maillog_file_compressor openssl_path tls_config_file data_directory queue_directory config_directory mail_owner
    setgid_group sendmail_path cyrus_sasl_config_path""")
C = names(
    "mailbox_command mailbox_command_maps local_command_shell forward_path export_environment default_privs"
)
M = names("""mynetworks relay_domains smtpd_client_restrictions smtpd_helo_restrictions smtpd_sender_restrictions
    smtpd_relay_restrictions smtpd_recipient_restrictions smtpd_data_restrictions smtpd_end_of_data_restrictions
    smtpd_etrn_restrictions always_bcc sender_bcc_maps recipient_bcc_maps relayhost transport_maps smtpd_milters
    non_smtpd_milters content_filter smtpd_proxy_filter smtpd_tls_security_level smtp_tls_policy_maps
    lmtp_tls_security_level""")
P = names("""inet_protocols inet_interfaces smtp_dns_reply_filter smtp_bind_address smtp_bind_address6
    smtp_bind_address_enforce smtp_delivery_status_filter myhostname smtpd_banner message_size_limit queue_run_delay
    maximal_queue_lifetime smtp_tls_security_level smtp_destination_concurrency_limit
    default_destination_rate_delay""")
RESTART = names(
    "inet_protocols inet_interfaces data_directory import_environment config_directory queue_directory"
)


@pytest.mark.parametrize(
    ("name", "tier"), [(n, t) for t, ns in (("R", R), ("C", C), ("M", M), ("P", P)) for n in ns]
)
def test_every_setting_is_of_its_tier(name: str, tier: str) -> None:
    assert settings.load().of(name).tier == tier


@pytest.mark.parametrize("name", RESTART)
def test_what_only_a_start_reads(name: str) -> None:
    known = settings.load().of(name)
    assert known.activation == "restart"
    assert "tried" in known.source or "postconf(5)" in known.source


@pytest.mark.parametrize(
    "name",
    ["maillog_file", "syslog_name", "myhostname", "smtpd_banner", "master_service_disable", "no_such_thing"],
)
def test_a_reload_is_enough_for_the_rest(name: str) -> None:
    assert settings.load().of(name).activation == "reload"


def test_what_nobody_named_was_never_judged() -> None:
    known = settings.load().of("hopcount_limit")
    assert (known.tier, known.concerns, known.meaning) == ("unlisted", None, "")


def test_the_settings_that_matter_are_explained_in_one_sentence() -> None:
    meanings = settings.load().meanings
    assert len(meanings) >= 60
    for name, says in meanings.items():
        assert says[0].isupper(), name
        assert says.endswith("."), name
        assert len(says) < 140, name


@pytest.mark.lab
def test_every_name_is_one_of_postfix(lab: Any) -> None:
    lab.reset()
    listed = lab.relay.run(["postconf", "-d"]).stdout.splitlines()
    known = {line.partition(" =")[0] for line in listed}
    assert set(settings.load().names()) <= known


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('tier = "P"', 'tier = "X"', "unknown word"),
        ('activation = "restart"', 'activation = "later"', "unknown word"),
        ('concerns = "TLS"', 'concerns = "looks"', "unknown word"),
        ("names = [", "nmaes = [", "nmaes"),
        ('["inet_protocols"]', '["inet_interfaces"]', "two groups"),
        ("[values]", "[valuse]", "values"),
        ("[[group]]", "[[group]", "settings.toml"),
    ],
)
def test_a_wrong_file_says_where(old: str, new: str, says: str) -> None:
    from importlib import resources

    text = resources.files("mailmend").joinpath("settings.toml").read_text("utf-8")
    assert old in text
    with pytest.raises(SettingsError, match=says):
        settings.parse(text.replace(old, new, 1))
