"""Chromium as this distribution packages it, unpacked beside the lab's Postfix: nothing is installed on the host."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
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


def _inside(program: str, process: int, folder: Path) -> str:
    """A program that runs *program* in the network of *process*: a lab's has no way in from outside."""
    user = "" if os.geteuid() == 0 else "--user --preserve-credentials "
    wrapper = folder / "chromium"
    wrapper.write_text(f'#!/bin/sh\nexec nsenter --target {process} {user}--net -- {program} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


@contextmanager
def chromium(process: int | None = None) -> Iterator[Browser]:
    """A browser without a window: this host's own or the unpacked one, in the network of *process* if given."""
    from playwright.sync_api import sync_playwright

    own = shutil.which("chromium")
    environment = dict(os.environ)
    if own is None:
        place = _unpacked()
        own = str(place / "usr/lib/chromium/chromium")
        libraries = {str(found.parent) for found in place.glob("usr/lib/*/**/*.so*")}
        environment["LD_LIBRARY_PATH"] = ":".join(sorted(libraries))
        environment["XDG_DATA_DIRS"] = f"{place}/usr/share:/usr/share"
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        if process is not None:
            own = _inside(own, process, Path(folder))
        # Chromium's own sandbox does not run as root.
        browser = playwright.chromium.launch(
            executable_path=own, args=["--no-sandbox"] if os.geteuid() == 0 else [], env=environment
        )
        try:
            yield browser
        finally:
            browser.close()
