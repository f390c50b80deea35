"""explain: what a person has of a bounce -> refusals, explained. Nothing is looked up, nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

from mailmend import catalogue
from mailmend.model import Delivery, ParseError, Refusal
from mailmend.parse import paste
from mailmend.road import explain as road


def explain(
    sources: Sequence[tuple[str, bytes]], progress: road.Progress | None = None
) -> tuple[Refusal, ...]:
    """The refusals in *sources* (name, content), taken together: a bounce and its log lines are one.

    () where there is no refusal in any. Raises ParseError, naming the source, for what cannot be read.
    """
    deliveries: list[Delivery] = []
    for name, data in sources:
        try:
            deliveries += paste.deliveries(data)
        except ParseError as error:
            place = "standard input" if name == "-" else name
            raise ParseError(f"{place}: {error.reason}", error.next_step) from None
    return road.explain(deliveries, catalogue.load(), progress)
