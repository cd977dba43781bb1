use std::io::{Read as _, Write as _};
use std::sync::mpsc::channel;
use std::time::Duration;

use playwarden_event::Origin;
use playwarden_sandbox::{Code, FaultKind, Grants, Limits, LoadErrorKind};
use serde_json::{Value, json};

use crate::hooks::finish;
use crate::reach::{reach, tries};
use crate::server::{Server, respond};
use crate::support::{Project, block_on, guest, sandbox};

fn allowed(to: &[&str], what: &Value) -> Project {
    let mut project = tries(what);
    project.grants.http = to.iter().map(|origin| Origin::parse(origin).unwrap()).collect();
    project
}

#[test]
fn http_is_linked_only_with_a_grant() {
    block_on(async {
        let sandbox = sandbox();
        let path = guest("imports_http");
        let err = sandbox.load("hook", Code::File(&path), None, &Grants::default()).await.unwrap_err();
        assert!(matches!(err.kind(), LoadErrorKind::Imports(names) if names.len() == 2), "{:?}", err.kind());
        let hint = err.hint();
        assert!(hint.starts_with("`wasi:http/types@0.2."), "{hint}");
        assert!(hint.ends_with("add `http = [\"https://HOST\"]` to `[plugins.hook.grants]`"), "{hint}");

        let grants = Grants { http: vec![Origin::parse("https://a.example").unwrap()], ..Grants::default() };
        sandbox.load("hook", Code::File(&path), None, &grants).await.unwrap();
        let unknown = sandbox.load("x", Code::File(&guest("imports_unknown")), None, &grants).await.unwrap_err();
        assert!(matches!(unknown.kind(), LoadErrorKind::Imports(_)), "{unknown:?}");
    });
}

#[test]
fn a_granted_origin_answers() {
    block_on(async {
        let server = Server::start(|request, to| match request.head.split(' ').nth(1) {
            Some("/big") => respond(to, "200 OK", "", &vec![b'y'; 3 << 20]),
            Some("/none") => respond(to, "404 Not Found", "", b"no such thing"),
            _ => respond(to, "200 OK", "", request.body.to_string().as_bytes()),
        });
        let origin = server.origin();
        let get = |path: &str| json!({ "what": "get", "url": format!("{origin}{path}") });
        let project = allowed(
            &[&origin],
            &json!([
                get("/x?a=b#c"),
                get("/none"),
                get("/big"),
                { "what": "post", "url": format!("{origin}/hook"), "bytes": 2_000_000 },
                { "what": "get", "url": origin, "headers": { "x-token": "t" } },
            ]),
        );
        let outcomes = reach(&project).await.unwrap();
        assert_eq!(outcomes[0], "ok 200 1 bytes: 0");
        assert_eq!(outcomes[1], "ok 404 13 bytes: no such thing");
        assert!(outcomes[2].starts_with("ok 200 3145728 bytes: yyy"), "{}", outcomes[2]);
        assert_eq!(outcomes[3], "ok 200 2000000");
        assert_eq!(outcomes[4], "ok 200 1 bytes: 0");
        let first = server.request().head;
        assert!(first.starts_with("GET /x?a=b HTTP/1.1\r\n"), "{first}");
        assert!(first.contains(&format!("host: 127.0.0.1:{}\r\n", server.port())), "{first}");
        let (_, _, _) = (server.request(), server.request(), server.request());
        assert!(server.request().head.contains("x-token: t\r\n"));
        assert!(project.log().is_empty(), "{:?}", project.log());
    });
}

#[test]
fn a_redirect_to_another_origin_is_refused() {
    block_on(async {
        let other = Server::start(|_, to| respond(to, "200 OK", "", b"not to be seen"));
        let away = format!("location: {}/x\r\n", other.origin());
        let server = Server::start(move |request, to| match request.head.split(' ').nth(1) {
            Some("/away") => respond(to, "302 Found", &away, b""),
            Some("/back") => {
                let host = request.head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
                respond(to, "302 Found", &format!("location: http://{host}/end\r\n"), b"");
            }
            _ => respond(to, "200 OK", "", b"here"),
        });
        let origin = server.origin();
        let get =
            |path: &str, follow: u32| json!({ "what": "get", "url": format!("{origin}{path}"), "follow": follow });
        let project = allowed(&[&origin], &json!([get("/back", 3), get("/away", 0), get("/away", 3)]));
        let outcomes = reach(&project).await.unwrap();
        assert_eq!(outcomes[0], "ok 200 4 bytes: here");
        assert_eq!(outcomes[1], "ok 302 0 bytes: ", "the host follows nothing by itself");
        assert!(
            outcomes[2].starts_with("refused the host refused the request: the origin is not among"),
            "{outcomes:?}"
        );
        assert_eq!(other.more(), 0);
        assert_eq!(
            project.log(),
            [format!("refused an HTTP request: `{}` is not among the plugin's `http` grants", other.origin())]
        );
    });
}

