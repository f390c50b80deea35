"""A delivery -> the receiver that refused it, and the rule which explains its words.

Precedence is a score, never the order of files or rules: what says something before what says little, the
receiver's own rule before software's and everybody's, a token before phrases, phrases before a code or status,
then the number of letters that agreed. Two causes with the same score are no decision, so there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter

from mailmend.model import Delivery, Reply
from mailmend.receivers.files import Rules, load
from mailmend.receivers.index import Index
from mailmend.receivers.rules import SCOPES, Phrase, Receiver, Rule, squeeze

# Is it more than `weak`, the scope, does a token agree, do phrases, does the code or status, how many letters.
Score = tuple[bool, int, bool, bool, bool, int]
# Whose rule, and its number; a rule that may fire, with the longest of its gates; one that does, with its score.
_Place = tuple[Receiver, int]
Places = dict[_Place, str]
_Candidate = tuple[Receiver, Rule, str]
_Agreeing = tuple[Score, Receiver, Rule]

# The queue gave up, or keeps trying: why, the reply says elsewhere, if anywhere.
GAVE_UP = "queue-expired"
_SAY_LITTLE = (GAVE_UP, "delayed-notice", "unknown")
TRIED_LAST: str = "standard"  # the scope
_RANKS = {scope: rank for rank, scope in enumerate(SCOPES)}
# Letters of a receiver's words that must agree in a reply of nobody knows whom: for its rule to explain it as
# software's would, and for it to be named.
_ENOUGH, _TELLING = 14, 18


@dataclass(frozen=True, slots=True)
class Match:
    """The rule that explains a reply, and the words of the reply that decided.

    *receiver* refused, as far as that is known; the rule may be of software that it runs. *gave_up*: the words
    also say that the queue tried for too long, which is no cause.
    """

    receiver: Receiver | None
    rule: Rule
    marks: tuple[str, ...]
    gave_up: bool = False


@dataclass(slots=True, eq=False)
class Book:
    """The receivers by what a delivery shows of them."""

    receivers: Sequence[Receiver]
    hosts: dict[str, Receiver] = field(default_factory=dict)
    tokens: dict[str, Receiver] = field(default_factory=dict)
    hints: dict[str, Receiver] = field(default_factory=dict)
    domains: dict[str, Receiver] = field(default_factory=dict)
    gates: dict[str, list[_Place]] = field(default_factory=dict)
    index: Index = field(init=False)

    def __post_init__(self) -> None:
        for receiver in self.receivers:
            self.hosts.update(dict.fromkeys(receiver.hosts, receiver))
            self.domains.update(dict.fromkeys(receiver.domains, receiver))
            self.tokens.update({phrase.squeezed: receiver for phrase in receiver.tokens})
            self.hints.update({phrase.squeezed: receiver for phrase in receiver.hints})
            for number, gates in gates_of(receiver):
                for gate in gates:
                    self.gates.setdefault(gate, []).append((receiver, number))
        self.index = Index((*self.tokens, *self.hints, *self.gates))


def gates_of(receiver: Receiver) -> Iterable[tuple[int, tuple[str, ...]]]:
    """Of each rule its number and the words without which it cannot fire."""
    if isinstance(receiver.rules, Rules):
        return receiver.rules.gates()
    return enumerate(rule.gates for rule in receiver.rules)


_books: list[Book] = []  # the newest; receivers are loaded once, only tests have others


def book_of(receivers: Sequence[Receiver]) -> Book:
    if not _books or _books[-1].receivers is not receivers:
        _books[:] = [Book(receivers)]
    return _books[-1]


def of(delivery: Delivery, receivers: Sequence[Receiver]) -> Receiver | None:
    """Who refused: by the relay's name, then by tokens in the text, then, weakly, by the recipient's domain.

    A known host that is nobody's rules out everything but a token: a relayhost may quote the receiver.
    """
    book = book_of(receivers)
    words = squeeze(delivery.reply.text) if delivery.reply else ""
    return _of(delivery, book, book.index.within(words) if words else [])


def _of(delivery: Delivery, book: Book, within: Sequence[str]) -> Receiver | None:
    host = delivery.relay.host if delivery.relay else None
    if host and (named := _owner(host, book)):
        return named
    by_token = _longest(within, book.tokens)
    if by_token or host:
        return by_token
    domain = (delivery.recipient or "").rpartition("@")[2].lower()
    return (
        _longest(within, book.hints)
        or _owner(delivery.reporting_mta or "", book)
        or (book.domains.get(domain) if domain else None)
    )


def _owner(host: str, book: Book) -> Receiver | None:
    """Whose *host* is, compared label by label; of several suffixes the longest tells."""
    rest = f".{host.lower().strip('.')}"
    while rest:
        if rest in book.hosts:
            return book.hosts[rest]
        dot = rest.find(".", 1)
        rest = rest[dot:] if dot > 0 else ""
    return None


def _longest(within: Sequence[str], named: dict[str, Receiver]) -> Receiver | None:
    found = max((phrase for phrase in within if phrase in named), key=len, default=None)
    return named[found] if found else None


@lru_cache(maxsize=4096)
def of_host(host: str) -> str | None:
    """The id of the receiver that *host* belongs to; None for a host of nobody that we know."""
    owner = _owner(host, book_of(load()))
    return owner.id if owner else None


def match(delivery: Delivery, receivers: Sequence[Receiver]) -> Match | None:
    """What the words of the refusal mean; None where no rule agrees, or two causes agree equally well.

    Software's and everybody's rules are tried on every reply, a receiver's on its own; where neither host nor
    words tell whose the reply is, on any, if enough of their words agree. A refusal by the own server is read by
    software's and everybody's rules alone, whoever was refused.
    """
    return read(delivery, receivers)[1]


def read(delivery: Delivery, receivers: Sequence[Receiver]) -> tuple[Receiver | None, Match | None]:
    """Who refused, as `of` says or the match, and the match."""
    book = book_of(receivers)
    words = squeeze(delivery.reply.text) if delivery.reply else ""
    within = book.index.within(words) if words else []
    own = delivery.severity == "rejected-inbound"
    receiver = None if own else _of(delivery, book, within)
    if delivery.reply is None:
        return receiver, None
    anybody = receiver is None and not own and not (delivery.relay and delivery.relay.host)
    found = agreeing(candidates(book, within, receiver, anybody), receiver, delivery.reply, words)
    if not own and not anybody and not (found and _says_enough(found[0].rule)):
        found = _quoted(book, within, receiver, delivery.reply) or found
    if not found or (len(found) > 1 and len({m.rule.cause for m in found}) > 1):
        return receiver, None
    return receiver or found[0].receiver, found[0]


def _quoted(book: Book, within: Sequence[str], receiver: Receiver | None, said: Reply) -> list[Match]:
    """Where nothing says enough: what a receiver says whose answer is quoted in *receiver*'s own, by its token.

    A forwarder or relay answers with the words of the server behind it, and is still the one that refused.
    """
    behind = _longest(within, book.tokens) or _longest(within, book.hints)
    if behind is None or behind is receiver:
        return []
    matches = agreeing(candidates(book, within, behind, False), behind, said, squeeze(said.text))
    if not matches or not _says_enough(matches[0].rule):
        return []
    return [Match(receiver, m.rule, m.marks, m.gave_up) for m in matches]


def candidates(
    book: Book, within: Iterable[str], receiver: Receiver | None, anybody: bool
) -> tuple[Places, Places]:
    """The rules that may fire by the words that are there, each with the longest of its gates; and the standard's."""
    gates: Places = {}
    last: Places = {}
    for phrase in within:
        for place in book.gates.get(phrase, ()):
            of_whom = place[0]
            if of_whom.scope != "receiver" or of_whom is receiver or anybody:
                kept = last if of_whom.scope == TRIED_LAST else gates
                before = kept.get(place)
                if before is None or len(phrase) > len(before):
                    kept[place] = phrase
    return gates, last


