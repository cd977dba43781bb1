//! Cancels a run when too many hosts failed or could not be reached.
//!
//! Hosts are counted, not results, and a verdict follows from the events of one window alone. So it does not matter in how
//! many calls the events arrive, and a window never pays for an earlier one.

const std = @import("std");
const playwarden = @import("playwarden");

pub const panic = playwarden.panic;

const Config = struct {
    max_failed_hosts: ?u32 = null,
    max_failed_percent: ?f64 = null,
    max_unreachable_hosts: ?u32 = null,
    unreachable_counts: bool = true,
    ignored_counts: bool = false,
    rescued_counts: bool = false,
    minimum_hosts: u32 = 1,
    window: enum { run, play } = .run,
    stop: playwarden.Stop = .now,

    pub fn problems(own: *const Config, found: *playwarden.json.Problems) !void {
        if (own.max_failed_percent) |percent| {
            if (!(percent >= 0 and percent <= 100))
                try found.add(.@"error", "/max-failed-percent", "{d} is not within 0 to 100", .{percent});
        } else if (own.minimum_hosts > 1) {
            try found.add(.warning, "/minimum-hosts", "has no effect without `max-failed-percent`", .{});
        }
        if (own.max_failed_hosts == null and own.max_failed_percent == null and own.max_unreachable_hosts == null) {
            const needed = "one of `max-failed-hosts`, `max-failed-percent` and `max-unreachable-hosts` is needed";
            try found.add(.@"error", "", needed, .{});
        }
    }
};

pub var config: Config = .{};

/// What a host did in the window.
const Host = struct { failed: bool = false, was_unreachable: bool = false };

/// What counts of a run, or of a play.
const Window = struct {
    /// The play that is the window; null when the run is, or no play has begun.
    play: ?[]const u8 = null,
    /// Hosts in the window, failed or not, as the totals last had it.
    size: u32 = 0,
    /// Those that have a result.
    hosts: std.StringHashMapUnmanaged(Host) = .empty,
    failed: u32 = 0,
    unreached: u32 = 0,
    /// How many both failed and could not be reached.
    both: u32 = 0,
    /// The host that was found failed or unreachable last.
    last: []const u8 = "",
    /// One verdict for a window is enough, also where `mode = "monitor"` lets the run go on.
    spent: bool = false,

    fn enter(own: *Window, event: playwarden.Event) !void {
        const play = event.play_uuid orelse return;
        if (config.window != .play or same(own.play, play)) return;
        var names = own.hosts.keyIterator();
        while (names.next()) |name| playwarden.kept.free(name.*);
        own.hosts.deinit(playwarden.kept);
        if (own.play) |old| playwarden.kept.free(old);
        own.* = .{ .play = try playwarden.keep(play) };
    }

    /// Counts the event's host; returns whether the event was a result at all. Items of a loop and polls of an `async` task
    /// are none: the result of the task follows them.
    fn take(own: *Window, event: playwarden.Event) !bool {
        const name = event.host orelse return false;
        const counts = (!event.marks.ignored or config.ignored_counts) and
            (!event.marks.rescued or config.rescued_counts);
        const now: Host = switch (event.kind) {
            .runner_on_ok, .runner_on_skipped => .{},
            .runner_on_failed => .{ .failed = counts },
            .runner_on_unreachable => .{ .failed = counts and config.unreachable_counts, .was_unreachable = counts },
            else => return false,
        };
        const entry = try own.hosts.getOrPut(playwarden.kept, name);
        if (!entry.found_existing) {
            entry.key_ptr.* = try playwarden.keep(name);
            entry.value_ptr.* = .{};
        }
        const host = entry.value_ptr;
        own.both -= @intFromBool(host.failed and host.was_unreachable);
        own.failed += @intFromBool(now.failed and !host.failed);
        own.unreached += @intFromBool(now.was_unreachable and !host.was_unreachable);
        host.failed = host.failed or now.failed;
        host.was_unreachable = host.was_unreachable or now.was_unreachable;
        own.both += @intFromBool(host.failed and host.was_unreachable);
        if (now.failed or now.was_unreachable) own.last = entry.key_ptr.*;
        return true;
    }

    /// Why the window cancels the run; null while no rule is broken.
    fn brokenRule(own: *const Window) !?playwarden.Reason {
        const format = playwarden.format;
        if (config.max_unreachable_hosts) |max| if (own.unreached > max)
            return .{
                .text = try format("{d} of {d} hosts could not be reached, more than the {d} allowed; last: {s}", .{
                    own.unreached, own.size, max, own.last,
                }),
                .code = "too-many-unreachable",
            };

        const how = if (own.both == 0) "failed" else "failed or could not be reached";
        if (config.max_failed_hosts) |max| if (own.failed > max)
            return .{
                .text = try format("{d} of {d} hosts {s}, more than the {d} allowed; last: {s}", .{
                    own.failed, own.size, how, max, own.last,
                }),
                .code = "too-many-failed",
            };

        if (own.size == 0 or own.hosts.count() < config.minimum_hosts) return null;
        const percent = @as(f64, @floatFromInt(own.failed)) * 100 / @as(f64, @floatFromInt(own.size));
        if (config.max_failed_percent) |max| if (percent > max)
            return .{
                .text = try format("{d} of {d} hosts {s} ({d} %), more than the {d} % allowed; last: {s}", .{
                    own.failed, own.size, how, @round(percent * 100) / 100, max, own.last,
                }),
                .code = "too-many-failed",
            };
        return null;
    }
};

var window: Window = .{};
var is_caught_up = false;

/// Counts again what an instance had counted that the host restarted; nothing on the first call of a run.
fn catchUp(source: playwarden.Source, events: []const playwarden.Event) !void {
    if (is_caught_up or events.len == 0) return;
    is_caught_up = true;
    var walk = playwarden.before(source, events[0].counter);
    defer walk.close();
    while (walk.next()) |event| {
        try window.enter(event);
        _ = try window.take(event);
    }
}

/// Returns the verdict on the first of the events that breaks a rule.
pub fn evaluate(
    source: playwarden.Source,
    events: []const playwarden.Event,
    totals: playwarden.Totals,
) !playwarden.Verdict {
    try catchUp(source, events);
    var present: ?[]const u8 = null;
    for (events) |event| present = event.play_uuid orelse present;

    var verdict: playwarden.Verdict = .proceed;
    for (events) |event| {
        try window.enter(event);
        // Totals are those after the last event. A list may begin in one play and end in the next, whose totals say nothing
        // about the first. Whatever failed there ended an earlier call, and the totals of that call still hold.
        if (config.window == .run) {
            window.size = totals.run.hosts;
        } else if (same(window.play, present)) {
            window.size = totals.play.hosts;
        }
        if (!try window.take(event) or window.spent or verdict != .proceed) continue;
        var reason = try window.brokenRule() orelse continue;
        reason.event = event.counter;
        window.spent = true;
        verdict = .{ .cancel = .{ .reason = reason, .stop = config.stop } };
    }
    return verdict;
}

fn same(a: ?[]const u8, b: ?[]const u8) bool {
    return std.mem.eql(u8, a orelse "", b orelse "");
}
