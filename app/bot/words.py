"""What the bot says, in Russian and in English. Words only: when they are said is the handlers'.

Plain text, no markup. Braces are places for values; both languages have the same ones.
"""

from dataclasses import dataclass

# Whose Telegram speaks one of these most likely reads Russian.
RUSSIAN_READERS = frozenset({"ru", "be", "uk", "kk"})


@dataclass(frozen=True, slots=True)
class Words:
    """One text in both languages."""

    ru: str
    en: str

    def to(self, language: str | None, **values: object) -> str:
        """The text for who has this `language_code`, with the values in their places."""
        primary = (language or "").replace("_", "-").partition("-")[0].lower()
        return (self.ru if primary in RUSSIAN_READERS else self.en).format(**values)


LINKED = Words(
    "Готово: этот чат привязан к аккаунту {username}. Всё, что отправят через этот аккаунт, "
    "придёт сюда.\n\n"
    "/status — к чему привязан чат, /stop — отвязать.\n"
    "Если это сделали не вы, нажмите кнопку: привязка отменится.",
    "Done: this chat is linked to the account {username}. Whatever is sent through that account "
    "arrives here.\n\n"
    "/status tells what the chat is linked to, /stop unlinks it.\n"
    "If this was not you, press the button and the link is undone.",
)
NOT_ME = Words("Это был не я", "This was not me")
UNDONE = Words(
    "Привязка отменена: сообщения аккаунта {username} сюда больше не придут.\n\n"
    "Код, который даёт этот бот, и ссылки для привязки никому не передавайте.",
    "Undone: messages of the account {username} no longer come here.\n\n"
    "Share neither the codes that this bot gives you nor links that link a chat.",
)
UNDONE_BRIEFLY = Words("Привязка отменена.", "The link is undone.")
NOTHING_TO_UNDO = Words("Этой привязки уже нет.", "That link no longer exists.")

HELLO = Words(
    "Здравствуйте! Я приношу в чат сообщения, отправленные через ваш аккаунт Gonets.\n\n",
    "Hello! I bring messages that are sent through your Gonets account to this chat.\n\n",
)
CODE = Words(
    "Код, который привяжет этот чат к вашему аккаунту:\n\n"
    "{code}\n\n"
    "Введите его в кабинете, {cabinet}, или отправьте через API, которым пользуетесь. "
    "Код действует до 10 минут, один раз. Никому его не сообщайте.\n\n"
    "Можно и наоборот: пришлите сюда токен, который выдал кабинет или API.",
    "The code that links this chat to your account:\n\n"
    "{code}\n\n"
    "Enter it in the cabinet, {cabinet}, or post it to the API that you use. "
    "It works once, for up to 10 minutes. Share it with nobody.\n\n"
    "The other way round works, too: send me the token that the cabinet or the API gave you.",
)
COPY_CODE = Words("Скопировать код", "Copy the code")

WRONG_TOKEN = Words(
    "Этот токен не подходит: он неверен, уже использован или его время вышло. "
    "Возьмите новый в кабинете, {cabinet}, или через API и пришлите его сюда.",
    "This token does not work: it is wrong, used or expired. "
    "Get a new one in the cabinet, {cabinet}, or from the API and send it here.",
)
TOO_MANY_TOKENS = Words(
    "Слишком много неверных токенов. Попробуйте снова через {minutes} мин.",
    "Too many wrong tokens. Try again in {minutes} min.",
)
CHAT_TAKEN = Words(
    "Этот чат уже привязан к другому аккаунту. Чтобы привязать его заново, отправьте /stop, "
    "а потом токен ещё раз.",
    "This chat is linked to another account already. To link it anew, send /stop and then the "
    "token once more.",
)
SECONDHAND_TOKEN = Words(
    "Пересланные и процитированные токены я не принимаю: чужой токен привязал бы этот чат "
    "к чужому аккаунту. Если токен ваш, отправьте его сами, новым сообщением.",
    "I take no forwarded or quoted tokens: somebody else's would link this chat to their account. "
    "If the token is yours, send it yourself, in a new message.",
)
TOKEN_NOT_ALONE = Words(
    "Похоже на токен для привязки, но не ровно он. Пришлите сам токен, 64 знака, без других слов.",
    "That looks like a link token but is not exactly one. Send the token itself, 64 characters, "
    "without other words.",
)

