package aap_policy_examples

import rego.v1

known := {"release", "region"}

default extra_vars_keys := {"allowed": true, "violations": []}

extra_vars_keys := {"allowed": false, "violations": [text]} if {
	others := [key | some key, _ in input.extra_vars; not key in known]
	count(others) > 0
	text := sprintf("%s: these extra vars are not known: %s", [input.name, concat(", ", others)])
}
