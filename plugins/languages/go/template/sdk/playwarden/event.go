package playwarden

import "project/build/gen/imports/playwarden_plugin_types"

// Kind is what happened: the journal's `event`. One that is not known here has its name in the journal too.
type Kind string

// The kinds, in the order of wit/types.wit.
const (
	RunStarted                 Kind = "run_started"
	StatusChanged              Kind = "status_changed"
	PolicyVerdict              Kind = "policy_verdict"
	PluginFault                Kind = "plugin_fault"
	CallbackFailed             Kind = "callback_failed"
	StartFailed                Kind = "start_failed"
	RunFinished                Kind = "run_finished"
	PlaybookOnStart            Kind = "playbook_on_start"
	PlaybookOnVarsPrompt       Kind = "playbook_on_vars_prompt"
	PlaybookOnPlayStart        Kind = "playbook_on_play_start"
	PlaybookOnTaskStart        Kind = "playbook_on_task_start"
	PlaybookOnInclude          Kind = "playbook_on_include"
	PlaybookOnNotify           Kind = "playbook_on_notify"
	PlaybookOnNoHostsMatched   Kind = "playbook_on_no_hosts_matched"
	PlaybookOnNoHostsRemaining Kind = "playbook_on_no_hosts_remaining"
	PlaybookOnStats            Kind = "playbook_on_stats"
	RunnerOnStart              Kind = "runner_on_start"
	RunnerOnOK                 Kind = "runner_on_ok"
	RunnerOnFailed             Kind = "runner_on_failed"
	RunnerOnSkipped            Kind = "runner_on_skipped"
	RunnerOnUnreachable        Kind = "runner_on_unreachable"
	RunnerOnAsyncPoll          Kind = "runner_on_async_poll"
	RunnerOnAsyncOK            Kind = "runner_on_async_ok"
	RunnerOnAsyncFailed        Kind = "runner_on_async_failed"
	RunnerOnFileDiff           Kind = "runner_on_file_diff"
	RunnerRetry                Kind = "runner_retry"
	RunnerItemOnOK             Kind = "runner_item_on_ok"
	RunnerItemOnFailed         Kind = "runner_item_on_failed"
	RunnerItemOnSkipped        Kind = "runner_item_on_skipped"
	Verbose                    Kind = "verbose"
	Debug                      Kind = "debug"
	Warning                    Kind = "warning"
	Deprecated                 Kind = "deprecated"
	SystemWarning              Kind = "system_warning"
	Error                      Kind = "error"
)

var kinds = [...]Kind{
	RunStarted,
	StatusChanged,
	PolicyVerdict,
	PluginFault,
	CallbackFailed,
	StartFailed,
	RunFinished,
	PlaybookOnStart,
	PlaybookOnVarsPrompt,
	PlaybookOnPlayStart,
	PlaybookOnTaskStart,
	PlaybookOnInclude,
	PlaybookOnNotify,
	PlaybookOnNoHostsMatched,
	PlaybookOnNoHostsRemaining,
	PlaybookOnStats,
	RunnerOnStart,
	RunnerOnOK,
	RunnerOnFailed,
	RunnerOnSkipped,
	RunnerOnUnreachable,
	RunnerOnAsyncPoll,
	RunnerOnAsyncOK,
	RunnerOnAsyncFailed,
	RunnerOnFileDiff,
	RunnerRetry,
	RunnerItemOnOK,
	RunnerItemOnFailed,
	RunnerItemOnSkipped,
	Verbose,
	Debug,
	Warning,
	Deprecated,
	SystemWarning,
	Error,
}

// Status of a run, by its name in the journal.
type Status string

// The statuses, in the order of wit/types.wit.
const (
	StatusUnstarted  Status = "unstarted"
	StatusStarting   Status = "starting"
	StatusRunning    Status = "running"
	StatusCanceling  Status = "canceling"
	StatusSuccessful Status = "successful"
	StatusFailed     Status = "failed"
	StatusCanceled   Status = "canceled"
	StatusTimeout    Status = "timeout"
	StatusLost       Status = "lost"
	StatusSkipped    Status = "skipped"
	StatusDenied     Status = "denied"
)

