"""What Telegram reads into a text and its buttons: HTML entities, lengths, inline keyboards.

Only `parse_mode=HTML` is read; the two Markdown modes are refused, since nothing here uses them.
"""

from html.parser import HTMLParser

from sandbox.http import JsonObject
from sandbox.refusals import Refusal, bad_request

LONGEST_TEXT = 4096
LONGEST_RAW = 32768  # bytes before parsing, Client.cpp: "Text is too long"
LONGEST_DATA = 64  # bytes of `callback_data`

_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline",
    "ins": "underline", "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
    "tg-spoiler": "spoiler", "code": "code", "pre": "pre", "a": "text_link",
    "blockquote": "blockquote",
}  # fmt: skip


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, in which entities count."""
    return len(text) + sum(1 for character in text if character > "\uffff")


def parsed(text: str, mode: str, *, count_utf16: bool) -> tuple[str, list[JsonObject]]:
    """The text as people see it and its entities.

    `mode` is the call's `parse_mode`; with an empty one nothing is read into the text. Raises
    `Refusal` 400 for an empty text, one that is too long, or bad markup.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
    if size > LONGEST_RAW:
        raise bad_request("text is too long")
    entities: list[JsonObject] = []
    if mode.lower() == "html":
        text, entities = _read_html(text)
    elif mode:
        raise bad_request("unsupported parse_mode (the sandbox reads only HTML)")
    text = _trimmed(text, entities)
    if not text:
        raise bad_request("message text is empty")
    if (utf16_length(text) if count_utf16 else len(text)) > LONGEST_TEXT:
        raise bad_request("message is too long")
    return text, entities


def inline_keyboard(markup: object) -> JsonObject | None:
    """A checked `reply_markup`; other kinds than inline keyboards are taken and dropped."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard")
    if rows is None:
        return None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array')
    for row in rows:
        for button in row:
            _check_button(button)
    return {"inline_keyboard": rows}


def _check_button(button: object) -> None:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request("can't parse inline keyboard button: Can't find field \"text\"")
    if not button["text"]:
        raise bad_request("inline keyboard button text must be non-empty")
    actions = set(button) - {"text", "style", "icon_custom_emoji_id"}
    if not actions:
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    if len(str(button.get("callback_data", "")).encode()) > LONGEST_DATA:
        raise bad_request("BUTTON_DATA_INVALID")


def _trimmed(text: str, entities: list[JsonObject]) -> str:
    """Without the white space around it, as Telegram keeps texts; entities move along."""
    shift = len(text) - len(text.lstrip())
    text = text.strip()
    end = utf16_length(text)
    for entity in entities:
        start = max(0, entity["offset"] - shift)
        entity["length"] = min(entity["offset"] - shift + entity["length"], end) - start
        entity["offset"] = start
    return text


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.entities: list[JsonObject] = []
        self.open: list[tuple[str, JsonObject]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise _cannot_parse(f'Unsupported start tag "{tag}" at byte offset {self._byte()}')
        entity: JsonObject = {"type": _TAGS[tag], "offset": utf16_length(self.text), "length": 0}
        if tag == "a":
            entity["url"] = dict(attrs).get("href") or ""
        self.open.append((tag, entity))

    def handle_endtag(self, tag: str) -> None:
        if not self.open:
            raise _cannot_parse(f"Unexpected end tag at byte offset {self._byte()}")
        opened, entity = self.open.pop()
        if opened != tag:
            raise _cannot_parse(
                f'Unmatched end tag at byte offset {self._byte()}, expected "</{opened}>", '
                f'found "</{tag}>"'
            )
        entity["length"] = utf16_length(self.text) - entity["offset"]
        if entity["length"]:
            self.entities.append(entity)

    def handle_data(self, data: str) -> None:
        self.text += data

    def _byte(self) -> int:
        return len(self.text.encode())


def _read_html(text: str) -> tuple[str, list[JsonObject]]:
    reader = _Html()
    reader.feed(text)
    reader.close()
    if reader.open:
        raise _cannot_parse(
            f'Can\'t find end tag corresponding to start tag "{reader.open[-1][0]}"'
        )
    return reader.text, sorted(reader.entities, key=lambda e: (e["offset"], -e["length"]))


def _cannot_parse(why: str) -> Refusal:
    return bad_request(f"can't parse entities: {why}")
