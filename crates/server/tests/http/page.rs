//! Server tests: the page, and what is not it.

use crate::house::Server;

#[test]
fn what_is_no_door_is_the_page_and_what_is_under_a_door_is_not() {
    let server = Server::start();
    let built = server.ask("GET", "/", &[], b"").status == 200;
    for path in
        ["/", "/flags", "/flags/f?environment=production", "/experiments/e", "/../../etc/passwd", "/%2e%2e/x"]
    {
        let reply = server.ask("GET", path, &[], b"");
        let text = String::from_utf8_lossy(&reply.body).to_lowercase();
        if built {
            assert_eq!(reply.status, 200, "{path}");
            assert!(text.contains("<!doctype html>"), "{path}");
            assert_eq!(reply.header("cache-control"), Some("no-cache"));
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
            assert!(reply.header("content-security-policy").unwrap().contains("default-src 'self'"));
            let tag = reply.header("etag").unwrap();
            assert_eq!(server.ask("GET", path, &[("if-none-match", tag)], b"").status, 304, "{path}");
        } else {
            assert_eq!(reply.status, 404, "{path}");
            assert!(text.contains("hint: run `npm ci"), "{path}: {text}");
        }
    }
    for path in ["/api/nowhere", "/sdk/v9/x", "/ofrep/v9", "/2/x", "/batch/x", "/config/a/b"] {
        let reply = server.ask("GET", path, &[], b"");
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.json()["hint"].is_string(), "{path}");
    }
    assert_eq!(server.ask("POST", "/flags", &[], b"{}").status, 404);
    assert_eq!(server.ask("GET", "/healthz", &[], b"").body, b"ok");
    let document = server.ask("GET", "/openapi.json", &[], b"").json();
    assert_eq!(document, bellwether_app::openapi());
}
