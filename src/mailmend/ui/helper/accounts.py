"""A name and a password -> the account of this host that may use the console: root, or one of a group."""

from __future__ import annotations

import grp
import os
import pwd

from mailmend.model import Refused
from mailmend.system import pam


def require_group(name: str) -> None:
    """Refused where there is no group *name*, or PAM has no rules to ask: said before anything is served."""
    try:
        grp.getgrnam(name)
    except KeyError:
        raise Refused(
            f"there is no group {name}", f"groupadd --system {name}, and usermod -aG {name} USER"
        ) from None
    pam.service()


def require(user: str, password: str, source: str, group: str) -> str:
    """The account that PAM lets in as *user*, where it is root or has *group* among its groups, the first included.

    Refused with the reason, which is for root's log. It takes as long as PAM takes.
    """
    name = pam.require(user, password, source)
    try:
        account, wanted = pwd.getpwnam(name), grp.getgrnam(group).gr_gid
    except KeyError:
        raise Refused(f"PAM let {name} in, which is no account here, or there is no group {group}") from None
    if account.pw_uid != 0 and wanted not in os.getgrouplist(name, account.pw_gid):
        raise Refused(f"{name} is neither root nor of the group {group}")
    return name