var statuses = [...]Status{
	StatusUnstarted,
	StatusStarting,
	StatusRunning,
	StatusCanceling,
	StatusSuccessful,
	StatusFailed,
	StatusCanceled,
	StatusTimeout,
	StatusLost,
	StatusSkipped,
	StatusDenied,
}

// Marks say what a result was. A failure that was ignored or rescued keeps Failed.
type Marks uint16

// The marks, in the order of wit/types.wit.
const (
	MarkOK Marks = 1 << iota
	MarkChanged
	MarkFailed
	MarkUnreachable
	MarkSkipped
	MarkIgnored
	MarkRescued
	MarkHandler
	MarkCheckMode
	MarkNoLog
	MarkTruncated
)

// Event is one event: what policies branch on; everything else is in Data. Texts that are absent are empty, except where
// an empty one may be meant.
type Event struct {
	Counter    uint64 // Number in the run's journal, from 1.
	UUID       string
	ParentUUID string
	Kind       Kind
	TimeNs     uint64
	Play       string
	PlayUUID   string
	PlayNumber uint32 // Which start of a play this is, from 1.
	Task       string
	TaskUUID   string
	Action     string // Fully qualified module.
	Role       string
	Host       string
	Item       *string // Label of the loop item.
	ItemNumber uint32  // From 1.
	Marks      Marks
	RC         *int64
	DurationMs *uint64
	Message    *string
	Data       *string // `event_data` as JSON, as `payload` of runner.toml says; Data reads it at any time.
}

// Marked returns whether the event has all of these marks.
func (e *Event) Marked(marks Marks) bool { return e.Marks&marks == marks }

// Failed returns whether a task failed on a host and that was neither ignored nor rescued. Items of a loop and polls of an
// `async` task are not meant: the result of the task itself follows.
func (e *Event) Failed() bool {
	return e.Kind == RunnerOnFailed && e.Marks&(MarkIgnored|MarkRescued) == 0
}

// IsOfTask returns whether the event is about a task on a host.
func (e *Event) IsOfTask() bool { return len(e.Kind) > 7 && e.Kind[:7] == "runner_" }

// CopyEvents makes Go's own events of what the host handed over.
func CopyEvents(events []playwarden_plugin_types.Event) []Event {
	copies := make([]Event, len(events))
	for i := range events {
		event := &events[i]
		copies[i] = Event{
			Counter:    event.Counter,
			UUID:       CopyText(event.Uuid),
			ParentUUID: CopyOption(event.ParentUuid),
			Kind:       kindOf(event.Kind),
			TimeNs:     event.TimeNs,
			Play:       CopyOption(event.Play),
			PlayUUID:   CopyOption(event.PlayUuid),
			PlayNumber: valueOf(event.PlayNumber),
			Task:       CopyOption(event.Task),
			TaskUUID:   CopyOption(event.TaskUuid),
			Action:     CopyOption(event.Action),
			Role:       CopyOption(event.Role),
			Host:       CopyOption(event.Host),
			Item:       textPointer(event.Item),
			ItemNumber: valueOf(event.ItemNumber),
			Marks:      Marks(event.Marks),
			RC:         PointerTo(event.Rc),
			DurationMs: PointerTo(event.DurationMs),
			Message:    textPointer(event.Message),
			Data:       textPointer(event.Data),
		}
	}
	return copies
}

func kindOf(kind playwarden_plugin_types.EventKind) Kind {
	if int(kind.Tag()) < len(kinds) {
		return kinds[kind.Tag()]
	}
	return Kind(CopyText(kind.Other()))
}

// StatusOf makes Go's own status of the host's.
func StatusOf(status playwarden_plugin_types.Status) Status {
	if int(status.Tag()) < len(statuses) {
		return statuses[status.Tag()]
	}
	return Status(CopyText(status.Other()))
}
