package playwarden

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	wit_runtime "go.bytecodealliance.org/pkg/wit/runtime"
	wit_types "go.bytecodealliance.org/pkg/wit/types"

	"project/build/gen/imports/playwarden_plugin_config"
	"project/build/gen/imports/playwarden_plugin_journal"
	"project/build/gen/imports/playwarden_plugin_log"
	"project/build/gen/imports/playwarden_plugin_output"
	"project/build/gen/imports/playwarden_plugin_state"
)

// What the host hands over lies beside Go's heap until the call ends; it is copied before anybody sees it, and given back.

// CopyText copies a text of the host's.
func CopyText(text string) string { return strings.Clone(text) }

// CopyOption copies a text of the host's; an absent one is empty.
func CopyOption(text wit_types.Option[string]) string {
	if text.Tag() == wit_types.OptionNone {
		return ""
	}
	return CopyText(text.Some())
}

// PointerTo makes a pointer of a number that may be absent.
func PointerTo[T any](option wit_types.Option[T]) *T {
	if option.Tag() == wit_types.OptionNone {
		return nil
	}
	value := option.Some()
	return &value
}

func valueOf[T any](option wit_types.Option[T]) (value T) {
	if option.Tag() == wit_types.OptionSome {
		value = option.Some()
	}
	return value
}

func textPointer(option wit_types.Option[string]) *string {
	if option.Tag() == wit_types.OptionNone {
		return nil
	}
	text := CopyText(option.Some())
	return &text
}

func copied(text wit_types.Option[string]) (string, bool) {
	return CopyOption(text), text.Tag() == wit_types.OptionSome
}

func refusal(result wit_types.Result[wit_types.Unit, string]) error {
	if result.Tag() == wit_types.ResultOk {
		return nil
	}
	return errors.New(CopyText(result.Err()))
}

// Level of a line of the log.
type Level = playwarden_plugin_log.Level

// The levels.
const (
	LevelTrace = playwarden_plugin_log.Level_Trace
	LevelDebug = playwarden_plugin_log.Level_Debug
	LevelInfo  = playwarden_plugin_log.Level_Info
	LevelWarn  = playwarden_plugin_log.Level_Warn
	LevelError = playwarden_plugin_log.Level_Error
)

// Log writes a line for the operator.
func Log(level Level, format string, values ...any) {
	if playwarden_plugin_log.Enabled(level) {
		playwarden_plugin_log.Log(level, fmt.Sprintf(format, values...), nil)
	}
}

// Secret returns a secret granted by name. Do not log it.
func Secret(name string) (string, bool) {
	defer wit_runtime.Release(wit_runtime.Marked())
	return copied(playwarden_plugin_config.Secret(name))
}

// Data returns `event_data` of an event at a pointer such as `/res/msg` as JSON, and whether there is anything.
func Data(source Source, counter uint64, pointer string) (string, bool) {
	defer wit_runtime.Release(wit_runtime.Marked())
	return copied(playwarden_plugin_journal.Data(source, counter, pointer))
}

// Facts returns facts of a host at a pointer as JSON, as gathered so far in this run.
func Facts(source Source, host, pointer string) (string, bool) {
	defer wit_runtime.Release(wit_runtime.Marked())
	return copied(playwarden_plugin_journal.Facts(source, host, pointer))
}

// Before returns all events before a counter, in order: what a plugin that was restarted has lost.
func Before(source Source, counter uint64) iter.Seq[Event] { return between(source, 1, counter) }

// After returns all events behind a counter, in order, as far as they can be read.
func After(source Source, counter uint64) iter.Seq[Event] {
	return between(source, counter+1, math.MaxUint64)
}

func between(source Source, first, end uint64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for next := first; next < end; {
			page := readPage(source, next)
			for _, event := range page {
				if event.Counter >= end || !yield(event) {
					return
				}
				next = event.Counter + 1
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

func readPage(source Source, first uint64) []Event {
	defer wit_runtime.Release(wit_runtime.Marked())
	// The contract allows no larger page. Fewer may come, but none only at the end.
	return CopyEvents(playwarden_plugin_journal.Read(source, first, 1024))
}

// State returns what is kept under a key; nil when there is nothing. It survives a restart of the plugin.
func State(key string) []byte {
	defer wit_runtime.Release(wit_runtime.Marked())
	value := playwarden_plugin_state.Get(key)
	if value.Tag() == wit_types.OptionNone {
		return nil
	}
	return append([]byte{}, value.Some()...)
}

// SetState keeps a value under a key.
func SetState(key string, value []byte) error {
	defer wit_runtime.Release(wit_runtime.Marked())
	return refusal(playwarden_plugin_state.Set(key, value))
}

// DeleteState forgets what is kept under a key.
func DeleteState(key string) { playwarden_plugin_state.Delete(key) }

// Append adds to a file of the plugin's that is kept with the run.
func Append(name string, data []byte) error {
	defer wit_runtime.Release(wit_runtime.Marked())
	return refusal(playwarden_plugin_output.Append(name, data))
}

// Publish sets a named output of the job, as JSON.
func Publish(name, value string) error {
	defer wit_runtime.Release(wit_runtime.Marked())
	return refusal(playwarden_plugin_output.Publish(name, value))
}

// RFC3339 writes a moment, in UTC to the microsecond: `2026-11-22T05:15:34.031376Z`.
func RFC3339(ns uint64) string {
	return time.Unix(int64(ns/1e9), int64(ns%1e9)).UTC().Format("2006-01-02T15:04:05.000000Z")
}
