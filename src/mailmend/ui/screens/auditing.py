"""The screen of the audit by original sender: who cannot be forwarded, who can with a cure, who is no question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from mailmend.ui import figures
from mailmend.ui.figures import number
from mailmend.ui.terminal import (
    BAD,
    FAINT,
    STRONG,
    WARN,
    columns,
    command,
    heading,
    joined,
    prose,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.facts.forward_outcome import Prediction
    from mailmend.facts.sender_audit import Judged, Why
    from mailmend.jobs.sender_audit import Audit, Row

_MOST = 15  # rows of a table
_NAME = 40  # characters of a stranger's domain
_REASONS: dict[Why, str] = {
    "host-name": "this host's address has no name that leads back to it, whoever sent it",
    "too-fast": "more at once than the receiver takes",
    "altered-here": "arrives signed, and this host changes what the signature covers",
    "altered-unknown": "arrives signed; whether the programs that it passes here leave it whole, nobody knows",
    "signature-broken": "arrives with a signature that does not verify",
    "signature-foreign": "signed, by another domain than the author's",
    "spf-only": "not signed, and SPF does not outlast a forward",
    "unsigned": "neither signed nor with SPF",
    "signature-unknown": "",
    "log-differs": "some was taken and some refused: its mail is of several kinds, or DNS has changed in between",
}
_CURES = {
    "unaltered": "change nothing in header and body on the way (mailmend check names what does)",
    "srs": "mailmend fix --remedy srs",
    "pace": "mailmend fix --remedy pace",
    "dns-records": "mailmend fix --remedy dns-records",
    "ipv4-for-receiver": "mailmend fix --remedy ipv4-for-receiver",
}


def audited(target: Console, seen: Audit, host: str) -> None:
    """What was forwarded, the worst first; what is no question is one line."""
    if not seen.count:
        say(target, joined(words(f"{host}: ", STRONG), f"nothing was forwarded{_between(seen)}."))
        return
    refused = words(
        f"{number(seen.refused)} refused{_share(seen.refused, seen.count)}", BAD if seen.refused else ""
    )
    say(
        target,
        joined(words(f"{host}: ", STRONG), f"{number(seen.count)} forwarded{_between(seen)}, ", refused, "."),
    )
    _notes(target, seen)
    lost = [row for row in seen.rows if row.judged.verdict == "refused" and not row.judged.cures]
    cured = [row for row in seen.rows if row.judged.verdict == "refused" and row.judged.cures]
    open_ = [row for row in seen.rows if row.judged.verdict == "unknown"]
    draw = _Table(target, seen.count, several=len({row.kind.receiver for row in seen.rows}) > 1)
    draw.rows("Cannot be forwarded", lost)
    if lost:
        says = "Nothing on this host cures these: fetch them another way, from a mailbox kept here, by IMAP."
        say(target, words(says, STRONG), indent=2)
    draw.rows("Will be refused, until it is cured", cured)
    _cures(target, cured)
    draw.rows("Depends, or is not known", open_)
    _cures(target, [row for row in open_ if row.judged.over])
    _fine(target, [row for row in seen.rows if row.judged.verdict == "accepted"])
    _hints(target, seen.rows)


def _cures(target: Console, rows: Sequence[Row]) -> None:
    for cure in dict.fromkeys(cure for row in rows for cure in row.judged.cures):
        say(target, command(_CURES[cure]), indent=2, first=f"{cure}: ")


def _between(seen: Audit) -> str:
    began, ended = seen.span
    return f" from {figures.moment(began)} to {figures.moment(ended)}" if began and ended else ""


def _share(count: int, total: int) -> str:
    percent = 100 * count / total
    return f" ({percent:.0f} %)" if percent >= 1 or not count else f" ({percent:.1f} %)"


def _notes(target: Console, seen: Audit) -> None:
    told = []
    if seen.own:
        told.append(f"{number(seen.own)} of them from this host's own senders, who are no question here")
    if seen.nobody:
        told.append(f"of {number(seen.nobody)} the log does not show the sender")
    if seen.beyond[0]:
        told.append(
            f"{number(seen.beyond[0])} rarer domains ({number(seen.beyond[1])} messages) were not looked at"
        )
    if seen.stored:
        since, refused, taken, unknown = seen.stored
        told.append(
            f"from {figures.moment(since)} to the log's beginning the delivery store tells: {number(taken)} taken and "
            f"{number(refused)} refused"
            + (f", and {number(unknown)} taken of whose senders it knows nothing" if unknown else "")
        )
    for each in told:
        say(target, words(f"{each}.", FAINT), indent=2)


@dataclass(frozen=True, slots=True)
class _Table:
    """Where tables are drawn; *total* is what shares are of, *several*: there is more than one receiver."""

    target: Console
    total: int
    several: bool

    def rows(self, title: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        heading(self.target, title)
        columns(
            self.target,
            [
                (
                    number(row.count).rjust(6),
                    words(f"{100 * row.count / self.total:.1f} %".rjust(7), FAINT),
                    words(number(row.refused).rjust(7), BAD if row.refused else ""),
                    joined(_name(row, self.several), ": ", _reason(row)),
                )
                for row in rows[:_MOST]
            ],
            head=("  mail", "  share", "refused", "from whom, and why"),
        )
        if len(rows) > _MOST:
            says = f"and {len(rows) - _MOST} more: --json has all"
            say(self.target, words(says, FAINT), indent=2)


def _name(row: Row, several: bool) -> Text:
    name = row.kind.sender or "<> (notices)"
    to = f" to {row.kind.receiver[:_NAME]}" if several else ""
    return joined(words(name if len(name) <= _NAME else f"{name[:_NAME]}...", STRONG), words(to, FAINT))


def _reason(row: Row) -> Text:
    judged = row.judged
    if judged.error:
        return words(f"could not be looked at: {judged.error}", WARN)
    told = _REASONS[judged.why]
    if judged.why == "signature-unknown":
        told = _either(row)
    elif judged.why == "signature-foreign" and row.kind.verified:
        told = f"signed by {row.kind.verified[0]} alone, which does not stand for {_author(row)}"
    if judged.over:
        return _by_family(judged, told)
    if judged.verdict == "unknown" and judged.why == "signature-foreign":
        told = f"{told}: refused where the author is there, which nobody logged"
    if judged.relay and judged.verdict == "unknown" and judged.why != "signature-unknown":
        told = f"{told}: left to SPF for the relay"
    policy = ""
    if judged.policy == "reject" and judged.why != "log-differs":
        own = _author(row) == row.kind.sender
        policy = "; its owner asks for p=reject" if own else f"; {_author(row)} asks for p=reject"
    cure = ""
    if judged.verdict == "refused" and judged.cures:
        cure = f"; {'' if judged.certain else 'perhaps '}cured by {' and '.join(judged.cures)}"
    return joined(f"{told}{policy}{cure}", words(f"  ({judged.cause})" if judged.cause else "", FAINT))


def _by_family(judged: Judged, told: str) -> Text:
    """Which way it leaves decides, and so that is said first."""
    name, other = ("IPv6", "IPv4") if judged.over == "ipv6" else ("IPv4", "IPv6")
    if judged.why == "host-name":
        told = f"this host's {name} address has no name that leads back to it"
    cure = f"; cured by {' and '.join(judged.cures)}" if judged.cures else ""
    return joined(
        f"refused over {name}, accepted over {other}: {told}{cure}", words(f"  ({judged.cause})", FAINT)
    )


def _author(row: Row) -> str:
    return row.judged.author or row.kind.author or "its author"


def _either(row: Row) -> str:
    """What is known where nobody logged whether it arrives signed."""
    judged = row.judged
    signed, unsigned = judged.if_signed, judged.if_unsigned
    if signed is None or unsigned is None:
        here = ", or it was broken here" if "unaltered" in judged.cures else ""
        return f"refused, as the log shows; it came without a signature that holds{here}"
    if signed.verdict == "accepted" and unsigned.verdict == "refused":
        cured = f"; otherwise {' and '.join(unsigned.cures)} cures it" if unsigned.cures else ""
        return f"refused unless it arrives signed{cured}"
    if judged.relay and "unknown" in (signed.verdict, unsigned.verdict):
        return f"{_known(signed)} where it arrives signed, {_known(unsigned)} where not"
    return f"{signed.verdict} where it arrives signed, {unsigned.verdict} where not"


def _known(told: Prediction) -> str:
    return "left to SPF for the relay" if told.verdict == "unknown" else told.verdict


def _fine(target: Console, rows: Sequence[Row]) -> None:
    if not rows:
        return
    names = dict.fromkeys(row.kind.sender or "<>" for row in rows)
    heading(target, "Accepted")
    most = ", ".join(name[:_NAME] for name in list(names)[:6])
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    say(target, f"{number(sum(row.count for row in rows))} from {most}{more}", indent=2)


def _hints(target: Console, rows: Sequence[Row]) -> None:
    """How to learn what nobody logged, and whose rules these are."""
    told = []
    if relays := dict.fromkeys(row.judged.relay for row in rows if row.judged.relay):
        told.append(
            f"It leaves by {', '.join(list(relays)[:3])}, which hands it on: the receiver judges the address of that "
            "relay, and what it refuses stands in the relay's log."
        )
    if any(row.kind.verified is None and row.judged.if_signed for row in rows):
        told.append(
            "Whether mail arrives signed is not in this log. A verifier beside Postfix logs it (opendkim in `Mode v`, "
            "rspamd to syslog); a message as it arrived tells of its sender: `--message FILE`."
        )
    if any(
        row.kind.author is None
        and row.judged.verdict == "unknown"
        and row.judged.why in ("log-differs", "signature-foreign")
        for row in rows
    ):
        told.append(
            "Who its author is stands in no log of Postfix unless `header_checks = regexp:{{/^From:/ INFO}}` is set: "
            "that tells the kinds of mail apart."
        )
    if any(row.judged.why == "log-differs" and 0 < row.refused < row.count for row in rows):
        told.append(
            "All since the last reload is counted, and when a record of DNS was published nobody logs: `--since "
            "2026-01-31T09:30` reads what came after that time alone."
        )
    if any(row.kind.receiver != "google" and row.judged.told_by == "rules" for row in rows):
        told.append("Where no log shows how a receiver judges, the rules are Google's, which are published.")
    if told:
        target.print()
    for says in told:
        say(target, prose(target, says))
