//! What each code of a finding means, for people who meet it for the first
//! time.

/// Every code that a finding can have, with its explanation, sorted by code.
///
/// An explanation is plain text of several lines, with an indented example,
/// and does not end in a line end.
pub const CODES: &[(&str, &str)] = &[
    (
        "bad-argument",
        "A value on the command line is out of range, or does not fit what the job runs.
Nothing was started, because the run would not be the one that was meant. The
message says what is allowed.

    playwarden run deploy --forks 10",
    ),
    (
        "bad-cancel-when",
        "`cancel-when` says which of a job's cancel policies have to want the run canceled
until it is: `any` of them, which is the default, `all`, or an expression of their
names with `and`, `or` and parentheses. Each of the job's `cancel-policies` stands in
it, and nothing else.

    [jobs.deploy]
    playbook = \"site.yml\"
    cancel-policies = [\"budget\", \"window\", \"slow\"]
    cancel-when = \"budget and (window or slow)\"",
    ),
    (
        "bad-file",
        "A file of a private data dir cannot be used: it is not readable, not UTF-8, or
neither JSON nor YAML. What it holds is not shown, since it may be a password.
ansible-runner leaves such a file out without a word; here nothing is started.

    # env/passwords
    \"^SSH password:\\s*?$\": \"…\"",
    ),
    (
        "bad-folder",
        "A folder that a plugin may read or write is something else: a file, a symbolic
link, or below a file. A link is refused because it can be turned elsewhere later,
and the plugin with it. Name the folder itself. One that may be written is made
when it is missing; one that is only read has to be there.

    [plugins.audit.grants]
    read = [\"rules\"]
    write = [\"audit\"]",
    ),
    (
        "bad-lock",
        "`runner.lock` cannot be understood, so nobody knows which plugins were approved.
A merge may have left its marks in it. Restore it, or look at every plugin again
and let the program write it anew.

    playwarden plugin lock",
    ),
    (
        "bad-name",
        "A name has characters that it cannot have. Names of jobs, plugins and secrets
become folders, files and arguments, so they are 1 to 64 letters, digits, `-`
and `_`. Environment variables have letters, digits and `_`, and no digit first.

    [jobs.deploy-web]
    playbook = \"site.yml\"",
    ),
    (
        "bad-origin",
        "What a plugin may send HTTP requests to is not an origin: a scheme, a host and,
where it is not the usual one, a port. Paths and user names are not part of it,
and `*` does not work, so that everybody can see where data may go.

    [plugins.siem.grants]
    http = [\"https://siem.example.com:8088\"]",
    ),
    (
        "bad-pattern",
        "A key of `passwords` is neither the name of a prompt nor a pattern that can be
looked for. The names are `ssh`, `become`, `vault`, `vault.ID` and `ssh-key`. A
pattern is a regular expression as Python has them, of which `^` and `$` are of
a line. Single quotes keep its backslashes as they are.

Or one of `redact.patterns` is no regular expression, or one that is found in a
text of nothing, so that it would be everywhere. Those are searched in time that
grows with the text alone, so there is no look-around and no backreference.

    passwords = { become = { env = \"BECOME\" }, 'Code:\\s*$' = { file = \"code\" } }",
    ),
    (
        "bad-secret",
        "A secret is there but cannot be used: it is empty, not UTF-8 text, larger than
64 KiB, or its file cannot be read. A plugin with half a secret would fail in
the middle of a run. Look at the variable or the file; the value is never shown.

    [plugins.siem.grants]
    secrets.token = { file = \"/run/secrets/siem-token\" }",
    ),
    (
        "bad-value",
        "A value has the right type but is not one that the key can have: out of range,
empty, without a unit. Guessing what was meant could start a different run. The
message or the help says how to write it.

    timeout = \"1h30m\"
    limits = { memory = \"64MiB\" }",
    ),
    (
        "conflict",
        "Two keys exclude each other, such as `playbook` and `module` in one job, or
`path` and `builtin` in one plugin. Whichever won, somebody would be surprised.
Keep one, or make two of it.

    [jobs.deploy]
    playbook = \"site.yml\"",
    ),
    (
        "duplicate-key",
        "A key or a table stands twice in the file. TOML allows each once, since nobody
could tell which one counts. Remove one, or put both into one table.

    [jobs.deploy]
    playbook = \"site.yml\"
    forks = 20",
    ),
    (
        "forbidden-folder",
        "A plugin may write a folder that holds `runner.toml`, a component, or what runs
left behind. With it the plugin could choose other policies for the next run or
change the evidence of this one. Grant a folder for the plugin alone.

    [plugins.audit.grants]
    write = [\"audit\"]",
    ),
    (
        "literal-secret",
        "The value of a secret stands in `runner.toml`, where everybody reads it who reads
the repository. Playwarden masks it wherever it writes, but cannot take it out of
the file. For Ansible use a vault or a lookup; for a plugin name the source.

    [plugins.siem.grants]
    secrets.token = { env = \"SIEM_TOKEN\" }",
    ),
    (
        "missing-file",
        "A file or folder that a job needs does not exist, or is the wrong kind of thing.
The run would fail after it began. Paths in `runner.toml` are relative to it,
those on the command line to the current folder.

    [jobs.deploy]
    playbook = \"playbooks/site.yml\"",
    ),
    (
        "missing-hook",
        "A job chose a plugin for something that its component does not offer. It would
never be asked, and the run would go unguarded without anybody knowing. Choose it
in the list that fits its hooks, or correct where the component comes from.

    [jobs.deploy]
    event-handlers = [\"audit\"]",
    ),
    (
        "missing-key",
        "A key is missing without which the rest means nothing: what a job runs, where a
plugin's component or a secret is, the version of the file. There is no default
that would be right. The help says what to add.

    schema-version = 1",
    ),
    (
        "missing-secret",
        "A secret that a plugin is granted is not there: the variable is not set where
playwarden is started, or the file does not exist. The plugin would fail in the
middle of a run. Set it, or correct the name. A job's `env` is for Ansible only.

    SIEM_TOKEN=$(get-token) playwarden run deploy",
    ),
    (
        "no-ansible",
        "There is no usable Ansible where it was looked for: on the PATH, or in the
virtual environment that `use` names. It takes `ansible`, `ansible-playbook` and
`ansible-config` of one installation. Install it, or say where it is.

    [ansible]
    use = { venv = \".venv\" }",
    ),
    (
        "no-builtins",
        "The plugin is a built-in one, but this program was compiled before the plugins were,
so it carries none. Build it with the repository's own command, which makes the plugins
first; or build the component and name its file with `path`.

    cargo xtask setup",
    ),
    (
        "no-engine",
        "Ansible is to run in a container, and the program that makes containers is not on
the PATH. Install podman or docker, or name the one that is there.

    [ansible]
    use = { container = \"quay.io/org/ee:1\", engine = \"docker\" }",
    ),
    (
        "no-tick",
        "A policy and its `tick` do not fit. One that judges by time is only asked while
nothing happens if it has a `tick`; one that does not has no use for it. Add the
key, or leave it out.

    [plugins.window]
    path = \"policies/window.wasm\"
    tick = \"1s\"",
    ),
    (
        "not-a-default",
        "A key stands in `[defaults]` that only makes sense in one place: what a job runs
belongs to the job, a plugin to `[plugins]`. As a default it would run the same
thing under every name. Move it.

    [jobs.deploy]
    playbook = \"site.yml\"",
    ),
    (
        "not-mounted",
        "Ansible runs in a container and is told of a file or folder that the container does
not have. It has the folder of runner.toml, at `/runner/project`, or the private data
dir, at `/runner`, and what is mounted besides.

    [ansible]
    use = { container = \"ee:1\", mounts = [\"/srv/hosts:/srv/hosts:ro\"] }",
    ),
    (
        "not-offered",
        "The key or word is known, but this version of Playwarden does not do it yet. To
ignore it would run something else than the file says. The help names what does
nearly the same.

    [ansible]
    use = { venv = \".venv\" }",
    ),
    (
        "not-utf-8",
        "The file is not UTF-8 text, which TOML must be. Read otherwise, paths and names
could come out wrong. Save it as UTF-8; the help names the first line that is not.

    iconv -f latin1 -t utf-8 runner.toml",
    ),
    (
        "playbook-syntax",
        "Ansible itself does not take the playbook: `ansible-playbook --syntax-check`
failed, and its words stand in the message. The run could not begin. Correct the
playbook, or install the collection that it names.

    ansible-playbook --syntax-check site.yml",
    ),
    (
        "plugin-changed",
        "A component is not the one that `runner.lock` has, or is not in it at all. Whoever
can write the file could have put another policy there, or one that reaches more.
Look at what it offers and imports; if that is right, approve it.

    playwarden plugin inspect fail-budget
    playwarden plugin lock fail-budget",
    ),
    (
        "plugin-config",
        "The plugin was asked about its `config` and has something to say: a key that it
does not know, a value that it cannot use. Only the plugin knows what its config
may be; its documentation says what it takes.

    [plugins.fail-budget]
    builtin = \"fail-budget\"
    config = { max-failed-hosts = 1 }",
    ),
    (
        "plugin-fault",
        "The plugin broke while it was asked about its config: it trapped, took too long or
asked for more than its limits allow. In a run it would do the same. What it
printed is shown; raise its `limits` or mend the plugin.

    [plugins.budget]
    path = \"policies/budget.wasm\"
    limits = { memory = \"128MiB\", call = \"2s\" }",
    ),
    (
        "plugin-load",
        "The component cannot be loaded: it is no WebAssembly component, does not have the
`sha256` that was written down, or imports something that is not granted. Without
it the run would go unguarded. Build it again, correct the hash, or grant what it needs.

    [plugins.siem.grants]
    http = [\"https://siem.example.com\"]",
    ),
    (
        "repeated-grant",
        "The same thing is granted to a plugin twice: an origin in two spellings, a
variable, or a folder within another that it may write anyway. One of them is a
mistake, or will be when the other is removed. Keep one.

    [plugins.audit.grants]
    write = [\"audit\"]",
    ),
    (
        "repeated-plugin",
        "A plugin stands twice in one list of a job. There is one instance of it in a run,
and it is asked once. For two configurations of the same component make two plugins.

    [plugins.strict]
    builtin = \"fail-budget\"
    config = { max-failed-hosts = 0 }",
    ),
    (
        "schema-version",
        "The file is written for another version of its format. What is meant there could
mean something else here, so nothing more is read. Use the Playwarden that it is
for, or bring the file to this version.

    schema-version = 1",
    ),
    (
        "shared-folder",
        "Two plugins of one job may write the same folder, or one inside the other's. Each
could change what the other wrote, and neither's output would prove anything. Give
each a folder of its own.

    plugins.audit.grants.write = [\"out/audit\"]
    plugins.junit.grants.write = [\"out/junit\"]",
    ),
    (
        "syntax",
        "The file is not TOML from the place that is shown. Nothing else was looked at,
because what comes after it is a guess. Text stands in quotes, lists in brackets,
and a table has its keys below its name.

    [jobs.deploy]
    playbook = \"site.yml\"
    tags = [\"app\", \"db\"]",
    ),
    (
        "too-large",
        "The extra vars do not fit on a command line: Linux passes on at most 128 KiB in
one argument. Put them into a file that the playbook reads.

    - hosts: all
      vars_files: [vars/release.yml]",
    ),
    (
        "unknown-builtin",
        "Playwarden carries no plugin of this name. The help names the near one, or all
of them. A plugin of your own is named with `path`.

    [plugins.audit]
    builtin = \"audit-jsonl\"",
    ),
    (
        "unknown-event",
        "A pattern in `events` matches no event, so the plugin would never be told of
anything. Events have the journal's names; `*` stands for any characters.

    [plugins.audit]
    events = [\"runner_on_*\", \"playbook_on_stats\"]",
    ),
    (
        "unknown-job",
        "There is no job of this name in `runner.toml`. The help names the near one, or
all of them.

    [jobs.deploy]
    playbook = \"site.yml\"",
    ),
    (
        "unknown-key",
        "A table has a key that nobody reads. It is most often misspelt, and ignoring it
would mean a run without the limit or the policy that was asked for. The help
names the near one, or all that are known there.

    [jobs.deploy]
    idle-timeout = \"10m\"",
    ),
    (
        "unknown-plugin",
        "A job names a plugin that `[plugins]` does not describe. Without it the run would
go unguarded. Correct the name, or describe the plugin.

    [plugins.fail-budget]
    builtin = \"fail-budget\"",
    ),
    (
        "unknown-word",
        "The value is not one of the words that this key takes. The help names the near
one, or all of them.

    on-fault = \"cancel\"",
    ),
    (
        "unreadable-file",
        "`runner.toml` is there but cannot be read: it is a folder, or you may not. Correct
its rights, or name another file.

    playwarden --file ops/runner.toml check",
    ),
    (
        "unused-key",
        "A key does nothing where it stands. `mode` or `tick` is set for a plugin that is no
cancel policy where it would count: only policies give verdicts and are asked by time,
so perhaps the plugin should be a policy. Or `container_image` is set in a private data
dir without `process_isolation`, which alone puts Ansible into a container.

    [jobs.deploy]
    cancel-policies = [\"fail-budget\"]",
    ),
    (
        "unused-override",
        "A job sets something for a plugin that it does not use. It would do nothing, and
looks as if the plugin were there. Choose the plugin in one of the job's lists, or
remove the override.

    [jobs.canary]
    cancel-policies = [\"fail-budget\"]
    plugins.fail-budget.config = { max-failed-hosts = 0 }",
    ),
    (
        "unused-plugin",
        "No job uses this plugin. It is never loaded, and none of its mistakes are found.
Choose it in a job or in `[defaults]`, or remove it.

    [defaults]
    event-handlers = [\"audit\"]",
    ),
    (
        "wrong-type",
        "A value is of another type than the key takes, such as a number where text is
expected. The message says which one, the pointer shows what was found.

    inventory = \"hosts.ini\"
    forks = 20",
    ),
];

/// Returns what a code means, why it matters and what to do; `None` for what
/// is no code.
pub fn explain(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_each_has_an_example() {
        assert!(CODES.is_sorted_by(|(one, _), (other, _)| one < other));
        for (code, text) in CODES {
            assert_eq!(explain(code), Some(*text));
            assert!(text.contains("\n\n    ") && text.lines().all(|line| line.chars().count() <= 90), "{code}");
            assert_eq!(text.trim_end(), *text, "{code}");
        }
        assert_eq!(explain("no-such-code"), None);
    }
}