def agreeing(tried: tuple[Places, Places], receiver: Receiver | None, said: Reply, words: str) -> list[Match]:
    """The matches of the highest score, by the id of their rules: more than one is a tie.

    The standard's own rules are all weak, and their words are in nearly every reply: they are tried where no other
    says enough.
    """
    gates, last = tried
    found = best(_rules(gates), receiver, said, words)
    if last and not (found and _says_enough(found[0].rule)):
        return best(_rules(gates | last), receiver, said, words)
    return found


def _rules(places: Places) -> list[_Candidate]:
    return [(of_whom, of_whom.rules[number], gate) for (of_whom, number), gate in places.items()]


def best(tried: Iterable[_Candidate], receiver: Receiver | None, said: Reply, words: str) -> list[Match]:
    """The matches of the highest score, by the id of their rules: more than one is a tie.

    The highest score gives the cause; of the rules with that cause, weak or not, the most special one tells it.
    """
    agree: list[_Agreeing] = []
    for of_whom, rule, gate in tried:
        letters = _letters(rule, gate, said, words)
        score = _score(rule, of_whom, receiver, letters) if letters else None
        if score:
            agree.append((score, of_whom, rule))
    found = _highest(agree) if len(agree) > 1 else agree
    # The words of one receiver alone tell who it is, as long as they are not few.
    if found and receiver is None and len({of_whom.id for _, of_whom, _ in found}) == 1:
        receiver = _told_by_words(*found[0])
    gave_up = GAVE_UP in [rule.cause for _, _, rule in agree]
    return [Match(receiver, rule, _marks(rule, words), gave_up) for _, _, rule in found]


