//! What a plugin in Zig is written with: hooks, verdicts, configuration, journal, log, time.
//!
//! All memory is the call's: what the host hands over, and what is made with `memory()`, is gone when the host's call ends.
//! What is to live longer is copied with `keep()`. `c` is the generated header; everything in it may be used too.

const std = @import("std");
const Allocator = std.mem.Allocator;
const Writer = std.Io.Writer;

pub const c = @import("c");
pub const json = @import("json.zig");

// ---- Memory.

/// The allocator for what lives longer than a call.
pub const kept = std.heap.c_allocator;

var call_arena: std.heap.ArenaAllocator = .init(kept);

/// That of the present event of a walk: a long journal would not leave any memory otherwise.
var walk_arena: std.heap.ArenaAllocator = .init(kept);
var is_walking = false;

/// The allocator of the present call; in a walk through the journal, that of the present event.
pub fn memory() Allocator {
    return if (is_walking) walk_arena.allocator() else call_arena.allocator();
}

/// Copies a text for good.
pub fn keep(text: []const u8) ![]const u8 {
    return kept.dupe(u8, text);
}

/// Formats a text of the present call.
pub fn format(comptime template: []const u8, values: anytype) ![]const u8 {
    return std.fmt.allocPrint(memory(), template, values);
}

/// What is said on standard error when the plugin ends itself; the host shows it. For `pub const panic` of src/plugin.zig:
/// Zig's own would bring a reader of debug information along.
pub const panic = std.debug.FullPanic(struct {
    fn panic(message: []const u8, _: ?usize) noreturn {
        _ = c.write(2, "panic: ", 7);
        _ = c.write(2, message.ptr, message.len);
        _ = c.write(2, "\n", 1);
        @trap();
    }
}.panic);

// ---- The contract's shapes. wit/ says what each field means.

pub const Source = struct { run: []const u8, job: []const u8 };

pub const Kind = union(enum(u8)) {
    run_started,
    status_changed,
    policy_verdict,
    plugin_fault,
    callback_failed,
    start_failed,
    run_finished,
    playbook_on_start,
    playbook_on_vars_prompt,
    playbook_on_play_start,
    playbook_on_task_start,
    playbook_on_include,
    playbook_on_notify,
    playbook_on_no_hosts_matched,
    playbook_on_no_hosts_remaining,
    playbook_on_stats,
    runner_on_start,
    runner_on_ok,
    runner_on_failed,
    runner_on_skipped,
    runner_on_unreachable,
    runner_on_async_poll,
    runner_on_async_ok,
    runner_on_async_failed,
    runner_on_file_diff,
    runner_retry,
    runner_item_on_ok,
    runner_item_on_failed,
    runner_item_on_skipped,
    verbose,
    debug,
    warning,
    deprecated,
    system_warning,
    @"error",
    other: []const u8,

    /// The name in the journal.
    pub fn name(kind: Kind) []const u8 {
        return nameOf(kind);
    }
};

pub const Status = union(enum(u8)) {
    unstarted,
    starting,
    running,
    canceling,
    successful,
    failed,
    canceled,
    timeout,
    lost,
    skipped,
    denied,
    other: []const u8,

    /// The name in the journal.
    pub fn name(status: Status) []const u8 {
        return nameOf(status);
    }
};

fn nameOf(word: anytype) []const u8 {
    return switch (word) {
        .other => |name| name,
        else => @tagName(word),
    };
}

pub const Marks = packed struct(u16) {
    ok: bool,
    changed: bool,
    failed: bool,
    unreachable_: bool,
    skipped: bool,
    ignored: bool,
    rescued: bool,
    handler: bool,
    check_mode: bool,
    no_log: bool,
    truncated: bool,
    _: u5,
};

pub const Event = struct {
    counter: u64,
    uuid: []const u8,
    parent_uuid: ?[]const u8,
    kind: Kind,
    time_ns: u64,
    play: ?[]const u8,
    play_uuid: ?[]const u8,
    play_number: ?u32,
    task: ?[]const u8,
    task_uuid: ?[]const u8,
    action: ?[]const u8,
    role: ?[]const u8,
    host: ?[]const u8,
    item: ?[]const u8,
    item_number: ?u32,
    marks: Marks,
    rc: ?i64,
    duration_ms: ?u64,
    message: ?[]const u8,
    data: ?[]const u8,

    /// Whether it is about a task on a host.
    pub fn isOfTask(event: Event) bool {
        return std.mem.startsWith(u8, event.kind.name(), "runner_");
    }
};

