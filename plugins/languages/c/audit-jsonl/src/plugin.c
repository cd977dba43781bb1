// Writes who did what where to which end, a JSON object a line.
//
// What is acknowledged is written, and what is written is not written again.

#include "playwarden.h"

#include <stdlib.h>
#include <string.h>

static bool include_start, include_skipped = true, include_args;
static pw_list except_actions;

static const pw_key keys[] = {
    {"include-start", PW_BOOL, &include_start},
    {"include-skipped", PW_BOOL, &include_skipped},
    {"include-args", PW_BOOL, &include_args},
    {"except-actions", PW_LIST, &except_actions},
};
PW_CONFIG(keys, NULL)

// Who started the run, and what for, where the host knows it.
static pw_string user, reason;

// ---- A line. Keys that say nothing are left out: a text without a `ptr` is none.

static pw_string text_or_none(plugin_option_string_t text) {
    return text.is_some ? text.val : (pw_string){0};
}

static void put_text(pw_buffer *line, const char *key, pw_string text) {
    if (text.ptr) {
        pw_append(line, ",\"%s\":", key);
        pw_append_quoted(line, text);
    }
}

static void put_json(pw_buffer *line, const char *key, pw_string json) {
    if (json.ptr && memcmp(json.ptr, "null", 4) != 0) {
        pw_append(line, ",\"%s\":", key);
        pw_append_json(line, json);
    }
}

static void begin_line(pw_buffer *line, const pw_source *source, uint64_t time_ns,
                       uint64_t counter) {
    pw_append(line, "{\"schema\":1,\"time\":\"%s\"", pw_time(time_ns));
    put_text(line, "run", source->run);
    put_text(line, "job", source->job);
    put_text(line, "user", user);
    put_text(line, "reason", reason);
    pw_append(line, ",\"counter\":%llu", counter);
}

