// Writes who did what where to which end, a JSON object a line.
//
// What is acknowledged is written, and what is written is not written again.

#include "playwarden.hpp"

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <utility>

namespace {

using playwarden::found;
using playwarden::view;
using Text = std::optional<std::string_view>;

bool include_start, include_skipped = true, include_args;
pw_list except_actions;

const pw_key keys[] = {
    {.name = "include-start", .type = PW_BOOL, .value = &include_start},
    {.name = "include-skipped", .type = PW_BOOL, .value = &include_skipped},
    {.name = "include-args", .type = PW_BOOL, .value = &include_args},
    {.name = "except-actions", .type = PW_LIST, .value = &except_actions},
};

// Who started the run, and what for, where the host knows it.
std::optional<std::string> user, reason;

bool is_of_task(const pw_event &event) {
    return event.kind.tag >= PW_KIND(RUNNER_ON_START) &&
           event.kind.tag <= PW_KIND(RUNNER_ITEM_ON_SKIPPED);
}

bool is_wanted(const pw_event &event) {
    if (is_of_task(event) && event.action.is_some && pw_has(except_actions, event.action.val))
        return false;
    switch (event.kind.tag) {
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

// `event_data` of an event.
struct Details {
    const pw_source &source;
    const pw_event &event;

    // JSON at a pointer. Of a result whose data did not come with it, since it is larger than 1
    // MiB, there is none: asking for all of it could break the memory limit.
    Text at(const char *pointer) const {
        if (is_of_task(event) && !event.data.is_some)
            return {};
        return found(pw_data(&source, event.counter, pointer));
    }

    // The first string at one of the pointers.
    Text text(std::initializer_list<const char *> pointers) const {
        for (const char *pointer : pointers)
            if (Text json = at(pointer))
                if (Text text = found(pw_json_text(playwarden::string(*json))))
                    return text;
        return {};
    }

    std::string_view result() const;
};

// What came of it, in one word.
std::string_view Details::result() const {
    switch (event.kind.tag) {
    case PW_KIND(RUNNER_ON_START):
    case PW_KIND(RUN_STARTED):
        return "started";
    case PW_KIND(RUNNER_RETRY):
        return "retried";
    case PW_KIND(STATUS_CHANGED):
        return text({"/to"}).value_or("unknown");
    case PW_KIND(RUN_FINISHED):
        return text({"/status"}).value_or("unknown");
    case PW_KIND(POLICY_VERDICT):
        if (text({"/verdict"}) != "cancel")
            return "warned";
        return at("/acted_on") == "true" ? "canceled" : "would-cancel";
    case PW_KIND(PLUGIN_FAULT):
    case PW_KIND(CALLBACK_FAILED):
    case PW_KIND(START_FAILED):
        return "failed";
    }
    constexpr std::pair<unsigned, const char *> words[] = {
        {PW_MARK(RESCUED), "rescued"},         {PW_MARK(IGNORED), "ignored"},
        {PW_MARK(UNREACHABLE), "unreachable"}, {PW_MARK(FAILED), "failed"},
        {PW_MARK(SKIPPED), "skipped"},         {PW_MARK(CHANGED), "changed"},
    };
    for (auto [mark, word] : words)
        if (pw_marked(&event, mark))
            return word;
    return "ok";
}

// Lines that are being written. Keys that say nothing are left out.
class Lines {
  public:
    ~Lines() { std::free(buffer.ptr); }

    void add(const pw_source &source, const pw_event &event);
    void add(const pw_finish &finish);

    // Adds them to the trail: the plugin's output. The last of them has this counter. Returns what
    // the host refused.
    const char *append(uint64_t last) {
        if (buffer.len == 0)
            return nullptr;
        const char *refused = pw_output_append("audit.jsonl", buffer.ptr, buffer.len);
        buffer.len = 0;
        return refused ? refused : pw_state_set("last", &last, sizeof last);
    }

  private:
    pw_buffer buffer = {};

    void begin(const pw_source &source, uint64_t time_ns, uint64_t counter) {
        pw_append(&buffer, "{\"schema\":1,\"time\":\"%s\"", pw_time(time_ns));
        text("run", view(source.run));
        text("job", view(source.job));
        text("user", user);
        text("reason", reason);
        pw_append(&buffer, ",\"counter\":%llu", counter);
    }

    void text(const char *key, Text value) {
        if (!value)
            return;
        pw_append(&buffer, ",\"%s\":", key);
        pw_append_quoted(&buffer, playwarden::string(*value));
    }

    void json(const char *key, Text value) {
        if (!value || *value == "null")
            return;
        pw_append(&buffer, ",\"%s\":", key);
        pw_append_json(&buffer, playwarden::string(*value));
    }

    void marks(const pw_event &event) {
        constexpr std::pair<unsigned, const char *> words[] = {
            {PW_MARK(HANDLER), "handler"},
            {PW_MARK(CHECK_MODE), "check-mode"},
            {PW_MARK(NO_LOG), "no-log"},
            {PW_MARK(TRUNCATED), "truncated"},
        };
        bool any = false;
        for (auto [mark, word] : words)
            if (pw_marked(&event, mark)) {
                pw_append(&buffer, any ? ",\"%s\"" : ",\"marks\":[\"%s\"", word);
                any = true;
            }
        if (any)
            pw_append(&buffer, "]");
    }
};

// No text of a line is longer than 1 KiB; it is cut between two characters.
Text cut(Text text) {
    if (!text || text->size() <= 1024)
        return text;
    size_t end = 1024;
    while (((*text)[end] & 0xc0) == 0x80)
        end--;
    return text->substr(0, end);
}

void Lines::add(const pw_source &source, const pw_event &event) {
    Details details{source, event};
    begin(source, event.time_ns, event.counter);
    text("event", view(pw_kind_name(&event)));
    text("result", details.result());
    text("host", view(event.host));
    // Older versions of Ansible name the host, newer ones its address.
    text("delegated_to",
         details.text({"/res/_ansible_delegated_vars/ansible_delegated_host",
                       "/res/_ansible_delegated_vars/ansible_host", "/start/delegate_to"}));
    text("play", view(event.play));
    text("role", view(event.role));
    text("task", view(event.task));
    text("action", view(event.action));
    if (is_of_task(details.event))
        text("path", details.text({"/task_path"}));
    text("item", view(event.item));
    if (event.item_number.is_some)
        pw_append(&buffer, ",\"item_number\":%u", event.item_number.val);
    if (is_of_task(details.event))
        json("attempt", details.at("/res/attempts"));
    if (include_args) {
        Text args = details.at("/res/invocation/module_args");
        json("args", args ? args : details.at("/start/args"));
    }
    if (event.rc.is_some)
        pw_append(&buffer, ",\"rc\":%lld", event.rc.val);
    if (event.duration_ms.is_some)
        pw_append(&buffer, ",\"duration_ms\":%llu", event.duration_ms.val);
    marks(event);
    if (is_of_task(details.event)) {
        text("message", cut(view(event.message)));
    } else {
        text("plugin", details.text({"/plugin/name", "/cause/name"}));
        text("code", details.text({"/reason/code", "/cause/reason/code", "/cause/kind"}));
        text("message", cut(details.text({"/reason/text", "/cause/reason/text", "/cause/text",
                                          "/text", "/error", "/detail"})));
    }
    pw_append(&buffer, "}\n");
}

// The last line of a run whose `run_finished` was not among the events asked for.
void Lines::add(const pw_finish &finish) {
    begin(finish.source, finish.finished_ns, finish.last_event);
    text("event", "run_finished");
    text("result", view(pw_status_name(&finish.status)));
    text("plugin", view(finish.by));
    bool has_code = finish.reason.is_some && finish.reason.val.code.is_some;
    text("code", view(has_code ? finish.reason.val.code : finish.cause));
    if (finish.reason.is_some)
        text("message", cut(view(finish.reason.val.text)));
    pw_append(&buffer, "}\n");
}

// Counter of the last line; 0 before the first.
uint64_t last_written() {
    pw_string bytes = pw_state_get("last");
    uint64_t last = 0;
    if (bytes.len == sizeof last)
        std::memcpy(&last, bytes.ptr, sizeof last); // WebAssembly is little endian.
    return last;
}

// ---- Hooks.

pw_answer start(const pw_run *run) {
    pw_string rest = run->data, key, value;
    while (pw_json_member(&rest, &key, &value)) {
        Text text = found(pw_json_text(value));
        if (text && view(key) == "user")
            user = *text;
        if (text && view(key) == "reason")
            reason = *text;
    }
    return {};
}

void stop() {}

pw_answer on_events(const pw_source *source, pw_events events) {
    pw_answer answer = {};
    Lines lines;
    uint64_t last = last_written(), written = last;
    for (const pw_event &event : events) {
        answer.done = event.counter;
        if (event.counter > last && is_wanted(event)) {
            lines.add(*source, event);
            written = event.counter;
        }
    }
    answer.failure = lines.append(written);
    return answer;
}

// Writes what no event handler has written, so that the trail is whole wherever the plugin is
// named.
pw_answer on_finished(const pw_finish *finish) {
    pw_answer answer = {};
    Lines lines;
    pw_walk walk = pw_after(&finish->source, last_written());
    while (const pw_event *event = answer.failure ? nullptr : pw_next(&walk)) {
        if (is_wanted(*event)) {
            lines.add(finish->source, *event);
            answer.failure = lines.append(event->counter);
        }
    }
    if (!answer.failure && last_written() < finish->last_event) {
        lines.add(*finish);
        answer.failure = lines.append(finish->last_event);
    }
    return answer;
}

} // namespace

PW_CONFIG(keys, nullptr)
PW_LIFECYCLE(start, stop)
PW_EVENT_HANDLER(on_events)
PW_FINISHED_CALLBACK(on_finished)
