// Cancels a run when too many hosts failed or could not be reached.
//
// Hosts are counted, not results, and a verdict follows from the events of one window alone. So it
// does not matter in how many calls the events arrive, and a window never pays for an earlier one.

#include "playwarden.hpp"

#include <cmath>
#include <set>

// ---- Configuration.

namespace {

enum { WINDOW_RUN, WINDOW_PLAY };

uint32_t max_failed_hosts, max_unreachable_hosts, minimum_hosts = 1;
double max_failed_percent;
bool limits_failed, limits_percent, limits_unreachable;
bool unreachable_counts = true, ignored_counts, rescued_counts;
int window_is = WINDOW_RUN, stop = PW_NOW;

constexpr const char *windows[] = {"run", "play", nullptr};
constexpr const char *stops[] = {"now", "after-running-tasks", nullptr};

const pw_key keys[] = {
    {"max-failed-hosts", PW_COUNT, &max_failed_hosts, &limits_failed, nullptr},
    {"max-failed-percent", PW_NUMBER, &max_failed_percent, &limits_percent, nullptr},
    {"max-unreachable-hosts", PW_COUNT, &max_unreachable_hosts, &limits_unreachable, nullptr},
    {"unreachable-counts", PW_BOOL, &unreachable_counts, nullptr, nullptr},
    {"ignored-counts", PW_BOOL, &ignored_counts, nullptr, nullptr},
    {"rescued-counts", PW_BOOL, &rescued_counts, nullptr, nullptr},
    {"minimum-hosts", PW_COUNT, &minimum_hosts, nullptr, nullptr},
    {"window", PW_WORD, &window_is, nullptr, windows},
    {"stop", PW_WORD, &stop, nullptr, stops},
};

void rules() {
    if (limits_percent && !(max_failed_percent >= 0 && max_failed_percent <= 100))
        pw_problem(PW_ERROR, "/max-failed-percent", "%s is not within 0 to 100",
                   pw_number(max_failed_percent));
    if (!limits_percent && minimum_hosts > 1)
        pw_problem(PW_WARNING, "/minimum-hosts", "has no effect without `max-failed-percent`");
    if (!limits_failed && !limits_percent && !limits_unreachable)
        pw_problem(PW_ERROR, "",
                   "one of `max-failed-hosts`, `max-failed-percent` and `max-unreachable-hosts` is "
                   "needed");
}

// ---- What counts of a run, or of a play.

using Hosts = std::set<std::string, std::less<>>;

struct Window {
    std::string play;  // The play that is the window; empty when the run is, or no play has begun.
    uint32_t size = 0; // Hosts in the window, failed or not, as the totals last had it.
    Hosts with_result, failed, unreachable;
    std::string last;   // The host that was found failed or unreachable last.
    bool spent = false; // One verdict is enough, also where `mode = "monitor"` lets the run go on.

    bool take(const pw_event &event);
    pw_verdict judge() const;
};

Window window;

void enter_window_of(const pw_event &event) {
    auto play = playwarden::view(event.play_uuid);
    if (window_is == WINDOW_PLAY && play && *play != window.play)
        window = Window{.play = std::string(*play)};
}

// Counts the event's host; returns whether the event was a result at all. Items of a loop and polls
// of an `async` task are none: the result of the task follows them.
bool Window::take(const pw_event &event) {
    bool counts = (!pw_marked(&event, PW_MARK(IGNORED)) || ignored_counts) &&
                  (!pw_marked(&event, PW_MARK(RESCUED)) || rescued_counts);
    bool has_failed = false, was_unreachable = false;
    if (!event.host.is_some)
        return false;
    switch (event.kind.tag) {
    case PW_KIND(RUNNER_ON_OK):
    case PW_KIND(RUNNER_ON_SKIPPED):
        break;
    case PW_KIND(RUNNER_ON_FAILED):
        has_failed = counts;
        break;
    case PW_KIND(RUNNER_ON_UNREACHABLE):
        has_failed = counts && unreachable_counts;
        was_unreachable = counts;
        break;
    default:
        return false;
    }
    std::string host(playwarden::view(event.host.val));
    with_result.insert(host);
    if (has_failed)
        failed.insert(host);
    if (was_unreachable)
        unreachable.insert(host);
    if (has_failed || was_unreachable)
        last = host;
    return true;
}

pw_verdict cancel(const char *code, const char *figures, const std::string &last) {
    return {
        .kind = PW_CANCEL,
        .text = pw_text("%s; last: %s", figures, last.c_str()),
        .code = code,
        .stop = static_cast<pw_stop>(stop),
    };
}

pw_verdict Window::judge() const {
    if (limits_unreachable && unreachable.size() > max_unreachable_hosts)
        return cancel("too-many-unreachable",
                      pw_text("%zu of %u hosts could not be reached, more than the %u allowed",
                              unreachable.size(), size, max_unreachable_hosts),
                      last);

    const char *how = "failed";
    for (const std::string &host : unreachable)
        if (failed.contains(host))
            how = "failed or could not be reached";
    if (limits_failed && failed.size() > max_failed_hosts)
        return cancel("too-many-failed",
                      pw_text("%zu of %u hosts %s, more than the %u allowed", failed.size(), size,
                              how, max_failed_hosts),
                      last);

    double percent = static_cast<double>(failed.size()) * 100 / size;
    bool is_sample_large_enough = size > 0 && with_result.size() >= minimum_hosts;
    if (limits_percent && is_sample_large_enough && percent > max_failed_percent)
        return cancel("too-many-failed",
                      pw_text("%zu of %u hosts %s (%s %%), more than the %s %% allowed",
                              failed.size(), size, how, pw_number(std::round(percent * 100) / 100),
                              pw_number(max_failed_percent)),
                      last);
    return {.kind = PW_PROCEED};
}

// Counts again what an instance had counted that the host restarted; nothing on the first call of a
// run.
void catch_up(const pw_source *source, pw_events events) {
    static bool done;
    if (done)
        return;
    done = true;
    pw_walk walk = pw_before(source, events.len ? events.ptr[0].counter : 0);
    while (const pw_event *event = pw_next(&walk)) {
        enter_window_of(*event);
        window.take(*event);
    }
}

pw_verdict evaluate(const pw_source *source, pw_events events, const pw_totals *totals) {
    catch_up(source, events);
    std::string_view present;
    for (const pw_event &event : events)
        present = playwarden::view(event.play_uuid).value_or(present);

    pw_verdict verdict = {.kind = PW_PROCEED};
    for (const pw_event &event : events) {
        enter_window_of(event);
        // Totals are those after the last event. A list may begin in one play and end in the next,
        // whose totals say nothing about the first. Whatever failed there ended an earlier call,
        // and the totals of that call still hold.
        if (window_is == WINDOW_RUN)
            window.size = totals->run.hosts;
        else if (window.play == present)
            window.size = totals->play.hosts;
        if (window.take(event) && !window.spent && verdict.kind == PW_PROCEED) {
            verdict = window.judge();
            verdict.event = event.counter;
            window.spent = verdict.kind == PW_CANCEL;
        }
    }
    return verdict;
}

} // namespace

PW_CONFIG(keys, rules)
PW_CANCEL_POLICY(evaluate)
