// The pages of databuild, in the frame of the explorer's.

import { ask } from "./api.js";
import { run } from "../explore/assets/shell.js";
import * as home from "./pages/home.js";
import * as grid from "./pages/grid.js";
import * as partition from "./pages/partition.js";
import * as runPage from "./pages/run.js";
import * as want from "./pages/want.js";
import * as build from "./pages/build.js";
import * as plan from "./pages/plan.js";
import * as taint from "./pages/taint.js";
import * as diff from "./pages/diff.js";

run({
  pages: { "": home, grid, partition, run: runPage, want, build, plan, taint, diff },
  start: "",
  home: "Show what is built now",
  navigation: [
    [".", "Home"],
    ["grid", "Grid"],
    ["build", "Build"],
    ["plan", "Plan"],
    ["diff", "Compare"],
    ["explore/places", "Explore"],
  ],
  suffix: "databuild",
  begin: async () => {
    const { first, last } = await ask("time", { points: 2 });
    return { first: first?.seq ?? 0, last: last?.seq ?? 0, name: "databuild" };
  },
});