#[test]
fn another_name_for_the_same_machine_is_another_origin() {
    block_on(async {
        let server = Server::start(|_, to| respond(to, "200 OK", "", b"reached"));
        let port = server.port();
        let urls = [
            format!("http://localhost:{port}/"),
            format!("http://127.1:{port}/"),
            format!("http://2130706433:{port}/"),
            format!("http://0x7f.0.0.1:{port}/"),
            format!("http://[::ffff:127.0.0.1]:{port}/"),
            format!("http://127.0.0.1.:{port}/"),
            format!("http://user:pass@127.0.0.1:{port}/"),
            format!("http://127.0.0.1:{port}@localhost:{port}/"),
            format!("https://127.0.0.1:{port}/"),
            format!("ftp://127.0.0.1:{port}/"),
            format!("http://127.0.0.1:{}/", if port == 9 { 10 } else { 9 }),
            "http://127.0.0.1/".to_owned(),
            format!("http://127.0.0.1:{port} .example/"),
            format!("http://127.0.0.1:{port}\\@localhost/"),
            format!("http://127.0.0.1:0{port}0/"),
            "http:///".to_owned(),
        ];
        let what: Vec<Value> = urls.iter().map(|url| json!({ "what": "get", "url": url })).collect();
        let project = allowed(&[&server.origin()], &json!(what));
        for (outcome, url) in reach(&project).await.unwrap().iter().zip(&urls) {
            assert!(outcome.starts_with("refused "), "{url}: {outcome}");
        }
        assert_eq!(server.more(), 0);
        assert!(project.log().iter().all(|line| !line.contains("pass@")), "{:?}", project.log());

        // Upper case is the same name: it is granted, and the connection only fails because nobody is there.
        let project = allowed(&["http://localhost:9"], &json!([{ "what": "get", "url": "HTTP://LOCALHOST:9/" }]));
        assert!(reach(&project).await.unwrap()[0].starts_with("refused no response: connection"));
        assert!(project.log().is_empty(), "{:?}", project.log());
    });
}

#[test]
fn the_guest_cannot_say_another_host() {
    block_on(async {
        let server = Server::start(|_, to| respond(to, "200 OK", "", b"reached"));
        let get = |name: &str| json!({ "what": "get", "url": server.origin(), "headers": { name: "evil.example" } });
        let headers = ["host", "Host", "connection", "transfer-encoding", "upgrade", "proxy-authorization"];
        let project = allowed(&[&server.origin()], &json!(headers.map(get)));
        for outcome in reach(&project).await.unwrap() {
            assert!(outcome.starts_with("refused the header ") && outcome.contains("Forbidden"), "{outcome}");
        }
        assert_eq!(server.more(), 0);
    });
}

#[test]
fn tls_is_spoken_to_https_origins() {
    block_on(async {
        // The server speaks no TLS, and that is all that can be found out: nothing is asked in the clear.
        let server = Server::start(|_, to| drop(to.write_all(b"HTTP/1.1 200 OK\r\n\r\n")));
        let secure = server.origin().replace("http://", "https://");
        let project = allowed(&[&secure], &json!([{ "what": "get", "url": secure }]));
        let outcomes = reach(&project).await.unwrap();
        assert_eq!(outcomes, ["refused no response: tls protocol error"]);
    });
}

#[test]
fn a_server_that_hangs_costs_one_deadline_and_leaves_nothing_behind() {
    let (closed, closes) = channel();
    let server = Server::start(move |request, to| {
        if request.head.starts_with("GET /half") {
            to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
        }
        // Until the other side closes.
        drop(to.read(&mut [0]));
        closed.send(()).unwrap();
    });
    for path in ["/none", "/half"] {
        let url = format!("{}{path}", server.origin());
        let mut project = allowed(&[&server.origin()], &json!([{ "what": "get", "url": url }]));
        project.limits = Limits { finish: Duration::from_secs(1), ..project.limits };
        block_on(async {
            let mut instance = project.start("reaches_out").await;
            let fault = instance.on_finished(&finish()).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Timeout);
            let text = "took longer than 1s, in `";
            assert!(
                fault.text.starts_with(text) && fault.text.contains("`playwarden_sdk::http::Request::send`"),
                "{fault:?}"
            );
            // The instance is still there, the connection is not.
            tokio::task::yield_now().await;
            closes.recv_timeout(Duration::from_secs(60)).unwrap();
            drop(instance);
        });
    }
}

#[test]
fn a_guest_with_a_timeout_of_its_own_goes_on() {
    block_on(async {
        let server = Server::start(|_, to| drop(to.read(&mut [0])));
        let url = server.origin();
        let project = allowed(&[&url], &json!([{ "what": "get", "url": url, "timeout-ms": 100 }, { "what": "clock" }]));
        let outcomes = reach(&project).await.unwrap();
        // Which of them depends on how busy the computer is.
        let timeouts = ["refused no response: connection read timeout", "refused no response: connection timeout"];
        assert!(timeouts.contains(&&*outcomes[0]), "{outcomes:?}");
        assert!(outcomes[1].starts_with("ok "), "{outcomes:?}");
    });
}
