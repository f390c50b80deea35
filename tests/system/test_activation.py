"""Activation does what this host needs, and believes only what it sees run: a new master, a new queue manager."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailmend.model import CannotLook, Evidence, Question, Refused
from mailmend.questions import (
    File,
    FileState,
    Host,
    HostFacts,
    Instance,
    Instances,
    LogLines,
    Master,
    Running,
    Setting,
    SettingValue,
)
from mailmend.system import activation
from mailmend.system.activation import Ran
from mailmend.system.probe import Remembering

START = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
HOST = HostFacts("relay", "debian", "12", "none", None, "/var/log/mail.log", False, False, None, "root", True)
DEBIAN12 = replace(HOST, init="systemd", unit="postfix@-.service")
DEBIAN13 = replace(HOST, init="systemd", unit="postfix.service", release="13")
BARE = ("postfix", "-c", "/etc/postfix")


@dataclass
class Machine:
    """A host as commands change it: what is *run* moves *master*; *deaf* commands do nothing and return 0."""

    facts: HostFacts = HOST
    master: Running = field(default_factory=lambda: Running(198, START, START, None))
    instances: tuple[Instance, ...] = ()
    directory: str = "/etc/postfix"
    deaf: tuple[str, ...] = ()
    fails: dict[str, str] = field(default_factory=dict)
    kills: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    script: str = ""
    supervised: str = ""
    anew: bool = False
    ran: list[tuple[str, ...]] = field(default_factory=list)
    clock: int = 0

    def ask(self, question: Question[Any], /) -> Evidence[Any]:
        answers: dict[type, Any] = {
            Host: self.facts,
            Master: self.master,
            Instances: self.instances,
            LogLines: self.log,
            Setting: SettingValue(self.directory, None),
            File: FileState("/etc/init.d/postfix", bool(self.script), self.script, 0, "", None, None),
        }
        return Evidence(question, answers[type(question)], None, START)

    def run(self, command: tuple[str, ...]) -> Ran:
        self.ran.append(command)
        self.clock += 1
        act = next((word for word in ("stop", "start", "restart", "reload") if word in command), "")
        if act in self.fails:
            return Ran(1, self.fails[act])
        if act in self.deaf:
            return Ran(0, "")
        at = START + timedelta(minutes=self.clock)
        unit = command[2] if command[0] == "systemctl" else "session-3.scope"
        if command == ("supervisorctl", "status"):
            return Ran(0, self.supervised)
        if act == "stop" and self.anew:
            self.master = replace(self.master, pid=200 + self.clock, since=at)
        elif act == "stop" or act in self.kills:
            self.master = Running(None, None, None)
        elif act in ("start", "restart"):
            self.master = Running(200 + self.clock, at, at, unit)
        elif act == "reload":
            self.master = replace(self.master, reloaded=at)
        return Ran(0, "")

    def activate(self, kind: str, deadline: float = 0.3) -> list[tuple[str, ...]]:
        activation.detect(self, run=self.run, deadline=deadline).activate(kind)  # type: ignore[arg-type]
        return self.ran


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation, "_SETTLE", 0.0)


def held_by(unit: str) -> Running:
    return Running(198, START, START, unit)


# ---- what does nothing -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "map"])
def test_a_changed_table_needs_no_command(kind: str) -> None:
    assert Machine().activate(kind) == []


def test_a_reload_touches_no_listener() -> None:
    machine = Machine()
    machine.activate("reload")
    assert machine.master.pid == 198


# ---- each host its own way -------------------------------------------------------------------


FILL = ("/usr/lib/postfix/configure-instance.sh", "-")
MAIN = (Instance("", "", True, "/etc/postfix"),)
DEBIANS_SCRIPT = (
    "for INSTANCE in $(enabled_instances); do\n/usr/lib/postfix/configure-instance.sh $INSTANCE\n"
)


def in_front(keeper: str, unit: str | None = None) -> Running:
    return Running(198, START, START, unit, keeper)


@pytest.mark.parametrize(
    ("machine", "reload", "restart"),
    [
        pytest.param(
            Machine(replace(HOST, init="sysv"), instances=MAIN, script=DEBIANS_SCRIPT),
            [(*BARE, "reload")],
            [(*BARE, "stop"), FILL, (*BARE, "start")],
            id="Debian without systemd: the chroot is filled as its init script does",
        ),
        pytest.param(
            Machine(
                DEBIAN13, held_by("postfix.service"), instances=(*MAIN, Instance("out", "", True, "/etc/out"))
            ),
            [("postmulti", "-i", "-", "-p", "reload")],
            [
                ("systemctl", "stop", "--job-mode=ignore-dependencies", "postfix.service"),
                ("systemctl", "start", "postfix.service"),
            ],
            id="Debian 13 with another instance, which is PartOf the main one",
        ),
        pytest.param(
            Machine(replace(HOST, init="systemd"), in_front("systemd", "mailserver.service")),
            [(*BARE, "reload")],
            [("systemctl", "stop", "mailserver.service"), ("systemctl", "start", "mailserver.service")],
            id="a unit of the operator's own, with start-fg",
        ),
        pytest.param(
            Machine(HOST, in_front("supervisord"), supervised="cron RUNNING pid 7\npostfix RUNNING pid 9\n"),
            [("supervisorctl", "status"), (*BARE, "reload")],
            [
                ("supervisorctl", "status"),
                ("supervisorctl", "stop", "postfix"),
                ("supervisorctl", "start", "postfix"),
            ],
            id="under supervisord",
        ),
        pytest.param(
            Machine(HOST, in_front("runsv"), anew=True),
            [(*BARE, "reload")],
            [(*BARE, "stop")],
            id="under runsv, which starts it anew",
        ),
        pytest.param(Machine(), [(*BARE, "reload")], [(*BARE, "stop"), (*BARE, "start")], id="no systemd"),
        pytest.param(
            Machine(replace(HOST, init="sysv")),
            [(*BARE, "reload")],
            [(*BARE, "stop"), (*BARE, "start")],
            id="sysv",
        ),
        pytest.param(
            Machine(DEBIAN12, held_by("postfix@-.service")),
            [("systemctl", "reload", "postfix@-.service")],
            [("systemctl", "stop", "postfix@-.service"), ("systemctl", "start", "postfix@-.service")],
            id="Debian 12: the instance, for postfix.service runs /bin/true",
        ),
        pytest.param(
            Machine(DEBIAN13, held_by("postfix.service")),
            [("systemctl", "reload", "postfix.service")],
            [("systemctl", "stop", "postfix.service"), ("systemctl", "start", "postfix.service")],
            id="Debian 13 and Fedora",
        ),
        pytest.param(
            Machine(DEBIAN12, held_by("session-3.scope")),
            [(*BARE, "reload")],
            [(*BARE, "stop"), ("systemctl", "restart", "postfix@-.service")],
            id="started by hand under systemd",
        ),
        pytest.param(
            Machine(replace(HOST, init="systemd"), held_by("user@0.service")),
            [(*BARE, "reload")],
            [(*BARE, "stop"), (*BARE, "start")],
            id="systemd without a unit for Postfix",
        ),
        pytest.param(
            Machine(
                HOST,
                instances=(
                    Instance("", "", True, "/etc/postfix"),
                    Instance("out", "", True, "/etc/postfix-out"),
                ),
                directory="/etc/postfix-out",
            ),
            [("postmulti", "-i", "out", "-p", "reload")],
            [("postmulti", "-i", "out", "-p", "stop"), ("postmulti", "-i", "out", "-p", "start")],
            id="one of two instances",
        ),
        pytest.param(
            Machine(
                HOST,
                instances=(
                    Instance("", "", True, "/etc/postfix"),
                    Instance("out", "", True, "/etc/postfix-out"),
                ),
            ),
            [("postmulti", "-i", "-", "-p", "reload")],
            [("postmulti", "-i", "-", "-p", "stop"), ("postmulti", "-i", "-", "-p", "start")],
            id="the main one of two instances",
        ),
    ],
)
def test_each_host_is_activated_its_own_way(
    machine: Machine, reload: list[tuple[str, ...]], restart: list[tuple[str, ...]]
) -> None:
    copy = replace(machine, ran=[])
    assert replace(machine, ran=[]).activate("reload") == reload
    assert copy.activate("restart") == restart
    assert copy.master.pid not in (None, 198)


def test_a_master_that_died_is_started_whatever_was_asked_for() -> None:
    gone = Running(None, None, None)
    assert Machine(DEBIAN12, gone).activate("reload") == [("systemctl", "start", "postfix@-.service")]
    assert Machine(HOST, gone).activate("restart") == [(*BARE, "start")]


@pytest.mark.parametrize(
    ("keeper", "says"),
    [
        ("", "process 1 of this container"),
        ("tini", "tini"),
        ("entrypoint.sh", "entrypoint.sh"),
        ("supervisord", "s"),
    ],
)
def test_a_container_is_not_ended_by_a_restart_and_the_way_from_outside_is_told(
    keeper: str, says: str
) -> None:
    machine = Machine(HOST, in_front(keeper))
    with pytest.raises(Refused, match=says) as refused:
        machine.activate("restart")
    assert "docker restart relay" in refused.value.next_step
    assert [command for command in machine.ran if command[0] != "supervisorctl"] == []
    assert machine.activate("reload")[-1] == (*BARE, "reload")
    assert machine.master.pid == 198


def test_a_probe_that_remembers_is_made_to_look_and_left_in_its_epoch() -> None:
    machine = Machine()
    probe = Remembering(machine)
    assert probe.ask(Master()).answer == machine.master
    activation.detect(probe, run=machine.run, deadline=0.3).activate("restart")
    assert probe.epoch == "before"
    assert probe.ask(Master()).answer == Running(198, START, START, None), "what was remembered still is"


# ---- no exit status is believed --------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "kind", "says"),
    [
        pytest.param(
            Machine(deaf=("reload",)), "reload", "did not load", id="reload did nothing, returned 0"
        ),
        pytest.param(Machine(kills=("reload",)), "reload", "did not load", id="master died of the reload"),
        pytest.param(Machine(deaf=("stop",)), "restart", "did not stop: master 198", id="stop did nothing"),
        pytest.param(
            Machine(deaf=("start",)), "restart", "did not start", id="policy-rc.d: start did nothing"
        ),
        pytest.param(Machine(kills=("start",)), "restart", "did not start", id="master died at once"),
    ],
)
def test_success_that_cannot_be_seen_is_a_failure(machine: Machine, kind: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        machine.activate(kind)


def test_a_master_that_dies_just_after_its_start_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()

    def dies(_: float) -> None:
        if len(machine.ran) == 2:
            machine.master = Running(None, None, None)

    monkeypatch.setattr(activation.time, "sleep", dies)
    with pytest.raises(Refused, match="did not start"):
        machine.activate("restart")


def test_what_postfix_said_is_told() -> None:
    fatal = "postfix: fatal: config variable inet_interfaces: host not found: [::1]"
    machine = Machine(fails={"start": f"{fatal}\n"})
    with pytest.raises(Refused, match="host not found"):
        machine.activate("restart")


def test_the_journal_is_asked_where_systemctl_says_nothing() -> None:
    machine = Machine(DEBIAN12, held_by("postfix@-.service"), deaf=("start",))
    machine.log = ("master[1]: fatal: bind 192.0.2.1 port 25: Cannot assign requested address",)
    with pytest.raises(Refused, match="Cannot assign requested address"):
        machine.activate("restart")
    assert machine.ran[-1][:1] == ("journalctl",)
    assert "postfix@-.service" in machine.ran[-1]


def test_validate_refuses_what_would_not_start_and_passes_the_rest() -> None:
    machine = Machine()
    activation.validate(machine, run=machine.run)
    assert machine.ran == [(*BARE, "check")]
    with pytest.raises(Refused, match="host not found"):
        activation.validate(machine, run=lambda _: Ran(0, "postfix: fatal: host not found: [::1]\n"))
    with pytest.raises(Refused, match="exit status 1"):
        activation.validate(machine, run=lambda _: Ran(1, ""))


# ---- the terminal ----------------------------------------------------------------------------


def test_a_command_sees_a_terminal_and_its_output_and_status_come_back() -> None:
    ran = activation.on_terminal(("python3", "-c", "import os,sys; print(os.isatty(2)); sys.exit(3)"))
    assert ran == Ran(3, "True\n")


def test_a_daemon_that_keeps_the_terminal_open_is_not_waited_for() -> None:
    ran = activation.on_terminal(("sh", "-c", "sleep 5 & echo started"), seconds=3)
    assert ran == Ran(0, "started\n")


def test_a_program_that_is_not_there_and_one_that_hangs_are_one_line_each() -> None:
    with pytest.raises(CannotLook, match="not installed"):
        activation.on_terminal(("no-such-postfix", "start"))
    with pytest.raises(Refused, match="did not end within"):
        activation.on_terminal(("sleep", "5"), seconds=0.2)
