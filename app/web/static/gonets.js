// What pages cannot do without a script. Without this file everything still works, by hand.
"use strict";

// The server writes times in the zone of the browser that asks.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

// A page that nobody sees asks for nothing new.
document.addEventListener("htmx:before:request", (event) => {
  const asking = event.detail.ctx.sourceElement;
  if (document.hidden && (asking.getAttribute("hx-trigger") || "").includes("every")) {
    event.preventDefault();
  }
});

// What cannot be taken back is asked about.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// What a form's own answer shows once: loading it again must not send the form again.
const once = document.querySelector("[data-reload]");
if (once) history.replaceState(null, "", once.dataset.reload);

function prepare(root) {
  for (const button of root.querySelectorAll("[data-copy], [data-reveal]")) {
    button.hidden = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-reveal]");
  if (!button) return;
  if (button.dataset.copy) copy(button);
  else reveal(button);
});

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  getSelection().selectAllChildren(field);
  try {
    await navigator.clipboard.writeText(field.textContent);
  } catch {
    document.execCommand("copy"); // plain http has no clipboard of its own
  }
  const words = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = words; }, 1500);
}

// The counter and the limit at once; what Telegram will get is the server's to say.
document.addEventListener("input", (event) => {
  const most = Number(event.target.dataset.most);
  if (!most) return;
  const length = [...event.target.value].length; // code points, as the server counts
  const shown = document.querySelector(`[data-count="${event.target.id}"]`);
  shown.textContent = length;
  shown.parentElement.classList.toggle("over", length > most);
  event.target.setCustomValidity(length > most ? event.target.dataset.tooLong : "");
});

function reveal(button) {
  const field = document.getElementById(button.dataset.reveal);
  const shown = field.type === "text";
  field.type = shown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!shown));
}

prepare(document);
document.addEventListener("htmx:after:swap", () => prepare(document));
