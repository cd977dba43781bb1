// What a hook answers.

import type { Event, Failure, Reason, Stop, Verdict } from "playwarden:plugin/types@0.1.0";

interface Why {
  /** A stable word for tools, such as `too-many-failed`. */
  code?: string;
  /** The event that decided. */
  event?: Event;
}

export function proceed(): Verdict {
  return { tag: "proceed" };
}

/** The verdict that is recorded and shown while the run goes on. */
export function warn(text: string, why: Why = {}): Verdict {
  return { tag: "warn", val: reason(text, why) };
}

/**
 * The verdict that cancels the run, with one sentence for the operator. The stop "after-running-tasks" lets running
 * tasks end by themselves instead of interrupting them.
 */
export function cancel(text: string, why: Why & { stop?: Stop } = {}): Verdict {
  return { tag: "cancel", val: [reason(text, why), why.stop ?? "now"] };
}

/**
 * What to throw when a call did not work out: `throw fail("the disk is full")`. Of a policy it is a fault; other hooks
 * are called again with the same if `retryAfterMs` says so. An `Error` instead ends the instance.
 */
export function fail(message: string, retryAfterMs: number | null = null): Failure {
  return { message, retryAfterMs };
}

/** Makes a call of the host's that may be refused: the refusal, an `Error`, becomes a failure. */
export function accepted<T>(call: () => T): T {
  try {
    return call();
  } catch (refusal) {
    throw fail(refusal instanceof Error ? refusal.message : String(refusal));
  }
}

function reason(text: string, why: Why): Reason {
  return { text, code: why.code ?? null, event: why.event?.counter ?? null };
}
