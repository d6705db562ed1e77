// The pages of the explorer.

import { ask } from "./api.js";
import { learnStates } from "./parts.js";
import { run } from "./shell.js";
import * as places from "./pages/places.js";
import * as entities from "./pages/entities.js";
import * as entity from "./pages/entity.js";
import * as log from "./pages/log.js";
import * as transaction from "./pages/transaction.js";
import * as net from "./pages/net.js";
import * as diff from "./pages/diff.js";
import * as whatIf from "./pages/what-if.js";

run({
  pages: { places, entities, entity, log, transaction, net, diff, "what-if": whatIf },
  start: "places",
  home: "Show the places as they are now",
  navigation: [
    ["places", "Places"],
    ["entities", "Entities"],
    ["log", "Log"],
    ["net", "Net"],
    ["diff", "Compare"],
    ["what-if", "What if"],
  ],
  suffix: "ironweave",
  begin: async () => {
    const [model, store] = await Promise.all([ask("places"), ask("store")]);
    learnStates(model.types);
    return { first: store.first, last: model.at.seq, name: model.model };
  },
});