// No text of a line is longer than 1 KiB; it is cut between two characters.
static pw_string cut(pw_string text) {
    if (text.len > 1024) {
        text.len = 1024;
        while ((text.ptr[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    return text;
}

static bool is_of_task(const pw_event *event) {
    return event->kind.tag >= PW_KIND(RUNNER_ON_START) &&
           event->kind.tag <= PW_KIND(RUNNER_ITEM_ON_SKIPPED);
}

static bool is_wanted(const pw_event *event) {
    if (is_of_task(event) && event->action.is_some && pw_has(except_actions, text_or_none(event->action)))
        return false;
    switch (event->kind.tag) {
    case PW_KIND(RUNNER_ON_START):
        return include_start;
    case PW_KIND(RUNNER_ON_SKIPPED):
    case PW_KIND(RUNNER_ITEM_ON_SKIPPED):
        return include_skipped;
    case PW_KIND(RUN_STARTED):
    case PW_KIND(STATUS_CHANGED):
    case PW_KIND(POLICY_VERDICT):
    case PW_KIND(PLUGIN_FAULT):
    case PW_KIND(CALLBACK_FAILED):
    case PW_KIND(START_FAILED):
    case PW_KIND(RUN_FINISHED):
    case PW_KIND(RUNNER_ON_OK):
    case PW_KIND(RUNNER_ON_FAILED):
    case PW_KIND(RUNNER_ON_UNREACHABLE):
    case PW_KIND(RUNNER_RETRY):
    case PW_KIND(RUNNER_ITEM_ON_OK):
    case PW_KIND(RUNNER_ITEM_ON_FAILED):
        return true;
    default:
        return false;
    }
}

// ---- What is read of `event_data`.

// JSON at a pointer. Of a result whose data did not come with it, since it is larger than 1 MiB,
// there is none: asking for all of it could break the memory limit.
static pw_string data(const pw_source *source, const pw_event *event, const char *pointer) {
    if (is_of_task(event) && !event->data.is_some)
        return (pw_string){0};
    return pw_data(source, event->counter, pointer);
}

// The first of the pointers where there is a string.
static pw_string first_text(const pw_source *source, const pw_event *event,
                            const char *const *pointers) {
    for (; *pointers; pointers++) {
        pw_string text = pw_json_text(data(source, event, *pointers));
        if (text.ptr)
            return text;
    }
    return (pw_string){0};
}

#define FIRST_TEXT(...) first_text(source, event, (const char *const[]){__VA_ARGS__, NULL})

// What came of it, in one word.
static pw_string result_of(const pw_source *source, const pw_event *event) {
    static const struct {
        unsigned mark;
        const char *word;
    } words[] = {
        {PW_MARK(RESCUED), "rescued"},         {PW_MARK(IGNORED), "ignored"},
        {PW_MARK(UNREACHABLE), "unreachable"}, {PW_MARK(FAILED), "failed"},
        {PW_MARK(SKIPPED), "skipped"},         {PW_MARK(CHANGED), "changed"},
    };
    const char *word = "ok";
    pw_string told = {0};
    switch (event->kind.tag) {
    case PW_KIND(RUNNER_ON_START):
    case PW_KIND(RUN_STARTED):
        word = "started";
        break;
    case PW_KIND(RUNNER_RETRY):
        word = "retried";
        break;
    case PW_KIND(STATUS_CHANGED):
    case PW_KIND(RUN_FINISHED):
        told = FIRST_TEXT(event->kind.tag == PW_KIND(RUN_FINISHED) ? "/status" : "/to");
        word = "unknown";
        break;
    case PW_KIND(POLICY_VERDICT): {
        pw_string verdict = FIRST_TEXT("/verdict"), acted_on = data(source, event, "/acted_on");
        word = !pw_equal(verdict, pw_string_of("cancel")) ? "warned"
               : pw_equal(acted_on, pw_string_of("true")) ? "canceled"
                                                          : "would-cancel";
        break;
    }
    case PW_KIND(PLUGIN_FAULT):
    case PW_KIND(CALLBACK_FAILED):
    case PW_KIND(START_FAILED):
        word = "failed";
        break;
    default:
        for (size_t i = sizeof words / sizeof *words; i-- > 0;)
            if (pw_marked(event, words[i].mark))
                word = words[i].word;
    }
    return told.ptr ? told : pw_string_of(word);
}

static void put_marks(pw_buffer *line, const pw_event *event) {
    static const struct {
        unsigned mark;
        const char *word;
    } words[] = {
        {PW_MARK(HANDLER), "handler"},
        {PW_MARK(CHECK_MODE), "check-mode"},
        {PW_MARK(NO_LOG), "no-log"},
        {PW_MARK(TRUNCATED), "truncated"},
    };
    bool any = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (pw_marked(event, words[i].mark)) {
            pw_append(line, any ? ",\"%s\"" : ",\"marks\":[\"%s\"", words[i].word);
            any = true;
        }
    }
    if (any)
        pw_append(line, "]");
}

static void put_args(pw_buffer *line, const pw_source *source, const pw_event *event) {
    pw_string args = data(source, event, "/res/invocation/module_args");
    put_json(line, "args", args.ptr ? args : data(source, event, "/start/args"));
}

static void put_delegated(pw_buffer *line, const pw_source *source, const pw_event *event) {
    // Older versions of Ansible name the host, newer ones its address.
    put_text(line, "delegated_to",
             FIRST_TEXT("/res/_ansible_delegated_vars/ansible_delegated_host",
                        "/res/_ansible_delegated_vars/ansible_host", "/start/delegate_to"));
}

// What only the host's own events have.
static void put_own(pw_buffer *line, const pw_source *source, const pw_event *event) {
    put_text(line, "plugin", FIRST_TEXT("/plugin/name", "/cause/name"));
    put_text(line, "code", FIRST_TEXT("/reason/code", "/cause/reason/code", "/cause/kind"));
    put_text(line, "message",
             cut(FIRST_TEXT("/reason/text", "/cause/reason/text", "/cause/text", "/text", "/error",
                            "/detail")));
}

static void put_event(pw_buffer *line, const pw_source *source, const pw_event *event) {
    begin_line(line, source, event->time_ns, event->counter);
    put_text(line, "event", pw_kind_name(event));
    put_text(line, "result", result_of(source, event));
    put_text(line, "host", text_or_none(event->host));
    put_delegated(line, source, event);
    put_text(line, "play", text_or_none(event->play));
    put_text(line, "role", text_or_none(event->role));
    put_text(line, "task", text_or_none(event->task));
    put_text(line, "action", text_or_none(event->action));
    if (is_of_task(event))
        put_text(line, "path", FIRST_TEXT("/task_path"));
    put_text(line, "item", text_or_none(event->item));
    if (event->item_number.is_some)
        pw_append(line, ",\"item_number\":%u", event->item_number.val);
    if (is_of_task(event))
        put_json(line, "attempt", data(source, event, "/res/attempts"));
    if (include_args)
        put_args(line, source, event);
    if (event->rc.is_some)
        pw_append(line, ",\"rc\":%lld", event->rc.val);
    if (event->duration_ms.is_some)
        pw_append(line, ",\"duration_ms\":%llu", event->duration_ms.val);
    put_marks(line, event);
    if (!is_of_task(event))
        put_own(line, source, event);
    else
        put_text(line, "message", cut(text_or_none(event->message)));
    pw_append(line, "}\n");
}

// The last line of a run whose `run_finished` was not among the events asked for.
static void put_finish(pw_buffer *line, const pw_finish *finish) {
    begin_line(line, &finish->source, finish->finished_ns, finish->last_event);
    put_text(line, "event", pw_string_of("run_finished"));
    put_text(line, "result", pw_status_name(&finish->status));
    put_text(line, "plugin", text_or_none(finish->by));
    bool has_code = finish->reason.is_some && finish->reason.val.code.is_some;
    put_text(line, "code", text_or_none(has_code ? finish->reason.val.code : finish->cause));
    if (finish->reason.is_some)
        put_text(line, "message", cut(finish->reason.val.text));
    pw_append(line, "}\n");
}

// ---- The trail: the plugin's output. How far it got stands in the plugin's state.

// Counter of the last line; 0 before the first.
static uint64_t last_written(void) {
    pw_string bytes = pw_state_get("last");
    uint64_t last = 0;
    if (bytes.len == sizeof last)
        memcpy(&last, bytes.ptr, sizeof last); // WebAssembly is little endian.
    return last;
}

// Adds whole lines, of which the last has this counter.
static const char *append(const pw_buffer *lines, uint64_t last) {
    if (lines->len == 0)
        return NULL;
    const char *refused = pw_output_append("audit.jsonl", lines->ptr, lines->len);
    return refused ? refused : pw_state_set("last", &last, sizeof last);
}

// ---- Hooks.

static pw_answer start(const pw_run *run) {
    pw_string rest = run->data, key, value;
    while (pw_json_member(&rest, &key, &value)) {
        pw_string *known = pw_equal(key, pw_string_of("user"))     ? &user
                           : pw_equal(key, pw_string_of("reason")) ? &reason
                                                                   : NULL;
        pw_string text = pw_json_text(value);
        if (known && text.ptr)
            *known = (pw_string){(uint8_t *)pw_keep(text), text.len};
    }
    return (pw_answer){0};
}

static void end(void) {}
PW_LIFECYCLE(start, end)

static pw_answer on_events(const pw_source *source, pw_events events) {
    pw_answer answer = {0};
    pw_buffer lines = {0};
    uint64_t last = last_written(), written = last;
    for (size_t i = 0; i < events.len; i++) {
        const pw_event *event = &events.ptr[i];
        answer.done = event->counter;
        if (event->counter > last && is_wanted(event)) {
            put_event(&lines, source, event);
            written = event->counter;
        }
    }
    answer.failure = append(&lines, written);
    free(lines.ptr);
    return answer;
}
PW_EVENT_HANDLER(on_events)

// Writes what no event handler has written, so that the trail is whole wherever the plugin is
// named.
static pw_answer on_finished(const pw_finish *finish) {
    const char *failure = NULL;
    pw_buffer line = {0};
    pw_walk walk = pw_after(&finish->source, last_written());
    const pw_event *event;
    while (!failure && (event = pw_next(&walk))) {
        if (is_wanted(event)) {
            line.len = 0;
            put_event(&line, &finish->source, event);
            failure = append(&line, event->counter);
        }
    }
    if (!failure && last_written() < finish->last_event) {
        line.len = 0;
        put_finish(&line, finish);
        failure = append(&line, finish->last_event);
    }
    free(line.ptr);
    return (pw_answer){.failure = failure};
}
PW_FINISHED_CALLBACK(on_finished)
