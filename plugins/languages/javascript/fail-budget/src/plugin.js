// Cancels a run when too many hosts failed or could not be reached.

import { Budget, config, problemsOf } from "./budget.js";
import { fail, journal } from "./sdk/index.js";

/** @type {typeof import("playwarden:plugin/config-check@0.1.0")} */
export const configCheck = {
  schema: () => "",
  validate() {
    const { values, problems } = config.check();
    // What was read without the keys that are wrong would only seem to lack a limit.
    return values && problems.length === 0 ? problemsOf(values) : problems;
  },
};

// One for each run: one in a job, those of all its jobs in a workflow.
const budgets = new Map();

/** @type {typeof import("playwarden:plugin/cancel-policy@0.1.0")} */
export const cancelPolicy = {
  evaluate(source, events, totals) {
    const key = `${source.run} ${source.job}`;
    let budget = budgets.get(key);
    if (!budget) {
      budget = restored(source, events[0]?.counter ?? 0);
      budgets.set(key, budget);
    }
    return budget.judge(events, totals);
  },
};

/** A budget that knows what was before: after a restart, what the lost instance had counted. */
function restored(source, first) {
  const settings = config.read();
  const wrong = problemsOf(settings).find(({ severity }) => severity === "error");
  if (wrong) throw fail(`config${wrong.pointer}: ${wrong.message}`);
  const budget = new Budget(settings);
  for (const event of journal.before(source, first)) {
    budget.enterWindowOf(event);
    budget.take(event);
  }
  return budget;
}
