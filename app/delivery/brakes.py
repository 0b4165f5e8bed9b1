"""What keeps the whole bot from sending: a flood, an unreachable Telegram, a refused token.

One row that every worker reads with each claim; its `hold_reason` is `flood`, `unreachable` or
`bot_rejected`. A flood ends by itself at the time that Telegram named. The other two end when a
probe (getMe, by any worker's sweep) succeeds; until then no message is tried, so none fails and
none uses up its attempts. An operator's pause is in the same row and ends by the operator.
"""

from sqlalchemy import Connection, text

# Failures in a row, over all chats, after which Telegram counts as unreachable.
FAILURES_IN_A_ROW = 5
# Telegram does not say whether a 429 means one chat or the bot. It is taken to mean the bot when
# it is long, or when two chats got one within a short time; and after a minute, however long it
# is, other chats are tried again.
LONG_FLOOD = 30.0
FLOODS_TOGETHER = 10.0
LONGEST_HOLD = 60.0
# A probe of getMe has so long; meanwhile no other worker makes one.
PROBE_SECONDS = 5.0
UNREACHABLE_PROBE_EVERY = 3.0
REJECTED_PROBE_EVERY = 10.0


def flooded(connection: Connection, chat_id: int, seconds: float) -> bool:
    """Notes a 429 for a chat; says whether the whole bot waits because of it."""
    row = connection.execute(
        text("""
          WITH verdict AS (
            SELECT :seconds > :long OR coalesce(
              flooded_chat <> :chat_id AND flooded_at > now() - make_interval(secs => :together),
              false) AS whole
            FROM bot
          )
          UPDATE bot SET flooded_chat = :chat_id, flooded_at = now(),
            held_until = CASE WHEN whole AND coalesce(hold_reason, 'flood') = 'flood'
              THEN greatest(held_until, now() + make_interval(secs => least(:seconds, :longest)))
              ELSE held_until END,
            hold_reason = CASE WHEN whole THEN coalesce(hold_reason, 'flood')
                               ELSE hold_reason END
          FROM verdict
          RETURNING whole
        """),
        {
            "chat_id": chat_id,
            "seconds": seconds,
            "long": LONG_FLOOD,
            "together": FLOODS_TOGETHER,
            "longest": LONGEST_HOLD,
        },
    ).one()
    return bool(row.whole)


def unreached(connection: Connection) -> bool:
    """Notes a failure to reach Telegram; says whether everything waits now."""
    reason = connection.scalar(
        text("""
          UPDATE bot SET failures = failures + 1,
            (hold_reason, held_until) = (
              SELECT 'unreachable', now() + make_interval(secs => 1)
              WHERE failures + 1 >= :most AND hold_reason IS DISTINCT FROM 'bot_rejected'
              UNION ALL SELECT hold_reason, held_until LIMIT 1)
          RETURNING hold_reason
        """),
        {"most": FAILURES_IN_A_ROW},
    )
    return bool(reason == "unreachable")


def reached(connection: Connection) -> None:
    """Notes that Telegram answered: the failures in a row are over."""
    connection.execute(text("UPDATE bot SET failures = 0 WHERE failures > 0"))


def rejected(connection: Connection) -> None:
    """Notes that Telegram refuses the bot's token: everything waits until it does not."""
    _hold(connection, "bot_rejected", REJECTED_PROBE_EVERY)


def claim_probe(connection: Connection) -> bool:
    """Whether this worker shall ask now if Telegram can be reached again; no other one then does.

    Also clears away a flood that is over.
    """
    connection.execute(
        text("""
          UPDATE bot SET hold_reason = NULL, held_until = NULL
          WHERE hold_reason = 'flood' AND held_until <= now()
        """)
    )
    claimed = connection.execute(
        text("""
          UPDATE bot SET held_until = now() + make_interval(secs => :seconds)
          WHERE hold_reason IN ('unreachable', 'bot_rejected') AND held_until <= now()
          RETURNING id
        """),
        {"seconds": 2 * PROBE_SECONDS},
    )
    return claimed.one_or_none() is not None


def probe_soon(connection: Connection) -> None:
    """Lets a refused token be tried at once: a worker has started, perhaps with a better one."""
    connection.execute(text("UPDATE bot SET held_until = now() WHERE hold_reason = 'bot_rejected'"))


def release(connection: Connection) -> None:
    """Ends a hold: the probe was answered."""
    connection.execute(
        text("""
          UPDATE bot SET hold_reason = NULL, held_until = NULL, failures = 0
          WHERE hold_reason IN ('unreachable', 'bot_rejected')
        """)
    )


def unreached_still(connection: Connection) -> None:
    """The probe was not answered: the next one is due soon."""
    _hold(connection, "unreachable", UNREACHABLE_PROBE_EVERY)


def _hold(connection: Connection, reason: str, seconds: float) -> None:
    connection.execute(
        text("""
          UPDATE bot SET hold_reason = :reason,
            held_until = now() + make_interval(secs => :seconds)
        """),
        {"reason": reason, "seconds": seconds},
    )
