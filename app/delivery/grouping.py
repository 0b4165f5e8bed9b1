"""Group commit: what many threads ask of the database at about the same time is one statement.

The first to ask is served at once, by itself. After that the database rests for some milliseconds,
and whoever asks meanwhile is served together with the others. So a quiet process waits for nothing,
and a busy one makes few statements, however many threads it has: with each alone, two commits and
two statements of a dozen steps were most of what a delivery cost.

It knows nothing of what is asked, and keeps nothing from one group to the next.
"""

import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import Generic, TypeVar

REST_SECONDS = 0.005

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class _Asked(Generic[Question, Answer]):
    """One thread's question, and in the end its answer or what was raised instead."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.answers: list[Answer] = []
        self.error: BaseException | None = None
        # Set when it has been answered, or when it is this thread that shall ask for all.
        self.called = threading.Event()

    @property
    def is_open(self) -> bool:
        return not self.answers and self.error is None

    def answer(self) -> Answer:
        if self.error is not None:
            raise self.error
        return self.answers[0]


class Grouped(Generic[Question, Answer]):
    """A function of many questions, for threads that have one each: one of them asks for all."""

    def __init__(self, ask_all: Callable[[list[Question]], list[Answer]]) -> None:
        """`ask_all` returns an answer for each question, in their order; what it raises, each of
        those who asked raises."""
        self._ask_all = ask_all
        self._lock = threading.Lock()
        self._waiting: list[_Asked[Question, Answer]] = []
        self._is_led = False
        self._rests_until = 0.0

    def __call__(self, question: Question) -> Answer:
        """The answer to this question, perhaps some milliseconds later than alone."""
        asked = _Asked[Question, Answer](question)
        with self._lock:
            self._waiting.append(asked)
            leads, self._is_led = not self._is_led, True
        if not leads:
            asked.called.wait()
        if asked.is_open:
            self._lead()
        return asked.answer()

    def _lead(self) -> None:
        """Asks for all who wait when the rest is over, and calls one who came since to lead."""
        sleep(max(0.0, self._rests_until - monotonic()))
        with self._lock:
            group, self._waiting = self._waiting, []
        self._ask(group)
        self._rests_until = monotonic() + REST_SECONDS
        with self._lock:
            self._is_led = bool(self._waiting)
            if self._is_led:
                self._waiting[0].called.set()

    def _ask(self, group: list[_Asked[Question, Answer]]) -> None:
        try:
            answers = self._ask_all([asked.question for asked in group])
            for asked, answer in zip(group, answers, strict=True):
                asked.answers.append(answer)
        except BaseException as error:  # nobody may wait for ever
            for asked in group:
                asked.error = error
        finally:
            for asked in group:
                asked.called.set()
