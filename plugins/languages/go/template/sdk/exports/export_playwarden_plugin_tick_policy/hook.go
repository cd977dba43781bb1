package export_playwarden_plugin_tick_policy

import (
	types "project/build/gen/imports/playwarden_plugin_types"
	"project/sdk/hook"
	"project/sdk/playwarden"
)

// Tick judges by time.
func Tick(source types.Source, nowNs uint64, totals types.Totals) hook.Judged {
	return hook.Ask(func(policy playwarden.TickPolicy) (playwarden.Verdict, error) {
		return policy.Tick(hook.Source(source), nowNs, totals)
	})
}
