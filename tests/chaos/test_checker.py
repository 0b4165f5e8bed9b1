"""The checker is checked: a clean history passes, and each doctored one is caught."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sandbox.journal import Accepted, Call
from tests.chaos import measures
from tests.chaos.checker import KINDS, check
from tests.chaos.history import Attempt, Disturbance, History, Post, Row

ANNA, BORIS = 1, 2
CHATS = {ANNA: 7001, BORIS: 7002}


def clean(messages: int = 3) -> History:
    """Anna and Boris each post some messages one after another, and all goes well."""
    posts, rows, journal, calls = [], [], [], []
    n = 0
    for place in range(1, messages + 1):
        for account, chat in CHATS.items():
            n += 2
            at = 1000.0 + n / 10
            text, whole = f"{account}/{place}", f"Hello:\n{account}/{place}"
            posts.append(Post(account, chat, text, (whole,), at - 5, at - 4.9, 201, n))
            call = Call(n, at, "sendMessage", chat, {"text": whole}, 200, None, at + 0.01)
            calls.append(call)
            journal.append(Accepted(n + 1, at, chat, 100 + n, whole, n, False))
            attempts = (Attempt(1, at, "sent", 200),)
            rows.append(Row(n, account, place, text, "sent", 1, 1, False, (100 + n,), attempts))
    return History(posts, rows, journal, calls)


def test_clean_history_has_no_finding() -> None:
    verdict = check(clean())
    assert verdict.kept
    assert verdict.counts == dict.fromkeys(KINDS, 0)


def doctored_row(history: History, **changes: Any) -> History:
    history.rows[2] = replace(history.rows[2], **changes)
    return history


def again(history: History, *, fault: str | None = None, flagged: bool = False) -> History:
    """Anna's second message comes once more; its first call went wrong by `fault`."""
    first = history.calls[2]
    first.fault = fault
    n = history.journal[-1].n + 1
    text = first.parameters["text"]
    history.calls.append(
        Call(n, 1003.0, "sendMessage", CHATS[ANNA], {"text": text}, 200, None, 1003.1)
    )
    history.journal.append(Accepted(n + 1, 1003.0, CHATS[ANNA], 900, text, n, False))
    row = history.rows[2]
    lost = Attempt(1, first.at, "ambiguous")
    history.rows[2] = replace(
        row, possible_duplicate=flagged, attempts=(lost, *row.attempts), telegram_message_ids=(900,)
    )
    return history


def swap(history: History) -> History:
    """Anna's second and third message change places at the receiver."""
    second, third = history.journal[2], history.journal[4]
    second.n, third.n = third.n, second.n
    return history


def accepted_out_of_order(history: History) -> History:
    """The places in the lane agree with the journal, and contradict what the client saw."""
    for n in (2, 4):
        seq = {2: 3, 4: 2}[n]
        history.rows[n] = replace(history.rows[n], seq=seq)
    return swap(history)


def lose(history: History) -> History:
    """The row says sent, the receiver has nothing."""
    del history.journal[2]
    return history


def lose_the_row(history: History) -> History:
    del history.journal[2], history.calls[2], history.rows[2]
    return history


def go_astray(history: History) -> History:
    """Boris gets a copy of what Anna got."""
    line = history.journal[2]
    history.journal.append(replace(line, n=99, chat_id=CHATS[BORIS], message_id=7))
    return history


def change_owner(history: History) -> History:
    return doctored_row(history, account=BORIS)


def invent(history: History) -> History:
    history.journal.append(Accepted(99, 1009.0, CHATS[ANNA], 55, "never posted", 98, False))
    return history


def send_the_refused(history: History) -> History:
    history.posts[2] = replace(history.posts[2], code=422, id=None)
    return history


def accept_twice(history: History) -> History:
    history.rows.append(replace(history.rows[2], id=500))
    return history


def send_the_cancelled(history: History) -> History:
    """Cancelled, the client was told; it came all the same."""
    history.posts[2] = replace(history.posts[2], fates=frozenset({"cancelled"}))
    return doctored_row(history, status="cancelled", parts_sent=0, telegram_message_ids=())


def fail_what_must_arrive(history: History) -> History:
    del history.journal[2]
    return doctored_row(history, status="failed", parts_sent=0, telegram_message_ids=())


def hide_an_attempt(history: History) -> History:
    return doctored_row(history, attempts=())


def gloss_over(history: History) -> History:
    """Telegram said 429, the attempt says 200."""
    history.calls[2].code = 429
    return history