pub const Tally = struct {
    hosts: u32,
    hosts_failed: u32,
    hosts_unreachable: u32,
    hosts_changed: u32,
    hosts_busy: u32,
    ok: u32,
    changed: u32,
    failed: u32,
    @"unreachable": u32,
    skipped: u32,
    rescued: u32,
    ignored: u32,
};

pub const Totals = struct { run: Tally, play: Tally };

pub const Run = struct {
    id: []const u8,
    name: []const u8,
    workflow: bool,
    incarnation: u32,
    check_mode: bool,
    diff_mode: bool,
    data: []const u8,
};

pub const Change = struct {
    source: Source,
    from: Status,
    to: Status,
    time_ns: u64,
    detail: ?[]const u8,
    totals: Totals,
    data: []const u8,
};

pub const Start = struct {
    time_ns: u64,
    uuid: []const u8,
    play: []const u8,
    play_uuid: []const u8,
    task: []const u8,
    task_uuid: []const u8,
    action: []const u8,
    role: ?[]const u8,
    host: []const u8,
    become_user: ?[]const u8,
    connection: ?[]const u8,
    delegate_to: ?[]const u8,
    tags: []const []const u8,
    check_mode: bool,
    no_log: bool,
    handler: bool,
    args: ?[]const u8,
    path: ?[]const u8,
    data: []const u8,

    /// Whether the action is a template that nobody has filled in yet, so that it may be any module. A rule that must not
    /// be evaded refuses it.
    pub fn actionIsUnknown(start: Start) bool {
        for ([_][]const u8{ "{{", "{%", "{#" }) |mark| {
            if (std.mem.find(u8, start.action, mark) != null) return true;
        }
        return false;
    }
};

pub const Finish = struct {
    source: Source,
    status: Status,
    rc: ?i32,
    cause: ?[]const u8,
    reason: ?Reason,
    by: ?[]const u8,
    started_ns: u64,
    finished_ns: u64,
    last_event: u64,
    totals: Totals,
    data: []const u8,
};

pub const Reason = struct {
    /// One sentence for the operator.
    text: []const u8,
    /// A stable word for tools, such as `too-many-failed`.
    code: ?[]const u8 = null,
    /// Counter of the event that decided.
    event: ?u64 = null,
};

pub const Stop = enum(u8) { now, after_running_tasks };

pub const Verdict = union(enum) {
    proceed,
    warn: Reason,
    cancel: struct { reason: Reason, stop: Stop = .now },
};

// ---- From C's shapes to Zig's, by the names of the fields. Texts are not copied.

fn fromC(comptime T: type, value: anytype) T {
    if (T == []const u8) return if (value.len == 0) "" else value.ptr[0..value.len];
    switch (@typeInfo(T)) {
        .optional => |optional| return if (value.is_some) fromC(optional.child, value.val) else null,
        .pointer => |pointer| {
            const items = memory().alloc(pointer.child, value.len) catch @panic("out of memory");
            for (items, 0..) |*item, i| item.* = fromC(pointer.child, value.ptr[i]);
            return items;
        },
        .@"struct" => |structure| {
            if (structure.layout == .@"packed") return @bitCast(value);
            var result: T = undefined;
            inline for (structure.field_names, structure.field_types) |name, Field| {
                @field(result, name) = fromC(Field, @field(value, name));
            }
            return result;
        },
        .@"union" => |cases| {
            inline for (cases.field_names, 0..) |name, tag| {
                if (value.tag == tag) {
                    const Payload = @FieldType(T, name);
                    return @unionInit(T, name, if (Payload == void) {} else fromC(Payload, @field(value.val, name)));
                }
            }
            @panic("sdk/ is older than wit/");
        },
        else => return value,
    }
}

fn toC(text: []const u8) c.plugin_string_t {
    // The host looks where a text is even if it has no length, and Zig's empty ones may be anywhere.
    return .{ .ptr = if (text.len == 0) null else @constCast(text.ptr), .len = text.len };
}

/// Copies a text that the host gets; the generated code frees it.
fn handedOver(text: []const u8) c.plugin_string_t {
    return toC(keep(text) catch @panic("out of memory"));
}

// ---- What the host offers.

pub const Level = enum(u8) { trace, debug, info, warn, @"error" };

/// Writes a line for the operator.
pub fn log(level: Level, comptime template: []const u8, values: anytype) void {
    if (!c.playwarden_plugin_log_enabled(@backingInt(level))) return;
    var message = toC(format(template, values) catch return);
    var no_fields: c.plugin_list_tuple2_string_string_t = .{};
    c.playwarden_plugin_log_log(@backingInt(level), &message, &no_fields);
}

