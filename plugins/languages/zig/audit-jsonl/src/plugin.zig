//! Writes who did what where to which end, a JSON object a line.
//!
//! What is acknowledged is written, and what is written is not written again.

const std = @import("std");
const playwarden = @import("playwarden");
const json = playwarden.json;

pub const panic = playwarden.panic;

pub var config: struct {
    include_start: bool = false,
    include_skipped: bool = true,
    include_args: bool = false,
    except_actions: []const []const u8 = &.{},
} = .{};

/// Who started the run, and what for, where the host knows it.
var user: ?[]const u8 = null;
var reason: ?[]const u8 = null;

/// A line that is being written. Keys that say nothing are left out.
const Line = struct {
    to: *std.Io.Writer,

    fn begin(to: *std.Io.Writer, source: playwarden.Source, time_ns: u64, counter: u64) !Line {
        const line: Line = .{ .to = to };
        try to.writeAll("{\"schema\":1");
        try line.text("time", try playwarden.rfc3339(time_ns));
        try line.text("run", source.run);
        try line.text("job", source.job);
        try line.text("user", user);
        try line.text("reason", reason);
        try line.number("counter", counter);
        return line;
    }

    fn text(line: Line, comptime key: []const u8, value: ?[]const u8) !void {
        const known = value orelse return;
        try line.to.writeAll(",\"" ++ key ++ "\":");
        try json.writeString(line.to, known);
    }

    fn number(line: Line, comptime key: []const u8, value: anytype) !void {
        const known = if (@typeInfo(@TypeOf(value)) == .optional) value orelse return else value;
        try line.to.print(",\"" ++ key ++ "\":{d}", .{known});
    }

    fn any(line: Line, comptime key: []const u8, value: ?[]const u8) !void {
        const parsed = try json.parse(value orelse return);
        if (parsed == .null) return;
        try line.to.writeAll(",\"" ++ key ++ "\":");
        try json.write(line.to, parsed);
    }

    fn marks(line: Line, set: playwarden.Marks) !void {
        var before: []const u8 = ",\"marks\":[";
        for (
            [_]bool{ set.handler, set.check_mode, set.no_log, set.truncated },
            [_][]const u8{ "handler", "check-mode", "no-log", "truncated" },
        ) |is_set, word| {
            if (!is_set) continue;
            try line.to.print("{s}\"{s}\"", .{ before, word });
            before = ",";
        }
        if (before.len == 1) try line.to.writeByte(']');
    }
};

/// Ends a text at 1 KiB, between two characters.
fn cut(text: ?[]const u8) ?[]const u8 {
    const whole = text orelse return null;
    if (whole.len <= 1024) return whole;
    var end: usize = 1024;
    while (whole[end] & 0xc0 == 0x80) end -= 1;
    return whole[0..end];
}

fn isWanted(event: playwarden.Event) bool {
    if (event.isOfTask()) for (config.except_actions) |action| {
        if (event.action != null and std.mem.eql(u8, action, event.action.?)) return false;
    };
    return switch (event.kind) {
        .runner_on_start => config.include_start,
        .runner_on_skipped, .runner_item_on_skipped => config.include_skipped,
        .run_started, .status_changed, .policy_verdict, .plugin_fault, .callback_failed, .start_failed => true,
        .run_finished, .runner_on_ok, .runner_on_failed, .runner_on_unreachable, .runner_retry => true,
        .runner_item_on_ok, .runner_item_on_failed => true,
        else => false,
    };
}

/// `event_data` of an event.
const Details = struct {
    source: playwarden.Source,
    event: playwarden.Event,

    /// What is at a pointer. Of a result whose data did not come with it, since it is larger than 1 MiB, there is nothing:
    /// asking for all of it could break the memory limit.
    fn at(details: Details, pointer: []const u8) ?[]const u8 {
        if (details.event.isOfTask() and details.event.data == null) return null;
        return playwarden.data(details.source, details.event.counter, pointer);
    }

    /// The first string at one of the pointers.
    fn text(details: Details, pointers: []const []const u8) ?[]const u8 {
        return for (pointers) |pointer| {
            if (json.string(details.at(pointer))) |found| break found;
        } else null;
    }

    /// What came of it, in one word.
    fn result(details: Details) []const u8 {
        const marks = details.event.marks;
        return switch (details.event.kind) {
            .runner_on_start, .run_started => "started",
            .runner_retry => "retried",
            .status_changed => details.text(&.{"/to"}) orelse "unknown",
            .run_finished => details.text(&.{"/status"}) orelse "unknown",
            .policy_verdict => {
                if (!std.mem.eql(u8, details.text(&.{"/verdict"}) orelse "", "cancel")) return "warned";
                const acted_on = details.at("/acted_on") orelse "false";
                return if (std.mem.eql(u8, acted_on, "true")) "canceled" else "would-cancel";
            },
            .plugin_fault, .callback_failed, .start_failed => "failed",
            else => if (marks.rescued)
                "rescued"
            else if (marks.ignored)
                "ignored"
            else if (marks.unreachable_)
                "unreachable"
            else if (marks.failed)
                "failed"
            else if (marks.skipped)
                "skipped"
            else if (marks.changed) "changed" else "ok",
        };
    }
};

