#!/bin/sh
# Dialect 2, DjangoBot: from nothing to a message in the chat.
#     sh examples/djangobot.sh [http://127.0.0.1:8000]
set -eu
api=${1:-http://127.0.0.1:8000}/api
json='Content-Type: application/json'
value_of() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

curl -sSf "$api/user/" -H "$json" \
  -d '{"name": "Fedor", "login": "FedXL", "psw": "password1234"}'; echo
access=$(curl -sSf "$api/auth/" -H "$json" \
  -d '{"login": "FedXL", "psw": "password1234"}' | value_of access_token)

echo "Write anything to the bot, then type the code that it answers with:"
read -r code
token=$(curl -sSf "$api/cabinet/" -H "$json" -H "Authorization: Bearer $access" \
  -d "{\"code\": \"$code\"}" | value_of bot_token)

curl -sSf "$api/send_message" -H "$json" \
  -d "{\"text\": \"some and again text\", \"type\": \"Text\", \"bot_token\": \"$token\"}"; echo
curl -sSf "$api/cabinet" -H "Authorization: Bearer $access"; echo
