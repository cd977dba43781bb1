// What a plugin in C is written with: verdicts, configuration, journal, log, time.
//
// `plugin.h` is generated from wit/ by `playwarden plugin build`; everything in it may be used too.
// What this header adds:
//
//   Memory   Nothing has to be freed. What the host hands over, and every text that a function here
//   returns, lives until
//            the host's call ends. What is to live longer is copied: pw_keep().
//   Texts    Those of the host are `pw_string`, with a length and without an end mark; print them
//   by "%.*s" and PW_ARG().
//            Those of the plugin are plain C strings.
//   Hooks    One macro each, at the end of this file, makes a function of yours the export of
//   wit/plugin.wit.

#ifndef PLAYWARDEN_H
#define PLAYWARDEN_H

#include "plugin.h"

#include <assert.h>
#ifdef NDEBUG
#error "a policy keeps its assertions: build it without NDEBUG"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define PW_PRINTF(format, rest) __attribute__((__format__(__printf__, format, rest)))

// ---- The contract's shapes, under shorter names.

typedef plugin_string_t pw_string;
typedef playwarden_plugin_types_source_t pw_source;
typedef playwarden_plugin_types_event_t pw_event;
typedef playwarden_plugin_types_tally_t pw_tally;
typedef playwarden_plugin_types_totals_t pw_totals;
typedef playwarden_plugin_types_status_t pw_status;

typedef struct {
    const pw_event *ptr;
    size_t len;
} pw_events;

// Kinds and marks by their names in wit/: PW_KIND(RUNNER_ON_FAILED), PW_MARK(IGNORED),
// PW_STATUS(CANCELED).
#define PW_KIND(name) PLAYWARDEN_PLUGIN_TYPES_EVENT_KIND_##name
#define PW_MARK(name) PLAYWARDEN_PLUGIN_TYPES_MARKS_##name
#define PW_STATUS(name) PLAYWARDEN_PLUGIN_TYPES_STATUS_##name

// Whether an event has all of these marks.
static inline bool pw_marked(const pw_event *event, unsigned marks) {
    return (event->marks & marks) == marks;
}

// The kind's and the status's names in the journal, such as `runner_on_failed`.
pw_string pw_kind_name(const pw_event *event);
pw_string pw_status_name(const pw_status *status);

// Whether the action of a start is a template that nobody has filled in yet, so that it may be any
// module. A rule that must not be evaded refuses it.
bool pw_action_is_unknown(pw_string action);

// ---- Answers.

// The answer of a policy. Only `kind` is needed; a `failure` is told instead of a verdict.
typedef enum { PW_PROCEED, PW_WARN, PW_CANCEL } pw_verdict_kind;
typedef enum { PW_NOW, PW_AFTER_RUNNING_TASKS } pw_stop;

typedef struct {
    pw_verdict_kind kind;
    const char *text; // One sentence for the operator.
    const char *code; // A stable word for tools, such as `too-many-failed`; NULL for none.
    uint64_t event;   // Counter of the event that decided; 0 for none.
    pw_stop stop;
    const char *failure; // Why there is no verdict.
} pw_verdict;

// The answer of every other hook: all went well unless it has a `failure`.
typedef struct {
    uint64_t done;       // Of an event handler: the counter up to which nothing need be sent again.
    const char *failure; // What went wrong.
    uint64_t retry_ms;   // After how long the host may make the same call again; 0: never.
} pw_answer;

// ---- Texts. All memory they return is the call's.

#define PW_ARG(string) (int)(string).len, (const char *)(string).ptr

// Formats a text.
const char *pw_text(const char *format, ...) PW_PRINTF(1, 2);

pw_string pw_string_of(const char *text);
bool pw_equal(pw_string a, pw_string b);

// Orders texts by their bytes, as strcmp() does.
int pw_compare(pw_string a, pw_string b);

// Memory of the call's.
void *pw_temporary(size_t size);

// Copies a text into memory that is never freed by itself; end it by free().
char *pw_keep(pw_string text);

// realloc(), but it ends the plugin with a word on standard error where there is no memory.
void *pw_realloc(void *old, size_t size);

// Ends the plugin. The host shows the text; a failure that can be answered is better answered.
void pw_die(const char *format, ...) PW_PRINTF(1, 2) __attribute__((__noreturn__));

// Moment in RFC 3339, UTC, to the microsecond: `2026-11-22T05:15:34.031376Z`.
const char *pw_time(uint64_t ns);

// Number with no more digits than it needs: `25`, `33.33`.
const char *pw_number(double number);

// ---- Log: lines for the operator.

#define PW_LOG(level, ...) pw_log(PLAYWARDEN_PLUGIN_LOG_LEVEL_##level, __VA_ARGS__)
void pw_log(playwarden_plugin_log_level_t level, const char *format, ...) PW_PRINTF(2, 3);

// ---- Journal.

// JSON at a pointer of `event_data`, such as `/res/msg`; its `ptr` is NULL where there is nothing.
pw_string pw_data(const pw_source *source, uint64_t counter, const char *pointer);

