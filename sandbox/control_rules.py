"""The control API's other half: the journal, raw updates, faults, limits."""

import time
from dataclasses import fields as fields_of

from sandbox import journal
from sandbox.faults import Faults
from sandbox.fields import Fields, NotThere, Routes, seconds
from sandbox.http import JsonObject
from sandbox.limits import Rates
from sandbox.methods import Bot

_PAGE = 100_000  # lines of the journal in one answer


class RuleCalls:
    """`/sandbox/` calls, accepted, updates, faults, limits, settings."""

    def __init__(self, bot: Bot, faults: Faults) -> None:
        self._bot = bot
        self._faults = faults

    def routes(self) -> Routes:
        """Verb, path and handler of each call."""
        return [
            ("GET", "/updates", self._list_updates),
            ("POST", "/updates", self._inject),
            ("POST", "/updates/jump", self._jump),
            ("GET", "/calls", self._calls),
            ("GET", "/accepted", self._accepted),
            ("DELETE", "/journal", self._forget),
            ("GET", "/faults", self._list_faults),
            ("POST", "/faults", self._add_fault),
            ("DELETE", "/faults", self._clear_faults),
            ("GET", "/faults/{id}", self._read_fault),
            ("DELETE", "/faults/{id}", self._remove_fault),
            ("GET", "/limits", self._read_limits),
            ("POST", "/limits", self._set_limits),
            ("POST", "/settings", self._set_settings),
        ]

    def _list_updates(self, given: Fields, _: int) -> JsonObject:
        given.end()
        return {"items": self._bot.updates.pending(), "next_id": self._bot.updates.next_id}

    def _inject(self, given: Fields, _: int) -> JsonObject:
        update = given.need("update", dict)
        given.end()
        return {"update_id": self._bot.updates.inject(update)}

    def _jump(self, given: Fields, _: int) -> JsonObject:
        to = given.need("to", int)
        given.end()
        self._bot.updates.jump(to)
        return {"next_id": to}

    def _calls(self, given: Fields, _: int) -> JsonObject:
        since, limit = given.take("since", int, 0), given.take("limit", int, _PAGE)
        method = given.take("method", str, "").lower()
        given.end()
        items = journal.after(self._bot.journal.calls, since, limit)
        if method:
            items = [item for item in items if item["method"].lower() == method]
        return {"items": items, "next": items[-1]["n"] if items else since}

    async def _accepted(self, given: Fields, _: int) -> JsonObject:
        since, limit = given.take("since", int, 0), given.take("limit", int, _PAGE)
        wait = seconds(given)
        given.end()
        if wait:
            await self._bot.journal.more_than(since, wait)
        items = journal.after(self._bot.journal.accepted, since, limit)
        return {"items": items, "next": items[-1]["n"] if items else since}

    def _forget(self, given: Fields, _: int) -> JsonObject:
        given.end()
        self._bot.journal.clear()
        return {"last": self._bot.journal.last}

    def _list_faults(self, given: Fields, _: int) -> JsonObject:
        given.end()
        items = [rule.report() for rule in self._faults.rules]
        return {"items": items, "fired": self._faults.fired}

    def _add_fault(self, given: Fields, _: int) -> JsonObject:
        return self._faults.add(given.rest()).report()

    def _clear_faults(self, given: Fields, _: int) -> JsonObject:
        given.end()
        self._faults.clear()
        return {"fired": self._faults.fired}

    def _read_fault(self, given: Fields, identifier: int) -> JsonObject:
        given.end()
        for rule in self._faults.rules:
            if rule.id == identifier:
                return rule.report()
        raise NotThere(f"there is no fault {identifier}")

    def _remove_fault(self, given: Fields, identifier: int) -> JsonObject:
        report = self._read_fault(given, identifier)
        self._faults.remove(identifier)
        return report

    def _read_limits(self, given: Fields, _: int) -> JsonObject:
        given.end()
        return self._bot.limits.report()

    def _set_limits(self, given: Fields, _: int) -> JsonObject:
        rates = self._bot.limits.rates
        for name in (item.name for item in fields_of(Rates)):
            setattr(rates, name, given.take(name, type(getattr(rates, name)), getattr(rates, name)))
        hold = given.take("hold", float, 0.0)
        given.end()
        if hold:
            self._bot.limits.hold(time.monotonic(), hold)
        return self._bot.limits.report()

    def _set_settings(self, given: Fields, _: int) -> JsonObject:
        self._bot.count_utf16 = given.take("count_utf16", bool, self._bot.count_utf16)
        given.end()
        return {"count_utf16": self._bot.count_utf16}
