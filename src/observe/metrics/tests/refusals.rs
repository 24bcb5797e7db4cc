//! Targets that hang, break off, refuse or are no metrics endpoint.

use super::*;

#[tokio::test]
async fn a_target_that_hangs_is_named_before_the_supervisor_loses_patience() {
    let server = Server::start(|n, _| match n {
        0 => vec![Step::Hang],
        1 => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nup 1\n".to_vec()),
            Step::Hang,
        ],
        2 => vec![
            Step::Send(b"HTTP/1.1 500 Oops\r\ncontent-length: 9999\r\n\r\n".to_vec()),
            Step::Hang,
        ],
        _ => page(PAGE),
    })
    .await;
    let mut target = target(&server.url());
    target.timeout = Duration::from_millis(400);
    let mut rig = Rig::new(&target);
    assert!(rig.source.timeout() > target.timeout);
    let said = rig.refusal().await;
    assert!(said.contains("no answer within 400 ms → is the process hung"), "{said}");
    let said = rig.refusal().await;
    assert!(
        said.contains("its page was not complete after 400 ms (5 B so far)"),
        "{said}"
    );
    let said = rig.refusal().await;
    assert!(said.contains("500 Internal Server Error →"), "{said}");
    assert_eq!(rig.read().await.unwrap().values, [7.0]);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_page() {
    let (_server, mut rig) = served(|| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n";
        vec![Step::Send(format!("{head}{PAGE}").into_bytes()), Step::Close]
    })
    .await;
    let said = rig.refusal().await;
    assert!(
        said.contains("it closed the connection before its answer was complete"),
        "{said}"
    );
}

#[rstest]
#[case::rate_limited(
    "429 Too Many Requests", "content-type: application/json\r\n", include_bytes!("../../../../tests/data/metrics/ratelimited.txt"),
    "429 Too Many Requests: {\"error\":\"Too many requests\",\"retryAfter\":60} → give this target a longer interval"
)]
#[case::collector_failed(
    "500 Internal Server Error", "", include_bytes!("../../../../tests/data/metrics/nats-down-down.txt"),
    "500 Internal Server Error: {\"error\":\"Failed to collect metrics\"} → look at the process's own log"
)]
#[case::unavailable(
    "503 Service Unavailable",
    "retry-after: Fri, 20 Nov 2026\r\n",
    b"",
    "503 Service Unavailable, retry after Fri, 20 Nov 2026 → look"
)]
#[case::login(
    "401 Unauthorized",
    "",
    b"",
    "401 Unauthorized → give this target a bearer token, or basic user and password"
)]
#[case::right("403 Forbidden", "", b"no", "403 Forbidden: no → its login lacks the right")]
#[case::path(
    "404 Not Found",
    "",
    b"",
    "404 Not Found → check the path in its url, usually /metrics"
)]
#[case::no_content("204 No Content", "", b"", "204 No Content → check that its url is a metrics page")]
#[case::unknown_status("599 Whatever", "", b"", "599 → look")]
#[case::hostile_body(
    "500 Oops",
    "",
    b"a\x1b[31m\r\n\xffb",
    "500 Internal Server Error: a\\x1b[31m \u{fffd}b → look"
)]
#[tokio::test]
async fn any_status_but_200_is_shown_as_such(
    #[case] status: &'static str,
    #[case] headers: &'static str,
    #[case] body: &'static [u8],
    #[case] expected: &str,
) {
    let (server, mut rig) = served(move || answer(status, headers, body)).await;
    let said = rig.refusal().await;
    assert!(
        said.starts_with(&format!("scrape {}: {expected}", server.url())),
        "{said}"
    );
}

#[tokio::test]
async fn a_target_that_asks_for_a_pause_gets_it() {
    let (server, mut rig) = served(|| answer("429 Too Many Requests", "retry-after: 20\r\n", "")).await;
    assert!(
        rig.refusal()
            .await
            .contains("429 Too Many Requests, retry after 20 s → give")
    );
    for _ in 0..3 {
        let said = rig.refusal().await;
        assert!(
            said.contains("429 Too Many Requests, asked to stay away for another 20 s"),
            "{said}"
        );
    }
    assert_eq!(server.requests().len(), 1);
    rig.source.paused_until = Duration::ZERO;
    assert!(rig.refusal().await.contains("retry after 20 s"));
}