// The same where it is a string, decoded; its `ptr` is NULL where it is none.
pw_string pw_data_text(const pw_source *source, uint64_t counter, const char *pointer);

// A walk through the journal: while ((event = pw_next(&walk))) { ... }. An event, and every text
// that was made since it was asked for, lives until the next one is.
typedef struct {
    const pw_source *source;
    uint64_t next, end;
    playwarden_plugin_journal_list_event_t page;
    size_t at, kept;
    bool has_begun;
} pw_walk;

// All events before a counter: what a plugin that was restarted has lost.
pw_walk pw_before(const pw_source *source, uint64_t counter);
// All events behind a counter, as far as they can be read.
pw_walk pw_after(const pw_source *source, uint64_t counter);
const pw_event *pw_next(pw_walk *walk);

// ---- State, which survives a restart of the plugin, and output: files kept with the run.

// What is kept under a key; its `ptr` is NULL where there is nothing.
pw_string pw_state_get(const char *key);
// Both return what the host refused, and NULL when all went well.
const char *pw_state_set(const char *key, const void *bytes, size_t size);
const char *pw_output_append(const char *name, const void *bytes, size_t size);

// ---- Configuration: `config` of the plugin in runner.toml.

// The value of a PW_LIST; it lives as long as the plugin. {0} is the empty one.
typedef struct {
    const char *const *ptr;
    size_t len;
} pw_list;

bool pw_has(pw_list list, pw_string text);

// One key: where its value goes. What the variable holds at first is the default.
typedef enum {
    PW_COUNT,  // uint32_t
    PW_NUMBER, // double
    PW_BOOL,   // bool
    PW_TEXT,   // const char *
    PW_WORD,   // int: the place in `words`
    PW_LIST,   // pw_list: texts, such as names of hosts
} pw_key_type;

typedef struct {
    const char *name;
    pw_key_type type;
    void *value;
    bool *given;              // Set when the key is there; NULL when nobody asks.
    const char *const *words; // Of a PW_WORD, all there are; the last is NULL.
} pw_key;

// Tells a problem of the configuration: for `rules` of PW_CONFIG. The pointer is `/max-failed` for
// that key and "" for the whole. A plugin with an error is not used.
typedef enum { PW_WARNING, PW_ERROR } pw_severity;
void pw_problem(pw_severity severity, const char *pointer, const char *format, ...) PW_PRINTF(3, 4);

// ---- JSON (sdk/json.c), as far as plugins need it. A text that comes from the host is always
// valid.

// A text that grows. Its memory is kept; {0} is the empty one.
typedef struct {
    char *ptr;
    size_t len, room;
} pw_buffer;

void pw_append(pw_buffer *buffer, const char *format, ...) PW_PRINTF(2, 3);
// Adds a text as a JSON string.
void pw_append_quoted(pw_buffer *buffer, pw_string text);
// Adds a JSON value in the one form that all SDKs write: no blanks, keys sorted, nothing escaped
// without need.
void pw_append_json(pw_buffer *buffer, pw_string json);

// Decodes a JSON string; its `ptr` is NULL for another value.
pw_string pw_json_text(pw_string json);

// Members of a JSON object: while (pw_json_member(&rest, &key, &value)). The key is decoded.
bool pw_json_member(pw_string *rest, pw_string *key, pw_string *value);
// Items of a JSON array: while (pw_json_item(&rest, &item)).
bool pw_json_item(pw_string *rest, pw_string *item);

// ---- Hooks. Each macro takes the name of a function, and stands behind it in src/plugin.c.

// PW_CONFIG(keys, rules): `keys` is an array of pw_key; `rules`, a function without arguments or
// NULL, tells what is wrong with keys that are each right. All is read before the first call of any
// other hook.
#define PW_CONFIG(keys, rules)                                                              \
    const pw_config_ pw_config = {keys, sizeof(keys) / sizeof *(keys), rules};              \
    void exports_playwarden_plugin_config_check_schema(plugin_string_t *out) {              \
        *out = pw_schema_();                                                                \
    }                                                                                       \
    void exports_playwarden_plugin_config_check_validate(                                   \
        exports_playwarden_plugin_config_check_list_problem_t *out) {                       \
        static_assert(sizeof(*out->ptr) == sizeof(pw_problem_), "sdk/ is older than wit/"); \
        out->ptr = (__typeof__(out->ptr))pw_validate_(&out->len);                           \
    }

// static pw_verdict f(const pw_source *source, pw_events events, const pw_totals *totals)
#define PW_CANCEL_POLICY(f)                                                                \
    bool exports_playwarden_plugin_cancel_policy_evaluate(                                 \
        pw_source *source, exports_playwarden_plugin_cancel_policy_list_event_t *events,   \
        pw_totals *totals, playwarden_plugin_types_verdict_t *out, pw_failure_ *failure) { \
        pw_verdict verdict = pw_no_verdict_();                                             \
        if (!verdict.failure)                                                              \
            verdict = f(source, (pw_events){events->ptr, events->len}, totals);            \
        bool ok = pw_verdict_(verdict, out, failure);                                      \
        exports_playwarden_plugin_cancel_policy_list_event_free(events);                   \
        playwarden_plugin_types_source_free(source);                                       \
        return ok;                                                                         \
    }

