"""A user's name and password -> whether PAM lets that account in: pam_authenticate(3), then pam_acct_mgmt(3).

Modules sleep after a wrong password, and may hang: whoever calls this does so in a process that can be ended.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailmend.model import CannotLook, Refused

# A host's own policy for mailmend; else whoever may log in at this machine's console with a password, may here.
SERVICES = ("mailmend", "login")
_FOLDERS = ("/etc/pam.d", "/usr/local/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d")
_SUCCESS, _CONVERSATION_FAILED, _NEW_PASSWORD_REQUIRED = 0, 19, 12  # _pam_types.h
_PROMPT_HIDDEN = 1
_USER, _TTY, _REMOTE_HOST = 2, 3, 4
_NO_EMPTY_PASSWORD = 0x0001

_Text = ctypes.c_char_p
_Handle = ctypes.c_void_p


class _Message(ctypes.Structure):
    _fields_ = (("style", ctypes.c_int), ("text", _Text))


class _Response(ctypes.Structure):
    _fields_ = (("text", ctypes.c_void_p), ("code", ctypes.c_int))


_Messages = ctypes.POINTER(ctypes.POINTER(_Message))
_Responses = ctypes.POINTER(ctypes.POINTER(_Response))
_Answer = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, _Messages, _Responses, ctypes.c_void_p)


class _Conversation(ctypes.Structure):
    _fields_ = (("answer", _Answer), ("data", ctypes.c_void_p))


def service(folders: tuple[str, ...] = _FOLDERS) -> str:
    """Whose rules are asked. Refused where none has a file: `other`, which stands in then, is nobody's choice."""
    for name in SERVICES:
        if any((Path(folder) / name).is_file() for folder in folders):
            return name
    raise Refused("PAM has no rules for mailmend here", "write /etc/pam.d/mailmend: pam.conf(5)")


def require(name: str, password: str, source: str) -> str:
    """The account that PAM lets in as *name*, as PAM names it in the end. *source*: where it was typed, an address.

    Refused where it does not, with PAM's own reason (for the log: a stranger is told none). CannotLook: no libpam.
    """
    pam, libc = _load()
    handle = _Handle()
    answer = _Answer(_once(libc, password.encode("utf-8", "surrogateescape")))
    conversation = _Conversation(answer, None)
    status = pam.pam_start(
        service().encode(),
        name.encode("utf-8", "surrogateescape"),
        ctypes.byref(conversation),
        ctypes.byref(handle),
    )
    if status != _SUCCESS:
        raise CannotLook(f"PAM does not begin: error {status}")
    try:
        for item, text in ((_REMOTE_HOST, source), (_TTY, "mailmend")):
            pam.pam_set_item(handle, item, text.encode())
        status = pam.pam_authenticate(handle, _NO_EMPTY_PASSWORD)
        if status == _SUCCESS:
            status = pam.pam_acct_mgmt(handle, _NO_EMPTY_PASSWORD)
        if status != _SUCCESS:
            said = (pam.pam_strerror(handle, status) or b"").decode("utf-8", "replace")
            raise Refused(
                said or f"error {status}",
                "passwd(1), as that user" if status == _NEW_PASSWORD_REQUIRED else "",
            )
        return _user(pam, handle)
    finally:
        pam.pam_end(handle, status)


def _user(pam: Any, handle: ctypes.c_void_p) -> str:
    """Modules may have made another name of it: that one counts."""
    named = ctypes.c_void_p()
    if pam.pam_get_item(handle, _USER, ctypes.byref(named)) != _SUCCESS or not named.value:
        raise CannotLook("PAM does not say whom it let in")
    return ctypes.string_at(named.value).decode("utf-8", "surrogateescape")


def _once(libc: Any, password: bytes) -> Callable[..., int]:
    """A conversation (pam_conv(3)) that answers one hidden question by *password*; what else is asked fails."""
    asked = False

    def answer(count: int, messages: Any, responses: Any, _: Any) -> int:
        nonlocal asked
        # free(3) of what PAM is given is PAM's: so both are of malloc(3).
        made = libc.calloc(count, ctypes.sizeof(_Response))
        if not made:
            return _CONVERSATION_FAILED
        table = ctypes.cast(made, ctypes.POINTER(_Response))
        for number in range(count):
            style = messages[number].contents.style
            if style == _PROMPT_HIDDEN and not asked:
                asked = True
                table[number].text = libc.strdup(password)
            elif style in (_PROMPT_HIDDEN, _PROMPT_HIDDEN + 1):
                for before in range(number):
                    libc.free(table[before].text)
                libc.free(made)
                return _CONVERSATION_FAILED
        responses[0] = table
        return _SUCCESS

    return answer


def _load() -> tuple[Any, Any]:
    try:
        # The name that every Linux-PAM since 1.0 has.
        pam, libc = ctypes.CDLL("libpam.so.0"), ctypes.CDLL(None)
    except OSError as failure:
        raise CannotLook(f"PAM is not here: {failure}", "log in by a code: mailmend web --code") from None
    pam.pam_start.argtypes = (_Text, _Text, ctypes.POINTER(_Conversation), ctypes.POINTER(_Handle))
    pam.pam_authenticate.argtypes = pam.pam_acct_mgmt.argtypes = pam.pam_end.argtypes = (
        _Handle,
        ctypes.c_int,
    )
    pam.pam_set_item.argtypes = (_Handle, ctypes.c_int, _Text)
    pam.pam_get_item.argtypes = (_Handle, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p))
    pam.pam_strerror.argtypes, pam.pam_strerror.restype = (_Handle, ctypes.c_int), _Text
    libc.calloc.argtypes, libc.calloc.restype = (ctypes.c_size_t, ctypes.c_size_t), ctypes.c_void_p
    libc.strdup.argtypes, libc.strdup.restype = (_Text,), ctypes.c_void_p
    libc.free.argtypes, libc.free.restype = (ctypes.c_void_p,), None
    return pam, libc
