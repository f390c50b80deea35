"""Every page on a real Postfix, light and dark, wide and narrow: it fits, can be read, and needs no mouse.

`--pictures FOLDER` keeps what was seen there, `--slow` looks at every page in all five ways.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest

from ui.web.on_a_relay import PATIENCE, console

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class Way(NamedTuple):
    """How a page is looked at: pixels, and what the system says of colours."""

    width: int
    colours: Literal["light", "dark"]


ALL = [Way(*each) for each in product((1280, 360), ("light", "dark"))]  # type: ignore[arg-type]
ALL += [Way(700, "light")]  # half a screen, a tablet
SAMPLE = [Way(1280, "light"), Way(360, "dark")]
KEYS = 25  # stops of the Tab key that are held against the page: a list of 900 parameters is more of the same
REPLY = (
    "550-5.7.1 [2001:db8:1::10] Our system has detected that this message does not meet IPv6 sending guidelines "
    "regarding PTR records and authentication. Please review 550-5.7.1 "
    "https://support.google.com/mail/?p=ipv6_authentication_error for more information. x5si123 - gsmtp"
)
# Of each tier, with what only root says in a terminal and what no list of settings can say.
EDIT = "delay_warning_time = 4h\nrelay_domains = example.net\ndaemon_directory = /tmp\n# of mine\n"
GROUP = "/bounces/group?cause=ipv6-ptr-or-auth&receiver=google&family=ipv6"
# What a person can do something with, in the order of the page (a choice of several is one stop: arrow keys go through
# it), and what the key reached.
STOPS = """() => { for (const each of document.querySelectorAll("[data-place]")) delete each.dataset.place;
 return [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter(each => !each.disabled && each.type !== "hidden" && each.tabIndex >= 0
    && (each.type !== "radio" || each.checked) && each.checkVisibility({visibilityProperty: true}))
  .map((each, place) => { each.dataset.place = place; return each.outerHTML.slice(0, 150); }); }"""
NUMBERED = "() => document.querySelectorAll('[data-place]').length"
REACHED = """() => { const at = document.activeElement, seen = getComputedStyle(at), box = at.getBoundingClientRect();
  return {place: at.dataset.place === undefined ? -1 : +at.dataset.place, html: at.outerHTML.slice(0, 150),
    ringed: seen.outlineStyle !== "none" && parseFloat(seen.outlineWidth) >= 2,
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth }; }"""
# Words cut in two that would have had room: a line ends after a hyphen or a slash, or within what is longer than it.
CUT = """([ofText, ofCell]) => {
  const cut = [], texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const seen = at => at.checkVisibility() && !at.closest(".hidden, .skip")
    && !(at.closest("thead") && getComputedStyle(at.closest("thead")).clipPath !== "none");
  const line = (text, start, end) => { const range = new Range(); range.setStart(text, start); range.setEnd(text, end);
    return [...range.getClientRects()].map(each => Math.round(each.bottom)); };
  for (let text; (text = texts.nextNode());) {
    if (!seen(text.parentElement)) continue;
    const longest = text.parentElement.closest("td") ? ofCell : ofText;
    for (const {0: word, index} of text.data.matchAll(/[^\\s]{2,}/g)) {
      if (word.length > longest || new Set(line(text, index, index + word.length)).size < 2) continue;
      const ends = at => line(text, at - 1, at)[0] < line(text, at, at + 1)[0] && !"-/?".includes(text.data[at - 1]);
      if ([...word].some((_, place) => place > 0 && ends(index + place))) cut.push(word);
    }
  }
  return cut; }"""
# Letters of a text, and of a cell, that have room in a line.
LONGEST = {1280: (40, 24), 700: (30, 16), 360: (20, 20)}


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or worse, with where it is."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def missed_by_keys(page: Page) -> list[str]:
    """What the Tab key passes over, goes to out of its order, or reaches unseen.

    A part of the page that was drawn anew meanwhile, as there was news, has lost its numbers: then it begins again.
    """
    for _ in range(3):
        stops, wrong = _missed_at_once(page)
        if not wrong or page.evaluate(NUMBERED) >= stops:
            break
    return wrong


def _missed_at_once(page: Page) -> tuple[int, list[str]]:
    page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
    page.evaluate("() => { const body = document.body; body.tabIndex = -1; body.focus(); }")
    stops: list[str] = page.evaluate(STOPS)
    wrong = []
    for place, html in enumerate(stops[:KEYS]):
        page.keyboard.press("Tab")
        reached = page.evaluate(REACHED)
        if reached["place"] != place:
            return len(stops), [*wrong, f"not {html}, but {reached['html']}"]
        wrong += [f"{what}: {html}" for what in ("ringed", "inside") if not reached[what]]
    return len(stops), wrong


def edited(page: Page, name: str, text: str) -> None:
    """What a file would be is sent from the page Files, and nothing is saved."""
    page.goto("/files")
    page.click(f"text=Edit {name}")
    page.fill(f"form:has(input[value='{name}']) textarea", text)
    page.click(f"form:has(input[value='{name}']) button")
    page.wait_for_url("**/files/changes")


class Album:
    """Looks at pages in every way that is wanted, and finds them faultless."""

    def __init__(self, page: Page, folder: Path, ways: list[Way]) -> None:
        self.page, self.folder, self.ways = page, folder, ways
        self.said: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        # What the browser refuses for the sake of the Content-Security-Policy is said there as well.
        page.on("console", lambda told: self.said.append(told.text) if told.type == "error" else None)

    def look(self, name: str, path: str, there: str, status: int = 200) -> None:
        """At *path*, which answers with *status*, when *there* is."""
        for way in self.ways:
            self._turn(way)
            answer = self.page.goto(path)
            assert answer is not None
            assert answer.status == status, (name, answer.status)
            self._seen(name, way, there, status)

    def see(self, name: str, there: str, status: int = 200) -> None:
        """What is open already, and is no answer to an address alone, when *there* is."""
        for way in self.ways:
            self._turn(way)
            self.page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
            self._seen(name, way, there, status)

    def _turn(self, way: Way) -> None:
        self.page.set_viewport_size({"width": way.width, "height": 900})
        self.page.emulate_media(color_scheme=way.colours)

    def _seen(self, name: str, way: Way, there: str, status: int = 200) -> None:
        self.page.wait_for_selector(there)
        self.page.wait_for_selector("main:not(:has([aria-busy=true]))")
        where = f"{name}, {way.width} {way.colours}"
        self.page.screenshot(
            path=self.folder / f"{name}-{way.width}-{way.colours}.png",
            full_page=True,
            animations="disabled",
        )
        assert self.page.evaluate("document.documentElement.scrollWidth") <= way.width, where
        assert self.page.evaluate(CUT, LONGEST[way.width]) == [], where
        assert serious(self.page) == [], where
        assert missed_by_keys(self.page) == [], where
        # Chromium writes down a page that is no 200, too.
        meant = "" if status == 200 else f"status of {status} "
        assert [each for each in self.said if not meant or meant not in each] == [], where
        self.said.clear()


@pytest.fixture
def kept(tmp_path: Path, pytestconfig: pytest.Config) -> tuple[Path, list[Way]]:
    """Where the pictures go, and in which ways each page is looked at."""
    wanted = pytestconfig.getoption("--pictures")
    folder = Path(wanted) if wanted else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    whole = pytestconfig.getoption("--slow") or pytestconfig.getoption("--full")
    return folder, ALL if whole else SAMPLE


def test_the_console_that_only_reads_is_fit_to_be_read(lab: Any, kept: tuple[Path, list[Way]]) -> None:
    with console(lab, "--user") as told:
        page = told.browser.new_page(base_url=told.address)
        album = Album(page, *kept)
        album.look("reads-login", "/login", "#code")
        told.log_in(page)
        album.look("reads-now", "/", "#findings h2 ~ *:not([role=status])")
        album.look("reads-bounces", "/bounces", "#bounces .counts")
        album.look("reads-setting", "/settings/inet_protocols", "#command")
        album.look("reads-service", "/service?name=smtp/inet", "main table")
        album.look("reads-files", "/files", "#runs-main\\.cf, h2")
        edited(page, "main.cf", lab.relay.read("/etc/postfix/main.cf") + EDIT)
        album.see("reads-files-changes", "main .card.bad")
        album.look("reads-changes", "/changes", "main h1")


def test_every_page_fits_can_be_read_and_needs_no_mouse(lab: Any, kept: tuple[Path, list[Way]]) -> None:
    with console(lab, "--pam", "adm") as told:
        page = told.browser.new_page(base_url=told.address)
        album = Album(page, *kept)
        album.look("login", "/login", "#code")
        told.log_in(page)
        lab.outcomes(lab.send(count=12))
        page.click("text=Look again")
        album.look("now", "/", "#findings article")
        album.look("bounces", "/bounces", ".plot canvas")
        album.look("cause", GROUP, "main h1")
        album.look("explain", "/bounces/explain", "#bounce")
        page.fill("#bounce", REPLY)
        page.click("text=Explain >> nth=-1")
        album.see("explained", "#explained article")
        album.look("trace", "/bounces/trace", "#what")
        album.look("traced", "/bounces/trace?what=alice@sender.example", "#traced article")
        album.look("settings", "/settings?q=inet_", "main table.settings")
        album.look("settings-set", "/settings?only=set", "main table.settings")
        album.look("none-found", "/settings?q=no-such-word", "#rows .card")
        album.look("setting", "/settings/inet_protocols", "#value")
        album.look("setting-of-root", "/settings/daemon_directory", "#command")
        album.look("service", "/service?name=smtp/inet", "main table")
        album.look("files", "/files", "main h1")
        edited(page, "main.cf", lab.relay.read("/etc/postfix/main.cf") + EDIT)
        album.see("files-changes", "main .card.bad")
        album.look("dns", "/dns", "main h2")
        album.look("no-such-page", "/changes/20200101T000000Z-none", "main .failed", status=409)
        page.goto("/")
        page.click(".cure button")
        page.wait_for_url("**/proposal/*")
        album.look("proposal", page.url, "#apply")
        page.click("#apply")
        page.wait_for_selector("#outcome:not([data-ended=''])")
        album.look("followed", "/under-way", "#outcome")
        album.look("changes", "/changes", "#changes")
        album.look("change", page.get_attribute("#changes a", "href") or "", "main h1")
        # What somebody saves behind its back is told on top of every page.
        lab.relay.run(["postconf", "-e", "inet_protocols=ipv4"])
        album.look("not-live", "/", "#not-live")
        album.look("settings-not-live", "/settings?only=not-live", "main table.settings")
        album.look("files-not-live", "/files", "[id='runs-main.cf'] .bad")
        page.click("text=Log out")
        page.wait_for_url("**/login")
        page.fill("#code", "AAAA-BBBB-CCCC")
        page.click("main button >> nth=0")
        album.see("not-logged-in", ".failed", status=409)
