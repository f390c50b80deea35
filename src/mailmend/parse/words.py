"""Bytes and encoded words as mail writes them -> text (RFC 2045, RFC 2047, RFC 2231, RFC 3461's xtext).

Only character sets that mail has ever used are decoded: Python knows others (`punycode`, `idna`) whose
decoding a stranger can make take minutes.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

_KNOWN = re.compile(
    r"utf-?8|utf-?16(?:le|be)?|utf-?7|(?:us-)?ascii|iso-?8859-\d{1,2}|latin-?\d{1,2}|windows-\d{3,4}|cp\d{3,4}"
    r"|koi8-[rut]|iso-2022-(?:jp(?:-[123]|-ext)?|kr)|euc-?(?:jp|kr)|shift[_-]?jis|s-?jis|x-sjis|ks_c_5601-1987"
    r"|gb2312|gbk|gb18030|hz-gb-2312|big5(?:-hkscs)?|tis-620|macintosh|mac-?roman|mac-?cyrillic|viscii",
    re.IGNORECASE,
)
_OTHER_NAMES = {
    "x-sjis": "shift_jis",
    "shift-jis": "shift_jis",
    "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz-gb-2312": "hz",
    "macintosh": "mac_roman",
    "us-ascii": "utf-8",  # what claims to be ASCII and is not is UTF-8 more often than anything else
    "ascii": "utf-8",
}
_WORD = re.compile(r"=\?([\w.-]{1,40})(?:\*[\w-]{1,20})?\?([bBqQ])\?([^?\s]{0,2000})\?=(?:\s{1,80}(?==\?))?")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")


def decoded(raw: bytes, charset: str | None) -> str:
    """*raw* in *charset*; where that is unknown or wrong, as UTF-8, and what is not that is marked."""
    codec = _codec((charset or "utf-8").lower())
    if codec and codec.startswith("iso2022") and b"\x1b" not in raw:
        codec = "utf-8"  # somebody converted it on the way and left the header as it was
    if codec:
        try:
            return raw.decode(codec, "strict" if codec == "utf-8" else "replace")
        except UnicodeDecodeError:
            return raw.decode("cp1252", "replace")
    return raw.decode("utf-8", "replace")


@lru_cache(maxsize=64)
def _codec(charset: str) -> str | None:
    import codecs

    if not _KNOWN.fullmatch(charset):
        return None
    name = _OTHER_NAMES.get(charset, charset)
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def untransferred(body: bytes, encoding: str) -> bytes:
    """*body* with base64 or quoted-printable undone; what is broken is read as far as it goes."""
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if encoding != "base64":
        return body
    letters = b"".join(body.partition(b"=")[0].translate(None, _NOT_BASE64).split())
    return binascii.a2b_base64(letters[: len(letters) - (len(letters) % 4 == 1)] + b"==")


_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)


def unworded(value: str) -> str:
    """*value* of a header with its encoded words read (RFC 2047); what is none stays as it is."""
    return _WORD.sub(_read, value) if "=?" in value else value


def _read(word: re.Match[str]) -> str:
    charset, kind, letters = word[1], word[2].lower(), word[3].encode("ascii", "replace")
    raw = untransferred(letters, "base64") if kind == "b" else binascii.a2b_qp(letters, header=True)
    return decoded(raw, charset)


def parameter(value: str, name: str) -> str | None:
    """The parameter *name* of a header like Content-Type, also where RFC 2231 divided or encoded it."""
    pieces: dict[int, str] = {}
    for found in _parameter(name).finditer(value):
        number, coded, quoted, bare = found.groups()
        text = quoted if quoted is not None else bare
        if coded:  # utf-8'en'caf%C3%A9, the character set in the first piece only
            text = decoded(unquote_to_bytes(text.rpartition("'")[2] if not pieces else text), "utf-8")
        pieces.setdefault(int(number or 0), text)
    return "".join(pieces[number] for number in sorted(pieces)).strip() or None


@lru_cache(maxsize=8)
def _parameter(name: str) -> re.Pattern[str]:
    return re.compile(
        rf';\s{{0,80}}{name}(?:\*(\d{{1,2}}))?(\*)?\s{{0,8}}=\s{{0,8}}(?:"([^"]{{0,500}})"?|([^\s;"]{{1,500}}))',
        re.IGNORECASE,
    )


def xtext(value: str) -> str:
    """*value* with `+2B` and its like undone (RFC 3461 4); an address without them stays as it is."""
    return _XTEXT.sub(lambda hit: chr(int(hit[1], 16)), value)
