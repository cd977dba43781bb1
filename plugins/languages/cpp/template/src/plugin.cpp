// Cancels the run when more hosts failed than `max-failed-hosts` of runner.toml allows.

#include "playwarden.hpp"

static uint32_t max_failed_hosts = 0;

static const pw_key keys[] = {
    {.name = "max-failed-hosts", .type = PW_COUNT, .value = &max_failed_hosts},
};
PW_CONFIG(keys, nullptr)

// Whether the verdict was given: once is enough.
static bool said;

static pw_verdict evaluate(const pw_source *, pw_events events, const pw_totals *totals) {
    if (said || totals->run.hosts_failed <= max_failed_hosts)
        return {.kind = PW_PROCEED};
    said = true;

    uint64_t decided = 0;
    for (const pw_event &event : events)
        if (pw_marked(&event, PW_MARK(FAILED)) && !pw_marked(&event, PW_MARK(IGNORED)) &&
            !pw_marked(&event, PW_MARK(RESCUED)))
            decided = event.counter;
    return {
        .kind = PW_CANCEL,
        .text = pw_text("%u of %u hosts failed, more than the %u allowed", totals->run.hosts_failed,
                        totals->run.hosts, max_failed_hosts),
        .code = "too-many-failed",
        .event = decided,
    };
}
PW_CANCEL_POLICY(evaluate)
