package export_playwarden_plugin_config_check

import (
	bindings "project/build/gen/imports/playwarden_plugin_config_check"
	"project/sdk/hook"
	"project/sdk/playwarden"
)

// Schema returns the JSON Schema of the configuration.
func Schema() string {
	defer hook.Release()
	return playwarden.Schema()
}

// Validate returns what is wrong with the configuration.
func Validate() []bindings.Problem {
	defer hook.Release()
	var problems []bindings.Problem
	for _, problem := range playwarden.ConfigProblems() {
		severity := bindings.Severity_Error
		if problem.Warning {
			severity = bindings.Severity_Warning
		}
		problems = append(problems, bindings.Problem{
			Severity: severity, Pointer: problem.Pointer, Message: problem.Message,
		})
	}
	return problems
}
