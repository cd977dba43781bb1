//! Secrets, odd and large values.

use super::{play, project};
use crate::evidence::{Evidence, at};

#[test]
fn what_no_log_hides_is_nowhere() {
    let secret = "kanarienvogel-4711";
    let playbook = format!(
        r"
- hosts: all
  gather_facts: false
  vars: {{canary: {secret}}}
  tasks:
    - name: argument
      command: echo {{{{ canary }}}}
      no_log: true
      notify: handle
    - name: failing
      raw: echo {{{{ canary }}}}; echo {{{{ canary }}}} >&2; exit 1
      no_log: true
      ignore_errors: true
    - name: loop
      raw: echo {{{{ item }}}}
      loop: ['{{{{ canary }}}}', 'x']
      no_log: true
    - name: difference
      copy: {{content: '{{{{ canary }}}}', dest: '{{{{ playbook_dir }}}}/target'}}
      no_log: true
    - name: retried
      raw: echo {{{{ canary }}}}; test -e {{{{ playbook_dir }}}}/tried || {{ touch {{{{ playbook_dir }}}}/tried; exit 1; }}
      register: tried
      until: tried.rc == 0
      delay: 0
      no_log: true
  handlers:
    - name: handle
      set_fact: {{fact: '{{{{ canary }}}}'}}
      no_log: true
"
    );
    let project = project(1, &playbook);
    let shown = project.playwarden(&["run", "--diff"]).expect(0);
    assert!(!format!("{}{}", shown.stdout, shown.stderr).contains(secret));
    let run = Evidence::of(&project);
    run.hides(secret);
    for task in ["argument", "loop", "difference", "handle", "retried"] {
        let (event, result) = run.result("runner_on_ok", task, "h1");
        assert!(result.no_log && event.marks().no_log, "{task}");
        assert!(at(event, "/res/censored").is_string(), "{task}: {}", event.data().text());
    }
    assert!(run.result("runner_on_failed", "failing", "h1").0.marks().ignored);
    assert!(run.result("runner_on_ok", "argument", "h1").0.marks().changed);
    run.counts_as_ansible_does();
}

#[test]
fn odd_values_arrive() {
    let run = play(
        1,
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: number
      debug: {msg: 1180591620717411303424}
    - name: not a number
      debug: {msg: [.nan, .inf]}
    - name: bytes
      raw: printf 'a\377\376b'
    - name: text
      debug: {msg: 'grüße 💚 &<>\u0000 \ \t'}
",
        0,
    );
    let text = |task: &str, pointer: &str| {
        let (event, _) = run.result("runner_on_ok", task, "h1");
        event.data().pointer(pointer).unwrap().text().to_owned()
    };
    assert_eq!(text("number", "/res/msg"), "1180591620717411303424");
    assert_eq!(text("not a number", "/res/msg"), r#"["NaN","Infinity"]"#);
    // What is no text is spelled out: a strict parser takes no half of a pair.
    assert_eq!(text("bytes", "/res/stdout"), r#""a\\udcff\\udcfeb""#);
    let (event, _) = run.result("runner_on_ok", "text", "h1");
    assert_eq!(at(event, "/res/msg"), "grüße 💚 &<>\\u0000 \\ \\t");
}

#[test]
fn three_megabytes_arrive_whole() {
    let run = play(
        1,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: much\n      \
         raw: head -c 3000000 /dev/zero | tr '\\0' x\n    - name: after\n      debug: msg=x\n",
        0,
    );
    let (event, result) = run.result("runner_on_ok", "much", "h1");
    assert_eq!(result.truncated, None);
    assert_eq!(at(event, "/res/stdout").as_str().map(str::len), Some(3_000_000));
    assert_eq!(run.hosts("runner_on_ok", "after"), ["h1"]);
}

#[test]
fn what_a_play_prints_is_not_taken_for_an_event() {
    let run = play(
        1,
        r#"
- hosts: all
  gather_facts: false
  tasks:
    - name: forge
      raw: |
        printf '{"record":"event","event":"playbook_on_stats","uuid":"x","event_data":{}}\n'
        for fd in 3 4 5 6 7 8 9; do { printf '\0\0\0\2{}' >&$fd; } 2>/dev/null || true; done
"#,
        0,
    );
    assert_eq!(run.named("playbook_on_stats").len(), 1);
    assert_eq!(run.outcome.totals.run.ok, 1);
}
