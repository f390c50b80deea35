"""The unit that keeps taking the log in: a user of its own that may read logs and write the store, and nothing else.

systemd.exec(5); `systemd-analyze security` says what of it is open.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

NAME = "mailmend-ingest.service"
USER = "mailmend-ingest"


def text(argv: Sequence[str]) -> str:
    """The unit's file; *argv* is the command that follows the log, its first word a full path."""
    return f"""\
# /etc/systemd/system/{NAME}
#
# Its user is made once, and it is started, as root:
#   useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin {USER}
#   systemctl daemon-reload
#   systemctl enable --now {NAME}
[Unit]
Description=Take what Postfix logs into mailmend's delivery store
Documentation=man:postfix(1)
After=postfix.service rsyslog.service systemd-journald.service

[Service]
ExecStart={shlex.join(argv)}
Restart=on-failure
RestartSec=30
User={USER}
Group=adm
SupplementaryGroups=systemd-journal
UMask=0027
StateDirectory=mailmend/deliveries
StateDirectoryMode=0750
Nice=10
IOSchedulingClass=idle
MemoryMax=512M
TasksMax=16

CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateUsers=yes
IPAddressDeny=any
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX
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
