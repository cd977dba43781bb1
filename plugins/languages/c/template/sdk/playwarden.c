#include "playwarden.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- Memory: what one call of the host needed, and what is given back at its end.

static void **temporary;
static size_t temporary_count, temporary_room;

void pw_die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    abort();
}

void *pw_realloc(void *old, size_t size) {
    void *memory = realloc(old, size ? size : 1);
    if (!memory)
        pw_die("out of memory: %zu bytes are not to be had", size);
    return memory;
}

// Instead of the generated one, which ends the plugin without a word.
__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                    size_t align, size_t size) {
    (void)old_size;
    return size ? pw_realloc(old, size) : (void *)align;
}

static void *until_end_of_call(void *memory) {
    if (temporary_count == temporary_room) {
        temporary_room = temporary_room ? 2 * temporary_room : 64;
        temporary = pw_realloc(temporary, temporary_room * sizeof *temporary);
    }
    return temporary[temporary_count++] = memory;
}

void *pw_temporary(size_t size) {
    return until_end_of_call(pw_realloc(NULL, size));
}

static void free_temporary_from(size_t first) {
    while (temporary_count > first)
        free(temporary[--temporary_count]);
}

void pw_free_temporary_(void) {
    free_temporary_from(0);
}

// ---- Texts.

static const char *format_text(const char *format, va_list values) {
    va_list again;
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        pw_die("format `%s` cannot be printed", format);
    char *text = pw_temporary((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, values);
    return text;
}

#define FORMATTED(text, format)                     \
    va_list values;                                 \
    va_start(values, format);                       \
    const char *text = format_text(format, values); \
    va_end(values)

const char *pw_text(const char *format, ...) {
    FORMATTED(text, format);
    return text;
}

pw_string pw_string_of(const char *text) {
    return (pw_string){(uint8_t *)text, strlen(text)};
}

int pw_compare(pw_string a, pw_string b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool pw_equal(pw_string a, pw_string b) {
    return pw_compare(a, b) == 0;
}

char *pw_keep(pw_string text) {
    char *copy = pw_realloc(NULL, text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

const char *pw_time(uint64_t ns) {
    uint64_t seconds = ns / 1000000000, days = seconds / 86400 + 719468;
    // Years begin in March here, so that a leap day is the last of one.
    uint64_t era = days / 146097, day = days % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    uint64_t month = (5 * day + 2) / 153;
    day = day - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    unsigned in_day = seconds % 86400;
    return pw_text("%04llu-%02llu-%02lluT%02u:%02u:%02u.%06lluZ", year, month, day, in_day / 3600,
                   in_day / 60 % 60, in_day % 60, ns % 1000000000 / 1000);
}

// ---- Names, in the order of wit/types.wit.

static pw_string name_of(unsigned tag, const char *const *names, size_t count, pw_string other) {
    return tag < count ? pw_string_of(names[tag]) : other;
}

pw_string pw_kind_name(const pw_event *event) {
    static const char *const names[] = {"run_started",
                                        "status_changed",
                                        "policy_verdict",
                                        "plugin_fault",
                                        "callback_failed",
                                        "start_failed",
                                        "run_finished",
                                        "playbook_on_start",
                                        "playbook_on_vars_prompt",
                                        "playbook_on_play_start",
                                        "playbook_on_task_start",
                                        "playbook_on_include",
                                        "playbook_on_notify",
                                        "playbook_on_no_hosts_matched",
                                        "playbook_on_no_hosts_remaining",
                                        "playbook_on_stats",
                                        "runner_on_start",
                                        "runner_on_ok",
                                        "runner_on_failed",
                                        "runner_on_skipped",
                                        "runner_on_unreachable",
                                        "runner_on_async_poll",
                                        "runner_on_async_ok",
                                        "runner_on_async_failed",
                                        "runner_on_file_diff",
                                        "runner_retry",
                                        "runner_item_on_ok",
                                        "runner_item_on_failed",
                                        "runner_item_on_skipped",
                                        "verbose",
                                        "debug",
                                        "warning",
                                        "deprecated",
                                        "system_warning",
                                        "error"};
    _Static_assert(sizeof names / sizeof *names == PW_KIND(OTHER), "sdk/ is older than wit/");
    return name_of(event->kind.tag, names, PW_KIND(OTHER), event->kind.val.other);
}

pw_string pw_status_name(const pw_status *status) {
    static const char *const names[] = {"unstarted",  "starting", "running",  "canceling",
                                        "successful", "failed",   "canceled", "timeout",
                                        "lost",       "skipped",  "denied"};
    _Static_assert(sizeof names / sizeof *names == PW_STATUS(OTHER), "sdk/ is older than wit/");
    return name_of(status->tag, names, PW_STATUS(OTHER), status->val.other);
}

// ---- What the host offers. A string that is only read is passed without a copy.

static pw_string kept_for_call(bool found, pw_string text) {
    if (!found)
        return (pw_string){0};
    if (text.len)
        until_end_of_call(text.ptr);
    return text;
}

void pw_log(playwarden_plugin_log_level_t level, const char *format, ...) {
    if (!playwarden_plugin_log_enabled(level))
        return;
    FORMATTED(text, format);
    plugin_list_tuple2_string_string_t no_fields = {0};
    pw_string message = pw_string_of(text);
    playwarden_plugin_log_log(level, &message, &no_fields);
}

pw_string pw_data(const pw_source *source, uint64_t counter, const char *pointer) {
    pw_string at = pw_string_of(pointer), json;
    bool found = playwarden_plugin_journal_data((pw_source *)source, counter, &at, &json);
    return kept_for_call(found, json);
}

pw_string pw_data_text(const pw_source *source, uint64_t counter, const char *pointer) {
    return pw_json_text(pw_data(source, counter, pointer));
}

pw_walk pw_before(const pw_source *source, uint64_t counter) {
    return (pw_walk){.source = source, .next = 1, .end = counter};
}

pw_walk pw_after(const pw_source *source, uint64_t counter) {
    return (pw_walk){.source = source, .next = counter + 1, .end = UINT64_MAX};
}

const pw_event *pw_next(pw_walk *walk) {
    // A long journal would not leave any memory otherwise.
    if (!walk->has_begun)
        walk->kept = temporary_count;
    walk->has_begun = true;
    free_temporary_from(walk->kept);
    if (walk->at == walk->page.len && walk->next < walk->end) {
        playwarden_plugin_journal_list_event_free(&walk->page);
        // The contract allows no larger page. Fewer may come, but none only at the end.
        playwarden_plugin_journal_read((pw_source *)walk->source, walk->next, 1024, &walk->page);
        walk->at = 0;
    }
    if (walk->at < walk->page.len && walk->page.ptr[walk->at].counter < walk->end) {
        const pw_event *event = &walk->page.ptr[walk->at++];
        walk->next = event->counter + 1;
        return event;
    }
    playwarden_plugin_journal_list_event_free(&walk->page);
    walk->page = (playwarden_plugin_journal_list_event_t){0};
    walk->at = walk->next = walk->end = 0;
    return NULL;
}

pw_string pw_state_get(const char *key) {
    pw_string name = pw_string_of(key);
    plugin_list_u8_t bytes;
    bool found = playwarden_plugin_state_get(&name, &bytes);
    return kept_for_call(found, (pw_string){bytes.ptr, bytes.len});
}

static const char *refusal(bool ok, pw_string text) {
    return ok ? NULL : pw_text("%.*s", PW_ARG(kept_for_call(true, text)));
}

const char *pw_state_set(const char *key, const void *bytes, size_t size) {
    pw_string name = pw_string_of(key), error;
    plugin_list_u8_t value = {(uint8_t *)bytes, size};
    bool ok = playwarden_plugin_state_set(&name, &value, &error);
    return refusal(ok, error);
}

const char *pw_output_append(const char *name, const void *bytes, size_t size) {
    pw_string file = pw_string_of(name), error;
    plugin_list_u8_t data = {(uint8_t *)bytes, size};
    bool ok = playwarden_plugin_output_append(&file, &data, &error);
    return refusal(ok, error);
}

// ---- Answers. The generated code frees what it hands to the host, so that is copied.

static pw_string handed_over(const char *text) {
    pw_string string = pw_string_of(text);
    string.ptr = (uint8_t *)pw_keep(string);
    return string;
}

static bool failed(const char *text, uint64_t retry_ms, pw_failure_ *out) {
    *out = (pw_failure_){handed_over(text), {retry_ms > 0, retry_ms}};
    pw_free_temporary_();
    return false;
}

bool pw_verdict_(pw_verdict verdict, playwarden_plugin_types_verdict_t *out, pw_failure_ *failure) {
    if (verdict.failure)
        return failed(verdict.failure, 0, failure);
    *out = (playwarden_plugin_types_verdict_t){.tag = verdict.kind};
    if (verdict.kind != PW_PROCEED) {
        playwarden_plugin_types_reason_t reason = {
            .text = handed_over(verdict.text ? verdict.text : ""),
            .event = {verdict.event > 0, verdict.event},
        };
        if (verdict.code) {
            reason.code.is_some = true;
            reason.code.val = handed_over(verdict.code);
        }
        if (verdict.kind == PW_WARN)
            out->val.warn = reason;
        else
            out->val.cancel = (playwarden_plugin_types_tuple2_reason_stop_t){reason, verdict.stop};
    }
    pw_free_temporary_();
    return true;
}

bool pw_answer_(pw_answer answer, pw_failure_ *failure) {
    if (answer.failure)
        return failed(answer.failure, answer.retry_ms, failure);
    pw_free_temporary_();
    return true;
}

bool pw_action_is_unknown(pw_string action) {
    for (size_t i = 1; i < action.len; i++)
        if (action.ptr[i - 1] == '{' && memchr("{%#", action.ptr[i], 3))
            return true;
    return false;
}

// ---- Configuration.

typedef struct {
    pw_string key, json;
} member;

static pw_problem_ *problems;
static size_t problem_count;

void pw_problem(pw_severity severity, const char *pointer, const char *format, ...) {
    FORMATTED(text, format);
    problems = pw_realloc(problems, (problem_count + 1) * sizeof *problems);
    problems[problem_count++] = (pw_problem_){severity, handed_over(pointer), handed_over(text)};
}

static int by_key(const void *a, const void *b) {
    return pw_compare(((const member *)a)->key, ((const member *)b)->key);
}

static const pw_key *key_named(pw_string name) {
    for (size_t i = 0; i < pw_config.count; i++)
        if (pw_equal(name, pw_string_of(pw_config.keys[i].name)))
            return &pw_config.keys[i];
    return NULL;
}

static const char *pointer_to(pw_string key) {
    pw_buffer pointer = {0};
    pw_append(&pointer, "/");
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '~' || key.ptr[i] == '/')
            pw_append(&pointer, key.ptr[i] == '~' ? "~0" : "~1");
        else
            pw_append(&pointer, "%c", key.ptr[i]);
    }
    return until_end_of_call(pointer.ptr);
}

// How many bytes must be changed, put in or left out to make one word of the other.
static size_t distance(pw_string from, pw_string to) {
    size_t *row = pw_temporary((to.len + 1) * sizeof *row);
    for (size_t j = 0; j <= to.len; j++)
        row[j] = j;
    for (size_t i = 0; i < from.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < to.len; j++) {
            size_t least = diagonal + (from.ptr[i] != to.ptr[j]);
            diagonal = row[j + 1];
            if (row[j + 1] + 1 < least)
                least = row[j + 1] + 1;
            if (row[j] + 1 < least)
                least = row[j] + 1;
            row[j + 1] = least;
        }
    }
    return row[to.len];
}

static void tell_unknown(pw_string key) {
    const char *nearest = NULL, *all = "";
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < pw_config.count; i++) {
        const char *name = pw_config.keys[i].name;
        size_t wrong = distance(key, pw_string_of(name));
        if (wrong < least || (wrong == least && strcmp(name, nearest) < 0)) {
            least = wrong;
            nearest = name;
        }
        all = pw_text("%s%s%s", all, i ? ", " : "", name);
    }
    // A third of the letters wrong is no slip of the pen any more.
    if (nearest && least * 3 <= (key.len > 3 ? key.len : 3))
        pw_problem(PW_ERROR, pointer_to(key), "unknown key; did you mean `%s`?", nearest);
    else
        pw_problem(PW_ERROR, pointer_to(key), "unknown key; there are %s", all);
}

