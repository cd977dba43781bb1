// What is fuzzed: one function for each way in. The fuzz targets call them, and so does the test `fuzz`, which runs on
// stable Rust. They must end, must not panic, and an error must say where.

use std::path::Path;

use playwarden::config::Config;
use playwarden::report::diagnostic::render_findings;
use playwarden_event::reader::JournalReader;
use playwarden_sandbox::{Code, Grants, Sandbox};

/// Frames as the callback sends them.
pub(crate) fn records(bytes: &[u8]) {
    match playwarden::fuzz::records(bytes, &["secret", "pa\"ss\\", "\u{fc}", "4711"]) {
        Ok(events) => {
            for event in events {
                let line = serde_json::to_string(&event).expect("an event should be JSON");
                // The line feed is what ends a line of the journal.
                assert!(!line.contains('\n'), "{line}");
            }
        }
        Err(text) => assert!(!text.is_empty()),
    }
}

/// A journal.
pub(crate) fn journal(bytes: &[u8]) {
    let mut reader = JournalReader::new(bytes);
    let mut lines = 0;
    let read = loop {
        match reader.next_line() {
            Ok(Some(_)) => lines += 1,
            Ok(None) => break Ok(lines),
            Err(err) => break Err(err.to_string()),
        }
    };
    if let Err(text) = &read {
        assert!(text.contains(&format!("line {}", lines + 1)), "after {lines} lines: {text}");
    }
    match playwarden::store::verify(bytes) {
        Ok(chain) => assert_eq!(read, Ok(chain.events)),
        Err(err) => assert!(err.to_string().contains("line "), "{err}"),
    }
}

/// A plugin.
pub(crate) fn component(bytes: &[u8], sandbox: &Sandbox) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let grants = Grants::default();
    if let Err(err) = runtime.block_on(sandbox.load("fuzz", Code::Bytes { bytes }, None, &grants)) {
        assert!(!err.to_string().is_empty() && !err.hint().is_empty(), "{err}");
    }
}

/// A runner.toml.
pub(crate) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = Path::new("runner.toml");
    let (findings, must) = match Config::parse(path, text) {
        Ok((_, warnings)) => (warnings, false),
        Err(findings) => (findings, true),
    };
    let shown = render_findings(&findings, Path::new(""), false);
    assert!(!must || shown.contains("runner.toml"), "{shown}");
}

/// A job's stream, or a run's, and then the same bytes as an archive alone. Nothing may be written beside the folder.
pub(crate) fn stream(bytes: &[u8]) {
    let outer = std::env::temp_dir().join(format!("playwarden-fuzz-{}", std::process::id()));
    let folder = outer.join("in");
    std::fs::create_dir_all(&folder).expect("a folder");
    for read in [playwarden::fuzz::stream(bytes, &folder).err(), playwarden::fuzz::archive(bytes, &folder).err()] {
        assert!(read.is_none_or(|text| !text.is_empty()));
    }
    assert_eq!(std::fs::read_dir(&outer).expect("the folder").count(), 1);
    std::fs::remove_dir_all(&outer).expect("nothing that cannot be removed");
}
