"""The README's pictures: the console over the lab's real Postfix, before its cure and after.

As root, from the source tree: PYTHONPATH=tests .venv/bin/python docs/pictures.py
"""

from __future__ import annotations

from pathlib import Path

from mailmend.lab import open_lab
from ui.web import test_story as story

FOLDER = Path(__file__).parent
SIZE = {"width": 1100, "height": 800}


def main() -> None:
    with open_lab(lambda step: print(f"lab: {step}")) as lab:
        visits = story.page.__wrapped__(lab)  # type: ignore[attr-defined]  # the fixture's own generator
        page = next(visits)
        page.set_viewport_size(SIZE)
        lab.outcomes(lab.send(count=12))
        page.click("text=Look again")
        page.wait_for_selector("#finding-ipv6-ptr-or-auth")
        page.screenshot(path=FOLDER / "now.png")
        page.click(".cure button")
        page.wait_for_url("**/proposal/*")
        story.applied(page)
        page.screenshot(path=FOLDER / "cured.png")
        next(visits, None)


if __name__ == "__main__":
    main()