// What a value is, in a problem: `string "many"`.
static const char *described(pw_string json) {
    switch (json.ptr[0]) {
    case '"': {
        pw_buffer text = {0};
        pw_append_quoted(&text, pw_json_text(json));
        return pw_text("string %s", (const char *)until_end_of_call(text.ptr));
    }
    case '{':
        return "map";
    case '[':
        return "sequence";
    case 'n':
        return "null";
    case 't':
    case 'f':
        return pw_text("boolean `%.*s`", PW_ARG(json));
    default: {
        bool whole = !memchr(json.ptr, '.', json.len) && !memchr(json.ptr, 'e', json.len) &&
                     !memchr(json.ptr, 'E', json.len);
        return pw_text("%s `%.*s`", whole ? "integer" : "floating point", PW_ARG(json));
    }
    }
}

static void tell_wrong_at(const char *pointer, const char *what, pw_string json,
                          const char *expected) {
    pw_problem(PW_ERROR, pointer, "invalid %s: %s, expected %s", what, described(json), expected);
}

static void tell_wrong(const pw_key *key, const char *what, pw_string json, const char *expected) {
    tell_wrong_at(pointer_to(pw_string_of(key->name)), what, json, expected);
}

static bool is_number(pw_string json) {
    return json.ptr[0] == '-' || (json.ptr[0] >= '0' && json.ptr[0] <= '9');
}

