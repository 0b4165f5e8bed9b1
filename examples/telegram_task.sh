#!/bin/sh
# Dialect 5, telegram task: from nothing to a message in the chat.
#     sh examples/telegram_task.sh [http://127.0.0.1:8000]
set -eu
host=${1:-http://127.0.0.1:8000}
json='Content-Type: application/json'
basic='anna:correct horse'

curl -sSf "$host/users/signup" -H "$json" -d \
  '{"username": "anna", "password": "correct horse", "password_repeat": "correct horse"}'; echo
curl -sSf "$host/users/login" -H "$json" \
  -d '{"username": "anna", "password": "correct horse"}'; echo

echo "Write anything to the bot, then type the code that it answers with:"
read -r code
curl -sSf "$host/bot/verify/" -X PATCH -u "$basic" -H "$json" \
  -d "{\"verification_code\": \"$code\"}"; echo

curl -sSf "$host/message/sent" -u "$basic" -H "$json" -d '{"content": "some text"}'; echo
curl -sSf "$host/message/sent" -u "$basic"; echo
