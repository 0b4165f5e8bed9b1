// One message as a bubble. Every text becomes a text node: nothing in a message can become markup.

import { language, texts } from "/page/texts.js";

const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", spoiler: "span",
  code: "code", pre: "pre", blockquote: "blockquote", bot_command: "span",
};
const LINK = /https?:\/\/[^\s<>"]+[^\s<>".,:;!?)\]]/g;

const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(language, { day: "numeric", month: "long" });

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function bubble(item, act) {
  const message = item.message;
  const row = make("li", item.by_bot ? "row row--bot" : "row row--me");
  row.dataset.id = message.message_id;
  const box = make("div", "bubble");
  box.append(body(message, act), foot(message, item.by_bot, act));
  row.append(box, ...keyboard(message, act));
  return row;
}

export function day(message) {
  const date = new Date(message.date * 1000);
  const today = date.toDateString() === new Date().toDateString();
  return today ? texts.today : calendar.format(date);
}

function body(message, act) {
  if (message.sticker) return make("div", "sticker", message.sticker.emoji || texts.sticker);
  const text = make("div", "bubble__text");
  text.dir = "auto";
  text.append(...styled(message.text || "", message.entities || [], act));
  return text;
}

function foot(message, byBot, act) {
  const line = make("div", "bubble__foot");
  if (byBot && message.text) {
    const copy = make("button", "bubble__copy", texts.copy);
    copy.type = "button";
    copy.addEventListener("click", () => act.copy(message.text));
    line.append(copy);
  }
  if (message.edit_date) line.append(make("span", "", texts.edited));
  const time = make("time", "", clock.format(new Date(message.date * 1000)));
  time.dateTime = new Date(message.date * 1000).toISOString();
  line.append(time);
  return line;
}

// Entities count UTF-16 units, as JavaScript strings do. Nested ones go inside their parents.
function styled(text, entities, act, from = 0, to = text.length) {
  const nodes = [];
  let at = from;
  const rest = [...entities];
  while (rest.length) {
    const entity = rest.shift();
    const end = Math.min(entity.offset + entity.length, to);
    if (entity.offset < at || end <= entity.offset) continue;
    const inner = rest.filter((e) => e.offset >= entity.offset && e.offset + e.length <= end);
    nodes.push(...linked(text.slice(at, entity.offset)));
    nodes.push(dressed(entity, text.slice(entity.offset, end),
      styled(text, inner, act, entity.offset, end), act));
    at = end;
  }
  nodes.push(...linked(text.slice(at, to)));
  return nodes;
}

function dressed(entity, text, inner, act) {
  if (entity.type === "text_link" && /^(https?|tg):/i.test(entity.url)) return link(entity.url, inner);
  const element = make(TAGS[entity.type] || "span", `entity entity--${entity.type}`);
  element.append(...inner);
  if (entity.type === "code" || entity.type === "pre") {
    element.tabIndex = 0;
    element.role = "button";
    element.title = texts.copy;
    element.addEventListener("click", () => act.copy(text));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter") act.copy(text);
    });
  }
  return element;
}

function linked(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    nodes.push(document.createTextNode(text.slice(at, match.index)));
    nodes.push(link(match[0], [document.createTextNode(match[0])]));
    at = match.index + match[0].length;
  }
  nodes.push(document.createTextNode(text.slice(at)));
  return nodes;
}

function link(url, inner) {
  const anchor = make("a");
  anchor.href = url;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.append(...inner);
  return anchor;
}

function keyboard(message, act) {
  const rows = message.reply_markup?.inline_keyboard || [];
  return rows.filter((row) => row.length).map((row) => {
    const line = make("div", "keys");
    line.append(...row.map((button) => key(message, button, act)));
    return line;
  });
}

function key(message, button, act) {
  if (button.url && /^(https?|tg):/i.test(button.url)) {
    const anchor = link(button.url, [document.createTextNode(`${button.text} ↗`)]);
    anchor.className = "key";
    return anchor;
  }
  const element = make("button", "key", button.text);
  element.type = "button";
  element.addEventListener("click", () => {
    if (button.copy_text) act.copy(button.copy_text.text);
    else act.press(message.message_id, button.callback_data, element);
  });
  return element;
}