STATUS_LINKED = Words(
    "Этот чат привязан к аккаунту {username}: его сообщения приходят сюда.\n\n"
    "/stop — отвязать, /help — что ещё я умею.",
    "This chat is linked to the account {username}: its messages arrive here.\n\n"
    "/stop unlinks it, /help tells what else I can do.",
)
STATUS_UNLINKED = Words(
    "Этот чат не привязан ни к какому аккаунту. /code — получить код для привязки.",
    "This chat is linked to no account. /code gives you a code to link it.",
)
STOPPED = Words(
    "Чат отвязан от аккаунта {username}: его сообщения сюда больше не придут. Новые подождут, "
    "пока к аккаунту не привяжут чат.\n\n/code — привязать снова.",
    "The chat is unlinked from the account {username}: its messages no longer come here. New ones "
    "wait until a chat is linked.\n\n/code links it again.",
)

SAVED = Words(
    "Сохранено в истории аккаунта {username}. /help — что я умею.",
    "Kept in the history of the account {username}. /help tells what I can do.",
)
NOT_SAVED = Words(
    "Не сохранено: текст слишком длинный, или сегодня их уже слишком много.",
    "Not kept: the text is too long, or there were too many of them today.",
)
ONLY_TEXT = Words(
    "Я понимаю только текст. /help — что я умею.",
    "I understand text only. /help tells what I can do.",
)
ONLY_PRIVATE = Words(
    "Я работаю только в личных чатах: напишите мне напрямую.",
    "I work in private chats only: write to me directly.",
)
TROUBLE = Words(
    "Сейчас не получилось. Попробуйте чуть позже.",
    "That did not work just now. Try again a little later.",
)
HELP = Words(
    "Я приношу в этот чат сообщения, отправленные через ваш аккаунт Gonets.\n\n"
    "/code — код, который привяжет чат к аккаунту\n"
    "/status — к какому аккаунту привязан чат\n"
    "/stop — отвязать чат\n"
    "/help — эта справка\n\n"
    "Токен для привязки просто пришлите сюда. Текст, написанный в привязанном чате, сохраняется "
    "в истории аккаунта.\n\nКабинет: {cabinet}",
    "I bring messages that are sent through your Gonets account to this chat.\n\n"
    "/code gives a code that links the chat to an account\n"
    "/status tells which account the chat is linked to\n"
    "/stop unlinks the chat\n"
    "/help shows this\n\n"
    "A link token: just send it here. Text that you write in a linked chat is kept in the "
    "account's history.\n\nCabinet: {cabinet}",
)

REPLACED = Words(
    "Сообщения аккаунта {username} теперь приходят в другой чат, этот отвязан.\n\n"
    "Если это сделали не вы, смените пароль аккаунта и привяжите этот чат снова: {cabinet}",
    "Messages of the account {username} now go to another chat; this one is unlinked.\n\n"
    "If this was not you, change the account's password and link this chat again: {cabinet}",
)
UNLINKED = Words(
    "Владелец отвязал этот чат от аккаунта {username}: сообщения сюда больше не придут.\n\n"
    "/code — привязать снова.",
    "The chat was unlinked from the account {username} by its owner: messages no longer come "
    "here.\n\n/code links it again.",
)

COMMANDS = {
    "code": Words("Код для привязки чата", "A code to link this chat"),
    "status": Words("К чему привязан чат", "What this chat is linked to"),
    "stop": Words("Отвязать чат", "Unlink this chat"),
    "help": Words("Что я умею", "What I can do"),
}
