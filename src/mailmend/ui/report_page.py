"""A report -> one HTML page that needs nothing else: figures as inline SVG, no script, every word encoded.

It reads on a telephone (tables become cards below 40 rem), in the dark, on paper; colours hold WCAG 2.1 AA (1.4.3,
1.4.11), and nothing is told by colour alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from mailmend.ui import figures
from mailmend.ui.encode import printable
from mailmend.ui.figures import number
from mailmend.ui.report_style import STYLE

if TYPE_CHECKING:
    from mailmend.jobs.report import Told
    from mailmend.road.findings import Note
    from mailmend.road.report import Report, Row

# Nothing is fetched and nothing runs, whatever a stranger wrote into the log.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_WIDTH, _HEIGHT, _MOST_STEPS = 960, 120, 160
_KINDS = ("bounced", "deferred", "sent")
_WHOLE = 8  # findings that are told whole
_TEXT = 300  # characters of a reply
_AT_ONCE, _FOLDED = 25, 1000  # rows of a table that are seen, and that wait to be unfolded


def page(told: Told) -> str:
    """The whole page. Text of the log is escaped, and what is not plainly visible shown as its escape."""
    found = told.report
    sections = (
        ("Over time", _over_time(found)),
        ("By receiver and address family", _receivers(found)),
        ("Why", _causes(found)),
        ("Hit most", _hits(found)),
        ("Still in the queue when the log ends", _waits(found)),
        ("Failed before and after each change", _turns(told)),
        ("Refused by this server", _rejected(found)),
        ("Delays in seconds: half take less / 95 % take less", _delays(found)),
    )
    stored = f"<p><small>{_e(figures.stored(found))}</small></p>" if told.store else ""
    body = [_head(found), stored, _findings(found)]
    body += [f"<section><h2>{_e(title)}</h2>{inner}</section>" for title, inner in sections if inner]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
        f"<title>mailmend report</title><style>{STYLE}</style></head><body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _e(text: object) -> str:
    return escape(printable(str(text)), quote=True)


def _head(found: Report) -> str:
    began, ended = (figures.moment(at, year=True) for at in found.span)
    total = found.total()
    counts = "".join(
        f'<div class="{kind}"><dt>{kind}</dt><dd>{number(found.total(kind))}'
        + (f" <small>{_share(found.total(kind), total)}</small>" if total else "")
        + "</dd></div>"
        for kind in reversed(_KINDS)
    )
    waiting = sum(each.count for each in found.waits or ())
    if waiting:
        counts += f"<div><dt>still waiting</dt><dd>{number(waiting)}</dd></div>"
    refused = sum(count for _, count in found.rejected)
    return (
        f"<h1>What became of the mail</h1><p><b>{_e(began)} to {_e(ended)}</b>, {_e(figures.zone(found))}. "
        f"{number(total)} deliveries, {number(found.messages)} messages left the queue, "
        f"this server refused {number(refused)}. {number(found.lines)} lines read, "
        f'{number(found.unparsed)} not understood.</p><dl class="counts">{counts}</dl>'
    )


def _share(count: int, total: int) -> str:
    percent = 100 * count / total
    return f"{percent:.0f} %" if percent >= 1 or not count else f"{percent:.1f} %"


def _findings(found: Report) -> str:
    if found.empty:
        return "<p>Nothing was logged in that time: how mail fared is not known.</p>"
    if not found.findings:
        return '<p class="fine">Nothing here that this host could cure.</p>'
    rest = "".join(
        f"<li>{_e(note.says)}" + (f": <code>{_e(note.command)}</code>" if note.command else "") + "</li>"
        for note in found.findings[_WHOLE:]
    )
    whole = "".join(map(_finding, found.findings[:_WHOLE]))
    return f"<section><h2>What is wrong</h2>{whole}{f'<ul>{rest}</ul>' if rest else ''}</section>"


def _finding(note: Note) -> str:
    pairs = []
    if note.why:
        pairs.append(("why", f"{_e(note.why)} <small>({_e(note.cause)})</small>"))
    if note.first:
        pairs.append(("since", f"{_e(figures.moment(note.first))}, last {_e(figures.moment(note.last))}"))
    if note.domains:
        pairs.append(("to", _e(figures.hit(note.domains, 5))))
    if note.senders:
        pairs.append(("from", _e(figures.hit(note.senders, 5))))
    if note.forwarded:
        pairs.append(("forwarded", figures.share_of(note.forwarded, note.count)))
    if note.command:
        pairs.append(("cure" if note.cures else "look", f"<code>{_e(note.command)}</code>"))
    told = "".join(f"<div><dt>{label}</dt><dd>{text}</dd></div>" for label, text in pairs)
    kind = "cures" if note.cures else "looks"
    return f'<article class="{kind}"><h3>{_e(note.says)}</h3><dl>{told}</dl></article>'


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], *, raw: Sequence[int] = ()) -> str:
    """A column whose title begins with `-` is set to the right; those numbered in *raw* are markup of our own.

    Of a long table the beginning is seen, more can be unfolded, and what is beyond that is counted.
    """
    every = list(rows)
    if not every:
        return ""
    out = _rows(head, every[:_AT_ONCE], raw)
    if more := every[_AT_ONCE : _AT_ONCE + _FOLDED]:
        out += f"<details><summary>{number(len(more))} more</summary>{_rows(head, more, raw)}</details>"
    if (beyond := len(every) - _AT_ONCE - _FOLDED) > 0:
        out += f"<p><small>{number(beyond)} more are not on this page; --csv and --json have all.</small></p>"
    return out


def _rows(head: Sequence[str], rows: Sequence[Sequence[object]], raw: Sequence[int]) -> str:
    kinds = [' class="n"' if title.startswith("-") else "" for title in head]
    titles = [title.removeprefix("-") for title in head]
    out = "".join(
        f'<th scope="col"{kind}>{_e(title)}</th>' for kind, title in zip(kinds, titles, strict=True)
    )
    lines = []
    for row in rows:
        cells = (str(cell) if place in raw else _e(cell) for place, cell in enumerate(row))
        lines.append(
            "<tr>"
            + "".join(
                f'<td{kind} data-of="{_e(title)}">{cell}</td>'
                for kind, title, cell in zip(kinds, titles, cells, strict=True)
            )
            + "</tr>"
        )
    return f"<table><thead><tr>{out}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _over_time(found: Report) -> str:
    """What failed over each family, and beneath it all deliveries; each plot with a scale of its own."""
    axis = figures.axis(found, _MOST_STEPS)
    if not axis.count:
        return ""
    names = [figures.moment(axis.begins(step)) for step in range(axis.count)]
    failed = figures.failures(found, axis)
    plots = [
        _plot(
            f"failed over {family}" if family else "failed here, or no host reached",
            names,
            steps,
        )
        for family, steps in failed.items()
    ]
    plots.append(_plot("all deliveries", names, figures.by_status(found, axis)))
    key = "".join(f'<span class="{kind}"><i></i>{kind}</span>' for kind in _KINDS)
    return f'{"".join(plots)}<p class="key">{key} each bar is {_e(axis.says)}</p>'


def _plot(title: str, names: Sequence[str], sums: Sequence[Counter[str]]) -> str:
    most = max((each.total() for each in sums), default=0)
    if not most:
        return ""
    step = _WIDTH / len(sums)
    bars = []
    for place, (name, kinds) in enumerate(zip(names, sums, strict=True)):
        y = float(_HEIGHT)
        for kind in _KINDS:
            if not (count := kinds[kind]):
                continue
            height = _HEIGHT * count / most
            y -= height
            bars.append(
                f'<rect class="{kind}" x="{place * step:.1f}" y="{y:.1f}" width="{max(step - 1, step * 0.7):.1f}" '
                f'height="{height:.1f}"><title>{_e(name)}: {number(count)} {_e(kind)}</title></rect>'
            )
    return (
        f"<figure><figcaption>{_e(title)}: highest {number(most)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{_e(title)} over time, at most {most}">{"".join(bars)}</svg>'
        f'<div class="ends"><span>{_e(names[0])}</span><span>{_e(names[-1])}</span></div></figure>'
    )


def _receivers(found: Report) -> str:
    rows = []
    for line in figures.lines(found):
        parts, x = [], 0.0
        for kind in _KINDS:
            width = 100 * line.counts[kind] / line.total
            parts.append(f'<rect class="{kind}" x="{x:.2f}" width="{width:.2f}" height="10"/>')
            x += width
        bar = (
            '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            f"{''.join(parts)}</svg>"
        )
        rows.append(
            (
                line.name,
                line.family,
                number(line.total),
                number(line.counts["bounced"]),
                number(line.counts["deferred"]),
                _share(line.failed, line.total),
                bar,
            )
        )
    return _table(("receiver", "over", "-deliveries", "-bounced", "-deferred", "-failed", ""), rows, raw=(6,))


def _whose(receiver: str | None, family: str | None) -> str:
    return f"{figures.name(receiver)} {figures.family(family)}".strip()


def _causes(found: Report) -> str:
    rows = [
        (
            number(row.count),
            f'<span class="whole">{_e(row.place.status)}</span>',
            _whose(row.place.receiver, row.place.family),
            f"<b>{_e(row.place.cause)}</b> <small>{_e(_acts(row.who))}</small>{_reply(row.text)}",
            _hit(row),
        )
        for row in found.rows
        if row.place.status != "sent"
    ]
    head = ("-count", "what", "receiver", "cause, whose move it is, one reply", "who is hit")
    return _table(head, rows, raw=(1, 3, 4))


def _acts(who: Sequence[str]) -> str:
    return f"({', '.join(who)})" if who else ""


def _hit(row: Row) -> str:
    told = [f"to {figures.hit(row.domains, 3)}"] if row.domains else []
    told += [f"from {figures.hit(row.senders, 3)}"] if row.senders else []
    told += [f"{number(row.forwarded)} forwarded"] if row.forwarded else []
    return "".join(f'<div class="text">{_e(each)}</div>' for each in told)


def _hits(found: Report) -> str:
    tables = (
        _table(
            (kind, "-bounced", "-deferred"),
            [(hit.name or "<>", number(hit.bounced), number(hit.deferred)) for hit in hits],
        )
        for kind, hits in (("domain", found.domains), ("sender", found.senders))
    )
    return "".join(tables)


def _reply(text: str) -> str:
    shown = text if len(text) <= _TEXT else f"{text[:_TEXT]}..."
    return f'<div class="text">{_e(shown)}</div>' if shown else ""


def _waits(found: Report) -> str:
    rows = (
        (
            number(each.count),
            figures.moment(each.since),
            _whose(each.receiver, each.family),
            f"<b>{_e(each.cause)}</b>{_reply(each.text)}",
            each.queue_id,
        )
        for each in found.waits or ()
    )
    return _table(("-waiting", "oldest since", "for", "why and last reply", "oldest"), rows, raw=(3,))


def _turns(told: Told) -> str:
    rows = (
        (
            turn.change,
            figures.moment(turn.at),
            _whose(turn.receiver, turn.family),
            _side(*turn.before),
            _side(*turn.after),
        )
        for turn in told.turns
    )
    return _table(("change", "at", "receiver", "-before", "-after"), rows)


def _side(failed: int, every: int) -> str:
    return f"{_share(failed, every)} ({number(failed)} of {number(every)})" if every else "no mail"


def _rejected(found: Report) -> str:
    return _table(("-count", "reason"), [(number(count), reason) for reason, count in found.rejected])


def _delays(found: Report) -> str:
    rows = (
        (
            figures.name(of.receiver),
            *(f"{_short(a)} / {_short(b)}" for a, b in zip(of.medians, of.p95, strict=True)),
        )
        for of in found.delays
    )
    return _table(("receiver", "-before queue", "-in queue", "-connecting", "-sending"), rows)


def _short(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
