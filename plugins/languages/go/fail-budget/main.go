// Cancels a run when too many hosts failed or could not be reached.
//
// Hosts are counted, not results, and a verdict follows from the events of one window alone. So it does not matter in how
// many calls the events arrive, and a window never pays for an earlier one.
package main

import (
	"fmt"
	"math"
	"strconv"

	_ "project/build/gen/exports/wit_exports" // the hooks that wit/plugin.wit exports
	"project/sdk/playwarden"
)

type config struct {
	MaxFailedHosts      *uint32  `config:"max-failed-hosts"`
	MaxFailedPercent    *float64 `config:"max-failed-percent"`
	MaxUnreachableHosts *uint32  `config:"max-unreachable-hosts"`
	UnreachableCounts   bool     `config:"unreachable-counts"`
	IgnoredCounts       bool     `config:"ignored-counts"`
	RescuedCounts       bool     `config:"rescued-counts"`
	MinimumHosts        uint32   `config:"minimum-hosts"`
	Window              string   `config:"window" words:"run,play"`
	Stop                string   `config:"stop" words:"now,after-running-tasks"`
}

// Problems returns what is wrong with keys that are each right.
func (c *config) Problems() (problems []playwarden.Problem) {
	percent := c.MaxFailedPercent
	switch {
	case percent != nil && !(*percent >= 0 && *percent <= 100):
		message := shortest(*percent) + " is not within 0 to 100"
		problems = append(problems, playwarden.Problem{Pointer: "/max-failed-percent", Message: message})
	case percent == nil && c.MinimumHosts > 1:
		message := "has no effect without `max-failed-percent`"
		problems = append(problems, playwarden.Problem{Warning: true, Pointer: "/minimum-hosts", Message: message})
	}
	if c.MaxFailedHosts == nil && percent == nil && c.MaxUnreachableHosts == nil {
		message := "one of `max-failed-hosts`, `max-failed-percent` and `max-unreachable-hosts` is needed"
		problems = append(problems, playwarden.Problem{Message: message})
	}
	return problems
}

type hosts map[string]struct{}

// window has what counts of a run, or of a play.
type window struct {
	play        string // the play that is the window; empty when the run is, or no play has begun
	hosts       uint32 // in the window, failed or not, as the totals last had it
	withResult  hosts
	failed      hosts
	unreachable hosts
	last        string // the host that was found failed or unreachable last
	spent       bool   // one verdict for a window is enough, also where `mode = "monitor"` lets the run go on
}

type policy struct {
	config config
	// nil before the first call.
	*window
}

func (p *policy) open(play string) {
	p.window = &window{play: play, withResult: hosts{}, failed: hosts{}, unreachable: hosts{}}
}

func (p *policy) enterWindowOf(event *playwarden.Event) {
	if p.config.Window == "play" && event.PlayUUID != "" && event.PlayUUID != p.play {
		p.open(event.PlayUUID)
	}
}

// take counts the event's host; it returns whether the event was a result at all. Items of a loop and polls of an `async`
// task are none: the result of the task follows them.
func (p *policy) take(event *playwarden.Event) bool {
	if event.Host == "" {
		return false
	}
	counts := (!event.Marked(playwarden.MarkIgnored) || p.config.IgnoredCounts) &&
		(!event.Marked(playwarden.MarkRescued) || p.config.RescuedCounts)
	var failed, unreachable bool
	switch event.Kind {
	case playwarden.RunnerOnOK, playwarden.RunnerOnSkipped:
	case playwarden.RunnerOnFailed:
		failed = counts
	case playwarden.RunnerOnUnreachable:
		failed, unreachable = counts && p.config.UnreachableCounts, counts
	default:
		return false
	}
	p.withResult[event.Host] = struct{}{}
	if failed {
		p.failed[event.Host] = struct{}{}
	}
	if unreachable {
		p.unreachable[event.Host] = struct{}{}
	}
	if failed || unreachable {
		p.last = event.Host
	}
	return true
}

// brokenRule returns the verdict on the window; it says proceed while no rule is broken.
func (p *policy) brokenRule() playwarden.Verdict {
	c := &p.config
	cancel := func(code, figures string) playwarden.Verdict {
		verdict := playwarden.Cancel("%s; last: %s", figures, p.last).Code(code)
		if c.Stop == "after-running-tasks" {
			verdict = verdict.AfterRunningTasks()
		}
		return verdict
	}
	unreachable, failed := uint32(len(p.unreachable)), uint32(len(p.failed))
	if limit := c.MaxUnreachableHosts; limit != nil && unreachable > *limit {
		return cancel("too-many-unreachable", fmt.Sprintf("%d of %d hosts could not be reached, more than the %d allowed",
			unreachable, p.hosts, *limit))
	}

	how := "failed"
	for host := range p.unreachable {
		if _, ok := p.failed[host]; ok {
			how = "failed or could not be reached"
		}
	}
	if limit := c.MaxFailedHosts; limit != nil && failed > *limit {
		return cancel("too-many-failed", fmt.Sprintf("%d of %d hosts %s, more than the %d allowed",
			failed, p.hosts, how, *limit))
	}
	percent := float64(failed) * 100 / float64(p.hosts)
	isSampleLargeEnough := p.hosts > 0 && uint32(len(p.withResult)) >= c.MinimumHosts
	if limit := c.MaxFailedPercent; limit != nil && isSampleLargeEnough && percent > *limit {
		return cancel("too-many-failed", fmt.Sprintf("%d of %d hosts %s (%s %%), more than the %s %% allowed",
			failed, p.hosts, how, shortest(math.Round(percent*100)/100), shortest(*limit)))
	}
	return playwarden.Proceed()
}

// shortest writes a number with no more digits than it needs: `25`, `33.33`.
func shortest(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }

// Evaluate returns the verdict on the first of the events that breaks a rule.
func (p *policy) Evaluate(source playwarden.Source, events []playwarden.Event, totals playwarden.Totals) (playwarden.Verdict, error) {
	if p.window == nil && len(events) > 0 {
		p.open("")
		// Nothing on the first call of a run. After a restart of the plugin it is what the lost one had counted.
		for event := range playwarden.Before(source, events[0].Counter) {
			p.enterWindowOf(&event)
			p.take(&event)
		}
	}
	present := ""
	for i := range events {
		if play := events[i].PlayUUID; play != "" {
			present = play
		}
	}

	verdict := playwarden.Proceed()
	for i := range events {
		event := &events[i]
		p.enterWindowOf(event)
		// Totals are those after the last event. A list may begin in one play and end in the next, whose totals say nothing
		// about the first. Whatever failed there ended an earlier call, and the totals of that call still hold.
		switch {
		case p.config.Window == "run":
			p.hosts = totals.Run.Hosts
		case p.play == present:
			p.hosts = totals.Play.Hosts
		}
		if p.take(event) && !p.spent && !verdict.Cancels {
			verdict = p.brokenRule().At(event.Counter)
			p.spent = verdict.Cancels
		}
	}
	return verdict, nil
}

func init() {
	policy := &policy{config: config{UnreachableCounts: true, MinimumHosts: 1, Window: "run", Stop: "now"}}
	playwarden.Export(policy, &policy.config)
}

func main() {}
