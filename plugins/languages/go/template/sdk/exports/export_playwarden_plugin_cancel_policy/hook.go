package export_playwarden_plugin_cancel_policy

import (
	types "project/build/gen/imports/playwarden_plugin_types"
	"project/sdk/hook"
	"project/sdk/playwarden"
)

// Evaluate judges events.
func Evaluate(source types.Source, events []types.Event, totals types.Totals) hook.Judged {
	return hook.Ask(func(policy playwarden.CancelPolicy) (playwarden.Verdict, error) {
		return policy.Evaluate(hook.Source(source), playwarden.CopyEvents(events), totals)
	})
}
