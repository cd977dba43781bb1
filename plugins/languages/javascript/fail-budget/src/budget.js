// How much failing one run may still do.
//
// Hosts are counted, not results, and a verdict follows from the events of one window alone. So it does not matter in
// how many calls the events arrive, and a window never pays for an earlier one.

import { boolean, cancel, error, f64, name, proceed, table, u32, warning, words } from "./sdk/index.js";

export const config = table({
  maxFailedHosts: u32(null),
  maxFailedPercent: f64(null),
  maxUnreachableHosts: u32(null),
  unreachableCounts: boolean(true),
  ignoredCounts: boolean(false),
  rescuedCounts: boolean(false),
  minimumHosts: u32(1),
  // What a host is counted in: a host that failed in one window is a good host in the next.
  window: words(["run", "play"], "run"),
  stop: words(["now", "after-running-tasks"], "now"),
});

/** What is wrong with values that are each of the right type. */
export function problemsOf(config) {
  const { maxFailedHosts, maxFailedPercent, maxUnreachableHosts, minimumHosts } = config;
  const problems = [];
  if (maxFailedPercent === null && minimumHosts > 1) {
    problems.push(warning("/minimum-hosts", "has no effect without `max-failed-percent`"));
  } else if (maxFailedPercent !== null && !(maxFailedPercent >= 0 && maxFailedPercent <= 100)) {
    problems.push(error("/max-failed-percent", `${maxFailedPercent} is not within 0 to 100`));
  }
  if (maxFailedHosts === null && maxFailedPercent === null && maxUnreachableHosts === null) {
    const needed = "one of `max-failed-hosts`, `max-failed-percent` and `max-unreachable-hosts` is needed";
    problems.push(error("", needed));
  }
  return problems;
}

/** What was counted in one window. */
class Window {
  /** The play that is the window; null when the run is, or no play has begun. */
  play;
  /** Hosts in the window, failed or not, as the totals last had it. */
  hosts = 0;
  withResult = new Set();
  failed = new Set();
  unreachable = new Set();
  /** The host that was found failed or unreachable last. */
  last = "";
  /** One verdict for a window is enough, also where `mode = "monitor"` lets the run go on. */
  isSpent = false;

  constructor(play) {
    this.play = play;
  }
}

export class Budget {
  #config;
  #window = new Window(null);

  constructor(config) {
    this.#config = config;
  }

  /** Takes the events of one call; returns the verdict on the first of them that breaks a rule. */
  judge(events, totals) {
    const present = events.findLast((event) => event.playUuid !== null)?.playUuid ?? null;
    let verdict = null;
    for (const event of events) {
      this.enterWindowOf(event);
      // Totals are those after the last event. A list may begin in one play and end in the next, whose totals say
      // nothing about the first. Whatever failed there ended an earlier call, and the totals of that call still hold.
      if (this.#config.window === "run") this.#window.hosts = totals.run.hosts;
      else if (this.#window.play === present) this.#window.hosts = totals.play.hosts;
      const maySpeak = this.take(event) && !this.#window.isSpent && !verdict;
      const broken = maySpeak ? this.#brokenRule() : null;
      if (broken) {
        this.#window.isSpent = true;
        const text = `${broken.text}; last: ${this.#window.last}`;
        verdict = cancel(text, { code: broken.code, event, stop: this.#config.stop });
      }
    }
    return verdict ?? proceed();
  }

  enterWindowOf({ playUuid }) {
    if (this.#config.window === "play" && playUuid !== null && playUuid !== this.#window.play) {
      this.#window = new Window(playUuid);
    }
  }

  /**
   * Counts the event's host; returns whether the event was a result at all. Items of a loop and polls of an `async` task
   * are none: the result of the task follows them.
   */
  take({ host, kind, marks }) {
    if (host === null) return false;
    const isIgnored = marks.ignored && !this.#config.ignoredCounts;
    const isRescued = marks.rescued && !this.#config.rescuedCounts;
    const counts = !isIgnored && !isRescued;
    let failed = false;
    let unreachable = false;
    switch (name(kind)) {
      case "runner_on_ok":
      case "runner_on_skipped":
        break;
      case "runner_on_failed":
        failed = counts;
        break;
      case "runner_on_unreachable":
        failed = counts && this.#config.unreachableCounts;
        unreachable = counts;
        break;
      default:
        return false;
    }
    this.#window.withResult.add(host);
    if (failed) this.#window.failed.add(host);
    if (unreachable) this.#window.unreachable.add(host);
    if (failed || unreachable) this.#window.last = host;
    return true;
  }

  /** What to say, and the word for it, of the first rule that is broken. */
  #brokenRule() {
    const { maxFailedHosts, maxFailedPercent, maxUnreachableHosts, minimumHosts } = this.#config;
    const { hosts, withResult, failed, unreachable } = this.#window;
    if (maxUnreachableHosts !== null && unreachable.size > maxUnreachableHosts) {
      const figures = `${unreachable.size} of ${hosts} hosts could not be reached`;
      return {
        text: `${figures}, more than the ${maxUnreachableHosts} allowed`,
        code: "too-many-unreachable",
      };
    }

    const how = failed.isDisjointFrom(unreachable) ? "failed" : "failed or could not be reached";
    const figures = `${failed.size} of ${hosts} hosts ${how}`;
    const code = "too-many-failed";
    if (maxFailedHosts !== null && failed.size > maxFailedHosts) {
      return { text: `${figures}, more than the ${maxFailedHosts} allowed`, code };
    }
    const isSampleLargeEnough = hosts > 0 && withResult.size >= minimumHosts;
    const percent = (failed.size * 100) / hosts;
    if (maxFailedPercent !== null && isSampleLargeEnough && percent > maxFailedPercent) {
      const shown = Math.round(percent * 100) / 100;
      return { text: `${figures} (${shown} %), more than the ${maxFailedPercent} % allowed`, code };
    }
    return null;
  }
}
