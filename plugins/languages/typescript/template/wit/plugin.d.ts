// The contract in wit/deps/playwarden-plugin as types, for tsc and for editors. Nothing is generated from this file.
//
// As QuickJS passes them: integers of 64 bits are numbers, exact up to 2^53, and what is absent is null. So a moment
// in nanoseconds is exact to a quarter of a microsecond: `rfc3339` of the SDK writes it right.

declare module "playwarden:plugin/types@0.1.0" {
  /** What happened: the journal's `event`, with `-` for `_`. */
  export type EventKind =
    | { tag: "run-started" }
    | { tag: "status-changed" }
    | { tag: "policy-verdict" }
    | { tag: "plugin-fault" }
    | { tag: "callback-failed" }
    | { tag: "start-failed" }
    | { tag: "run-finished" }
    | { tag: "playbook-on-start" }
    | { tag: "playbook-on-vars-prompt" }
    | { tag: "playbook-on-play-start" }
    | { tag: "playbook-on-task-start" }
    | { tag: "playbook-on-include" }
    | { tag: "playbook-on-notify" }
    | { tag: "playbook-on-no-hosts-matched" }
    | { tag: "playbook-on-no-hosts-remaining" }
    | { tag: "playbook-on-stats" }
    | { tag: "runner-on-start" }
    | { tag: "runner-on-ok" }
    | { tag: "runner-on-failed" }
    | { tag: "runner-on-skipped" }
    | { tag: "runner-on-unreachable" }
    | { tag: "runner-on-async-poll" }
    | { tag: "runner-on-async-ok" }
    | { tag: "runner-on-async-failed" }
    | { tag: "runner-on-file-diff" }
    | { tag: "runner-retry" }
    | { tag: "runner-item-on-ok" }
    | { tag: "runner-item-on-failed" }
    | { tag: "runner-item-on-skipped" }
    | { tag: "verbose" }
    | { tag: "debug" }
    | { tag: "warning" }
    | { tag: "deprecated" }
    | { tag: "system-warning" }
    | { tag: "error" }
    | { tag: "other"; val: string };
  /** What a result was. A failure that was ignored or rescued keeps `failed`. */
  export interface Marks {
    ok: boolean;
    changed: boolean;
    failed: boolean;
    unreachable: boolean;
    skipped: boolean;
    /** The failure, or the host being unreachable, was ignored as the task asked. */
    ignored: boolean;
    /** A `rescue` section takes over from here. */
    rescued: boolean;
    handler: boolean;
    checkMode: boolean;
    /** The result is hidden. */
    noLog: boolean;
    /** The result was too large; `data` says how large it was. */
    truncated: boolean;
  }
  /** One event: what policies branch on, typed; everything else in `data`. */
  export interface Event {
    /** Number in the run's journal, from 1, without gaps. */
    counter: number;
    /** Unique in the run. */
    uuid: string;
    /** Uuid of the event of the task, play or playbook that this belongs to. */
    parentUuid: string | null;
    kind: EventKind;
    /** Nanoseconds since 1970-01-01T00:00:00Z. */
    timeNs: number;
    /** Name of the play. */
    play: string | null;
    /** The same for every serial batch of one play. */
    playUuid: string | null;
    /** Which start of a play this is: 1, 2, …; a serial batch is a start. */
    playNumber: number | null;
    task: string | null;
    taskUuid: string | null;
    /** Fully qualified module, such as `ansible.builtin.copy`. */
    action: string | null;
    /** Ansible role of the task. */
    role: string | null;
    /** Inventory host. */
    host: string | null;
    /** Label of the loop item. */
    item: string | null;
    /** Number of the loop item on this host, from 1. */
    itemNumber: number | null;
    marks: Marks;
    /** `rc` of the module, where it has one. Windows has unsigned 32-bit codes. */
    rc: number | null;
    durationMs: number | null;
    /** `msg` of the result, else the first line of its error; at most 1 KiB. */
    message: string | null;
    /**
     * `event_data` as JSON, or the parts asked for, as `payload` in runner.toml says: with pointers, an object from
     * each pointer to what it found. None when `payload` says "none", and when this would be larger than 1 MiB;
     * `journal.data` reads it at any time.
     */
    data: string | null;
  }
  /**
   * Totals of a scope (run, play, batch, group, host). Numbers of hosts count hosts; the others count results, as
   * Ansible's own statistics do: `ok` includes what changed and what was ignored.
   */
  export interface Tally {
    /** Hosts in the scope after `--limit`, those added during the run included. Zero only before the first play. */
    hosts: number;
    /** Hosts that failed and were not rescued or ignored. */
    hostsFailed: number;
    /** Hosts that could not be reached, where that was not ignored. */
    hostsUnreachable: number;
    hostsChanged: number;
    /** Hosts with a task running now. */
    hostsBusy: number;
    ok: number;
    changed: number;
    /** Neither rescued nor ignored. */
    failed: number;
    unreachable: number;
    skipped: number;
    rescued: number;
    ignored: number;
  }
  /** Totals that come with every question to a policy, as of the last event of the call. */
  export interface Totals {
    run: Tally;
    /** The present play: results of all its serial batches so far, hosts of all its batches. */
    play: Tally;
  }
  /**
   * Which run a call is about. A plugin of a job only ever sees one; a plugin of a workflow sees all of its jobs. (No
   * workflows in 0.1.0's host.)
   */
  export interface Source {
    run: string;
    /** Name in runner.toml; with the slice or item of a fan-out: `deploy[2]`. */
    job: string;
  }
  export type Status =
    | { tag: "unstarted" }
    | { tag: "starting" }
    | { tag: "running" }
    | { tag: "canceling" }
    | { tag: "successful" }
    | { tag: "failed" }
    | { tag: "canceled" }
    | { tag: "timeout" }
    | { tag: "lost" }
    | { tag: "skipped" }
    | { tag: "denied" }
    | { tag: "other"; val: string };
  /** Why, in a form for people and for machines. */
  export interface Reason {
    /** One sentence for the operator. */
    text: string;
    /** Stable word for tools, such as `too-many-failed`. */
    code?: string | null;
    /** Counter of the event that decided; none for a decision by time or about a start. */
    event?: number | null;
  }
  /**
   * # Variants
   *
   * ## `"now"`
   *
   * Running tasks are interrupted.
   * ## `"after-running-tasks"`
   *
   * Nothing new starts; running tasks end by themselves, up to the run's time limits.
   */
  export type Stop = "now" | "after-running-tasks";
  export type Verdict =
    { tag: "proceed" } | { tag: "warn"; val: Reason } | { tag: "cancel"; val: [Reason, Stop] };
  /** A call that did not work out. Not a trap: the instance lives on. */
  export interface Failure {
    message: string;
    /**
     * The same call may be made again after so many milliseconds; none: do not repeat it. A policy's never is: its run
     * waits for the answer.
     */
    retryAfterMs?: number | null;
  }
}

