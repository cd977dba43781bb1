//! Cancels when the task of `/task` is about to start, on `/host` if that is given, with the stop of `/stop`. The task
//! must not start, and no `runner_on_start` may be written for it.

use playwarden_sdk::prelude::*;

struct CancelsOnStart {
    task: String,
    host: Option<String>,
    stop: Stop,
}

impl Plugin for CancelsOnStart {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            task: config::value("/task")?.ok_or("config: `task` is missing")?,
            host: config::value("/host")?,
            stop: match config::value::<String>("/stop")?.as_deref() {
                Some("after-running-tasks") => Stop::AfterRunningTasks,
                _ => Stop::Now,
            },
        })
    }
}

impl StartPolicy for CancelsOnStart {
    fn admit(&mut self, _: &Source, start: &Start, _: &Totals) -> Result<Verdict, Failure> {
        let is_meant = start.task == self.task && self.host.as_ref().is_none_or(|host| *host == start.host);
        Ok(if is_meant {
            Verdict::cancel(format!("`{}` may not start on {}", start.task, start.host))
                .code("start-refused")
                .stop(self.stop)
        } else {
            Verdict::Proceed
        })
    }
}

playwarden_sdk::export!(CancelsOnStart: StartPolicy);
