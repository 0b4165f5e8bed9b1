"""A real worker process: started by Celery, delivering over HTTP."""

from sandbox.client import Sandbox
from tests.delivery.conftest import Correspondent
from tests.running import Running


def test_a_message_is_delivered(running: Running, anna: Correspondent, sandbox: Sandbox) -> None:
    running.worker()
    message_id = anna.posts("привет", greeting="Анна, я получил от тебя сообщение:")
    sent = anna.wait_for(message_id, "sent", within=20)
    [line] = sandbox.journal()
    assert line.text == "Анна, я получил от тебя сообщение:\nпривет"
    assert sent.telegram_message_ids == [line.message_id]
