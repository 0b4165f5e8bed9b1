"""The yardstick for deliveries: a bare loop of the same HTTP client, no database.

`python -m tests.benchmarks.bare_sender API_URL TOKEN FIRST_CHAT CHATS SECONDS` prints how many.
"""

import sys
import time

from app.telegram import BotApi, Sent


def main() -> None:
    api_url, token = sys.argv[1:3]
    first, chats, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    api = BotApi(token, api_url)
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        outcome = api.send(first + count % chats, "Name:\nmessage 1")
        assert isinstance(outcome, Sent), outcome
        count += 1
    sys.stdout.write(f"{count}\n")


if __name__ == "__main__":
    main()