fn taken(found: bool, text: c.plugin_string_t) ?[]const u8 {
    if (!found) return null;
    defer if (text.len > 0) std.c.free(text.ptr);
    return memory().dupe(u8, fromC([]const u8, text)) catch @panic("out of memory");
}

/// JSON at a pointer of `event_data`, such as `/res/msg`.
pub fn data(source: Source, counter: u64, pointer: []const u8) ?[]const u8 {
    var from: c.playwarden_plugin_types_source_t = .{ .run = toC(source.run), .job = toC(source.job) };
    var at = toC(pointer);
    var found: c.plugin_string_t = undefined;
    return taken(c.playwarden_plugin_journal_data(&from, counter, &at, &found), found);
}

/// A walk through the journal: `while (walk.next()) |event| { ... }`. An event, and what was made since it was asked for, lives
/// until the next one is. A walk that may be left before its end needs a `defer walk.close();`.
pub const Walk = struct {
    source: c.playwarden_plugin_types_source_t,
    first: u64,
    end: u64,
    page: c.playwarden_plugin_journal_list_event_t = .{},
    at: usize = 0,
    /// Whether it is not a walk within another.
    is_outermost: bool = false,

    pub fn next(walk: *Walk) ?Event {
        if (!is_walking) walk.is_outermost = true;
        is_walking = true;
        if (walk.is_outermost) _ = walk_arena.reset(.retain_capacity);
        if (walk.at == walk.page.len and walk.first < walk.end) {
            c.playwarden_plugin_journal_list_event_free(&walk.page);
            // The contract allows no larger page. Fewer may come, but none only at the end.
            c.playwarden_plugin_journal_read(&walk.source, walk.first, 1024, &walk.page);
            walk.at = 0;
        }
        if (walk.at < walk.page.len and walk.page.ptr[walk.at].counter < walk.end) {
            const event = fromC(Event, walk.page.ptr[walk.at]);
            walk.at += 1;
            walk.first = event.counter + 1;
            return event;
        }
        walk.close();
        return null;
    }

    pub fn close(walk: *Walk) void {
        c.playwarden_plugin_journal_list_event_free(&walk.page);
        if (walk.is_outermost) is_walking = false;
        walk.* = .{ .source = walk.source, .first = 0, .end = 0 };
    }
};

/// All events before a counter: what a plugin that was restarted has lost.
pub fn before(source: Source, counter: u64) Walk {
    return between(source, 1, counter);
}

/// All events behind a counter, as far as they can be read.
pub fn after(source: Source, counter: u64) Walk {
    return between(source, counter + 1, std.math.maxInt(u64));
}

fn between(source: Source, first: u64, end: u64) Walk {
    return .{ .source = .{ .run = toC(source.run), .job = toC(source.job) }, .first = first, .end = end };
}

/// What is kept under a key; it survives a restart of the plugin.
pub fn state(key: []const u8) ?[]const u8 {
    var name = toC(key);
    var value: c.plugin_list_u8_t = undefined;
    const found = c.playwarden_plugin_state_get(&name, &value);
    return taken(found, if (found) .{ .ptr = value.ptr, .len = value.len } else .{});
}

pub fn setState(key: []const u8, value: []const u8) error{Refused}!void {
    var name = toC(key);
    var bytes: c.plugin_list_u8_t = .{ .ptr = toC(value).ptr, .len = value.len };
    var refusal: c.plugin_string_t = undefined;
    if (!c.playwarden_plugin_state_set(&name, &bytes, &refusal)) return refused(refusal);
}

/// Adds to a file of the plugin's that is kept with the run.
pub fn append(file: []const u8, bytes: []const u8) error{Refused}!void {
    var name = toC(file);
    var list: c.plugin_list_u8_t = .{ .ptr = toC(bytes).ptr, .len = bytes.len };
    var refusal: c.plugin_string_t = undefined;
    if (!c.playwarden_plugin_output_append(&name, &list, &refusal)) return refused(refusal);
}

fn refused(text: c.plugin_string_t) error{Refused} {
    return fail(error.Refused, "{s}", .{taken(true, text).?});
}

