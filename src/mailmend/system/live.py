"""Every question of questions.py -> the function that looks for its answer on this host."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from mailmend import questions as ask
from mailmend.model import CannotLook
from mailmend.system import deliveries, dns, follow, host, listeners, manual, started, trial
from mailmend.system.postfix import Configuration
from mailmend.system.probe import Live, now

WEBMIN = Path("/etc/webmin/postfix/config")
_RUNS_NOTHING = re.compile(r"^ExecStart=(?:/usr)?/bin/true\s*$", re.MULTILINE)
_UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def live(config_directory: str | None = None) -> Live:
    """A probe of this host and of the Postfix configured in *config_directory* (None: Postfix's own)."""
    configuration = Configuration(config_directory)

    def place() -> follow.Place:
        return follow.place(configuration.value("maillog_file"))

    return Live(
        {
            ask.Now: lambda _: now(),
            ask.Host: lambda _: host_facts(configuration),
            ask.HostAddresses: lambda _: host.addresses(),
            ask.SourceAddress: host.source_address,
            ask.Resolve: host.resolve,
            ask.File: host.file,
            ask.Stat: host.file_stat,
            ask.Records: dns.resolver(),
            ask.Setting: configuration.setting,
            ask.Defaults: lambda _: configuration.defaults(),
            ask.Manual: lambda question: manual.paragraph(question.name, configuration),
            ask.ConfigWarnings: lambda _: configuration.warnings(),
            ask.Services: lambda _: configuration.services(),
            ask.Instances: lambda _: configuration.instances(),
            ask.MapTypes: lambda _: configuration.map_types(),
            ask.MapLookup: configuration.map_lookup,
            ask.MapEntries: configuration.map_entries,
            ask.Master: lambda _: listeners.master(configuration),
            ask.StartedWith: lambda _: started.started_with(configuration),
            ask.Listeners: lambda _: listeners.listeners(configuration),
            ask.Bindable: listeners.bindable,
            ask.SocketListing: lambda _: listeners.socket_listing(),
            ask.Greeting: listeners.greeting,
            ask.RecentDeliveries: lambda question: deliveries.recent(question, place()),
            ask.Addressed: lambda question: deliveries.addressed(question, place()),
            ask.Spaced: lambda question: deliveries.spaced(question, place()),
            ask.LogLines: lambda question: deliveries.trouble(question, place()),
            ask.ClientTrial: lambda question: trial.trial(question, configuration, place()),
        }
    )


def host_facts(configuration: Configuration) -> ask.HostFacts:
    """Which machine this is. What Postfix would have to tell is None where there is no Postfix to tell it."""
    release = host.os_release()
    systemd = Path("/run/systemd/system").is_dir()
    try:
        logs: follow.Place | None = follow.place(configuration.value("maillog_file"))
    except CannotLook:
        logs = None
    return ask.HostFacts(
        hostname=socket.gethostname(),
        distribution=release.get("ID", ""),
        release=release.get("VERSION_ID", ""),
        init="systemd" if systemd else "sysv" if Path("/etc/init.d/postfix").exists() else "none",
        unit=_unit(configuration) if systemd else None,
        maillog=str(logs.path) if logs and logs.path else None,
        journal=logs is not None and logs.path is None,
        container=host.container(),
        webmin=str(WEBMIN) if WEBMIN.is_file() else None,
        user=host.user(),
        root=os.geteuid() == 0,
    )


def _unit(configuration: Configuration) -> str | None:
    """The unit whose control group holds master; where none does, the unit that would start it."""
    try:
        running = listeners.master(configuration).cgroup_unit
        directory = configuration.directory.name
        instance = configuration.value("multi_instance_name") or directory
    except CannotLook:
        running, directory, instance = None, "postfix", ""
    if running and running.startswith("postfix"):
        return running
    plain, template = _unit_file("postfix.service"), _unit_file("postfix@.service")
    # Debian up to 12 starts every instance, the main one (`-`) too, through a template; its plain
    # postfix.service runs /bin/true. Elsewhere the plain unit is the real one, and Debian 13's
    # postfix@INST stands for /etc/postfix-INST.
    shell = plain is not None and _RUNS_NOTHING.search(plain) is not None
    if directory == "postfix":
        return None if plain is None else "postfix@-.service" if shell and template else "postfix.service"
    if template is None:
        return None
    return f"postfix@{instance if shell else directory.removeprefix('postfix-')}.service"


def _unit_file(name: str) -> str | None:
    for folder in _UNIT_FOLDERS:
        try:
            return (Path(folder) / name).read_text(errors="replace")
        except OSError:
            continue
    return None
