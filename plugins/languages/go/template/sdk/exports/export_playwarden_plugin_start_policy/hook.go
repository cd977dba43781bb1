package export_playwarden_plugin_start_policy

import (
	bindings "project/build/gen/imports/playwarden_plugin_start_policy"
	types "project/build/gen/imports/playwarden_plugin_types"
	"project/sdk/hook"
	"project/sdk/playwarden"
)

// Admit judges a start.
func Admit(source types.Source, start bindings.Start, totals types.Totals) hook.Judged {
	return hook.Ask(func(policy playwarden.StartPolicy) (playwarden.Verdict, error) {
		return policy.Admit(hook.Source(source), playwarden.Start{
			TimeNs:     start.TimeNs,
			UUID:       playwarden.CopyText(start.Uuid),
			Play:       playwarden.CopyText(start.Play),
			PlayUUID:   playwarden.CopyText(start.PlayUuid),
			Task:       playwarden.CopyText(start.Task),
			TaskUUID:   playwarden.CopyText(start.TaskUuid),
			Action:     playwarden.CopyText(start.Action),
			Role:       playwarden.CopyOption(start.Role),
			Host:       playwarden.CopyText(start.Host),
			BecomeUser: playwarden.CopyOption(start.BecomeUser),
			Connection: playwarden.CopyOption(start.Connection),
			DelegateTo: playwarden.CopyOption(start.DelegateTo),
			Tags:       hook.Texts(start.Tags),
			CheckMode:  start.CheckMode,
			NoLog:      start.NoLog,
			Handler:    start.Handler,
			Args:       playwarden.CopyOption(start.Args),
			Path:       playwarden.CopyOption(start.Path),
			Data:       playwarden.CopyText(start.Data),
		}, totals)
	})
}
