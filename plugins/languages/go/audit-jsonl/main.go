// Writes who did what where to which end, a JSON object a line.
//
// What is acknowledged is written, and what is written is not written again.
package main

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	_ "project/build/gen/exports/wit_exports" // the hooks that wit/plugin.wit exports
	"project/sdk/playwarden"
)

type config struct {
	IncludeStart   bool     `config:"include-start"`
	IncludeSkipped bool     `config:"include-skipped"`
	IncludeArgs    bool     `config:"include-args"`
	ExceptActions  []string `config:"except-actions"`
}

type audit struct {
	config config
	// Who started the run, and what for, where the host knows it.
	who struct{ User, Reason *string }
}

// line is one that is being written. Keys that say nothing are left out.
type line []byte

func (l *line) key(key string) { *l = append(playwarden.AppendQuoted(append(*l, ','), key), ':') }

func (l *line) text(key, text string) {
	if text != "" {
		l.optional(key, &text)
	}
}

func (l *line) optional(key string, text *string) {
	if text != nil {
		l.key(key)
		*l = playwarden.AppendQuoted(*l, *text)
	}
}

func (l *line) number(key string, number int64) {
	l.key(key)
	*l = strconv.AppendInt(*l, number, 10)
}

func (l *line) json(key, value string) {
	if value != "" && value != "null" {
		l.key(key)
		*l = playwarden.AppendJSON(*l, value)
	}
}

func (a *audit) begin(source playwarden.Source, timeNs, counter uint64) *line {
	l := line(`{"schema":1`)
	l.text("time", playwarden.RFC3339(timeNs))
	l.text("run", source.Run)
	l.text("job", source.Job)
	l.optional("user", a.who.User)
	l.optional("reason", a.who.Reason)
	l.number("counter", int64(counter))
	return &l
}

func (l *line) end() []byte { return append(*l, "}\n"...) }

// cut ends a text at 1 KiB, between two characters.
func cut(text *string) *string {
	if text == nil || len(*text) <= 1024 {
		return text
	}
	end := 1024
	for !utf8.RuneStart((*text)[end]) {
		end--
	}
	short := (*text)[:end]
	return &short
}

func (a *audit) isWanted(event *playwarden.Event) bool {
	if event.IsOfTask() && event.Action != "" && slices.Contains(a.config.ExceptActions, event.Action) {
		return false
	}
	switch event.Kind {
	case playwarden.RunnerOnStart:
		return a.config.IncludeStart
	case playwarden.RunnerOnSkipped, playwarden.RunnerItemOnSkipped:
		return a.config.IncludeSkipped
	case playwarden.RunStarted, playwarden.StatusChanged, playwarden.PolicyVerdict, playwarden.PluginFault,
		playwarden.CallbackFailed, playwarden.StartFailed, playwarden.RunFinished, playwarden.RunnerOnOK,
		playwarden.RunnerOnFailed, playwarden.RunnerOnUnreachable, playwarden.RunnerRetry,
		playwarden.RunnerItemOnOK, playwarden.RunnerItemOnFailed:
		return true
	}
	return false
}

// details reads `event_data`.
type details struct {
	source playwarden.Source
	event  *playwarden.Event
}

// json returns what is at a pointer; empty for nothing. Of a result whose data did not come with it, since it is larger
// than 1 MiB, there is nothing: asking for all of it could break the memory limit.
func (d details) json(pointer string) string {
	if d.event.IsOfTask() && d.event.Data == nil {
		return ""
	}
	found, _ := playwarden.Data(d.source, d.event.Counter, pointer)
	return found
}

// text returns the first string at one of the pointers.
func (d details) text(pointers ...string) *string {
	for _, pointer := range pointers {
		if text, ok := playwarden.Text(d.json(pointer)); ok {
			return &text
		}
	}
	return nil
}

func orUnknown(text *string) string {
	if text == nil {
		return "unknown"
	}
	return *text
}

// result says what came of it, in one word.
func (d details) result() string {
	switch d.event.Kind {
	case playwarden.RunnerOnStart, playwarden.RunStarted:
		return "started"
	case playwarden.RunnerRetry:
		return "retried"
	case playwarden.StatusChanged:
		return orUnknown(d.text("/to"))
	case playwarden.RunFinished:
		return orUnknown(d.text("/status"))
	case playwarden.PolicyVerdict:
		switch {
		case orUnknown(d.text("/verdict")) != "cancel":
			return "warned"
		case d.json("/acted_on") == "true":
			return "canceled"
		}
		return "would-cancel"
	case playwarden.PluginFault, playwarden.CallbackFailed, playwarden.StartFailed:
		return "failed"
	}
	for _, end := range []struct {
		mark playwarden.Marks
		word string
	}{
		{playwarden.MarkRescued, "rescued"}, {playwarden.MarkIgnored, "ignored"},
		{playwarden.MarkUnreachable, "unreachable"}, {playwarden.MarkFailed, "failed"},
		{playwarden.MarkSkipped, "skipped"}, {playwarden.MarkChanged, "changed"},
	} {
		if d.event.Marked(end.mark) {
			return end.word
		}
	}
	return "ok"
}

