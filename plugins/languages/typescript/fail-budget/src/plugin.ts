// Cancels a run when too many hosts failed or could not be reached.

import { Budget, config, problemsOf } from "./budget.js";
import { fail, journal } from "./sdk/index.js";
import type { CancelPolicy, ConfigCheck, Source } from "./sdk/index.js";

export const configCheck: ConfigCheck = {
  schema: () => "",
  validate() {
    const { values, problems } = config.check();
    // What was read without the keys that are wrong would only seem to lack a limit.
    return values && problems.length === 0 ? problemsOf(values) : problems;
  },
};

// One for each run: one in a job, those of all its jobs in a workflow.
const budgets = new Map<string, Budget>();

export const cancelPolicy: CancelPolicy = {
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
function restored(source: Source, first: number): Budget {
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
