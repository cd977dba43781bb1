// Package hook stands between the generated code and package playwarden; authors need not look at it.
package hook

import (
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"

	wit_runtime "go.bytecodealliance.org/pkg/wit/runtime"
	wit "go.bytecodealliance.org/pkg/wit/types"

	types "project/build/gen/imports/playwarden_plugin_types"
	"project/sdk/playwarden"
)

// Results as the generated code has them.
type (
	Judged  = wit.Result[types.Verdict, types.Failure]
	Handled = wit.Result[uint64, types.Failure]
	Told    = wit.Result[wit.Unit, types.Failure]
)

// What the host handed over lies in the arena; when a call ends nobody has it any more.
var empty = wit_runtime.Marked()

// Ask calls a policy.
func Ask[Hook any](call func(Hook) (playwarden.Verdict, error)) Judged {
	verdict, err := Call(call)
	if err != nil {
		return wit.Err[types.Verdict](failure(err))
	}
	switch {
	case verdict.Cancels:
		stop := types.Stop_Now
		if verdict.LetsFinish {
			stop = types.Stop_AfterRunningTasks
		}
		cancel := wit.Tuple2[types.Reason, types.Stop]{F0: reason(verdict.Reason), F1: stop}
		return wit.Ok[types.Verdict, types.Failure](types.MakeVerdictCancel(cancel))
	case verdict.Warns:
		return wit.Ok[types.Verdict, types.Failure](types.MakeVerdictWarn(reason(verdict.Reason)))
	}
	return wit.Ok[types.Verdict, types.Failure](types.MakeVerdictProceed())
}

// Handle calls an event handler.
func Handle[Hook any](call func(Hook) (uint64, error)) Handled {
	done, err := Call(call)
	if err != nil {
		return wit.Err[uint64](failure(err))
	}
	return wit.Ok[uint64, types.Failure](done)
}

// Tell calls a hook that answers nothing.
func Tell[Hook any](call func(Hook) error) Told {
	_, err := Call(func(hook Hook) (wit.Unit, error) { return wit.Unit{}, call(hook) })
	if err != nil {
		return wit.Err[wit.Unit](failure(err))
	}
	return wit.Ok[wit.Unit, types.Failure](wit.Unit{})
}

// Call calls the plugin, with its configuration read, and gives the call's memory back.
func Call[Hook, Answer any](call func(Hook) (Answer, error)) (answer Answer, err error) {
	defer Release()
	defer func() {
		if told := recover(); told != nil {
			die(told)
		}
	}()
	if err := playwarden.Configured(); err != nil {
		return answer, err
	}
	return call(playwarden.Exported[Hook]())
}

// die ends the plugin with what a panic says and where in the plugin it was. Go's own words are longer than what the host
// shows: it shows the last lines.
func die(told any) {
	fmt.Fprintf(os.Stderr, "panic: %v\n", told)
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	shown := 0
	for frame, more := frames.Next(); more && shown < 4; frame, more = frames.Next() {
		if strings.HasPrefix(frame.Function, "main.") {
			fmt.Fprintf(os.Stderr, "  at %s, %s:%d\n", frame.Function, path.Base(frame.File), frame.Line)
			shown++
		}
	}
	wit_runtime.Abort()
}

// Release gives the memory of the call back.
func Release() { wit_runtime.Release(empty) }

// Source makes Go's own source of the host's.
func Source(source types.Source) playwarden.Source {
	return playwarden.Source{Run: playwarden.CopyText(source.Run), Job: playwarden.CopyText(source.Job)}
}

// Texts makes Go's own texts of the host's.
func Texts(texts []string) []string {
	copies := make([]string, len(texts))
	for i, text := range texts {
		copies[i] = playwarden.CopyText(text)
	}
	return copies
}

// Reason makes Go's own reason of the host's.
func Reason(reason wit.Option[types.Reason]) *playwarden.Reason {
	if reason.Tag() == wit.OptionNone {
		return nil
	}
	told := reason.Some()
	copied := playwarden.Reason{Text: playwarden.CopyText(told.Text), Code: playwarden.CopyOption(told.Code)}
	if told.Event.Tag() == wit.OptionSome {
		copied.Event = told.Event.Some()
	}
	return &copied
}

func some(text string) wit.Option[string] {
	if text == "" {
		return wit.None[string]()
	}
	return wit.Some(text)
}

func number(value uint64) wit.Option[uint64] {
	if value == 0 {
		return wit.None[uint64]()
	}
	return wit.Some(value)
}

func reason(reason playwarden.Reason) types.Reason {
	return types.Reason{Text: reason.Text, Code: some(reason.Code), Event: number(reason.Event)}
}

func failure(err error) types.Failure {
	after := wit.None[uint64]()
	if delay, ok := playwarden.RetryDelay(err); ok {
		after = wit.Some(delay)
	}
	return types.Failure{Message: err.Error(), RetryAfterMs: after}
}
