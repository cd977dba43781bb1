// Package playwarden is what a plugin in Go is written with.
//
// A plugin is a value with the methods of its hooks, such as CancelPolicy, and a pointer to its configuration, both given
// to Export. Everything that a method gets may be kept: it is Go's own memory.
package playwarden

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"project/build/gen/imports/playwarden_plugin_types"
)

// The contract's shapes that are the same in Go.
type (
	// Source says which run a call is about.
	Source = playwarden_plugin_types.Source
	// Tally has the totals of a scope.
	Tally = playwarden_plugin_types.Tally
	// Totals come with every question to a policy.
	Totals = playwarden_plugin_types.Totals
)

// The hooks. A plugin has those that wit/plugin.wit exports. An error is a failure of the call; one from RetryAfter may be
// tried again.
type (
	// CancelPolicy judges events.
	CancelPolicy interface {
		Evaluate(source Source, events []Event, totals Totals) (Verdict, error)
	}
	// StartPolicy judges tasks before they start on a host.
	StartPolicy interface {
		Admit(source Source, start Start, totals Totals) (Verdict, error)
	}
	// TickPolicy is asked from time to time.
	TickPolicy interface {
		Tick(source Source, nowNs uint64, totals Totals) (Verdict, error)
	}
	// EventHandler takes events; it returns the counter up to which none need be sent again.
	EventHandler interface {
		OnEvents(source Source, events []Event) (uint64, error)
	}
	// StatusHandler is told each change of the status.
	StatusHandler interface {
		OnStatus(change Change) error
	}
	// FinishedCallback is told the end, once.
	FinishedCallback interface {
		OnFinished(finish Finish) error
	}
	// Lifecycle is around all other calls of an instance.
	Lifecycle interface {
		Start(run Run) error
		Stop()
	}
)

// Run is what a plugin is told at its start.
type Run struct {
	ID          string
	Name        string // The job's in runner.toml.
	Workflow    bool
	Incarnation uint32 // 1; more after the host restarted the plugin.
	CheckMode   bool
	DiffMode    bool
	Data        string // The plan as JSON, and who started it.
}

// Change is one of the status.
type Change struct {
	Source Source
	From   Status
	To     Status
	TimeNs uint64
	Detail string
	Totals Totals
	Data   string // Further facts as a JSON object.
}

// Start is a task before it starts on a host. An Action with `{{` may be any module. Texts that are absent are empty.
type Start struct {
	TimeNs     uint64
	UUID       string
	Play       string
	PlayUUID   string
	Task       string
	TaskUUID   string
	Action     string
	Role       string
	Host       string
	BecomeUser string
	Connection string
	DelegateTo string
	Tags       []string
	CheckMode  bool
	NoLog      bool
	Handler    bool
	Args       string // JSON, as far as known before templating.
	Path       string // `file:line`
	Data       string // Further facts as a JSON object.
}

// ActionIsUnknown returns whether the action is a template that nobody has filled in yet, so that it may be any module. A
// rule that must not be evaded refuses it.
func (s *Start) ActionIsUnknown() bool {
	return strings.Contains(s.Action, "{{") || strings.Contains(s.Action, "{%") || strings.Contains(s.Action, "{#")
}

// Finish is the end of a run. Texts that are absent are empty.
type Finish struct {
	Source     Source
	Status     Status
	RC         *int32  // Ansible's exit code.
	Cause      string  // A stable word for why.
	Reason     *Reason // The same for people.
	By         string  // Name of the plugin, where it was one.
	StartedNs  uint64
	FinishedNs uint64
	LastEvent  uint64
	Totals     Totals
	Data       string // The whole outcome as JSON.
}

// Reason is why, for people and for tools.
type Reason struct {
	Text  string // One sentence for the operator.
	Code  string // A stable word, such as `too-many-failed`.
	Event uint64 // Counter of the event that decided; 0 for none.
}

// Verdict is the answer of a policy: Proceed, Warn or Cancel, made complete by its methods.
type Verdict struct {
	Reason     Reason
	Warns      bool
	Cancels    bool
	LetsFinish bool // Running tasks end by themselves.
}

// Proceed lets the run go on.
func Proceed() Verdict { return Verdict{} }

// Warn is recorded and shown while the run goes on.
func Warn(format string, values ...any) Verdict {
	return Verdict{Warns: true, Reason: Reason{Text: fmt.Sprintf(format, values...)}}
}

// Cancel ends the run now.
func Cancel(format string, values ...any) Verdict {
	return Verdict{Cancels: true, Reason: Reason{Text: fmt.Sprintf(format, values...)}}
}

// Code adds a stable word for tools.
func (v Verdict) Code(code string) Verdict { v.Reason.Code = code; return v }

// At adds the counter of the event that decided; 0 for none.
func (v Verdict) At(counter uint64) Verdict { v.Reason.Event = counter; return v }

// AfterRunningTasks lets running tasks end by themselves instead of interrupting them.
func (v Verdict) AfterRunningTasks() Verdict { v.LetsFinish = true; return v }

type retry struct {
	error
	after time.Duration
}

// RetryAfter returns an error after which the host may make the same call again. A policy's calls are never made again.
func RetryAfter(err error, after time.Duration) error { return retry{err, after} }

// RetryDelay returns what RetryAfter said, in milliseconds.
func RetryDelay(err error) (uint64, bool) {
	var found retry
	if !errors.As(err, &found) {
		return 0, false
	}
	return uint64(found.after.Milliseconds()), true
}

var (
	exported any
	settings any
)

// Export makes a value the plugin, and tells where its configuration goes: a pointer to a struct (see LoadConfig), or nil.
// Call it in an init function: main never runs.
func Export(plugin, config any) { exported, settings = plugin, config }

// Exported returns the plugin as one of the hooks; it panics when that is missing.
func Exported[Hook any]() Hook {
	hook, ok := exported.(Hook)
	if !ok {
		panic(fmt.Sprintf("wit/plugin.wit exports a hook that the plugin %T lacks: it is no %T", exported, (*Hook)(nil)))
	}
	return hook
}
