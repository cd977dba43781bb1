// Cancels the run when more hosts failed than `max-failed-hosts` of runner.toml allows.
package main

import (
	_ "project/build/gen/exports/wit_exports" // the hooks that wit/plugin.wit exports
	"project/sdk/playwarden"
)

type config struct {
	MaxFailedHosts uint32 `config:"max-failed-hosts"`
}

type policy struct {
	config config
	said   bool // once is enough
}

func (p *policy) Evaluate(_ playwarden.Source, events []playwarden.Event, totals playwarden.Totals) (playwarden.Verdict, error) {
	if p.said || totals.Run.HostsFailed <= p.config.MaxFailedHosts {
		return playwarden.Proceed(), nil
	}
	p.said = true

	var decided uint64
	for _, event := range events {
		if event.Marked(playwarden.MarkFailed) && !event.Marked(playwarden.MarkIgnored) && !event.Marked(playwarden.MarkRescued) {
			decided = event.Counter
		}
	}
	verdict := playwarden.Cancel("%d of %d hosts failed, more than the %d allowed",
		totals.Run.HostsFailed, totals.Run.Hosts, p.config.MaxFailedHosts)
	return verdict.Code("too-many-failed").At(decided), nil
}

func init() {
	policy := &policy{}
	playwarden.Export(policy, &policy.config)
}

func main() {}
