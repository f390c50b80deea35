"""The units of the console: its page as a user who may nothing, and root's helper behind a socket for that user alone.

systemd.service(5), systemd.socket(5), systemd.exec(5); `systemd-analyze security` says what of them is open.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mailmend.places import HELPER

WEB, SERVICE, SOCKET = "mailmend-web.service", "mailmend-helper.service", "mailmend-helper.socket"
USER = "mailmend-web"


def texts(argv: Sequence[str], folder: str = "/etc/postfix", group: str | None = None) -> dict[str, str]:
    """Each unit's file by its name, in the order to install them.

    *argv* runs mailmend, its first word a full path; *folder* is where Postfix's configuration lies. *group*: root
    and its users may log in with their passwords.
    """
    pam = ["--pam", group] if group is not None else []
    return {
        SOCKET: helper_socket(),
        SERVICE: helper_unit([*argv, "helper", "--user", USER, *pam], folder, passwords=bool(pam)),
        WEB: web_unit([*argv, "web", *pam]),
    }


def web_unit(argv: Sequence[str]) -> str:
    """The page: it reads what anybody may read, and the logs and the delivery store by the group adm."""
    return f"""\
# /etc/systemd/system/{WEB}
#
# Its user is made once, and all three are started, as root:
#   useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin {USER}
#   systemctl daemon-reload
#   systemctl enable --now {SOCKET} {WEB}
[Unit]
Description=mailmend's console
Documentation=man:postfix(1)
Wants={SOCKET}
After=network.target {SOCKET}

[Service]
ExecStart={shlex.join(argv)}
Restart=on-failure
RestartSec=5
User={USER}
Group={USER}
SupplementaryGroups=adm systemd-journal
UMask=0077
MemoryMax=512M
TasksMax=128

CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def helper_unit(argv: Sequence[str], folder: str = "/etc/postfix", *, passwords: bool = False) -> str:
    """Root's helper: it writes Postfix's *folder*, restarts Postfix and tries a candidate of it; else little.

    *passwords*: PAM tells the kernel's audit who logs in, and lets nobody in where it may not.
    """
    audit = "\nCapabilityBoundingSet=CAP_AUDIT_WRITE" if passwords else ""
    return f"""\
# /etc/systemd/system/{SERVICE}
[Unit]
Description=mailmend's helper: what the console needs root for
Documentation=man:postfix(1)
Requires={SOCKET}
After={SOCKET}

[Service]
ExecStart={shlex.join(argv)}
Restart=on-failure
RestartSec=5
# A change that is under way goes on where the helper is stopped; a Postfix that it had to start outlives it.
KillMode=process

# What a trial of Postfix needs, which changes users and goes into its chroot, and who looks at others' sockets.
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_RESOURCE{audit}
# The configuration, the unit that takes a change back at a boot, the settings of postsrsd, opendkim and opendmarc
# (files of /etc itself, each replaced by another one there), and what changes as a host runs. Where a file of
# Postfix's lies elsewhere (another instance, a symbolic link), that folder is named in a drop-in of the unit's.
ProtectSystem=strict
ReadWritePaths=-{folder} /etc /var /run
# No ProtectKernelTunables= and ProtectControlGroups=: within a container, what runs under them is shown another boot
# id than the guard of a change, which then takes that change back at once.
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM

[Install]
Also={SOCKET}
"""


def helper_socket() -> str:
    """Where the helper is asked: open to the page's user and to root, and to nobody else."""
    return f"""\
# /etc/systemd/system/{SOCKET}
[Unit]
Description=mailmend's helper: where the console asks it

[Socket]
ListenStream={HELPER}
SocketUser=root
SocketGroup={USER}
SocketMode=0660
DirectoryMode=0755
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
"""
