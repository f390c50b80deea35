"""The command helper: the small process of root that the console asks."""

from __future__ import annotations

import pwd
from pathlib import Path

from mailmend.jobs.here import Here, require_root
from mailmend.model import Refused
from mailmend.places import HELPER


def work() -> int:
    """One request of the helper's, in this process: it is on stdin."""
    from mailmend.ui.helper import working

    return working.work()


def serve(here: Here, path: Path | None, user: str, group: str | None = None) -> None:
    """Until the process ends. *group*: whose passwords begin a session, besides root's; None: nobody's.

    Raises Refused without root, for a user or group that is not there, or a socket in the way.
    """
    from mailmend.ui.helper.acting import Acting
    from mailmend.ui.helper.serve import Helper

    require_root("the console's helper")
    try:
        known = pwd.getpwnam(user)
    except KeyError:
        raise Refused(f"there is no user {user}", "name the one that the console runs as") from None
    if known.pw_uid == 0:
        raise Refused("the console does not run as root", "name a user of its own")
    if group is not None:
        from mailmend.ui.helper import accounts

        accounts.require_group(group)
    acting = Acting(config_directory=here.config_directory, state=here.state, group=group)
    Helper(path or HELPER, known.pw_uid, known.pw_gid, acting).serve()
