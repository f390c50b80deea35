"""The units of the console: systemd understands them, and finds the page closed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mailmend.ui import cli
from mailmend.ui.helper import units

TEXTS = units.texts(["/opt/mailmend/bin/python", "-P", "-m", "mailmend"])
# Of `systemd-analyze security`: 0 is closed, 10 open. The page needs the network; root's helper writes /etc, becomes
# other users and looks into others' processes.
WORST = {units.WEB: 2.5, units.SERVICE: 6.0}
NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze"
)


def test_a_change_outlives_the_unit_that_began_it() -> None:
    assert "\nKillMode=process\n" in TEXTS[units.SERVICE]


def test_the_socket_is_open_to_the_page_s_user_alone() -> None:
    socket = TEXTS[units.SOCKET].splitlines()
    assert {"SocketUser=root", f"SocketGroup={units.USER}", "SocketMode=0660"} <= set(socket)
    assert f"User={units.USER}" in TEXTS[units.WEB].splitlines()
    assert f"helper --user {units.USER}" in TEXTS[units.SERVICE]


def test_each_says_where_it_goes_and_fits_a_screen() -> None:
    for name, text in TEXTS.items():
        assert text.startswith(f"# /etc/systemd/system/{name}\n")
        assert all(len(line) < 120 for line in text.splitlines())


def test_passwords_are_taken_only_where_that_was_asked_for() -> None:
    plain, asked = TEXTS, units.texts(["/opt/mailmend/bin/python"], group="postmasters")
    assert not any("--pam" in text or "AUDIT" in text for text in plain.values())
    assert "helper --user mailmend-web --pam postmasters\n" in asked[units.SERVICE]
    assert "\nCapabilityBoundingSet=CAP_AUDIT_WRITE\n" in asked[units.SERVICE]
    assert "web --pam postmasters\n" in asked[units.WEB]
    assert "AUDIT" not in asked[units.WEB]


def test_they_are_printed_and_nothing_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    for how in ("--print-unit", "--json --print-unit"):
        with pytest.raises(SystemExit) as ended:
            cli.mailmend.main(["--config-directory", "/etc/postfix-out", "web", *how.split()])
        assert ended.value.code == 0
    printed, _, told_as_json = capsys.readouterr().out.partition("{\n")
    assert "\nReadWritePaths=-/etc/postfix-out /etc /var /run\n" in printed
    told = json.loads("{" + told_as_json)["units"]
    assert list(told) == [units.SOCKET, units.SERVICE, units.WEB]
    assert "\n".join(told.values()) == printed
    assert "--config-directory /etc/postfix-out helper" in told[units.SERVICE]
    assert not any(Path("/etc/systemd/system", name).exists() for name in told)


@NEEDS_SYSTEMD
def test_systemd_understands_them(tmp_path: Path) -> None:
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text.replace("/opt/mailmend/bin/python", "/bin/true"))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in TEXTS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "mailmend" not in said.stderr, said.stderr


@NEEDS_SYSTEMD
@pytest.mark.parametrize("name", WORST)
def test_systemd_finds_them_closed(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TEXTS[name].replace("/opt/mailmend/bin/python", "/bin/true"))
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={int(WORST[name] * 10)}", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unrecognized option" in said.stderr:
        pytest.skip("this systemd-analyze cannot look at a file")
    assert said.returncode == 0, said.stdout[-500:] + said.stderr
