#!/bin/sh
# Dialect 1, message_sender_test_task: from nothing to a message in the chat.
#     sh examples/message_sender.sh [http://127.0.0.1:8000]
set -eu
api=${1:-http://127.0.0.1:8000}/api/v1
json='Content-Type: application/json'
value_of() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

curl -sSf "$api/auth/users/" -H "$json" \
  -d '{"username": "Sania", "first_name": "Sania", "password": "Saniaqwe123"}'; echo
access=$(curl -sSf "$api/auth/jwt/create/" -H "$json" \
  -d '{"username": "Sania", "password": "Saniaqwe123"}' | value_of access)

token=$(curl -sSf "$api/get_telegram_token/" -H "Authorization: JWT $access" | value_of telegram_token)
echo "Send this to the bot, then press Enter: $token"
read -r _

curl -sSf "$api/message/" -H "$json" -H "Authorization: JWT $access" -d '{"message": "qwe123"}'; echo
curl -sSf "$api/message/?page=1&page_size=2" -H "Authorization: JWT $access"; echo