// static pw_verdict f(const pw_source *source, const pw_start *start, const pw_totals *totals)
#define pw_start exports_playwarden_plugin_start_policy_start_t
#define PW_START_POLICY(f)                                              \
    bool exports_playwarden_plugin_start_policy_admit(                  \
        pw_source *source, pw_start *start, pw_totals *totals,          \
        playwarden_plugin_types_verdict_t *out, pw_failure_ *failure) { \
        pw_verdict verdict = pw_no_verdict_();                          \
        if (!verdict.failure)                                           \
            verdict = f(source, start, totals);                         \
        bool ok = pw_verdict_(verdict, out, failure);                   \
        exports_playwarden_plugin_start_policy_start_free(start);       \
        playwarden_plugin_types_source_free(source);                    \
        return ok;                                                      \
    }

// static pw_verdict f(const pw_source *source, uint64_t now_ns, const pw_totals *totals)
#define PW_TICK_POLICY(f)                                               \
    bool exports_playwarden_plugin_tick_policy_tick(                    \
        pw_source *source, uint64_t now_ns, pw_totals *totals,          \
        playwarden_plugin_types_verdict_t *out, pw_failure_ *failure) { \
        pw_verdict verdict = pw_no_verdict_();                          \
        if (!verdict.failure)                                           \
            verdict = f(source, now_ns, totals);                        \
        bool ok = pw_verdict_(verdict, out, failure);                   \
        playwarden_plugin_types_source_free(source);                    \
        return ok;                                                      \
    }

// static pw_answer f(const pw_source *source, pw_events events)
#define PW_EVENT_HANDLER(f)                                                              \
    bool exports_playwarden_plugin_event_handler_on_events(                              \
        pw_source *source, exports_playwarden_plugin_event_handler_list_event_t *events, \
        uint64_t *done, pw_failure_ *failure) {                                          \
        pw_answer answer = pw_no_answer_();                                              \
        if (!answer.failure)                                                             \
            answer = f(source, (pw_events){events->ptr, events->len});                   \
        *done = answer.done;                                                             \
        bool ok = pw_answer_(answer, failure);                                           \
        exports_playwarden_plugin_event_handler_list_event_free(events);                 \
        playwarden_plugin_types_source_free(source);                                     \
        return ok;                                                                       \
    }

// static pw_answer f(const pw_change *change)
#define pw_change exports_playwarden_plugin_status_handler_change_t
#define PW_STATUS_HANDLER(f)                         \
    PW_TOLD_(f, status_handler_on_status, pw_change, \
             exports_playwarden_plugin_status_handler_change_free)

// static pw_answer f(const pw_finish *finish)
#define pw_finish exports_playwarden_plugin_finished_callback_finish_t
#define PW_FINISHED_CALLBACK(f)                           \
    PW_TOLD_(f, finished_callback_on_finished, pw_finish, \
             exports_playwarden_plugin_finished_callback_finish_free)

// static pw_answer begin(const pw_run *run); static void end(void)
#define pw_run exports_playwarden_plugin_lifecycle_run_t
#define PW_LIFECYCLE(begin, end)                                                           \
    PW_TOLD_(begin, lifecycle_start, pw_run, exports_playwarden_plugin_lifecycle_run_free) \
    void exports_playwarden_plugin_lifecycle_stop(void) {                                  \
        end();                                                                             \
        pw_free_temporary_();                                                              \
    }

// ---- What the macros stand on; not for authors.

typedef playwarden_plugin_types_failure_t pw_failure_;

typedef struct {
    const pw_key *keys;
    size_t count;
    void (*rules)(void);
} pw_config_;
extern const pw_config_ pw_config;

// config-check.problem: the generated type is there only when the hook is.
typedef struct {
    uint8_t severity;
    pw_string pointer, message;
} pw_problem_;

pw_string pw_schema_(void);
pw_problem_ *pw_validate_(size_t *count);
// With a failure, if the configuration is wrong.
pw_verdict pw_no_verdict_(void);
pw_answer pw_no_answer_(void);
bool pw_verdict_(pw_verdict verdict, playwarden_plugin_types_verdict_t *out, pw_failure_ *failure);
bool pw_answer_(pw_answer answer, pw_failure_ *failure);
void pw_free_temporary_(void);

#define PW_TOLD_(f, name, type, release)                                      \
    bool exports_playwarden_plugin_##name(type *told, pw_failure_ *failure) { \
        pw_answer answer = pw_no_answer_();                                   \
        if (!answer.failure)                                                  \
            answer = f(told);                                                 \
        bool ok = pw_answer_(answer, failure);                                \
        release(told);                                                        \
        return ok;                                                            \
    }

#ifdef __cplusplus
}
#endif
#endif