static void read_word(const pw_key *key, pw_string json) {
    if (json.ptr[0] != '"') {
        tell_wrong(key, "type", json, "string or map");
        return;
    }
    const char *all = "";
    pw_string word = pw_json_text(json);
    for (int i = 0; key->words[i]; i++) {
        if (pw_equal(word, pw_string_of(key->words[i]))) {
            *(int *)key->value = i;
            return;
        }
        all = pw_text("%s%s`%s`", all, i ? ", " : "", key->words[i]);
    }
    pw_problem(PW_ERROR, pointer_to(pw_string_of(key->name)), "`%.*s` is not one of %s",
               PW_ARG(word), all);
}

static void read_list(const pw_key *key, pw_string json) {
    if (json.ptr[0] != '[') {
        tell_wrong(key, "type", json, "a sequence");
        return;
    }
    const char **texts = NULL;
    size_t count = 0;
    for (pw_string item; pw_json_item(&json, &item); count++) {
        if (item.ptr[0] != '"') {
            const char *pointer = pointer_to(pw_string_of(key->name));
            tell_wrong_at(pw_text("%s/%zu", pointer, count), "type", item, "a string");
            return;
        }
        texts = pw_realloc(texts, (count + 1) * sizeof *texts);
        texts[count] = pw_keep(pw_json_text(item));
    }
    *(pw_list *)key->value = (pw_list){texts, count};
}

