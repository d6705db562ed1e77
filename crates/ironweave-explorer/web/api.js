// Questions to the API, and the stream that says that the log has grown.

const base = new URL("../api/", import.meta.url);

/** A question that has no answer, with the sentence that says why. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(response) {
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  throw new Refusal(response.status, body?.error ?? `the server answered with status ${response.status}`);
}

/** Asks a question. Parameters that are null, undefined or empty are left out. */
export async function ask(path, parameters = {}, signal) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  return answer(await fetch(url, { signal }));
}

/** Asks what an event would do. `event` is text in JSON. */
export async function tryEvent(event, at, signal) {
  const body = `{"event":${event},"at":${JSON.stringify(at ?? null)}}`;
  const headers = { "content-type": "application/json" };
  return answer(await fetch(new URL("what-if", base), { method: "POST", headers, body, signal }));
}

/** Calls `grown` with the last frame whenever the log has grown, and `problem` with a sentence while it cannot be read or reached. */
export function follow(grown, problem) {
  const stream = new EventSource(new URL("stream", base));
  stream.addEventListener("grown", (event) => {
    problem(null);
    grown(JSON.parse(event.data).last);
  });
  stream.addEventListener("problem", (event) => problem(JSON.parse(event.data).error));
  stream.addEventListener("error", () => problem("The connection to the server is lost; it is tried again."));
  stream.addEventListener("open", () => problem(null));
}