declare module "playwarden:plugin/config-check@0.1.0" {
  /** JSON Schema of the config; empty for none. */
  export function schema(): string;
  export function validate(): Array<Problem>;
  export type Severity = "warning" | "error";
  export interface Problem {
    severity: Severity;
    /** Where in the config; the host shows the line of runner.toml. */
    pointer: string;
    message: string;
  }
}

declare module "playwarden:plugin/lifecycle@0.1.0" {
  export function start(run: Run): void;
  /** The last call, also after a cancel; has its own deadline. The instance is gone after it. */
  export function stop(): void;
  export type Failure = import("playwarden:plugin/types@0.1.0").Failure;
  export interface Run {
    id: string;
    /** The job or the workflow of runner.toml that this instance serves. */
    name: string;
    /** Always false in 0.1.0's host. */
    workflow: boolean;
    /** 1; more after the host restarted the plugin. */
    incarnation: number;
    checkMode: boolean;
    diffMode: boolean;
    /** The resolved plan as JSON: playbook, inventory, limit, tags, who started it, why, versions. No secrets. */
    data: string;
  }
}

declare module "playwarden:plugin/event-handler@0.1.0" {
  /**
   * Events in order, none missing of those the plugin asked for. Answer: the counter up to which nothing need be sent
   * again. After a restart, or by `playwarden export`, the host goes on behind it. An empty list asks to finish what
   * is pending. The last event is `run-finished`: what breaks after it is not told.
   */
  export function onEvents(source: Source, events: Array<Event>): number;
  export type Event = import("playwarden:plugin/types@0.1.0").Event;
  export type Source = import("playwarden:plugin/types@0.1.0").Source;
  export type Failure = import("playwarden:plugin/types@0.1.0").Failure;
}