bool pw_has(pw_list list, pw_string text) {
    for (size_t i = 0; i < list.len; i++)
        if (pw_equal(text, pw_string_of(list.ptr[i])))
            return true;
    return false;
}

static void read_value(const pw_key *key, pw_string json) {
    const char *text = pw_text("%.*s", PW_ARG(json));
    switch (key->type) {
    case PW_COUNT:
        if (is_number(json) && strspn(text, "-0123456789") == json.len) {
            double number = strtod(text, NULL);
            if (number < 0 || number > UINT32_MAX)
                tell_wrong(key, "value", json, "u32");
            else
                *(uint32_t *)key->value = (uint32_t)number;
        } else {
            tell_wrong(key, "type", json, "u32");
        }
        break;
    case PW_NUMBER:
        if (is_number(json))
            *(double *)key->value = strtod(text, NULL);
        else
            tell_wrong(key, "type", json, "f64");
        break;
    case PW_BOOL:
        if (json.ptr[0] == 't' || json.ptr[0] == 'f')
            *(bool *)key->value = json.ptr[0] == 't';
        else
            tell_wrong(key, "type", json, "a boolean");
        break;
    case PW_TEXT:
        if (json.ptr[0] == '"')
            *(const char **)key->value = pw_keep(pw_json_text(json));
        else
            tell_wrong(key, "type", json, "a string");
        break;
    case PW_WORD:
        read_word(key, json);
        break;
    case PW_LIST:
        read_list(key, json);
        break;
    }
}