/// A moment in RFC 3339, UTC, to the microsecond: `2026-11-22T05:15:34.031376Z`.
pub fn rfc3339(ns: u64) ![]const u8 {
    const seconds: std.time.epoch.EpochSeconds = .{ .secs = ns / std.time.ns_per_s };
    const day = seconds.getEpochDay().calculateYearDay();
    const month = day.calculateMonthDay();
    const clock = seconds.getDaySeconds();
    return format("{d:0>4}-{d:0>2}-{d:0>2}T{d:0>2}:{d:0>2}:{d:0>2}.{d:0>6}Z", .{
        day.year,
        month.month.numeric(),
        month.day_index + 1,
        clock.getHoursIntoDay(),
        clock.getMinutesIntoHour(),
        clock.getSecondsIntoMinute(),
        ns % std.time.ns_per_s / std.time.ns_per_us,
    });
}

// ---- Failures.

var failure_text: ?[]const u8 = null;
var failure_retry_ms: ?u64 = null;

/// Gives an error that a hook returns its text: `return playwarden.fail(error.NoSpace, "no space in {s}", .{name});`
pub fn fail(err: anytype, comptime template: []const u8, values: anytype) @TypeOf(err) {
    failure_text = format(template, values) catch null;
    return err;
}

/// The same, but the host may make the call again after a while. A policy's calls are never made again.
pub fn retry(err: anytype, after_ms: u64) @TypeOf(err) {
    failure_retry_ms = after_ms;
    return err;
}

// ---- Hooks: what wit/plugin.wit exports is a public function of src/plugin.zig.
//
//   cancel-policy      pub fn evaluate(source: Source, events: []const Event, totals: Totals) !Verdict
//   start-policy       pub fn admit(source: Source, start: Start, totals: Totals) !Verdict
//   tick-policy        pub fn tick(source: Source, now_ns: u64, totals: Totals) !Verdict
//   event-handler      pub fn onEvents(source: Source, events: []const Event) !u64: up to where nothing need be sent again
//   status-handler     pub fn onStatus(change: Change) !void
//   finished-callback  pub fn onFinished(finish: Finish) !void
//   lifecycle          pub fn start(run: Run) !void and pub fn stop() void
//   config-check       pub var config: a struct with a field for each key; `max_failed` is the key `max-failed`. What it holds
//                      at first is the default; an optional one has none. Types are u32, f64, bool, enums and []const u8.
//                      Rules between keys are its method pub fn problems(config: *Config, found: *json.Problems) !void.

const root = @import("root");

comptime {
    const exports = "exports_playwarden_plugin_";
    exportHook(exports ++ "cancel_policy_evaluate", "evaluate", Verdict, .{ Source, []const Event, Totals });
    exportHook(exports ++ "start_policy_admit", "admit", Verdict, .{ Source, Start, Totals });
    exportHook(exports ++ "tick_policy_tick", "tick", Verdict, .{ Source, u64, Totals });
    exportHook(exports ++ "event_handler_on_events", "onEvents", u64, .{ Source, []const Event });
    exportHook(exports ++ "status_handler_on_status", "onStatus", void, .{Change});
    exportHook(exports ++ "finished_callback_on_finished", "onFinished", void, .{Finish});
    exportHook(exports ++ "lifecycle_start", "start", void, .{Run});
    if (@hasDecl(c, exports ++ "lifecycle_stop")) @export(&stop, .{ .name = exports ++ "lifecycle_stop" });
    if (@hasDecl(c, exports ++ "config_check_validate")) {
        @export(&Check.validate, .{ .name = exports ++ "config_check_validate" });
        @export(&Check.schema, .{ .name = exports ++ "config_check_schema" });
    }
}

/// Exports one hook, if wit/plugin.wit has it: reads the arguments, calls the plugin, writes the answer, frees it all.
fn exportHook(comptime name: []const u8, comptime function: []const u8, comptime T: type, comptime Zig: anytype) void {
    if (!@hasDecl(c, name)) return;
    if (!@hasDecl(root, function)) @compileError("a hook of wit/plugin.wit needs `pub fn " ++ function ++ "` in src/plugin.zig");
    const C = Parameters(name);
    const Hook = struct {
        fn answer3(a: C[0], b: C[1], d: C[2], out: C[3], failure: C[4]) callconv(.c) bool {
            return call(.{ a, b, d }, out, failure);
        }
        fn answer2(a: C[0], b: C[1], out: C[2], failure: C[3]) callconv(.c) bool {
            return call(.{ a, b }, out, failure);
        }
        fn told(a: C[0], failure: C[1]) callconv(.c) bool {
            var nothing: void = {};
            return call(.{a}, &nothing, failure);
        }
        fn call(arguments: anytype, out: anytype, failure: anytype) bool {
            defer endCall(arguments);
            return answer(out, failure, ask(arguments));
        }
        fn ask(arguments: anytype) anyerror!T {
            if (configFailure()) |text| return fail(error.Config, "{s}", .{text});
            var values: std.meta.ArgsTuple(@TypeOf(@field(root, function))) = undefined;
            inline for (Zig, 0..) |Argument, i| {
                const given = arguments[i];
                values[i] = if (Argument == u64) given else fromC(Argument, given.*);
            }
            return @call(.auto, @field(root, function), values);
        }
    };
    @export(switch (Zig.len) {
        3 => &Hook.answer3,
        2 => &Hook.answer2,
        else => &Hook.told,
    }, .{ .name = name });
}

