// Questions to the API of the daemon.

import { connect } from "../explore/assets/api.js";

export { Refusal } from "../explore/assets/api.js";

const api = connect(new URL("../api/", import.meta.url));

export const { ask } = api;

/** Sends a request that changes something. */
export const send = (method, path, body, signal) => api.send(method, path, body === undefined ? undefined : JSON.stringify(body), signal);

/** The path of a partition below another path. */
export const below = (path, name) => `${path}/${name.split("/").map(encodeURIComponent).join("/")}`;