// Reads the whole configuration and finds all that is wrong with it.
static void read_config(void) {
    pw_string whole = pw_string_of(""), json;
    bool is_there = playwarden_plugin_config_get(&whole, &json);
    pw_string rest = is_there ? kept_for_call(true, json) : pw_string_of("{}");
    member *members = NULL, next;
    size_t count = 0;
    while (pw_json_member(&rest, &next.key, &next.json)) {
        members = pw_realloc(members, (count + 1) * sizeof *members);
        members[count++] = next;
    }
    if (count)
        qsort(members, count, sizeof *members, by_key);
    for (size_t i = 0; i < count; i++)
        if (!key_named(members[i].key))
            tell_unknown(members[i].key);
    for (size_t i = 0; i < count; i++) {
        const pw_key *key = key_named(members[i].key);
        if (key && !(key->given && members[i].json.ptr[0] == 'n')) {
            read_value(key, members[i].json);
            if (key->given)
                *key->given = true;
        }
    }
    free(members);
    if (pw_config.rules && problem_count == 0)
        pw_config.rules();
}

pw_problem_ *pw_validate_(size_t *count) {
    read_config();
    pw_free_temporary_();
    *count = problem_count;
    return problems;
}

// JSON Schema of the keys. Made before anything is read: the variables still hold the defaults.
pw_string pw_schema_(void) {
    static const char *const types[] = {
        [PW_COUNT] = "\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295",
        [PW_NUMBER] = "\"type\":\"number\"",
        [PW_BOOL] = "\"type\":\"boolean\"",
        [PW_TEXT] = "\"type\":\"string\"",
        [PW_WORD] = "\"enum\":[",
        [PW_LIST] = "\"type\":\"array\",\"items\":{\"type\":\"string\"}",
    };
    pw_buffer schema = {0};
    pw_append(&schema, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < pw_config.count; i++) {
        const pw_key *key = &pw_config.keys[i];
        pw_append(&schema, "%s\"%s\":{%s", i ? "," : "", key->name, types[key->type]);
        for (int j = 0; key->type == PW_WORD && key->words[j]; j++)
            pw_append(&schema, "%s\"%s\"", j ? "," : "", key->words[j]);
        pw_append(&schema, key->type == PW_WORD ? "]}" : "}");
    }
    pw_append(&schema, "}}");
    return (pw_string){(uint8_t *)schema.ptr, schema.len};
}

static const char *config_failure(void) {
    static bool is_read;
    if (!is_read) {
        is_read = true;
        read_config();
    }
    for (size_t i = 0; i < problem_count; i++)
        if (problems[i].severity == PW_ERROR)
            return pw_text("config%.*s: %.*s", PW_ARG(problems[i].pointer),
                           PW_ARG(problems[i].message));
    return NULL;
}

pw_verdict pw_no_verdict_(void) {
    return (pw_verdict){.failure = config_failure()};
}

pw_answer pw_no_answer_(void) {
    return (pw_answer){.failure = config_failure()};
}
