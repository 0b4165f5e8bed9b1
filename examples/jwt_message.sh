#!/bin/sh
# Dialect 4, jwt message API: from nothing to a message in the chat, with a cookie jar.
#     sh examples/jwt_message.sh [http://127.0.0.1:8000]
# Its document knows no linking: the chat is linked over the product's own API (or in the cabinet).
set -eu
host=${1:-http://127.0.0.1:8000}
json='Content-Type: application/json'
jar=$(mktemp)
trap 'rm -f "$jar"' EXIT
value_of() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

curl -sSf "$host/signup/" -H "$json" -d '{"name": "some_name", "password": "some_password"}'; echo
access=$(curl -sSf "$host/login/" -c "$jar" -H "$json" \
  -d '{"name": "some_name", "password": "some_password"}' | value_of token)

token=$(curl -sSf "$host/v1/tokens/link" -H "Authorization: Bearer $access" | value_of token)
echo "Send this to the bot, then press Enter: $token"
read -r _

curl -sSf "$host/message/" -b "$jar" -H "$json" -d '{"name": "some_name", "text": "some_text"}'; echo
curl -sSf "$host/message/" -b "$jar" -H "$json" -d '{"name": "some_name", "text": "last 5"}'; echo
curl -sSf "$host/logout/" -b "$jar" -c "$jar" -X POST; echo
# The cookie is gone now: this is refused.
curl -sS "$host/message/" -b "$jar" -w ' %{http_code}\n' -H "$json" \
  -d '{"name": "some_name", "text": "some_text"}'
