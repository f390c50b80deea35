"""Chromium as this distribution packages it, unpacked beside the lab's Postfix: nothing is installed on the host."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.lab import root

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PACKAGES = ["chromium", "fonts-dejavu-core"]


def _unpacked() -> Path:
    """The folder of the unpacked browser. CannotLook: the packages cannot be had."""
    place = root.home() / "browser"
    if not (place / "whole").exists():
        shutil.rmtree(place, ignore_errors=True)
        root.unpack(_PACKAGES, place, root.home(), lambda step: print(f"browser: {step}", file=sys.stderr))
        (place / "whole").touch()
    return place


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window, this host's own or the unpacked one."""
    from playwright.sync_api import sync_playwright

    own = shutil.which("chromium")
    environment = dict(os.environ)
    if own is None:
        place = _unpacked()
        own = str(place / "usr/lib/chromium/chromium")
        libraries = {str(found.parent) for found in place.glob("usr/lib/*/**/*.so*")}
        environment["LD_LIBRARY_PATH"] = ":".join(sorted(libraries))
        environment["XDG_DATA_DIRS"] = f"{place}/usr/share:/usr/share"
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root.
        browser = playwright.chromium.launch(
            executable_path=own, args=["--no-sandbox"] if os.geteuid() == 0 else [], env=environment
        )
        try:
            yield browser
        finally:
            browser.close()
