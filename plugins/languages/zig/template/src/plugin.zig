//! Cancels the run when more hosts failed than `max-failed-hosts` of runner.toml allows.

const playwarden = @import("playwarden");

pub const panic = playwarden.panic;

pub var config: struct { max_failed_hosts: u32 = 0 } = .{};

/// Whether the verdict was given: once is enough.
var said = false;

pub fn evaluate(
    _: playwarden.Source,
    events: []const playwarden.Event,
    totals: playwarden.Totals,
) !playwarden.Verdict {
    if (said or totals.run.hosts_failed <= config.max_failed_hosts) return .proceed;
    said = true;

    var decided: ?u64 = null;
    for (events) |event| {
        const marks = event.marks;
        if (marks.failed and !marks.ignored and !marks.rescued) decided = event.counter;
    }
    return .{ .cancel = .{ .reason = .{
        .text = try playwarden.format("{d} of {d} hosts failed, more than the {d} allowed", .{
            totals.run.hosts_failed, totals.run.hosts, config.max_failed_hosts,
        }),
        .code = "too-many-failed",
        .event = decided,
    } } };
}
