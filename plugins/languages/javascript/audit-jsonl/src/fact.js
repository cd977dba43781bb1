// One event as one line: who did what, where, to which end.

import { Numeral, exact, write } from "./json.js";
import { boolean, list, name, rfc3339, table, text } from "./sdk/index.js";

/** No text of a line is longer, in bytes. */
const TEXT_LIMIT = 1024;

export const config = table({
  includeStart: boolean(false),
  includeSkipped: boolean(true),
  includeArgs: boolean(false),
  exceptActions: list(text(), []),
});

/** Whether an event is a fact that this configuration wants. */
export function isWanted(event, config) {
  const kind = name(event.kind);
  if (kind.startsWith("runner_") && config.exceptActions.some((action) => action === event.action)) return false;
  switch (kind) {
    case "runner_on_start":
      return config.includeStart;
    case "runner_on_skipped":
    case "runner_item_on_skipped":
      return config.includeSkipped;
    case "run_started":
    case "status_changed":
    case "policy_verdict":
    case "plugin_fault":
    case "callback_failed":
    case "start_failed":
    case "run_finished":
    case "runner_on_ok":
    case "runner_on_failed":
    case "runner_on_unreachable":
    case "runner_retry":
    case "runner_item_on_ok":
    case "runner_item_on_failed":
      return true;
    default:
      return false;
  }
}

/** What an event says. Keys are in the order of the line; null says nothing. */
export function factOf(source, who, event, data, config) {
  const details = tableOf(exact(data));
  const [res, start, cause] = [tableOf(details.res), tableOf(details.start), tableOf(details.cause)];
  const reason = tableOf(details.reason ?? cause.reason);
  const { text, error, detail } = details;
  const message = event.message ?? reason.text ?? cause.text ?? text ?? error ?? detail ?? null;
  return {
    schema: 1,
    time: rfc3339(event.timeNs),
    run: source.run,
    job: source.job,
    user: who.user,
    reason: who.reason,
    counter: event.counter,
    event: name(event.kind),
    result: resultOf(event, details),
    host: event.host,
    delegated_to: delegatedTo(res, start),
    play: event.play,
    role: event.role,
    task: event.task,
    action: event.action,
    path: details.task_path ?? null,
    item: event.item,
    item_number: event.itemNumber,
    attempt: res.attempts ?? null,
    args: config.includeArgs ? argsOf(res, start) : null,
    rc: event.rc,
    duration_ms: event.durationMs,
    marks: marksOf(event),
    plugin: tableOf(details.plugin).name ?? cause.name ?? null,
    code: reason.code ?? cause.kind ?? null,
    message: cut(message),
  };
}

/** The last fact of a run whose `run_finished` was not among the events asked for. */
export function factOfFinish(who, finish) {
  return {
    schema: 1,
    time: rfc3339(finish.finishedNs),
    run: finish.source.run,
    job: finish.source.job,
    user: who.user,
    reason: who.reason,
    counter: finish.lastEvent,
    event: "run_finished",
    result: name(finish.status),
    plugin: finish.by,
    code: finish.reason?.code ?? finish.cause,
    message: cut(finish.reason?.text ?? null),
  };
}

/** Writes the line, without its end; it is the same for the same fact in every language. */
export function lineOf(fact) {
  const told = Object.entries(fact).filter(([, value]) => value !== null);
  return `{${told.map(([key, value]) => `"${key}":${write(value)}`).join(",")}}`;
}

/** What came of it, in one word. */
function resultOf({ kind, marks }, details) {
  switch (name(kind)) {
    case "runner_on_start":
    case "run_started":
      return "started";
    case "runner_retry":
      return "retried";
    case "status_changed":
      return details.to ?? "unknown";
    case "run_finished":
      return details.status ?? "unknown";
    case "policy_verdict":
      if (details.verdict !== "cancel") return "warned";
      return details.acted_on === true ? "canceled" : "would-cancel";
    case "plugin_fault":
    case "callback_failed":
    case "start_failed":
      return "failed";
  }
  const order = ["rescued", "ignored", "unreachable", "failed", "skipped", "changed"];
  return order.find((mark) => marks[mark]) ?? "ok";
}

function delegatedTo(res, start) {
  // Older versions of Ansible name the host, newer ones its address.
  const delegated = tableOf(res["_ansible_delegated_vars"]);
  const told = [delegated.ansible_delegated_host, delegated.ansible_host, start.delegate_to];
  return told.find((host) => typeof host === "string") ?? null;
}

function argsOf(res, start) {
  const invocation = tableOf(res.invocation);
  return ("module_args" in invocation ? invocation.module_args : start.args) ?? null;
}

function marksOf({ marks }) {
  const words = [
    marks.handler && "handler",
    marks.checkMode && "check-mode",
    marks.noLog && "no-log",
    marks.truncated && "truncated",
  ].filter((word) => word !== false);
  return words.length > 0 ? words : null;
}

/** The table that a value is; an empty one where a module has put something else. */
function tableOf(value) {
  if (typeof value !== "object" || value === null) return {};
  return Array.isArray(value) || value instanceof Numeral ? {} : value;
}

/** Cuts between characters. Each has one byte to four, and there is no TextEncoder to count them. */
function cut(text) {
  if (typeof text !== "string" || text.length * 3 <= TEXT_LIMIT) return text;
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    const code = character.codePointAt(0);
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > TEXT_LIMIT) return text.slice(0, end);
    end += character.length;
  }
  return text;
}
