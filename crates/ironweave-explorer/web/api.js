// Questions to the API, and the stream that says that the log has grown.

const own = new URL("../api/", import.meta.url);

/** How long a stream that was refused is not opened again, in milliseconds. */
const REOPEN_INTERVAL = 2000;

/** A question that has no answer, with the sentence that says why. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(asked) {
  let response;
  try {
    response = await asked;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "the server cannot be reached");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  throw new Refusal(response.status, body?.error ?? `the server answered with status ${response.status}`);
}

/** The client of an API, which is below an address. */
export const connect = (base) => ({
  /** Asks a question. Parameters that are null, undefined or empty are left out. */
  ask(path, parameters = {}, signal) {
    const url = new URL(path, base);
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
    }
    return answer(fetch(url, { signal }));
  },
  /** Sends a request with a body, which is text in JSON, or with none. */
  send(method, path, body, signal) {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    return answer(fetch(new URL(path, base), { method, headers, body, signal }));
  },
});

export const { ask, send } = connect(own);

/** Asks what an event would do. `event` is text in JSON. */
export const tryEvent = (event, at, signal) => send("POST", "what-if", `{"event":${event},"at":${JSON.stringify(at ?? null)}}`, signal);

/** Calls `grown` with the last frame whenever the log has grown, and `problem` with a sentence while it cannot be read or reached. */
export function follow(grown, problem) {
  const stream = new EventSource(new URL("stream", own));
  stream.addEventListener("grown", (event) => {
    problem(null);
    grown(JSON.parse(event.data).last);
  });
  stream.addEventListener("problem", (event) => problem(JSON.parse(event.data).error));
  stream.addEventListener("error", () => {
    problem("The connection to the server is lost; it is tried again.");
    // A browser connects again by itself, unless it was refused.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => follow(grown, problem), REOPEN_INTERVAL);
  });
  stream.addEventListener("open", () => problem(null));
}
