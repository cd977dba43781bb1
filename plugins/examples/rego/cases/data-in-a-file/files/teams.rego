package team.access

deny contains {"msg": msg, "code": "not-yours"} if {
	some group in input.start.groups
	not group in data.access[input.run.plan.user]
	msg := sprintf("%s may not touch %s, which is in %s", [input.run.plan.user, input.start.host, group])
}
