// What a hook answers.

/** @typedef {import("playwarden:plugin/types@0.1.0").Event} Event */
/** @typedef {import("playwarden:plugin/types@0.1.0").Stop} Stop */
/** @typedef {import("playwarden:plugin/types@0.1.0").Verdict} Verdict */

/** @returns {Verdict} */
export function proceed() {
  return { tag: "proceed" };
}

/**
 * The verdict that is recorded and shown while the run goes on.
 *
 * @param {string} text One sentence for the operator.
 * @param {{ code?: string, event?: Event }} why A stable word for tools, and the event that decided.
 * @returns {Verdict}
 */
export function warn(text, why = {}) {
  return { tag: "warn", val: reason(text, why) };
}

/**
 * The verdict that cancels the run. The stop "after-running-tasks" lets running tasks end by themselves instead of
 * interrupting them.
 *
 * @param {string} text One sentence for the operator.
 * @param {{ code?: string, event?: Event, stop?: Stop }} why
 * @returns {Verdict}
 */
export function cancel(text, why = {}) {
  return { tag: "cancel", val: [reason(text, why), why.stop ?? "now"] };
}

/**
 * What to throw when a call did not work out: `throw fail("the disk is full")`. Of a policy it is a fault; other hooks
 * are called again with the same if `retryAfterMs` says so. An `Error` instead ends the instance.
 */
export function fail(message, retryAfterMs = null) {
  return { message, retryAfterMs };
}

/** Makes a call of the host's that may be refused: the refusal, an `Error`, becomes a failure. */
export function accepted(call) {
  try {
    return call();
  } catch (refusal) {
    throw fail(refusal instanceof Error ? refusal.message : String(refusal));
  }
}

function reason(text, why) {
  return { text, code: why.code ?? null, event: why.event?.counter ?? null };
}
