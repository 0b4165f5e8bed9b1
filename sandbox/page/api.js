// The control API, as far as the page needs it. Errors carry the sandbox's own words.

async function call(path, fields) {
  const options = fields === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  };
  const answer = await fetch(`/sandbox${path}`, options);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

export const about = () => call("/");
export const people = async () => (await call("/people")).items;
export const createPerson = (name, language) =>
  call("/people", { first_name: name, language_code: language });
export const say = (id, text) => call(`/chats/${id}/messages`, { text });
export const press = (id, messageId, data) =>
  call(`/chats/${id}/presses`, { message_id: messageId, button: data });
export const answerTo = async (pressId) => (await call(`/presses/${pressId}?wait=15`)).answer;
export const setBlocked = (id, blocked) =>
  call(`/chats/${id}`, { bot_status: blocked ? "kicked" : "member" });

export async function news(id, since, signal) {
  const answer = await fetch(`/sandbox/chats/${id}/messages?since=${since}&wait=25`, { signal });
  const value = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(value.error), { gone: answer.status === 404 });
  return value;
}
