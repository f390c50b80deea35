"""What others changed since stays; our part goes back; what cannot be told apart is nobody's to overwrite."""

from __future__ import annotations

import pytest

from mailmend.model import FileEdit
from mailmend.system import merge

SMTP = "smtp unix - - n - - smtp\n"
LMTP = "smtp unix - - n - - lmtp\n"
OURS = f"{SMTP}  -o inet_protocols=ipv4\n"


def taken_back(name: str, before: str | None, after: str | None, current: str) -> str | None:
    return merge.postfix(FileEdit(f"/etc/postfix/{name}", before, after), current)


@pytest.mark.parametrize(
    ("name", "before", "after", "current"),
    [
        pytest.param("ipv4_only_receivers", "a\n", "b\n", "c\n", id="a map"),
        pytest.param("main.cf", None, "a = 1\n", "a = 1\nb = 2\n", id="a file that was not there"),
        pytest.param("main.cf", "a = 1\n", "a = 2\n", "a = 3\n", id="our setting changed again"),
        pytest.param("main.cf", "a = 1\n", "a = 2\n", "b = 1\n", id="our setting taken out"),
        pytest.param("main.cf", "# x\n", "# y\n", "# z\n", id="only a comment was ours"),
        pytest.param("master.cf", SMTP, OURS, OURS.replace("ipv4", "ipv6"), id="our override changed again"),
        pytest.param("master.cf", SMTP, OURS, "# empty\n", id="the service is gone"),
        pytest.param("master.cf", "", SMTP, SMTP.replace("- -", "- 9"), id="our service changed"),
        pytest.param(
            "master.cf",
            SMTP,
            SMTP.replace(" smtp\n", " smtp -v\n"),
            SMTP.replace(" smtp\n", " smtp -v -D\n"),
            id="the command was ours, and changed again",
        ),
    ],
)
def test_what_cannot_be_told_apart_is_not_merged(
    name: str, before: str | None, after: str | None, current: str
) -> None:
    assert taken_back(name, before, after, current) is None


@pytest.mark.parametrize(
    ("name", "before", "after", "current", "wanted"),
    [
        pytest.param("main.cf", "a = 1\n", "a = 2\n", "a = 2\nb = 1\n", "a = 1\nb = 1\n", id="changed"),
        pytest.param("main.cf", "b = 1\n", "b = 1\na = 2\n", "b = 9\na = 2\n", "b = 9\n", id="added"),
        pytest.param("main.cf", "a = 1\nb = 1\n", "b = 1\n", "b = 9\n", "b = 9\na = 1\n", id="removed"),
        pytest.param("main.cf", "a = 1\n", "a = 2\n", "a = 1\nb = 1\n", "a = 1\nb = 1\n", id="back already"),
        pytest.param(
            "main.cf",
            "a =\n\t1\n\t2\n",
            "a = 3\n",
            "b = 1\na = 3\n",
            "b = 1\na =\n\t1\n\t2\n",
            id="lines with tabs",
        ),
        pytest.param("master.cf", SMTP, OURS, OURS + "# x\n", SMTP + "# x\n", id="override"),
        pytest.param("master.cf", SMTP, LMTP, "# x\n" + LMTP, "# x\n" + SMTP, id="command"),
        pytest.param(
            "master.cf", SMTP, OURS, OURS + "  -o a=1\n", SMTP + "  -o a=1\n", id="another override added"
        ),
        pytest.param("master.cf", "", SMTP, "# x\n" + SMTP, "# x\n", id="service added"),
        pytest.param("master.cf", SMTP, "", "# x\n", "# x\n" + SMTP, id="service removed"),
    ],
)
def test_our_part_goes_back_and_theirs_stays(
    name: str, before: str, after: str, current: str, wanted: str
) -> None:
    assert taken_back(name, before, after, current) == wanted