declare module "playwarden:plugin/status-handler@0.1.0" {
  export function onStatus(change: Change): void;
  export type Source = import("playwarden:plugin/types@0.1.0").Source;
  export type Status = import("playwarden:plugin/types@0.1.0").Status;
  export type Totals = import("playwarden:plugin/types@0.1.0").Totals;
  export type Failure = import("playwarden:plugin/types@0.1.0").Failure;
  export interface Change {
    source: Source;
    from: Status;
    to: Status;
    timeNs: number;
    /** Why, for people. */
    detail: string | null;
    totals: Totals;
    /** Further facts as a JSON object. */
    data: string;
  }
}

declare module "playwarden:plugin/cancel-policy@0.1.0" {
  export function evaluate(source: Source, events: Array<Event>, totals: Totals): Verdict;
  export type Event = import("playwarden:plugin/types@0.1.0").Event;
  export type Source = import("playwarden:plugin/types@0.1.0").Source;
  export type Totals = import("playwarden:plugin/types@0.1.0").Totals;
  export type Verdict = import("playwarden:plugin/types@0.1.0").Verdict;
  export type Failure = import("playwarden:plugin/types@0.1.0").Failure;
}

declare module "playwarden:plugin/start-policy@0.1.0" {
  export function admit(source: Source, start: Start, totals: Totals): Verdict;
  export type Source = import("playwarden:plugin/types@0.1.0").Source;
  export type Totals = import("playwarden:plugin/types@0.1.0").Totals;
  export type Verdict = import("playwarden:plugin/types@0.1.0").Verdict;
  export type Failure = import("playwarden:plugin/types@0.1.0").Failure;
  export interface Start {
    /** When it was asked; nanoseconds since 1970-01-01T00:00:00Z. */
    timeNs: number;
    /** Uuid that the event `runner-on-start` will have. */
    uuid: string;
    play: string;
    playUuid: string;
    task: string;
    taskUuid: string;
    /**
     * Fully qualified where that is known. An action that is a template stays as written: one that contains `{{` may
     * be any module.
     */
    action: string;
    role: string | null;
    host: string;
    /**
     * None when the task does not become. As the host's variables say, or the task; a template stays as written, here
     * and in `connection`. Of a host that it is delegated to only the task is known.
     */
    becomeUser: string | null;
    connection: string | null;
    delegateTo: string | null;
    tags: Array<string>;
    checkMode: boolean;
    noLog: boolean;
    handler: boolean;
    /** Arguments as JSON as far as they are known before templating; none under `no_log`. */
    args: string | null;
    /** `file:line` */
    path: string | null;
    /**
     * Further facts as a JSON object: `groups`, the names of the inventory groups of the host, without `all`; `address`,
     * where it is reached, and `remote_user`, who logs in there, each as its variables or the task say, else null.
     */
    data: string;
  }
}

declare module "playwarden:plugin/tick-policy@0.1.0" {
  export function tick(source: Source, nowNs: number, totals: Totals): Verdict;
  export type Source = import("playwarden:plugin/types@0.1.0").Source;
  export type Totals = import("playwarden:plugin/types@0.1.0").Totals;
  export type Verdict = import("playwarden:plugin/types@0.1.0").Verdict;
  export type Failure = import("playwarden:plugin/types@0.1.0").Failure;
}

