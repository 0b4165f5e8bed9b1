// The page: who chats, the log that fills itself, writing, pressing, blocking.

import * as api from "/page/api.js";
import { bubble, day, make } from "/page/bubbles.js";
import { language, texts, translate } from "/page/texts.js";

const $ = (id) => document.getElementById(id);
const log = $("log");
const remembered = { get: () => Number(localStorage.getItem("person")), set: (id) => localStorage.setItem("person", id) };

let payload = new URLSearchParams(location.search).get("start");
let person = null;
let chat = null;
let commands = {};
let items = new Map();
let watching = new AbortController();
let follows = true;

translate(document);
await begin();

async function begin() {
  try {
    const about = await api.about();
    $("bot-name").textContent = about.bot.first_name;
    $("bot-username").textContent = `@${about.bot.username}`;
    document.title = `${about.bot.first_name} · ${texts.badge}`;
    commands = about.commands;
    await choose(remembered.get());
    $("offline").hidden = true;
  } catch {
    $("offline").hidden = false;
    setTimeout(begin, 1000);
  }
}

// People

async function choose(id) {
  const everyone = await api.people();
  const humans = everyone.filter((one) => !one.is_bot);
  person = humans.find((one) => one.id === id) || humans[0] || null;
  $("people-list").replaceChildren(...humans.map(personButton));
  if (person === null) return introduce();
  remembered.set(person.id);
  document.body.classList.remove("shows-people");
  watch();
}

function personButton(one) {
  const button = make("button", "person");
  button.type = "button";
  if (one === person) button.setAttribute("aria-current", "true");
  const face = make("span", `avatar avatar--${one.id % 7}`, one.first_name.slice(0, 1).toUpperCase());
  face.setAttribute("aria-hidden", "true");
  const words = make("span", "person__words");
  words.append(make("strong", "", `${one.first_name} ${one.last_name}`.trim()));
  words.append(make("small", "", `${one.id} · ${one.language_code}`));
  button.append(face, words);
  button.addEventListener("click", () => choose(one.id));
  const item = make("li");
  item.append(button);
  return item;
}

function introduce() {
  $("name").value = person === null ? texts.someone : "";
  $("language").value = language;
  $("cancel").hidden = person === null;
  $("introduction-error").hidden = true;
  $("introduction").showModal();
  $("name").select();
}

$("introduction").addEventListener("cancel", (event) => {
  if (person === null) event.preventDefault();
});
$("cancel").addEventListener("click", () => $("introduction").close());
$("new-person").addEventListener("click", introduce);
$("open-people").addEventListener("click", () => document.body.classList.add("shows-people"));
$("close-people").addEventListener("click", () => document.body.classList.remove("shows-people"));
$("introduction-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const made = await api.createPerson($("name").value.trim(), $("language").value);
    $("introduction").close();
    await choose(made.id);
  } catch (error) {
    $("introduction-error").textContent = error.message;
    $("introduction-error").hidden = false;
  }
});

// The log

async function watch() {
  watching.abort();
  watching = new AbortController();
  const { signal } = watching;
  const id = person.id;
  items = new Map();
  chat = null;
  follows = true;
  draw();
  let since = 0;
  while (!signal.aborted) {
    try {
      const page = await api.news(id, since, signal);
      if (signal.aborted) return;
      $("offline").hidden = true;
      // An emptied or restarted sandbox counts from the beginning again.
      if (page.next < since) items = new Map();
      since = page.next < since ? 0 : page.next;
      for (const item of page.items) items.set(item.message.message_id, item);
      chat = page.chat;
      draw();
    } catch (error) {
      if (signal.aborted) return;
      if (error.gone) return choose(0);
      $("offline").hidden = false;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

function draw() {
  const rows = [];
  let lastDay = "";
  for (const item of [...items.values()].sort((a, b) => a.message.message_id - b.message.message_id)) {
    if (item.deleted) continue;
    if (day(item.message) !== lastDay) rows.push(make("li", "day", lastDay = day(item.message)));
    item.row ||= bubble(item, act);
    rows.push(item.row);
  }
  if (!rows.length && chat) rows.push(make("li", "empty", chat.started ? texts.empty : texts.startHint));
  log.replaceChildren(...rows);
  drawFoot();
  if (follows) log.scrollTop = log.scrollHeight;
}

log.addEventListener("scroll", () => {
  follows = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
});
new ResizeObserver(() => {
  if (follows) log.scrollTop = log.scrollHeight;
}).observe(log);

function drawFoot() {
  const blocked = chat !== null && chat.bot_status !== "member";
  const starts = chat !== null && (!chat.started || payload !== null);
  const wide = chat !== null && (blocked || starts);
  $("wide").hidden = !wide;
  $("wide").textContent = blocked ? texts.restart : texts.start;
  $("composer").hidden = chat === null || wide;
  $("block").hidden = chat === null || !chat.started;
  $("block").textContent = blocked ? texts.unblock : texts.block;
  $("text").placeholder = `${texts.write} ${person === null ? "" : person.first_name}`;
  $("menu").hidden = !commandsFor().length;
}

// Acts

const act = {
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      toast(texts.copied);
    } catch {
      toast(texts.cannotCopy);
    }
  },
  async press(messageId, data, button) {
    button.disabled = true;
    try {
      const pressed = await api.press(person.id, messageId, data);
      const answer = await api.answerTo(pressed.id);
      if (answer?.text) toast(answer.text);
    } catch (error) {
      toast(error.message);
    } finally {
      button.disabled = false;
    }
  },
};

async function say(text) {
  try {
    follows = true;
    await api.say(person.id, text);
    return true;
  } catch (error) {
    toast(error.message);
    return false;
  }
}

$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text && await say(text)) {
    $("text").value = "";
    fitComposer();
  }
});
$("text").addEventListener("input", fitComposer);
$("text").addEventListener("keydown", (event) => {
  const newLine = event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches;
  if (event.key !== "Enter" || newLine) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

function fitComposer() {
  const text = $("text");
  text.rows = Math.min(8, text.value.split("\n").length);
}

$("wide").addEventListener("click", async () => {
  if (chat.bot_status !== "member") return api.setBlocked(person.id, false);
  const text = payload === null ? "/start" : `/start ${payload}`;
  if (!await say(text)) return;
  payload = null;
  history.replaceState(null, "", "/");
  drawFoot();
});
$("block").addEventListener("click", async () => {
  const block = chat.bot_status === "member";
  await api.setBlocked(person.id, block);
  if (block) toast(texts.blocked);
});

// Commands

function commandsFor() {
  return (person && commands[person.language_code]) || commands[""] || [];
}

$("menu").addEventListener("click", async () => {
  const list = $("commands");
  list.hidden = !list.hidden;
  list.replaceChildren(...commandsFor().map((command) => {
    const button = make("button", "command");
    button.type = "button";
    button.append(make("strong", "", `/${command.command}`), make("span", "", command.description));
    button.addEventListener("click", async () => {
      list.hidden = true;
      await say(`/${command.command}`);
    });
    return button;
  }));
});

let toastTimer = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 4000);
}
