"""Counts in a history what the product promises never to happen.

    verdict = check(history)
    verdict.counts["lost"]       # 0, or verdict.findings says what

Pure: it reads values and no clock, no database. It does not believe the product: that a message
may have come twice must be seen from outside (the receiver's journal shows a call that went wrong
on its way, or a part was dead while the call was made), and the product must say so as well.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sandbox.journal import Accepted, Call
from tests.chaos.history import History, Post, Row

KINDS = (
    "lost",
    "unexpected",
    "cross_tenant",
    "inversions",
    "duplicates_explained",
    "duplicates_unexplained",
    "status_mismatch",
    "stuck",
)
VIOLATIONS = tuple(kind for kind in KINDS if kind != "duplicates_explained")
OPEN = ("held", "queued", "sending")
# After these nobody on our side can know whether Telegram has the message.
UNKNOWABLE = {
    "hang", "garbage", "truncated", "cut_body", "no_ok", "null", "empty_result", "cut", "reset",
    "drip", "bad_gateway", "gateway_timeout",
}  # fmt: skip
# So long after an answer its outcome may not be written yet.
RECORDED_WITHIN = 2.0
# A dead worker's message is found when its lease has run out, and then has to wait its turn. Its
# attempt has the time from which that lease ran.
FOUND_WITHIN = 75.0
LEASE = 30.0


@dataclass(slots=True)
class Verdict:
    """How often each kind was found, and a sentence for each finding."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    findings: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not any(self.counts[kind] for kind in VIOLATIONS)

    def found(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if kind != "duplicates_explained":
            self.findings.append(f"{kind}: {what}")


def check(history: History) -> Verdict:
    """Judges a whole history, taken after everything has come to rest."""
    return _Check(history).verdict


@dataclass(frozen=True, slots=True)
class _Copy:
    """One accepted message, with the call that brought it and the part of the post that it is."""

    line: Accepted
    call: Call | None
    part: int


class _Check:
    def __init__(self, history: History) -> None:
        self.history = history
        self.verdict = Verdict()
        self._parts = {
            text: (post, part)
            for post in history.posts
            for part, text in enumerate(post.expected, start=1)
        }
        self._calls_by_number = {call.n: call for call in history.calls}
        self._rows: dict[str, list[Row]] = defaultdict(list)
        for row in history.rows:
            self._rows[row.text].append(row)
        self._calls: dict[str, list[Call]] = defaultdict(list)
        for call in history.calls:
            if (owned := self._parts.get(str(call.parameters.get("text")))) is not None:
                self._calls[owned[0].text].append(call)
        self._copies: dict[str, list[_Copy]] = defaultdict(list)
        self._sort_the_journal()
        for post in history.posts:
            self._judge(post)
        self._judge_orders()

    def _sort_the_journal(self) -> None:
        for line in self.history.journal:
            post, part = self._parts.get(line.text, (None, 0))
            if post is None:
                self.verdict.found("unexpected", f"nobody posted what chat {line.chat_id} got")
            elif line.chat_id not in (post.chat, post.former):
                self.verdict.found("cross_tenant", f"{post.text[:40]!r} came to {line.chat_id}")
            else:
                call = self._calls_by_number.get(line.call)
                self._copies[post.text].append(_Copy(line, call, part))

    def _judge(self, post: Post) -> None:
        name = f"{post.text[:40]!r}"
        rows, copies = self._rows[post.text], self._copies[post.text]
        self._judge_acceptance(post, rows, copies, name)
        if not rows:
            return
        row = rows[0]
        if row.status in OPEN:
            self.verdict.found("stuck", f"{name} is {row.status} at the end")
        elif row.status not in post.fates:
            kind = "lost" if row.status != "sent" else "status_mismatch"
            self.verdict.found(kind, f"{name} is {row.status}")
        for why in self._lies(post, row, copies):
            self.verdict.found("status_mismatch", f"{name} {why}")
        self._judge_copies(post, row, copies, name)

    def _judge_acceptance(
        self, post: Post, rows: list[Row], copies: list[_Copy], name: str
    ) -> None:
        if post.accepted and not rows:
            self.verdict.found("lost", f"{name} has no row")
        elif post.accepted and post.id not in [row.id for row in rows]:
            self.verdict.found("status_mismatch", f"{name} has another id than its answer said")
        if len(rows) > 1:
            self.verdict.found("unexpected", f"{name} was accepted {len(rows)} times")
        if post.refused and (rows or copies):
            self.verdict.found("unexpected", f"{name} was refused with {post.code}")
        if any(row.account != post.account for row in rows):
            self.verdict.found("cross_tenant", f"{name} belongs to another account")
        arrived = {copy.part for copy in copies}
        if any(row.status == "sent" for row in rows) and len(arrived) < len(post.expected):
            self.verdict.found("lost", f"{name} is said to be sent, {len(arrived)} parts arrived")

    def _lies(self, post: Post, row: Row, copies: list[_Copy]) -> Iterator[str]:
        """What the row says and the receiver does not bear out."""
        arrived = {copy.part for copy in copies}
        if row.status == "sent":
            if row.parts_sent != row.parts or row.parts != len(post.expected):
                yield f"is sent, with {row.parts_sent} of {row.parts} parts"
            if not self._ids_are_true(row, copies):
                yield f"has ids {row.telegram_message_ids} that the chat does not know"
        elif row.status not in OPEN:
            unsure = 1 if row.possible_duplicate else 0
            if not row.parts_sent <= len(arrived) <= row.parts_sent + unsure:
                yield f"is {row.status} with {row.parts_sent} parts, {len(arrived)} arrived"
        if row.possible_duplicate and not self._may_be_double(post, row):
            yield "is said to be a possible duplicate, and nothing went wrong with it"
        if not row.possible_duplicate and self._must_be_double(post):
            yield "may have come twice, and does not say so"
        yield from self._lies_of_attempts(post, row)
        shown = self.history.shown.get(row.id)
        if shown is not None:
            yield from _differences(shown, row)

    def _lies_of_attempts(self, post: Post, row: Row) -> Iterator[str]:
        """Attempts that hide a call, or tell another answer than Telegram gave."""
        calls = sorted(self._calls[post.text], key=lambda call: call.n)
        if len(calls) > len(row.attempts):
            yield f"tells of {len(row.attempts)} attempts, {len(calls)} calls were made"
        if len(calls) != len(row.attempts):
            return
        for call, attempt in zip(calls, row.attempts, strict=True):
            if attempt.code != call.code and not self._is_unknowable(call):
                yield f"says {attempt.code} of a call that was answered with {call.code}"

    def _ids_are_true(self, row: Row, copies: list[_Copy]) -> bool:
        known = {(copy.part, copy.line.message_id) for copy in copies}
        given = row.telegram_message_ids
        return len(given) == row.parts and all(
            (part, number) in known for part, number in enumerate(given, start=1)
        )

    def _judge_copies(self, post: Post, row: Row, copies: list[_Copy], name: str) -> None:
        by_part: dict[int, list[_Copy]] = defaultdict(list)
        for copy in copies:
            by_part[copy.part].append(copy)
        for part, found in by_part.items():
            found.sort(key=lambda copy: copy.line.n)
            for earlier in found[:-1]:
                explained = earlier.call is not None and self._is_unknowable(earlier.call)
                if row.possible_duplicate and explained:
                    self.verdict.found("duplicates_explained", name)
                else:
                    self.verdict.found("duplicates_unexplained", f"{name}, part {part}")

    def _may_be_double(self, post: Post, row: Row) -> bool:
        """Whether anything befell this message after which it may have come, unknown to us."""
        if any(self._is_unknowable(call) for call in self._calls[post.text]):
            return True
        unsure = [attempt for attempt in row.attempts if attempt.outcome == "ambiguous"]
        return any(self._disturbed(one.at - LEASE, one.at + LEASE) for one in unsure)

    def _must_be_double(self, post: Post) -> bool:
        """Whether a call of it went wrong beyond knowing and another was made of the same part."""
        calls = sorted(self._calls[post.text], key=lambda call: call.n)
        return any(
            first.fault in UNKNOWABLE and later.parameters["text"] == first.parameters["text"]
            for n, first in enumerate(calls)
            for later in calls[n + 1 :]
        )

    def _is_unknowable(self, call: Call) -> bool:
        if call.fault in UNKNOWABLE or call.answered_at is None:
            return True
        return self._disturbed(call.at, call.answered_at + RECORDED_WITHIN)

    def _disturbed(self, began: float, ended: float) -> bool:
        return any(one.began <= ended and began <= one.ended for one in self.history.disturbances)

    def _judge_orders(self) -> None:
        """First copies of an account against `seq`, and against what its client knew."""
        lanes: dict[int, list[tuple[int, Post, int]]] = defaultdict(list)
        for post in self.history.posts:
            # A retried message has a new place, and what was sent of it before stays where it is.
            for row in self._rows[post.text][:1] if not post.retried else []:
                firsts: dict[int, int] = {}
                for copy in self._copies[post.text]:
                    firsts[copy.part] = min(copy.line.n, firsts.get(copy.part, copy.line.n))
                for part, number in firsts.items():
                    lanes[post.account].append((number, post, row.seq * 1000 + part))
        for account, arrived in lanes.items():
            arrived.sort(key=lambda one: one[0])
            self._judge_order(account, arrived)

    def _judge_order(self, account: int, arrived: list[tuple[int, Post, int]]) -> None:
        latest_begin = 0.0
        for (_, before, place), (_, after, next_place) in zip(arrived, arrived[1:], strict=False):
            told = f"{after.text[:40]!r} of account {account} came after {before.text[:40]!r}"
            latest_begin = max(latest_begin, before.began)
            if next_place < place or (after.accepted and after.ended < latest_begin):
                self.verdict.found("inversions", told)


def _differences(shown: dict[str, object], row: Row) -> Iterator[str]:
    """What the API says otherwise than the row."""
    said = {
        "id": str(row.id),
        "status": row.status,
        "parts": row.parts,
        "parts_sent": row.parts_sent,
        "possible_duplicate": row.possible_duplicate,
        "telegram_message_ids": list(row.telegram_message_ids),
    }
    for name, value in said.items():
        told = str(shown.get(name)) if name == "id" else shown.get(name)
        if told != value:
            yield f"is shown with {name} {told!r}, the row says {value!r}"
