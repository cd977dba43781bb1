package export_playwarden_plugin_lifecycle

import (
	bindings "project/build/gen/imports/playwarden_plugin_lifecycle"
	"project/sdk/hook"
	"project/sdk/playwarden"
)

// Start tells which run it is.
func Start(run bindings.Run) hook.Told {
	return hook.Tell(func(plugin playwarden.Lifecycle) error {
		return plugin.Start(playwarden.Run{
			ID:          playwarden.CopyText(run.Id),
			Name:        playwarden.CopyText(run.Name),
			Workflow:    run.Workflow,
			Incarnation: run.Incarnation,
			CheckMode:   run.CheckMode,
			DiffMode:    run.DiffMode,
			Data:        playwarden.CopyText(run.Data),
		})
	})
}

// Stop is the last call.
func Stop() {
	defer hook.Release()
	playwarden.Exported[playwarden.Lifecycle]().Stop()
}
