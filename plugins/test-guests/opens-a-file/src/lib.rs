//! Reads `/etc/passwd` and warns with what it got. It imports the file system of WASI, but nothing is granted: the
//! warning must carry an error and never the file.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct OpensAFile;

impl CancelPolicy for OpensAFile {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        Ok(Verdict::warn(match std::fs::read("/etc/passwd") {
            Ok(bytes) => format!("read {} bytes of /etc/passwd", bytes.len()),
            Err(error) => format!("cannot read /etc/passwd: {error}"),
        }))
    }
}

playwarden_sdk::export!(OpensAFile: CancelPolicy);
