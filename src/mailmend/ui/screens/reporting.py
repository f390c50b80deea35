"""The screen of report: what is wrong, since when, who is hit and what cures it; below that the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from mailmend.ui import figures
from mailmend.ui.figures import number
from mailmend.ui.terminal import (
    BAD,
    FAINT,
    GOOD,
    STRONG,
    WARN,
    columns,
    command,
    heading,
    joined,
    mark,
    pairs,
    say,
    words,
)

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.report import Told
    from mailmend.road.findings import Note
    from mailmend.road.report import Delays, Report, Turn, Waits

_MOST = 12  # rows of a table
_HIT = 6  # domains and senders
_WHOLE = 4  # findings that are told whole
_BAR = 18
_WIDE = 100  # columns from which there is room for bars and whole names
_PLOT = 60
_STEPS, _ASCII_STEPS = "▁▂▃▄▅▆▇█", ".:-=+*#@"


def reported(target: Console, told: Told) -> None:
    """What the log says, at the width of *target*."""
    found = told.report
    _head(target, found)
    if told.store:
        say(target, words(figures.stored(found), FAINT), indent=2)
    if not found.empty:
        _findings(target, found.findings)
    _over_time(target, found)
    _receivers(target, found)
    _causes(target, found)
    _hits(target, found)
    _waits(target, found)
    _turns(target, told.turns)
    _rejected(target, found)
    _delays(target, found.delays)


def _head(target: Console, found: Report) -> None:
    if found.empty:
        say(target, words("Nothing was logged in that time: how mail fared is not known.", STRONG))
        return
    began, ended = (figures.moment(at, year=True) for at in found.span)
    say(target, words(f"{began} to {ended}, {figures.zone(found)}", STRONG))
    total = found.total()
    if not total:
        say(target, "No deliveries.", indent=2)
    else:
        say(
            target,
            joined(
                f"{number(total)} deliveries: ",
                words(f"{number(found.total('sent'))} sent", GOOD),
                ", ",
                _counted(found, "bounced", BAD),
                ", ",
                _counted(found, "deferred", WARN),
                ".",
            ),
            indent=2,
        )
    told = [f"Lines: {number(found.lines)}, not understood {number(found.unparsed)}"]
    told.append(f"messages that left the queue: {number(found.messages)}")
    if found.rejected:
        told.append(f"refused by this server: {number(sum(count for _, count in found.rejected))}")
    say(target, words(f"{'; '.join(told)}.", FAINT), indent=2)


def _counted(found: Report, status: str, style: str) -> Text:
    count = found.total(status)
    share = f" ({_share(count, found.total())})" if count else ""
    return words(f"{number(count)} {status}{share}", style if count else "")


def _share(count: int, total: int) -> str:
    percent = 100 * count / total
    return f"{percent:.0f} %" if percent >= 1 or not count else f"{percent:.1f} %"


def _findings(target: Console, notes: Sequence[Note]) -> None:
    target.print()
    if not notes:
        say(target, "Nothing here that this host could cure.", first=joined(mark(target, "fine"), " "))
        return
    for note in notes[:_WHOLE]:
        say(target, words(note.says, STRONG), first=_mark(target, note))
        told = [("why", f"{note.why} ({note.cause})" if note.why else ""), ("since", _since(note))]
        hit = figures.hit(note.domains, 3)
        moved = f"; {figures.share_of(note.forwarded, note.count)} forwarded" if note.forwarded else ""
        told += [("hit", f"to {hit}{moved}" if hit else ""), ("", _from(note))]
        pairs(target, [(label.ljust(5), text) for label, text in told])
        if note.command:
            label = "cure" if note.cures else "look"
            pairs(target, [(label.ljust(5), command(note.command))])
    for note in notes[_WHOLE:]:
        told_by = joined(f"{note.says}: ", command(note.command)) if note.command else note.says
        say(target, told_by, first=_mark(target, note))


def _mark(target: Console, note: Note) -> Text:
    standing = "problem" if note.cures or note.domains else "pending" if note.command else "unknown"
    return joined(mark(target, standing), " ")


def _since(note: Note) -> str:
    if note.first is None:
        return ""
    return f"{figures.moment(note.first)}, last {figures.moment(note.last)}"


def _from(note: Note) -> str:
    hit = figures.hit(note.senders, 3)
    return f"from {hit}" if hit else ""


def _over_time(target: Console, found: Report) -> None:
    axis = figures.axis(found, _PLOT)
    failed = {
        family: [each.total() for each in steps] for family, steps in figures.failures(found, axis).items()
    }
    peak = max((count for counts in failed.values() for count in counts), default=0)
    if not peak or axis.count < 2:
        return
    heading(target, f"Failures over time, each {axis.says}; the highest is {number(peak)}")
    broad = _PLOT // axis.count
    for family, counts in failed.items():
        shares = [count / peak if count else None for count in counts for _ in range(broad)]
        label = (family or "no host").ljust(8)
        target.print(joined("  ", words(label, FAINT), words(_spark(target, shares), BAD)))
    begins, ends = figures.moment(axis.begins(0)), figures.moment(axis.begins(axis.count - 1))
    target.print(
        words(" " * 10 + begins + ends.rjust(max(axis.count * broad - len(begins), len(ends) + 1)), FAINT)
    )


def _receivers(target: Console, found: Report) -> None:
    wide = target.width >= _WIDE
    lines = [line for line in figures.lines(found) if line.failed]
    if not lines:
        return
    heading(target, "Not delivered, by receiver and address family")
    rows: list[list[str | Text]] = []
    head = ["receiver", "over", "deliveries", "bounced", "deferred", "failed", "", "over time"]
    axis = figures.axis(found, _BAR)
    for line in lines[:_MOST]:
        share = line.failed / line.total
        row: list[str | Text] = [
            words(line.name if wide else line.short),
            words(line.family),
            words(number(line.total).rjust(10)),
            words(number(line.counts["bounced"]).rjust(7)),
            words(number(line.counts["deferred"]).rjust(8)),
            words(_share(line.failed, line.total).rjust(6)),
            _bar(target, share, _BAR),
            words(_spark(target, line.shares(axis)), FAINT),
        ]
        rows.append(row if wide else [*row[:-2], row[-1]])
    columns(target, rows, head=head if wide else [*head[:-2], head[-1]])
    _more(target, len(lines), "receivers")


def _more(target: Console, count: int, of: str) -> None:
    if count > _MOST:
        say(target, words(f"and {count - _MOST} more {of}: --json or --html FILE has all", FAINT), indent=2)


def _bar(target: Console, share: float, width: int) -> Text:
    full = min(max(round(share * width), 1 if share else 0), width)
    unicode = target.encoding.lower().startswith("utf")
    return Text(("█" if unicode else "#") * full, BAD) + Text(
        ("░" if unicode else ".") * (width - full), FAINT
    )


def _spark(target: Console, shares: Sequence[float | None]) -> str:
    """Each share by its height; a blank where there was no mail."""
    steps = _STEPS if target.encoding.lower().startswith("utf") else _ASCII_STEPS
    return "".join(
        " " if share is None else steps[min(int(share * len(steps)), len(steps) - 1)] for share in shares
    )


def _causes(target: Console, found: Report) -> None:
    rows = [row for row in found.rows if row.place.status != "sent"]
    if not rows:
        return
    heading(target, "Why")
    columns(
        target,
        [
            (
                number(row.count).rjust(7),
                words(row.place.status, BAD if row.place.status == "bounced" else WARN),
                row.place.cause or "unknown",
                joined(
                    _whose(target, row.place.receiver, row.place.family),
                    words(f", most to {row.domains[0][0]}" if row.domains else "", FAINT),
                ),
            )
            for row in rows[:_MOST]
        ],
    )
    _more(target, len(rows), "kinds")
    moved = sum(row.forwarded for row in rows)
    if moved:
        every = sum(row.count for row in rows)
        say(
            target,
            f"{number(moved)} of these {number(every)} were on their way to another address (forwarded).",
            indent=2,
        )


def _whose(target: Console, receiver: str | None, family: str | None) -> str:
    """The receiver and how it was reached, by its short name where there is little room."""
    name = figures.name(receiver) if target.width >= _WIDE else receiver or "others"
    return f"{name} {figures.family(family)}".strip()


def _hits(target: Console, found: Report) -> None:
    for kind, hits in (("Domains", found.domains), ("Senders", found.senders)):
        if len(hits) > 1:  # one alone was named above
            heading(target, f"{kind} hit most")
            columns(
                target,
                [
                    (number(hit.bounced).rjust(7), number(hit.deferred).rjust(8), hit.name or "<>")
                    for hit in hits[:_HIT]
                ],
                head=("bounced", "deferred", kind.lower().removesuffix("s")),
            )


def _waits(target: Console, found: Report) -> None:
    if not found.waits:
        return
    heading(target, "Still in the queue when the log ends")
    columns(
        target,
        [
            (number(each.count).rjust(7), figures.moment(each.since), _waiting(target, each))
            for each in found.waits[:_MOST]
        ],
        head=("waiting", "oldest since", "for, why, last reply"),
    )
    _more(target, len(found.waits), "kinds")
    if found.more_wait:
        say(target, "There are more: so many were not followed.", indent=2)


def _waiting(target: Console, each: Waits) -> Text:
    most = target.width // 2  # of the reply: a line or so
    reply = each.text if len(each.text) <= most else f"{each.text[:most]}..."
    whose = _whose(target, each.receiver, each.family)
    return joined(f"{whose}: {each.cause or 'unknown'} ", words(f"({reply})", FAINT))


def _turns(target: Console, turns: Sequence[Turn]) -> None:
    if turns:
        heading(target, "Failed before and after each change")
        columns(
            target,
            [
                (
                    turn.change,
                    _whose(target, turn.receiver, turn.family),
                    joined(
                        f"{_percent(turn.before)} -> {_percent(turn.after)} ",
                        words(f"({_of(turn.before)}, then {_of(turn.after)})", FAINT),
                    ),
                )
                for turn in turns[-_MOST:]
            ],
        )


def _percent(of: tuple[int, int]) -> str:
    return _share(*of) if of[1] else "no mail"


def _of(pair: tuple[int, int]) -> str:
    return f"{number(pair[0])} of {number(pair[1])}"


def _rejected(target: Console, found: Report) -> None:
    if found.rejected:
        heading(target, "Refused by this server")
        columns(target, [(number(count).rjust(7), reason) for reason, count in found.rejected[:_MOST]])
        _more(target, len(found.rejected), "reasons")


def _delays(target: Console, delays: Sequence[Delays]) -> None:
    if delays:
        heading(target, "Delays in seconds: half take less / 95 % take less")
        wide = target.width >= _WIDE
        columns(
            target,
            [
                (
                    figures.name(of.receiver) if wide else of.receiver or "others",
                    *(
                        f"{_short(median)} /{_short(most)}"
                        for median, most in zip(of.medians, of.p95, strict=True)
                    ),
                )
                for of in delays[:_MOST]
            ],
            head=("receiver", "before queue", "in queue", "connecting", "sending"),
        )


def _short(seconds: float | None) -> str:
    return ("?" if seconds is None else f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}").rjust(5)