fn stop() callconv(.c) void {
    defer endCall(.{});
    root.stop();
}

const Check = struct {
    fn validate(out: Parameters("exports_playwarden_plugin_config_check_validate")[0]) callconv(.c) void {
        defer endCall(.{});
        const found = json.readConfig(&root.config, configText()).list.items;
        const Problem = @typeInfo(@TypeOf(out.*.ptr)).pointer.child;
        const problems = kept.alloc(Problem, found.len) catch @panic("out of memory");
        for (problems, found) |*problem, told| problem.* = .{
            .severity = @backingInt(told.severity),
            .pointer = handedOver(told.pointer),
            .message = handedOver(told.message),
        };
        out.* = .{ .ptr = if (problems.len == 0) null else problems.ptr, .len = problems.len };
    }

    fn schema(out: *c.plugin_string_t) callconv(.c) void {
        out.* = handedOver(comptime json.schemaOf(@TypeOf(root.config)));
    }
};

// ---- What the hooks stand on.

fn configText() []const u8 {
    var whole = toC("");
    var text: c.plugin_string_t = undefined;
    return taken(c.playwarden_plugin_config_get(&whole, &text), text) orelse "{}";
}

fn Parameters(comptime name: []const u8) []const type {
    const known = @typeInfo(@TypeOf(@field(c, name))).@"fn".param_types;
    var types: [known.len]type = undefined;
    for (&types, known) |*T, parameter| T.* = parameter.?;
    const found = types;
    return &found;
}

var is_configured = false;
var config_failure: ?[]const u8 = null;

/// Reads the configuration once; says why the plugin cannot work with it.
fn configFailure() ?[]const u8 {
    if (!is_configured and @hasDecl(root, "config")) {
        is_configured = true;
        for (json.readConfig(&root.config, configText()).list.items) |problem| {
            if (problem.severity != .@"error") continue;
            config_failure = std.fmt.allocPrint(kept, "config{s}: {s}", .{ problem.pointer, problem.message }) catch
                "config: out of memory";
            break;
        }
    }
    return config_failure;
}

fn answer(out: anytype, failure: anytype, result: anytype) bool {
    const value = result catch |err| {
        failure.* = .{ .message = handedOver(failure_text orelse @errorName(err)) };
        if (failure_retry_ms) |ms| failure.*.retry_after_ms = .{ .is_some = true, .val = ms };
        return false;
    };
    if (@TypeOf(value) != Verdict) {
        out.* = value;
        return true;
    }
    out.* = .{ .tag = @backingInt(value) };
    switch (value) {
        .proceed => {},
        .warn => |reason| out.*.val.warn = reasonToC(reason),
        .cancel => |cancel| out.*.val.cancel = .{ .f0 = reasonToC(cancel.reason), .f1 = @backingInt(cancel.stop) },
    }
    return true;
}

fn reasonToC(reason: Reason) c.playwarden_plugin_types_reason_t {
    var result: c.playwarden_plugin_types_reason_t = .{ .text = handedOver(reason.text) };
    if (reason.code) |code| result.code = .{ .is_some = true, .val = handedOver(code) };
    if (reason.event) |event| result.event = .{ .is_some = true, .val = event };
    return result;
}

/// Frees what the host handed over; totals have nothing to free.
fn release(argument: anytype) void {
    const T = @typeInfo(@TypeOf(argument)).pointer.child;
    if (@hasDecl(T, "free")) {
        argument.*.free();
    } else if (@hasField(T, "ptr")) {
        c.playwarden_plugin_journal_list_event_free(@ptrCast(argument));
    }
}

/// Gives back all memory of the call, with what the host handed over.
fn endCall(arguments: anytype) void {
    inline for (arguments) |argument| {
        if (@typeInfo(@TypeOf(argument)) == .pointer) release(argument);
    }
    failure_text = null;
    failure_retry_ms = null;
    is_walking = false;
    _ = call_arena.reset(.{ .retain_with_limit = 1 << 20 });
    _ = walk_arena.reset(.{ .retain_with_limit = 1 << 20 });
}