func (l *line) marks(event *playwarden.Event) {
	var words []string
	for _, mark := range []struct {
		mark playwarden.Marks
		word string
	}{
		{playwarden.MarkHandler, "handler"}, {playwarden.MarkCheckMode, "check-mode"},
		{playwarden.MarkNoLog, "no-log"}, {playwarden.MarkTruncated, "truncated"},
	} {
		if event.Marked(mark.mark) {
			words = append(words, mark.word)
		}
	}
	for i, word := range words {
		if i == 0 {
			l.key("marks")
			*l = append(*l, '[')
		} else {
			*l = append(*l, ',')
		}
		*l = playwarden.AppendQuoted(*l, word)
	}
	if words != nil {
		*l = append(*l, ']')
	}
}

// line makes a line of an event.
func (a *audit) line(source playwarden.Source, event *playwarden.Event) []byte {
	d := details{source, event}
	l := a.begin(source, event.TimeNs, event.Counter)
	l.text("event", string(event.Kind))
	l.text("result", d.result())
	l.text("host", event.Host)
	// Older versions of Ansible name the host, newer ones its address.
	l.optional("delegated_to", d.text("/res/_ansible_delegated_vars/ansible_delegated_host",
		"/res/_ansible_delegated_vars/ansible_host", "/start/delegate_to"))
	l.text("play", event.Play)
	l.text("role", event.Role)
	l.text("task", event.Task)
	l.text("action", event.Action)
	if event.IsOfTask() {
		l.optional("path", d.text("/task_path"))
	}
	l.optional("item", event.Item)
	if event.ItemNumber > 0 {
		l.number("item_number", int64(event.ItemNumber))
	}
	if event.IsOfTask() {
		l.json("attempt", d.json("/res/attempts"))
	}
	if a.config.IncludeArgs {
		args := d.json("/res/invocation/module_args")
		if args == "" {
			args = d.json("/start/args")
		}
		l.json("args", args)
	}
	if event.RC != nil {
		l.number("rc", *event.RC)
	}
	if event.DurationMs != nil {
		l.number("duration_ms", int64(*event.DurationMs))
	}
	l.marks(event)
	if event.IsOfTask() {
		l.optional("message", cut(event.Message))
	} else {
		l.optional("plugin", d.text("/plugin/name", "/cause/name"))
		l.optional("code", d.text("/reason/code", "/cause/reason/code", "/cause/kind"))
		l.optional("message", cut(d.text("/reason/text", "/cause/reason/text", "/cause/text", "/text", "/error", "/detail")))
	}
	return l.end()
}

// lineOfFinish makes the last line of a run whose `run_finished` was not among the events asked for.
func (a *audit) lineOfFinish(finish *playwarden.Finish) []byte {
	l := a.begin(finish.Source, finish.FinishedNs, finish.LastEvent)
	l.text("event", string(playwarden.RunFinished))
	l.text("result", string(finish.Status))
	l.text("plugin", finish.By)
	code := finish.Cause
	if finish.Reason != nil && finish.Reason.Code != "" {
		code = finish.Reason.Code
	}
	l.text("code", code)
	if finish.Reason != nil {
		l.optional("message", cut(&finish.Reason.Text))
	}
	return l.end()
}

// lastWritten returns the counter of the last line; 0 before the first.
func lastWritten() uint64 {
	if bytes := playwarden.State("last"); len(bytes) == 8 {
		return binary.LittleEndian.Uint64(bytes)
	}
	return 0
}

// write adds whole lines, of which the last has this counter.
func write(lines []byte, last uint64) error {
	if len(lines) == 0 {
		return nil
	}
	if err := playwarden.Append("audit.jsonl", lines); err != nil {
		return err
	}
	return playwarden.SetState("last", binary.LittleEndian.AppendUint64(nil, last))
}

// Start tells who started the run.
func (a *audit) Start(run playwarden.Run) error {
	if err := json.Unmarshal([]byte(run.Data), &a.who); err != nil {
		playwarden.Log(playwarden.LevelWarn, "who started the run cannot be read: %v", err)
	}
	return nil
}

// Stop has nothing to do: every line is written.
func (a *audit) Stop() {}

// OnEvents writes those of the events that are facts and not there yet.
func (a *audit) OnEvents(source playwarden.Source, events []playwarden.Event) (done uint64, err error) {
	var lines []byte
	last := lastWritten()
	written := last
	for i := range events {
		event := &events[i]
		done = event.Counter
		if event.Counter > last && a.isWanted(event) {
			lines = append(lines, a.line(source, event)...)
			written = event.Counter
		}
	}
	return done, write(lines, written)
}

// OnFinished writes what no event handler has written, so that the trail is whole wherever the plugin is named.
func (a *audit) OnFinished(finish playwarden.Finish) error {
	for event := range playwarden.After(finish.Source, lastWritten()) {
		if !a.isWanted(&event) {
			continue
		}
		if err := write(a.line(finish.Source, &event), event.Counter); err != nil {
			return err
		}
	}
	if lastWritten() < finish.LastEvent {
		return write(a.lineOfFinish(&finish), finish.LastEvent)
	}
	return nil
}

func init() {
	audit := &audit{config: config{IncludeSkipped: true}}
	playwarden.Export(audit, &audit.config)
}

func main() {}
