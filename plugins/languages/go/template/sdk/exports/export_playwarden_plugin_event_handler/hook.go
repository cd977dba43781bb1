package export_playwarden_plugin_event_handler

import (
	types "project/build/gen/imports/playwarden_plugin_types"
	"project/sdk/hook"
	"project/sdk/playwarden"
)

// OnEvents takes events.
func OnEvents(source types.Source, events []types.Event) hook.Handled {
	return hook.Handle(func(handler playwarden.EventHandler) (uint64, error) {
		return handler.OnEvents(hook.Source(source), playwarden.CopyEvents(events))
	})
}
