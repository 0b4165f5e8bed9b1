// What the page says, in the language of the browser: Russian or English.

const TEXTS = {
  en: {
    people: "You write as",
    back: "Back to the chat",
    note: "A stand-in for Telegram on this computer. Nothing leaves it, nobody else reads it.",
    newPerson: "New person",
    badge: "sandbox",
    offline: "The sandbox does not answer. Trying again…",
    menu: "Commands of the bot",
    write: "Message from",
    send: "Send",
    who: "Who is chatting?",
    whoHint: "Make up a person. Each one has a chat of their own with the bot, as on Telegram.",
    name: "Name",
    language: "Language",
    cancel: "Cancel",
    open: "Open the chat",
    someone: "Anna",
    start: "Start",
    startHint: "Press Start, and the bot will hear of you.",
    empty: "No messages here yet",
    block: "Block",
    unblock: "Unblock",
    restart: "Unblock the bot",
    blocked: "You blocked the bot: its messages do not reach you.",
    copy: "Copy",
    copied: "Copied",
    cannotCopy: "Your browser does not let this page copy: select the text yourself.",
    edited: "edited",
    sticker: "sticker",
    today: "Today",
  },
  ru: {
    people: "Вы пишете как",
    back: "Назад к чату",
    note: "Это замена Telegram на вашем компьютере. Отсюда ничего не уходит, и никто другой этого не читает.",
    newPerson: "Новый человек",
    badge: "песочница",
    offline: "Песочница не отвечает. Пробую снова…",
    menu: "Команды бота",
    write: "Сообщение от имени:",
    send: "Отправить",
    who: "Кто пишет?",
    whoHint: "Придумайте человека. У каждого свой чат с ботом, как в Telegram.",
    name: "Имя",
    language: "Язык",
    cancel: "Отмена",
    open: "Открыть чат",
    someone: "Анна",
    start: "Начать",
    startHint: "Нажмите «Начать», и бот о вас узнает.",
    empty: "Здесь пока нет сообщений",
    block: "Заблокировать",
    unblock: "Разблокировать",
    restart: "Разблокировать бота",
    blocked: "Вы заблокировали бота: его сообщения к вам не приходят.",
    copy: "Копировать",
    copied: "Скопировано",
    cannotCopy: "Браузер не даёт странице копировать: выделите текст сами.",
    edited: "изменено",
    sticker: "стикер",
    today: "Сегодня",
  },
};

export const language = navigator.language.toLowerCase().startsWith("ru") ? "ru" : "en";
export const texts = TEXTS[language];

export function translate(root) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = texts[element.dataset.text];
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", texts[element.dataset.label]);
    element.title = texts[element.dataset.label];
  }
  for (const element of root.querySelectorAll("[data-title]")) {
    element.title = texts[element.dataset.title];
  }
}
