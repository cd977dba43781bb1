package export_playwarden_plugin_status_handler

import (
	bindings "project/build/gen/imports/playwarden_plugin_status_handler"
	"project/sdk/hook"
	"project/sdk/playwarden"
)

// OnStatus tells a change of the status.
func OnStatus(change bindings.Change) hook.Told {
	return hook.Tell(func(handler playwarden.StatusHandler) error {
		return handler.OnStatus(playwarden.Change{
			Source: hook.Source(change.Source),
			From:   playwarden.StatusOf(change.From),
			To:     playwarden.StatusOf(change.To),
			TimeNs: change.TimeNs,
			Detail: playwarden.CopyOption(change.Detail),
			Totals: change.Totals,
			Data:   playwarden.CopyText(change.Data),
		})
	})
}