fn writeEvent(to: *std.Io.Writer, source: playwarden.Source, event: playwarden.Event) !void {
    const details: Details = .{ .source = source, .event = event };
    const is_of_task = event.isOfTask();
    const line: Line = try .begin(to, source, event.time_ns, event.counter);
    try line.text("event", event.kind.name());
    try line.text("result", details.result());
    try line.text("host", event.host);
    // Older versions of Ansible name the host, newer ones its address.
    try line.text("delegated_to", details.text(&.{
        "/res/_ansible_delegated_vars/ansible_delegated_host",
        "/res/_ansible_delegated_vars/ansible_host",
        "/start/delegate_to",
    }));
    try line.text("play", event.play);
    try line.text("role", event.role);
    try line.text("task", event.task);
    try line.text("action", event.action);
    if (is_of_task) try line.text("path", details.text(&.{"/task_path"}));
    try line.text("item", event.item);
    try line.number("item_number", event.item_number);
    if (is_of_task) try line.any("attempt", details.at("/res/attempts"));
    if (config.include_args)
        try line.any("args", details.at("/res/invocation/module_args") orelse details.at("/start/args"));
    try line.number("rc", event.rc);
    try line.number("duration_ms", event.duration_ms);
    try line.marks(event.marks);
    if (is_of_task) {
        try line.text("message", cut(event.message));
    } else {
        try line.text("plugin", details.text(&.{ "/plugin/name", "/cause/name" }));
        try line.text("code", details.text(&.{ "/reason/code", "/cause/reason/code", "/cause/kind" }));
        try line.text("message", cut(details.text(&.{
            "/reason/text", "/cause/reason/text", "/cause/text", "/text", "/error", "/detail",
        })));
    }
    try to.writeAll("}\n");
}

/// The last line of a run whose `run_finished` was not among the events asked for.
fn writeFinish(to: *std.Io.Writer, finish: playwarden.Finish) !void {
    const line: Line = try .begin(to, finish.source, finish.finished_ns, finish.last_event);
    const why = finish.reason;
    try line.text("event", "run_finished");
    try line.text("result", finish.status.name());
    try line.text("plugin", finish.by);
    try line.text("code", (if (why) |known| known.code else null) orelse finish.cause);
    try line.text("message", cut(if (why) |known| known.text else null));
    try to.writeAll("}\n");
}

/// Counter of the last line; 0 before the first.
fn lastWritten() u64 {
    const bytes = playwarden.state("last") orelse return 0;
    return if (bytes.len == 8) std.mem.readInt(u64, bytes[0..8], .little) else 0;
}

/// Adds whole lines, of which the last has this counter.
fn append(lines: []const u8, last: u64) !void {
    if (lines.len == 0) return;
    try playwarden.append("audit.jsonl", lines);
    var bytes: [8]u8 = undefined;
    std.mem.writeInt(u64, &bytes, last, .little);
    try playwarden.setState("last", &bytes);
}

pub fn start(run: playwarden.Run) !void {
    const facts = try json.parse(run.data);
    if (facts != .object) return;
    for ([_]*?[]const u8{ &user, &reason }, [_][]const u8{ "user", "reason" }) |known, key| {
        const value = facts.object.get(key) orelse continue;
        if (value == .string) known.* = try playwarden.keep(value.string);
    }
}

pub fn stop() void {}

/// Writes those of the events that are facts and not there yet.
pub fn onEvents(source: playwarden.Source, events: []const playwarden.Event) !u64 {
    var lines: std.Io.Writer.Allocating = .init(playwarden.memory());
    const last = lastWritten();
    var written = last;
    for (events) |event| {
        if (event.counter <= last or !isWanted(event)) continue;
        try writeEvent(&lines.writer, source, event);
        written = event.counter;
    }
    try append(lines.written(), written);
    return if (events.len > 0) events[events.len - 1].counter else 0;
}

/// Writes what no event handler has written, so that the trail is whole wherever the plugin is named.
pub fn onFinished(finish: playwarden.Finish) !void {
    var line: std.Io.Writer.Allocating = .init(playwarden.memory());
    var walk = playwarden.after(finish.source, lastWritten());
    defer walk.close();
    while (walk.next()) |event| {
        if (!isWanted(event)) continue;
        line.clearRetainingCapacity();
        try writeEvent(&line.writer, finish.source, event);
        try append(line.written(), event.counter);
    }
    if (lastWritten() >= finish.last_event) return;
    line.clearRetainingCapacity();
    try writeFinish(&line.writer, finish);
    try append(line.written(), finish.last_event);
}
