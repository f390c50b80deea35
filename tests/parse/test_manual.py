"""The installed manual is quoted, and whatever stands in it, only one line of plain text comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmend.parse.manual import LONGEST, paragraph

ROFF = (
    r"""
.TH POSTCONF 5
.SH 2bounce_notice_recipient (default: postmaster)
The recipient of undeliverable mail.
.PP
More.
.SH inet_protocols (default: see 'postconf \-d output')
The Internet protocols Postfix will attempt to use when \fBmaking\fR
or accepting connections. Specify "ipv4" or \fI"ipv6"\fR, \(bu \e \-o.
.br
Next sentence.
.PP
Not this one.
.SH empty_one (default: empty)
.PP
.nf
After a request.
.SH transport_destination_rate_delay (default: $default_destination_rate_delay)
An override for one transport.
.SH evil (default: empty)
.so /etc/shadow
\X'tty: exec' a"""
    + "\x1b]0;x\x07\x9b31m\n"
)

HTML = """<!doctype html><html><body><dl>
<DT><b><a name="2bounce_notice_recipient">2bounce_notice_recipient</a> (default: postmaster)</b></DT><DD>
<p> The recipient of <i>undeliverable</i> mail &lt;that&gt; cannot be returned.  </p><p>More.</p></DD>
<DT><b><a name="evil">evil</a></b></DT><DD><script>alert(1)</script><p><a href="javascript:x">click</a> me</p></DD>
</dl>"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nothing_like_it", ""),
        ("2bounce", ""),
        ("inet.protocols", ""),
        ("2bounce_notice_recipient", "The recipient of undeliverable mail."),
        (
            "inet_protocols",
            "The Internet protocols Postfix will attempt to use when making or accepting connections. "
            'Specify "ipv4" or "ipv6", - \\ -o. Next sentence.',
        ),
        ("empty_one", "After a request."),
        ("slow_destination_rate_delay", "An override for one transport."),
        ("evil", "X'tty: exec' a ]0;x 31m"),
    ],
)
def test_the_first_paragraph_of_a_page(name: str, text: str) -> None:
    assert paragraph(ROFF, name) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nothing_like_it", ""),
        ("2bounce_notice_recipient", "The recipient of undeliverable mail <that> cannot be returned."),
        ("evil", "click me"),
    ],
)
def test_the_same_of_a_page_in_html(name: str, text: str) -> None:
    assert paragraph(HTML, name) == text


def test_a_long_one_ends_at_a_sentence() -> None:
    page = ".SH x (default: y)\n" + "A sentence of some words. " * 60
    text = paragraph(page, "x")
    assert len(text) <= LONGEST
    assert text.endswith("words.")


@given(st.text(max_size=400), st.sampled_from([".SH x (default: y)\n", '<a name="x"></a><dd>', ""]))
def test_nothing_but_one_printable_line_comes_out(text: str, head: str) -> None:
    out = paragraph(head + text, "x")
    assert len(out) <= LONGEST + 4
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in out)
