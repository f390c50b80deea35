"""All that mailmend knows, found by looking into its folders: causes, receivers, checks, remedies; settings.toml.

Each part is loaded when it is asked for, so that explaining a bounce imports no check. The names are the
names of the files, with hyphens; what one of them says of another is held by `validate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from types import ModuleType
from typing import TYPE_CHECKING

from mailmend.model import Cause, MailmendError

if TYPE_CHECKING:
    from mailmend.receivers import Receiver

# Pages may name these too: what is explained and not yet applied, and what is a command of its own.
LATER: tuple[str, ...] = ()
COMMANDS = ("hold",)


class CatalogueError(MailmendError):
    """Something of the catalogue is wrong in itself or names what is not there; the reason says where."""


class Catalogue:
    """What mailmend knows; each part is loaded once, when it is first looked at."""

    @cached_property
    def causes(self) -> Mapping[str, Cause]:
        from mailmend import causes

        return causes.load()

    @cached_property
    def receivers(self) -> tuple[Receiver, ...]:
        from mailmend import receivers

        return receivers.load()

    @cached_property
    def receiver_names(self) -> Mapping[str, str]:
        """What people call a receiver, by its id."""
        return {receiver.id: receiver.name for receiver in self.receivers}

    @cached_property
    def checks(self) -> Mapping[str, ModuleType]:
        return _modules("checks", ("CAUSES", "check"))

    @cached_property
    def remedies(self) -> Mapping[str, ModuleType]:
        return _modules("remedies", ("HEALS", "EFFECT", "propose"))


@cache
def load() -> Catalogue:
    """The catalogue that is installed."""
    return Catalogue()


def _modules(room: str, contract: tuple[str, ...]) -> dict[str, ModuleType]:
    """The modules of a folder by id; every one has what *contract* names."""
    from importlib import import_module
    from pkgutil import iter_modules

    package = import_module(f"mailmend.{room}")
    found = {}
    for file in sorted(iter_modules(package.__path__), key=lambda entry: entry.name):
        if file.name.startswith("_"):
            continue
        module = import_module(f"mailmend.{room}.{file.name}")
        for name in contract:
            if not hasattr(module, name):
                raise CatalogueError(f"{room}/{file.name}.py: {name} is missing")
        found[file.name.replace("_", "-")] = module
    return found


def validate(catalogue: Catalogue) -> None:
    """Everything is well formed and names only what exists. Raises CatalogueError with the file and why."""
    from mailmend import receivers, settings

    try:
        receivers.validate(catalogue.receivers)
        causes = dict(catalogue.causes)
        settings.load()
    except CatalogueError:
        raise
    except MailmendError as error:
        raise CatalogueError(error.reason) from None
    remedies = (*catalogue.remedies, *LATER, *COMMANDS)
    for name, cause in causes.items():
        place = f"causes/{name}.md"
        _known(place, "check", cause.checks, catalogue.checks)
        _known(place, "remedy", (*cause.remedies, *(cause.forwarded_remedies or ())), remedies)
    for receiver in catalogue.receivers:
        for rule in receiver.rules:
            place = f"receivers: {receiver.id}: rule {rule.id}"
            _known(place, "cause", (rule.cause, *rule.ambiguous), causes)
            _known(place, "check", rule.checks, catalogue.checks)
    for name, module in catalogue.checks.items():
        _known(f"checks/{name.replace('-', '_')}.py", "cause", module.CAUSES, causes)
    for name, module in catalogue.remedies.items():
        _known(f"remedies/{name.replace('-', '_')}.py", "cause", module.HEALS, causes)


def _known(place: str, kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise CatalogueError(f"{place}: there is no {kind} {name}")
