"""Before dkim-sign is planned: opendkim gets a key, where it is installed and has none. Never one over another."""

from __future__ import annotations

from pathlib import Path

from mailmend.facts import signing
from mailmend.facts.looking import answer
from mailmend.jobs.here import Here, Progress
from mailmend.questions import Stat


def prepare(here: Here, progress: Progress) -> None:
    """Make `signing.KEY` and the record beside it. Raises what `system.signing_key.make` raises."""
    from mailmend.system import signing_key

    if not answer(here.probe, Stat(signing.PROGRAM)).exists:
        return
    found = signing.signer(here.probe)
    if found.tables or found.key not in ("", signing.KEY):
        return
    if signing_key.make(Path(signing.KEY), signing.SELECTOR, "opendkim"):
        progress(f"made the key {signing.KEY}, which opendkim alone may read")