declare module "playwarden:plugin/finished-callback@0.1.0" {
  export function onFinished(finish: Finish): void;
  export type Source = import("playwarden:plugin/types@0.1.0").Source;
  export type Status = import("playwarden:plugin/types@0.1.0").Status;
  export type Totals = import("playwarden:plugin/types@0.1.0").Totals;
  export type Reason = import("playwarden:plugin/types@0.1.0").Reason;
  export type Failure = import("playwarden:plugin/types@0.1.0").Failure;
  export interface Finish {
    source: Source;
    status: Status;
    /** Ansible's exit code, 254 for canceled and timeout; none when it never started. */
    rc: number | null;
    /**
     * Stable word for why, the `kind` of the outcome's cause in run.json, such as `hosts-failed`, `plugin`, `person`,
     * `job-timeout`; none when there is nothing to explain.
     */
    cause: string | null;
    /** The same for people; of a plugin's verdict, the reason it gave. */
    reason: Reason | null;
    /** Name of the plugin, where it was one. */
    by: string | null;
    startedNs: number;
    finishedNs: number;
    /** Counter of the last event. */
    lastEvent: number;
    totals: Totals;
    /** Ansible's statistics and the whole outcome as in run.json. */
    data: string;
  }
}

declare module "playwarden:plugin/log@0.1.0" {
  export function log(level: Level, message: string, fields: Array<[string, string]>): void;
  /** Whether a line of this level would be kept. */
  export function enabled(level: Level): boolean;
  export type Level = "trace" | "debug" | "info" | "warn" | "error";
}

declare module "playwarden:plugin/config@0.1.0" {
  /** The value at a pointer as JSON; none when absent. */
  export function get(pointer: string): string | null;
  /** A secret granted by name; none when there is no such grant. The host never prints or records it. */
  export function secret(name: string): string | null;
}

declare module "playwarden:plugin/journal@0.1.0" {
  /** `event_data` of an event at a pointer, as JSON. */
  export function data(source: Source, counter: number, pointer: string): string | null;
  /**
   * Up to `max` events from the counter `first` on, filtered as the plugin's own events are. At most 1,024 a call and
   * 8 MiB of text, but always one if there is one: an empty list is the end.
   */
  export function read(source: Source, first: number, max: number): Array<Event>;
  /** Facts of a host at a pointer as JSON, as gathered so far in this run. */
  export function facts(source: Source, host: string, pointer: string): string | null;
  /** Totals of a scope; none when the name is unknown. */
  export function tallyOfRun(source: Source): Tally;
  export function tallyOfPlay(source: Source): Tally;
  /** The present serial batch. */
  export function tallyOfBatch(source: Source): Tally;
  /** The run's results on those hosts of an inventory group that the plays so far matched; none when they matched none. */
  export function tallyOfGroup(source: Source, group: string): Tally | null;
  export function tallyOfHost(source: Source, host: string): Tally | null;
  /** All jobs of the workflow together; for a single job, the only case in 0.1.0's host, the same as the run. */
  export function tallyOfWorkflow(): Tally;
  export type Event = import("playwarden:plugin/types@0.1.0").Event;
  export type Source = import("playwarden:plugin/types@0.1.0").Source;
  export type Tally = import("playwarden:plugin/types@0.1.0").Tally;
}

declare module "playwarden:plugin/state@0.1.0" {
  export function get(key: string): Uint8Array | null;
  export function set(key: string, value: Uint8Array): void;
  export { _delete as delete };
  function _delete(key: string): void;
}

declare module "playwarden:plugin/output@0.1.0" {
  export function append(name: string, data: Uint8Array): void;
  /** A line end is added. */
  export function appendLine(name: string, line: string): void;
  /** A named output of the job, as JSON. The last value wins. */
  export function publish(name: string, value: string): void;
}