#[rstest]
#[case::empty("", "its page is empty → check that the process registers its metrics")]
#[case::blank(" \n\n", "its page is empty")]
#[case::html(
    "<!doctype html>\n<html><title>Grafana</title>",
    "an HTML page instead of metrics: <!doctype html> <html><title>Grafana</title> → check that its url"
)]
#[case::json("{\"status\": \"ok\"}", "JSON instead of metrics: {\"status\": \"ok\"} →")]
#[case::json_list("[1]", "JSON instead of metrics: [1] →")]
#[case::other_metrics(
    "# TYPE up gauge\nup 1\n# TYPE go_threads gauge\n",
    "no known metric among 2 families; the page begins # TYPE up gauge up 1 # TYPE go_threads gauge → set [metrics.names]"
)]
#[case::quoted_names(
    "{\"up\", a=\"1\"} 1\n",
    "no known metric among 0 families; the page begins {\"up\", a=\"1\"} 1 →"
)]
#[case::text("OK", "no known metric among 1 families; the page begins OK")]
#[case::zeroes("\0\0\0\0", "binary data instead of metrics text →")]
#[tokio::test]
async fn a_page_without_metrics_says_what_it_is_instead(#[case] body: &'static str, #[case] expected: &str) {
    let (_server, mut rig) = served(move || page(body)).await;
    let said = rig.refusal().await;
    assert!(said.contains(expected), "{said}");
}

#[tokio::test]
async fn protobuf_and_cut_off_openmetrics_are_refused() {
    let server = Server::start(|n, _| match n {
        0 => answer(
            "200 OK",
            "content-type: application/vnd.google.protobuf; proto=x\r\n",
            PAGE,
        ),
        1 => answer(
            "200 OK",
            "content-type: application/openmetrics-text; version=1.0.0\r\n",
            PAGE,
        ),
        _ => answer(
            "200 OK",
            "content-type: application/openmetrics-text; version=1.0.0\r\n",
            format!("{PAGE}# EOF\n"),
        ),
    })
    .await;
    let mut rig = Rig::new(&target(&server.url()));
    assert!(rig.refusal().await.contains("binary data instead of metrics text"));
    assert!(
        rig.refusal()
            .await
            .contains("its page is cut off: it does not end with # EOF")
    );
    assert_eq!(rig.read().await.unwrap().values, [7.0]);
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut rig = Rig::new(&target(&format!("http://127.0.0.1:{port}/metrics?token=s3cret")));
    let said = rig.refusal().await;
    let expected = format!(
        "scrape http://127.0.0.1:{port}/metrics: connection refused → is the process up, and does it listen there?"
    );
    assert_eq!(said, expected);
    let mut rig = Rig::new(&target("http://no-such-host.invalid/metrics"));
    let said = rig.refusal().await;
    assert!(
        said.contains("its host name is not known") && said.contains("→ check the host in its url"),
        "{said}"
    );
}

#[tokio::test]
async fn what_does_not_speak_http_is_said_so() {
    let (_server, mut rig) =
        served(|| vec![Step::Send(b"INFO {\"server_id\":\"x\"}\r\n\r\n".to_vec()), Step::Close]).await;
    let said = rig.refusal().await;
    assert!(
        said.contains("it does not answer in HTTP → write https:// if it speaks TLS"),
        "{said}"
    );

    // A greeting that comes before anything was asked, as of a NATS server: one reading after the other.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut greeted = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"INFO {}\r\n")
                .await
                .unwrap();
            greeted.push(stream);
        }
    });
    let mut rig = Rig::new(&target(&url));
    for _ in 0..20 {
        let said = rig.refusal().await;
        assert!(said.contains("it does not answer in HTTP → "), "{said}");
    }
}

#[tokio::test]
async fn credentials_go_to_no_other_host() {
    let other = Server::start(|_, _| page(PAGE)).await;
    let elsewhere = other.url();
    let server = Server::start(move |_, request| match request.split(' ').nth(1) {
        Some("/metrics") => answer("302 Found", "location: /real?x=1\r\n", ""),
        Some("/real?x=1") => page(PAGE),
        _ => answer("302 Found", &format!("location: {elsewhere}?token=s3cret\r\n"), ""),
    })
    .await;
    let mut target = target(&server.url());
    target.auth = Some(HttpAuth::Bearer("t0ken".to_owned().into()));
    assert_eq!(Rig::new(&target).read().await.unwrap().values, [7.0]);
    assert!(server.requests()[1].contains("authorization: Bearer t0ken"));

    target.url = server.url().replace("/metrics", "/away");
    let said = Rig::new(&target).refusal().await;
    let expected = format!(
        "302 Found to {}, which is another host → write the place it names as its url",
        other.url()
    );
    assert!(said.ends_with(&expected), "{said}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let (server, mut rig) = served(|| answer("302 Found", "location: /metrics\r\n", "")).await;
    let said = rig.refusal().await;
    assert!(
        said.contains(&format!(
            "302 Found to {}, after as many as are followed → ",
            server.url()
        )),
        "{said}"
    );
    assert!(server.requests().len() <= 5);
}
