"""A process moves into a control group and namespaces of its own, mounts a root, and becomes another program.

python into.py GROUP OVERLAY-OPTIONS MOUNT-POINT COMMAND...
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mailmend.lab import kernel


def main() -> None:
    group, layers, root, *command = sys.argv[1:]
    Path(group, "cgroup.procs").write_text(str(os.getpid()))
    kernel.unshare(kernel.NEWNS | kernel.NEWCGROUP | kernel.NEWPID)
    # systemd-nspawn takes the control group of process 1 for the root of the tree: that has to be one in here.
    if child := os.fork():
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("proc", "/proc", "proc")
    # Over whatever is there, the old tree too: systemd-nspawn goes by what it finds at this place.
    kernel.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    kernel.mount("overlay", root, "overlay", options=layers)
    # Process 1 stays: what it waits for is the machine, and its end is the end of all.
    if child := os.fork():
        raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os.execvpe(command[0], command, os.environ)  # noqa: S606 (an argument list, no shell)


if __name__ == "__main__":
    main()
