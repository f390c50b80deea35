"""After an undo every file is what it was: its bytes, mode, owner, attributes, ACL, and whether it is a link."""

from __future__ import annotations

import json
import sys
from textwrap import dedent
from typing import Any

import pytest

pytestmark = pytest.mark.lab

# argv: the files; each is given a mode, an owner, attributes and an ACL that no editor would think of.
DRESS = dedent(
    """
    import grp, os, struct, sys
    for number, path in enumerate(sys.argv[1:]):
        os.chown(path, 0, grp.getgrnam("postfix").gr_gid)
        os.chmod(path, 0o640 + 4 * number)
        os.setxattr(path, "user.note", b"kept by \\xff the operator")
        os.setxattr(path, "trusted.origin", b"site")
        os.setxattr(path, "security.selinux", b"system_u:object_r:postfix_etc_t:s0\\0")
        everybody = 0xffffffff
        entries = [(1, 6, everybody), (2, 4, 65534), (4, 4, everybody), (16, 4, everybody), (32, 0, everybody)]
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
        try:
            os.setxattr(path, "system.posix_acl_access", acl)
        except OSError as failure:
            print(failure)
    """
)
# argv: the files; prints what each is.
SHOW = dedent(
    """
    import json, os, sys
    told = {}
    for path in sys.argv[1:]:
        state = os.lstat(path)
        attributes = {name: os.getxattr(path, name).hex() for name in os.listxattr(path)}
        link = os.readlink(path) if os.path.islink(path) else None
        told[path] = [oct(state.st_mode), state.st_uid, state.st_gid, attributes, link, open(path, "rb").read().hex()]
    print(json.dumps(told))
    """
)
MAIN, MASTER, SITE = "/etc/postfix/main.cf", "/etc/postfix/master.cf", "/etc/postfix/site"
ACTS = {
    "fix with a restart": ("fix", "--yes", "--confirm", "--remedy", "ipv4-only"),
    "fix with a new table": ("fix", "--yes", "--remedy", "ipv4-for-receiver"),
    "set in main.cf": ("set", "--yes", "--confirm", "message_size_limit=20480000"),
    "set in master.cf": ("set", "--yes", "--confirm", "smtp/unix/inet_protocols=ipv4"),
    "set in both": ("set", "--yes", "--confirm", "smtp/unix/inet_protocols=ipv4", "biff=yes"),
}


def show(relay: Any, *paths: str) -> dict[str, list[Any]]:
    done = relay.run([sys.executable, "-c", SHOW, *paths])
    assert done.returncode == 0, done.stderr
    told: dict[str, list[Any]] = json.loads(done.stdout)
    return told


def names(relay: Any) -> set[str]:
    return set(relay.run(["find", "/etc/postfix", "!", "-name", "*.tmp"]).stdout.split())


@pytest.fixture
def dressed(request: pytest.FixtureRequest, lab: Any) -> Any:
    """A relay whose two files carry all that a file can carry; as links into a folder of root's, too."""
    lab.reset()
    relay, paths = lab.relay, [MAIN, MASTER]
    if request.param:
        relay.run(["mkdir", "-m", "0755", SITE])
        for path in (MAIN, MASTER):
            name = path.rpartition("/")[2]
            relay.run(["mv", path, f"{SITE}/{name}"])
            relay.run(["ln", "-s", f"site/{name}", path])
            paths.append(f"{SITE}/{name}")
    done = relay.run([sys.executable, "-c", DRESS, MAIN, MASTER])
    assert (done.returncode, done.stdout) == (0, ""), done.stderr + done.stdout
    relay.paths = paths
    relay.start()
    return relay


def cases() -> list[Any]:
    """Every act over files and over links; the slow ones are those whose like is there already."""
    quick = {("links", "fix with a restart"), ("files", "fix with a new table"), ("links", "set in both")}
    return [
        pytest.param(
            kind == "links",
            act,
            id=f"{kind}, {name}",
            marks=[] if (kind, name) in quick else [pytest.mark.slow],
        )
        for kind in ("files", "links")
        for name, act in ACTS.items()
    ]


@pytest.mark.parametrize(("dressed", "act"), cases(), indirect=["dressed"])
def test_what_a_file_carries_is_there_while_a_change_is_in_force_and_after_its_undo(
    dressed: Any, act: tuple[str, ...]
) -> None:
    before, there = show(dressed, *dressed.paths), names(dressed)
    done = dressed.mailmend("--json", *act)
    assert done.returncode == 0, done.stdout + done.stderr
    changed = show(dressed, *dressed.paths)
    assert {path: told[:5] for path, told in changed.items()} == {p: told[:5] for p, told in before.items()}
    assert changed != before
    done = dressed.mailmend("--json", "undo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["identical"]
    assert show(dressed, *dressed.paths) == before
    assert names(dressed) == there
