//! Streams that somebody made who means harm.

use super::*;

/// A stream with an archive that Python makes: names, modes, contents.
fn archive(entries: &Value, head: &Value) -> Vec<u8> {
    let script = "import sys, json, io, zipfile, base64\n\
                  entries, head = json.load(sys.stdin)\n\
                  out = io.BytesIO()\n\
                  with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:\n\
                  \x20   for name, mode, text, times in entries:\n\
                  \x20       info = zipfile.ZipInfo(name)\n\
                  \x20       info.create_system = 3\n\
                  \x20       info.external_attr = mode << 16\n\
                  \x20       info.compress_type = zipfile.ZIP_DEFLATED\n\
                  \x20       z.writestr(info, text * times)\n\
                  data = out.getvalue()\n\
                  print(json.dumps(head))\n\
                  print(json.dumps({'zipfile': len(data)}))\n\
                  sys.stdout.write(base64.b64encode(data).decode())\n\
                  print(json.dumps({'eof': True}))\n";
    let mut python = Command::new(venv().join("bin/python"));
    python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (code, stream, stderr) = with_input(python, json!([entries, head]).to_string().as_bytes());
    assert_eq!(code, Some(0), "{stderr}");
    stream
}

const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

#[test]
fn nothing_is_written_outside_and_who_sends_it_is_told() {
    let project = data_dir("").file("victim", "whole");
    let victim = project.path("victim").display().to_string();
    let outside = project.path("").display().to_string();
    let attacks = [
        (json!([["../victim", FILE, "x", 1]]), "`..`"),
        (json!([[victim, FILE, "x", 1]]), "absolute"),
        (json!([["l", LINK, outside, 1], ["l/victim", FILE, "x", 1]]), "stands on its way"),
        (json!([["l", LINK, "../..", 1], ["l/victim", FILE, "x", 1]]), "stands on its way"),
        (json!([["a", FILE, "0", 3_000_000]]), "more than 1048576 bytes"),
    ];
    for (entries, why) in attacks {
        let job = archive(&entries, &json!({"kwargs": {"playbook": "x.yml"}}));
        let said = lines(&worked(&project, ours(), &["--max-size", "1MiB"], &job, 1));
        let explanation = said[0]["job_explanation"].as_str().unwrap();
        assert!(explanation.contains(why), "{entries}: {explanation}");
        let stream = archive(&entries, &json!({"status": "successful"}));
        let shown = processed(&project, ours(), &["--max-size", "1MiB"], &stream).expect(1);
        assert!(shown.stderr.contains(why) || shown.stderr.contains("leads out"), "{entries}: {}", shown.stderr);
        assert_eq!(read(&project, "victim"), "whole");
    }
    assert_eq!(project.names("temp"), [""; 0]);
}

#[test]
fn an_event_has_no_name_that_leads_elsewhere() {
    let project = data_dir("");
    let event = json!({"event": "verbose", "counter": 1, "uuid": "../../../x", "stdout": "printed"});
    let odd = json!({"event": "verbose", "counter": "../1", "uuid": "u"});
    let stream = format!("{event}\n{odd}\n{}\n{}\n", json!({"status": "failed"}), json!({"eof": true}));
    let shown = processed(&project, ours(), &[], stream.as_bytes()).expect(1);
    assert_eq!(shown.stdout, "printed\n");
    assert_eq!(project.names("r/artifacts/job_events"), ["1-x.json"]);
    assert_eq!(project.names("r"), ["artifacts"]);
}
