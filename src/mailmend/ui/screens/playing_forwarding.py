"""The screen of demo forwarding: a row for each kind of sender, a column for each cure and family."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from mailmend.ui.terminal import BAD, FAINT, GOOD, STRONG, WARN, columns, command, heading, joined, say, words

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.demo_forwarding import Cell, Forwarded

_ACCEPTED = "ok"
_SIGNS = {
    "ipv6-ptr-or-auth": "6",
    "ptr-missing": "N",
    "unauthenticated": "U",
    "dmarc-reject": "D",
    "rate-limited-reputation": "R",
}
_OTHER = "x"
_SAYS = {
    "ipv6-ptr-or-auth": "no SPF and no DKIM of anybody passes, over IPv6",
    "ptr-missing": "the address has no name",
    "unauthenticated": "no SPF and no DKIM of anybody passes",
    "dmarc-reject": "the author's domain asks for p=reject, and neither SPF nor DKIM stands for it",
    "rate-limited-reputation": "more at once than the receiver takes",
}
# The rows, as one who does not know them asks: whole names, or what begins so.
_WHO = {
    "spf-, dkim-": "the sender's domain publishes SPF for its own servers; or signs with DKIM",
    "both-, neither-": "it does both; or nothing",
    "-silent ... -reject": "what it asks for by DMARC: nothing, p=none, quarantine, reject",
    "null-": "notices (bounces): unsigned, signed, and unsigned of a p=reject domain",
    "list-": "mailing lists: From: is the list's and it signs; three at once; a p=reject author's From: "
    "under the list's signature; his own, broken by the list's footer",
    "broken-": "signed, but changed before it came here; p=none and p=reject",
    "provider-signs": "p=reject, and signed by the mail provider's domain alone",
    "tight, loose": "sent by a subdomain, signed by its parent, p=reject: with adkim=s, and without",
    "sibling": "signed by another subdomain of the same domain",
    "below-none": "a subdomain, p=none by the sp= of its p=reject parent",
    "everybody-may": "p=reject and SPF +all: passes anywhere, until SRS changes the envelope",
    "softfail": "SPF ends in ~all instead of -all",
}
_HEADS = {"none": "no cure", "ipv4-for-receiver": "ipv4"}
_FAMILIES = {"ipv4": "v4", "ipv6": "v6"}
_WIDTH = 5  # of a column


def ended(target: Console, story: Forwarded) -> None:
    """The matrix, what its signs mean, which cells were not as foretold, and what is left to do."""
    cells = {(cell.sender, cell.cure, cell.family): cell for cell in story.cells}
    senders = list(dict.fromkeys(cell.sender for cell in story.cells))
    ways = list(dict.fromkeys((cell.cure, cell.family) for cell in story.cells))
    first = max(map(len, (*senders, "forwarded mail of")))
    heading(target, "What becomes of forwarded mail")
    target.print(_head(ways, first))
    for sender in senders:
        row = Text(f"{sender:<{first}} ")
        for cure, family in ways:
            row.append_text(_cell(cells.get((sender, cure, family))))
        row.rstrip()
        target.print(row, no_wrap=True, crop=False)
    target.print()
    _legend(target, story)
    _verdict(target, story)


def _head(ways: Sequence[tuple[str, str]], first: int) -> Text:
    """Each cure over its families; where the name is longer than they are, it is cut."""
    head, below = Text(" " * (first + 1)), Text(f"\n{'forwarded mail of':<{first}} ", style=FAINT)
    before = ""
    for cure, family in ways:
        name = _HEADS.get(cure, cure) if cure != before else ""
        width = _WIDTH * sum(one == cure for one, _ in ways) if name else 0
        head.append(f"{name[: width - 1]:<{width}}", style=STRONG)
        below.append(f"{_FAMILIES.get(family, family):<{_WIDTH}}")
        before = cure
    head.rstrip()
    below.rstrip()
    return head.append_text(below)


def _cell(cell: Cell | None) -> Text:
    if cell is None:
        return Text(" " * _WIDTH)
    sign = _ACCEPTED if cell.outcome == "accepted" else _SIGNS.get(cell.cause, _OTHER)
    style = GOOD if cell.outcome == "accepted" else WARN
    if not cell.right:
        sign, style = f"{sign}!", f"{STRONG} {BAD}"
    return Text(f"{sign:<{_WIDTH}}", style=style)


def _legend(target: Console, story: Forwarded) -> None:
    seen = Counter(cell.cause for cell in story.cells if cell.outcome == "refused")
    rows = [(words(_ACCEPTED, GOOD), "accepted")]
    rows += [
        (
            words(_SIGNS.get(cause, _OTHER), WARN),
            f"refused, {cause}: {_SAYS.get(cause, 'see mailmend explain')}",
        )
        for cause, _ in seen.most_common()
    ]
    columns(target, rows)
    say(target, "Under all: srs, pace and ipv4 together.")
    heading(target, "Who they are")
    columns(target, [(words(name, FAINT), who) for name, who in _WHO.items()])
    target.print()


def _verdict(target: Console, story: Forwarded) -> None:
    total, wrong = len(story.cells), story.wrong
    if not wrong:
        say(target, words(f"All {total} cells are as they were foretold.", f"{STRONG} {GOOD}"))
    else:
        say(
            target,
            words(f"{len(wrong)} of {total} cells are not as they were foretold (!):", f"{STRONG} {BAD}"),
        )
        for cell in wrong:
            said, was = cell.foretold or cell.predicted, cell.cause or cell.outcome
            way = f"{cell.sender}, {_HEADS.get(cell.cure, cell.cure)}, {_FAMILIES.get(cell.family, cell.family)}"
            say(target, f"{way}: foretold {said}, became {was}", indent=2)
    taken = {cell.sender for cell in story.cells if cell.outcome == "accepted"}
    if lost := {cell.sender for cell in story.cells} - taken:
        kinds = f"{len(lost)} kinds of senders"
        say(target, f"{kinds} stay refused whatever is done here: fetch such mail another way.")
    if story.recorded:
        say(target, story.why or "This was a recorded run.")
    say(target, joined("Of your own senders: ", command("mailmend check forwarding --senders")))
