// Cancels a run when too many hosts failed or could not be reached.
//
// Hosts are counted, not results, and a verdict follows from the events of one window alone. So it
// does not matter in how many calls the events arrive, and a window never pays for an earlier one.

#include "playwarden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Configuration.

enum { WINDOW_RUN, WINDOW_PLAY };

static uint32_t max_failed_hosts, max_unreachable_hosts, minimum_hosts = 1;
static double max_failed_percent;
static bool limits_failed, limits_percent, limits_unreachable;
static bool unreachable_counts = true, ignored_counts, rescued_counts;
static int window = WINDOW_RUN, stop = PW_NOW;

static const pw_key keys[] = {
    {"max-failed-hosts", PW_COUNT, &max_failed_hosts, &limits_failed},
    {"max-failed-percent", PW_NUMBER, &max_failed_percent, &limits_percent},
    {"max-unreachable-hosts", PW_COUNT, &max_unreachable_hosts, &limits_unreachable},
    {"unreachable-counts", PW_BOOL, &unreachable_counts},
    {"ignored-counts", PW_BOOL, &ignored_counts},
    {"rescued-counts", PW_BOOL, &rescued_counts},
    {"minimum-hosts", PW_COUNT, &minimum_hosts},
    {"window", PW_WORD, &window, .words = (const char *const[]){"run", "play", NULL}},
    {"stop", PW_WORD, &stop, .words = (const char *const[]){"now", "after-running-tasks", NULL}},
};

static void rules(void) {
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
PW_CONFIG(keys, rules)

// ---- Hosts of the window that have a result, in the order of their names.

typedef struct {
    char *name;
    bool failed, unreachable;
} host;

static host *hosts;
static size_t with_result, room;
static uint32_t failed, unreachable, both;

// How many hosts the window has, failed or not, as the totals last had it.
static uint32_t hosts_in_window;
// The play that is the window; NULL when the run is, or no play has begun.
static char *play;
// The host that was found failed or unreachable last.
static const char *last = "";
// One verdict for a window is enough, also where `mode = "monitor"` lets the run go on.
static bool spent;

static host *host_named(pw_string name) {
    size_t low = 0, high = with_result;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = pw_compare(pw_string_of(hosts[middle].name), name);
        if (order == 0)
            return &hosts[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (with_result == room) {
        room = 2 * room + 16;
        hosts = pw_realloc(hosts, room * sizeof *hosts);
    }
    memmove(&hosts[low + 1], &hosts[low], (with_result++ - low) * sizeof *hosts);
    hosts[low] = (host){.name = pw_keep(name)};
    return &hosts[low];
}

static bool is_play_of(const pw_event *event) {
    return play && pw_equal(event->play_uuid.val, pw_string_of(play));
}

static void enter_window_of(const pw_event *event) {
    if (window != WINDOW_PLAY || !event->play_uuid.is_some || is_play_of(event))
        return;
    while (with_result > 0)
        free(hosts[--with_result].name);
    failed = unreachable = both = hosts_in_window = 0;
    last = "";
    spent = false;
    free(play);
    play = pw_keep(event->play_uuid.val);
}

// Counts the event's host; returns whether the event was a result at all. Items of a loop and polls
// of an `async` task are none: the result of the task follows them.
static bool take(const pw_event *event) {
    bool counts = (!pw_marked(event, PW_MARK(IGNORED)) || ignored_counts) &&
                  (!pw_marked(event, PW_MARK(RESCUED)) || rescued_counts);
    bool has_failed = false, was_unreachable = false;
    if (!event->host.is_some)
        return false;
    switch (event->kind.tag) {
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
    host *at = host_named(event->host.val);
    both -= at->failed && at->unreachable;
    failed += has_failed && !at->failed;
    unreachable += was_unreachable && !at->unreachable;
    at->failed |= has_failed;
    at->unreachable |= was_unreachable;
    both += at->failed && at->unreachable;
    if (has_failed || was_unreachable)
        last = at->name;
    return true;
}

// ---- Verdicts.

static pw_verdict cancel(const char *code, const char *figures) {
    spent = true;
    return (pw_verdict){
        .kind = PW_CANCEL,
        .text = pw_text("%s; last: %s", figures, last),
        .code = code,
        .stop = stop,
    };
}

static pw_verdict judge(void) {
    if (limits_unreachable && unreachable > max_unreachable_hosts)
        return cancel("too-many-unreachable",
                      pw_text("%u of %u hosts could not be reached, more than the %u allowed",
                              unreachable, hosts_in_window, max_unreachable_hosts));

    const char *how = both ? "failed or could not be reached" : "failed";
    if (limits_failed && failed > max_failed_hosts)
        return cancel("too-many-failed", pw_text("%u of %u hosts %s, more than the %u allowed",
                                                 failed, hosts_in_window, how, max_failed_hosts));

    double percent = failed * 100.0 / hosts_in_window;
    bool is_sample_large_enough = hosts_in_window > 0 && with_result >= minimum_hosts;
    if (limits_percent && is_sample_large_enough && percent > max_failed_percent)
        return cancel("too-many-failed",
                      pw_text("%u of %u hosts %s (%s %%), more than the %s %% allowed", failed,
                              hosts_in_window, how, pw_number(round(percent * 100) / 100),
                              pw_number(max_failed_percent)));
    return (pw_verdict){PW_PROCEED};
}

// Counts again what an instance had counted that the host restarted; nothing on the first call of a
// run.
static void catch_up(const pw_source *source, pw_events events) {
    static bool done;
    if (done)
        return;
    done = true;
    pw_walk walk = pw_before(source, events.len ? events.ptr[0].counter : 0);
    const pw_event *event;
    while ((event = pw_next(&walk))) {
        enter_window_of(event);
        take(event);
    }
}

static pw_verdict evaluate(const pw_source *source, pw_events events, const pw_totals *totals) {
    catch_up(source, events);
    const pw_event *present = NULL;
    for (size_t i = events.len; i-- > 0 && !present;)
        if (events.ptr[i].play_uuid.is_some)
            present = &events.ptr[i];

    pw_verdict verdict = {PW_PROCEED};
    for (size_t i = 0; i < events.len; i++) {
        const pw_event *event = &events.ptr[i];
        enter_window_of(event);
        // Totals are those after the last event. A list may begin in one play and end in the next,
        // whose totals say nothing about the first. Whatever failed there ended an earlier call,
        // and the totals of that call still hold.
        if (window == WINDOW_RUN)
            hosts_in_window = totals->run.hosts;
        else if (present ? is_play_of(present) : !play)
            hosts_in_window = totals->play.hosts;
        if (take(event) && !spent && verdict.kind == PW_PROCEED) {
            verdict = judge();
            verdict.event = event->counter;
        }
    }
    return verdict;
}
PW_CANCEL_POLICY(evaluate)