def show_otherwise(history: History) -> History:
    shown = {"id": "6", "status": "queued", "parts": 1, "parts_sent": 1}
    history.shown[history.rows[2].id] = {
        **shown, "possible_duplicate": False, "telegram_message_ids": [106]
    }  # fmt: skip
    return history


def keep_quiet(history: History) -> History:
    """A call was cut and made again: it may have come twice, even if it came once."""
    history = again(history, fault="cut")
    del history.journal[2]
    return history


Doctor = Callable[[History], History]


@pytest.mark.parametrize(
    ("doctor", "kind"),
    [
        (lose, "lost"),
        (lose_the_row, "lost"),
        (fail_what_must_arrive, "lost"),
        (invent, "unexpected"),
        (send_the_refused, "unexpected"),
        (accept_twice, "unexpected"),
        (go_astray, "cross_tenant"),
        (change_owner, "cross_tenant"),
        (swap, "inversions"),
        (accepted_out_of_order, "inversions"),
        (again, "duplicates_unexplained"),
        (lambda history: again(history, fault="cut"), "duplicates_unexplained"),
        (lambda history: again(history, flagged=True), "duplicates_unexplained"),
        (lambda history: doctored_row(history, status="queued"), "stuck"),
        (lambda history: doctored_row(history, status="sending"), "stuck"),
        (lambda history: doctored_row(history, telegram_message_ids=(1,)), "status_mismatch"),
        (lambda history: doctored_row(history, parts_sent=0), "status_mismatch"),
        (lambda history: doctored_row(history, possible_duplicate=True), "status_mismatch"),
        (send_the_cancelled, "status_mismatch"),
        (hide_an_attempt, "status_mismatch"),
        (gloss_over, "status_mismatch"),
        (show_otherwise, "status_mismatch"),
        (keep_quiet, "status_mismatch"),
    ],
)
def test_each_violation_is_caught(doctor: Doctor, kind: str) -> None:
    verdict = check(doctor(clean()))
    assert verdict.counts[kind] == 1, verdict.findings
    assert not verdict.kept


def test_duplicate_after_a_lost_answer_is_explained_when_the_product_says_so() -> None:
    verdict = check(again(clean(), fault="cut", flagged=True))
    assert verdict.kept, verdict.findings
    assert verdict.counts["duplicates_explained"] == 1


def test_duplicate_after_a_kill_is_explained_only_if_the_call_was_under_way() -> None:
    history = again(clean(), flagged=True)
    under_way = history.calls[2].at + 0.005
    killed = [Disturbance("killed", under_way, under_way)]
    assert check(replace(history, disturbances=killed)).kept
    earlier = [Disturbance("killed", under_way - 1, under_way - 1)]
    verdict = check(replace(history, disturbances=earlier))
    assert verdict.counts["duplicates_unexplained"] == 1


def test_part_that_comes_before_its_predecessor_is_an_inversion() -> None:
    history = clean()
    first, second = history.journal[2], history.journal[4]
    texts = (second.text, first.text)  # two parts of one message, which came the wrong way round
    post = replace(history.posts[2], expected=texts)
    row = replace(
        history.rows[2], parts=2, parts_sent=2,
        telegram_message_ids=(second.message_id, first.message_id),
        attempts=history.rows[2].attempts + history.rows[4].attempts,
    )  # fmt: skip
    posts = [p for n, p in enumerate(history.posts) if n not in (2, 4)] + [post]
    rows = [r for n, r in enumerate(history.rows) if n not in (2, 4)] + [row]
    verdict = check(replace(history, posts=posts, rows=rows))
    assert verdict.counts["inversions"] == 1
    assert verdict.counts["lost"] == verdict.counts["status_mismatch"] == 0, verdict.findings


def test_post_without_an_answer_may_or_may_not_have_been_accepted() -> None:
    history = clean()
    unknown = [replace(post, code=None, id=None) for post in history.posts]
    assert check(replace(history, posts=unknown)).kept
    assert check(History(unknown, [], [], [])).kept


def test_kill_counts_when_the_call_was_under_way_and_its_outcome_was_lost() -> None:
    history = again(clean(), flagged=True)
    under_way = history.calls[2].at + 0.005
    died = "the worker that was sending it died"
    lost = Attempt(1, under_way - 0.005, "ambiguous", None, died)
    resent = Attempt(1, under_way + 1, "sent", 200)
    history.rows[2] = replace(history.rows[2], attempts=(lost, resent))
    other = history.calls[0].at + 0.005
    assert measures.kills_in_flight(history, [under_way, other, 5.0]) == 1
    assert measures.longest_pause(history, [under_way]) == pytest.approx(1)
