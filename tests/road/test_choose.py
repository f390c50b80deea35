"""Which remedy mailmend takes by itself: the narrowest that does no harm here, and never one that nobody asked for."""

from __future__ import annotations

import itertools

import pytest

from mailmend.model import Objection, Proposal
from mailmend.road.choose import ORDER, choose

STOPS = Objection("it does harm here", "do this first")
WARNS = Objection("know this first", blocking=False)
OVERRULED = Objection("the log speaks against it", overridable=True)


def proposals(**objections: Objection) -> list[Proposal]:
    """All remedies, with the objections given by id (underscores for hyphens)."""
    names = [*ORDER, "ipv4-only"]
    given = {name.replace("_", "-"): objection for name, objection in objections.items()}
    return [Proposal(n, "contains", (), objections=(given[n],) if n in given else ()) for n in names]


def chosen(remedy: str | None = None, **objections: Objection) -> str | None:
    proposal, _ = choose(proposals(**objections), remedy)
    return proposal.remedy if proposal else None


def test_where_every_remedy_does_harm_none_is_taken_and_the_first_says_why() -> None:
    everyone = {name.replace("-", "_"): STOPS for name in ORDER}
    assert choose(proposals(**everyone)[:-2], None) == (None, "it does harm here; do this first")


def test_where_only_the_cure_is_left_what_it_still_needs_is_said() -> None:
    everyone = {name.replace("-", "_"): STOPS for name in ORDER}
    missing = Objection("postsrsd is not installed", "apt-get install postsrsd")
    needs = "postsrsd is not installed; apt-get install postsrsd"
    said = f"it does harm here; SRS cures it (remedy srs), but for this: {needs}"
    assert choose(proposals(**everyone | {"srs": missing}), None) == (None, said)
    alone = Proposal("srs", "cures", (), objections=(missing,))
    assert choose([alone], None) == (None, needs)


def test_the_kludge_is_only_ever_asked_for() -> None:
    everyone = {name.replace("-", "_"): STOPS for name in ORDER}
    assert chosen(**everyone) is None
    assert chosen("ipv4-only", **everyone) == "ipv4-only"


def test_what_an_operator_may_overrule_stops_our_choice_alone() -> None:
    assert chosen(ipv4_for_receiver=OVERRULED) == ORDER[1]
    assert chosen("ipv4-for-receiver", ipv4_for_receiver=OVERRULED) == "ipv4-for-receiver"


def test_what_does_harm_is_refused_to_whoever_asks() -> None:
    assert chosen("ipv4-client", ipv4_client=STOPS) is None


def test_a_warning_stops_nobody() -> None:
    assert chosen(ipv4_for_receiver=WARNS) == "ipv4-for-receiver"


def test_from_the_narrowest_to_the_widest() -> None:
    assert ORDER == ("ipv4-for-receiver", "ipv4-client", "bind-address", "ipv4-transport", "srs")


@pytest.mark.parametrize("place", range(1, len(ORDER)))
def test_the_next_one_is_taken_where_those_before_it_do_harm(place: int) -> None:
    before = {name.replace("-", "_"): STOPS for name in itertools.islice(ORDER, place)}
    proposal, reason = choose(proposals(**before), None)
    assert proposal is not None
    assert proposal.remedy == ORDER[place]
    assert reason == "ipv4-for-receiver does not work here: it does harm here"