def _highest(agreeing: list[_Agreeing]) -> list[_Agreeing]:
    """Those of the highest score; where they have one cause, of all that have it the most special."""
    agreeing.sort(key=itemgetter(0), reverse=True)
    top = agreeing[0][0]
    found = [each for each in agreeing if each[0] == top]
    causes = {rule.cause for _, _, rule in found}
    if len(causes) == 1:
        agreed = [each for each in agreeing if each[2].cause in causes]
        if len(agreed) > len(found):
            most = max(score[1:] for score, _, _ in agreed)
            found = [each for each in agreed if each[0][1:] == most]
    if len(found) > 1:
        found.sort(key=lambda each: (each[2].receiver, each[2].id))
    return found


def _says_enough(rule: Rule) -> bool:
    return not rule.weak and rule.cause not in _SAY_LITTLE


def _told_by_words(score: Score, of_whom: Receiver, rule: Rule) -> Receiver | None:
    telling = rule.token or score[-1] >= _TELLING
    return of_whom if of_whom.scope == "receiver" and telling else None


def _letters(rule: Rule, gate: str, said: Reply, words: str) -> int | None:
    """How many letters agree where every condition of the rule holds; None where one does not."""
    if rule.code and said.code not in rule.code:
        return None
    if rule.status and not (said.status and _agrees(rule.status, said.status)):
        return None
    letters = 0
    for phrase in rule.all:
        if phrase.squeezed not in words:
            return None
        letters += len(phrase.squeezed)
    for phrase in rule.none:
        if phrase.squeezed in words:
            return None
    if rule.token and rule.any:
        one = _longest_within(rule.any, words)
        return letters + len(gate) + len(one.squeezed) if one else None
    return letters + (len(gate) if rule.token or rule.any else 0)


def _marks(rule: Rule, words: str) -> tuple[str, ...]:
    """The words of the reply that decided, as the rule has them."""
    longest = [_longest_within(given, words) for given in (rule.token, rule.any) if given]
    return tuple([phrase.words for phrase in (*longest, *rule.all) if phrase])


def _longest_within(given: Sequence[Phrase], words: str) -> Phrase | None:
    longest, letters = None, 0
    for phrase in given:
        if len(phrase.squeezed) > letters and phrase.squeezed in words:
            longest, letters = phrase, len(phrase.squeezed)
    return longest


def _score(rule: Rule, of_whom: Receiver, receiver: Receiver | None, letters: int) -> Score | None:
    """How well a rule agrees; None for another receiver's whose words are too few to tell that they are its."""
    scope = _RANKS[of_whom.scope]
    if of_whom.scope == "receiver" and of_whom is not receiver:
        if letters < _ENOUGH and not rule.token:
            return None
        scope = _RANKS["software"]
    return (
        _says_enough(rule),
        scope,
        bool(rule.token),
        bool(rule.any or rule.all),
        bool(rule.code or rule.status),
        letters,
    )


def _agrees(wanted: Sequence[str], status: str) -> bool:
    """Whether *status* is one of the *wanted*: `*.7.25` in either class, `5.7.606-649` within a range."""
    if status in wanted or f"*{status[1:]}" in wanted:
        return True
    return any(_within(each, status) for each in wanted if "-" in each)


def _within(wanted: str, status: str) -> bool:
    place, _, lowest = wanted.partition("-")[0].rpartition(".")
    there, _, detail = status.rpartition(".")
    same = there[1:] == place[1:] if wanted[0] == "*" else there == place
    return same and int(lowest) <= int(detail) <= int(wanted.rpartition("-")[2])
