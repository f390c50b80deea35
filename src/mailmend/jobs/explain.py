"""explain: what a person has of a bounce -> refusals, explained. Nothing is looked up, nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from mailmend import catalogue
from mailmend.model import Delivery, ParseError, Refusal
from mailmend.road import explain as road


def explain(
    sources: Iterable[tuple[str, bytes]],
    progress: road.Progress | None = None,
    left_out: Callable[[str], None] | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> tuple[Refusal, ...]:
    """The refusals in *sources* (name, content), taken together: a bounce and its log lines are one.

    () where there is no refusal in any. Raises ParseError, naming the source, for what cannot be read; where
    *left_out* is given it is told instead, and the others are read. *note* is told what was read in part, with its
    source. *progress* is called with how many sources are read, of how many it cannot say (0), then with how many
    refusals are explained, of how many.
    """
    known = catalogue.load()
    deliveries: list[Delivery] = []
    for number, (name, data) in enumerate(sources):
        if progress and number:
            progress(number, 0)
        place = "standard input" if name == "-" else name
        try:
            deliveries += road.deliveries(data, known, partial(_with_its_place, note, place))
        except ParseError as error:
            if left_out is None:
                raise ParseError(f"{place}: {error.reason}", error.next_step) from None
            left_out(f"{place} is left out: {error.reason}")
    return road.explain(deliveries, known, progress)


def _with_its_place(note: Callable[[str], None], place: str, told: str) -> None:
    note(f"{place}: {told}")
