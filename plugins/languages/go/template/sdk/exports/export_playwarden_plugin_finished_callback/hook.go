package export_playwarden_plugin_finished_callback

import (
	bindings "project/build/gen/imports/playwarden_plugin_finished_callback"
	"project/sdk/hook"
	"project/sdk/playwarden"
)

// OnFinished tells the end.
func OnFinished(finish bindings.Finish) hook.Told {
	return hook.Tell(func(callback playwarden.FinishedCallback) error {
		return callback.OnFinished(playwarden.Finish{
			Source:     hook.Source(finish.Source),
			Status:     playwarden.StatusOf(finish.Status),
			RC:         playwarden.PointerTo(finish.Rc),
			Cause:      playwarden.CopyOption(finish.Cause),
			Reason:     hook.Reason(finish.Reason),
			By:         playwarden.CopyOption(finish.By),
			StartedNs:  finish.StartedNs,
			FinishedNs: finish.FinishedNs,
			LastEvent:  finish.LastEvent,
			Totals:     finish.Totals,
			Data:       playwarden.CopyText(finish.Data),
		})
	})
}
