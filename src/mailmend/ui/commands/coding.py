"""web --code: root is shown what waits to be approved from the console, and the code for just that; else a login's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mailmend.jobs.here import Here, require_root
from mailmend.model import Refused
from mailmend.places import HELPER
from mailmend.ui.ending import Outcome
from mailmend.ui.show import document

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.ui.helper.client import Helper
    from mailmend.ui.helper.seeing import Seen

LOGIN = "login"
_SHORT = 8  # letters of a digest that people type


def code(here: Here, path: Path | None = None, wanted: str | None = None) -> Outcome:
    """A code of the helper at *path*: for the one change that waits for it, and where none does for a login.

    *wanted* is `login`, or how the digest of the change begins. What the change does is worked out afresh, by this
    process: shown is what would be written, not what anybody says of it.
    Raises Refused without root, where several wait and none is named, and where the host has changed since.
    """
    from mailmend.ui.helper.client import connect

    require_root("a code for the console")
    helper = connect(path or HELPER)
    found = [] if wanted == LOGIN else helper.waiting()
    if wanted not in (None, LOGIN):
        found = [each for each in found if each["digest"].startswith(wanted)]
        if not found:
            raise Refused(f"no change waits whose digest begins with {wanted}", "mailmend web --code")
    if not found:
        return _login(helper.login_code())
    if len(found) > 1:
        told = "; ".join(f"{e['digest'][:_SHORT]} ({_name(e)}, from {e['source']})" for e in found)
        raise Refused(
            f"{len(found)} changes wait for a code: {told}",
            f"mailmend web --code --for {found[0]['digest'][:_SHORT]}, or --for login",
        )
    return _approval(here, helper, found[0])


def units(here: Here, group: str | None = None) -> Outcome:
    """The texts of the console's three units, to be installed by the operator; in JSON under `units`, by name.

    *group*: they let root and its users log in with their passwords.
    """
    from mailmend.ui.helper import units as kept

    argv = [sys.executable, "-P", "-m", "mailmend"]
    argv += ["--config-directory", here.config_directory] if here.config_directory else []
    texts = kept.texts(argv, here.config_directory or "/etc/postfix", group)

    def screen(target: Console) -> None:
        target.print("\n".join(texts.values()), end="", markup=False, highlight=False, soft_wrap=True)

    return Outcome(0, document("units", {"units": texts}), screen)


def _login(letters: str) -> Outcome:
    from mailmend.ui.helper.sessions import CODE_LASTS

    def screen(target: Console) -> None:
        from mailmend.ui.terminal import say

        say(target, f"To log in to the console, once, within {CODE_LASTS / 60:.0f} minutes:")
        _letters(target, letters)

    return Outcome(0, document("code", {"for": LOGIN, "code": letters, "lasts": CODE_LASTS}), screen)


def _approval(here: Here, helper: Helper, waits: Mapping[str, Any]) -> Outcome:
    from mailmend.ui.helper import proposals, verbs
    from mailmend.ui.helper.sessions import APPROVAL_LASTS

    proposal: verbs.AnyProposal = msgspec.convert(waits["proposal"], verbs.AnyProposal)
    since = datetime.fromisoformat(waits["since"]) if waits["since"] else None
    seen = proposals.look(proposal, here, since=since)
    if seen.digest != waits["digest"]:
        raise Refused("the host has changed since this was shown on the page", "look at it again there")
    letters = helper.approval_code(waits["session"], waits["digest"])
    told = {
        "for": "change",
        "code": letters,
        "lasts": APPROVAL_LASTS,
        "session": waits["session"],
        "source": waits["source"],
        "proposal": proposals.shape(proposal, seen),
    }
    return Outcome(0, document("code", told), lambda target: _shown(target, waits, seen, letters))


def _shown(target: Console, waits: Mapping[str, Any], seen: Seen, letters: str) -> None:
    from mailmend.ui.helper.sessions import APPROVAL_LASTS
    from mailmend.ui.terminal import heading, say

    say(target, f"Asked for from {waits['source']}, in session {waits['session']} of the console:")
    target.print()
    seen.screen(target)
    heading(target, "If that is what you want")
    say(
        target,
        f"type this code on the page, within {APPROVAL_LASTS / 60:.0f} minutes; it is good for nothing else:",
    )
    _letters(target, letters)


def _letters(target: Console, letters: str) -> None:
    from mailmend.ui.terminal import STRONG, say, words

    target.print()
    say(target, words(letters, STRONG), indent=4)


def _name(waits: Mapping[str, Any]) -> str:
    proposal = waits["proposal"]
    settings = [each["name"] for each in proposal.get("assignments", ())]
    return " ".join([proposal["what"], *settings[:3]])
