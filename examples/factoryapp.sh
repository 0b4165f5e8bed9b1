#!/bin/sh
# Dialect 3, FactoryApp: from nothing to a message in the chat.
#     sh examples/factoryapp.sh [http://127.0.0.1:8000]
set -eu
host=${1:-http://127.0.0.1:8000}
json='Content-Type: application/json'
credentials='{"username": "желаемое_имя_пользователя", "password": "желаемый_пароль"}'
value_of() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

curl -sSf "$host/api/users/register/" -H "$json" -d "$credentials"; echo
access=$(curl -sSf "$host/auth/token/" -H "$json" -d "$credentials" | value_of access)

token=$(curl -sSf "$host/api/users/get-telegram-token/" -H "Authorization: Bearer $access" \
  | value_of telegram_token)
echo "Send /start and then this to the bot, then press Enter: $token"
read -r _

curl -sSf "$host/api/messages/" -H "$json" -H "Authorization: Bearer $access" \
  -d '{"text": "текст_вашего_сообщения"}'; echo
curl -sSf "$host/api/messages/" -H "Authorization: Bearer $access"; echo
