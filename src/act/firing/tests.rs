//! Runs and canaries against a receiver on loopback.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;

use super::*;
use crate::act::fire::Load;
use crate::base::time::SystemClock;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Counts, and says what `status` says with the key in it.
async fn receiver(status: StatusCode) -> (String, Arc<AtomicU64>, AbortOnDropHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicU64::new(0));
    let counted = seen.clone();
    let handle = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready((status, format!("my key is {KEY}\x1b[2J")))
    };
    let router = Router::new().route("/hooks", post(handle));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, seen, AbortOnDropHandle::new(server))
}

fn firing(url: &str) -> (Firing, Request) {
    let mut profile = Profile::empty("test");
    profile.fire.url = Some(url.to_owned());
    let place = crate::config::SecretPlace::Variable("RESEND_KEY".to_owned());
    profile.fire.secrets.insert("resend".to_owned(), place);
    let environment = Environment::from([("RESEND_KEY".to_owned(), KEY.to_owned())]);
    let library = Arc::new(Library::load(None));
    let mut request = Request {
        load: Load {
            expect: vec!["2xx".parse().unwrap()],
            ..Load::default()
        },
        ..Request::default()
    };
    request.order.template = "resend.email.sent".to_owned();
    (
        Firing::new(library, profile, environment, SystemClock::shared()),
        request,
    )
}

/// Everything that is told up to the end of a run.
async fn until_ended(firing: &mut Firing) -> (Vec<Report>, Fired) {
    let mut reports = Vec::new();
    loop {
        let report = firing.next().await;
        let text = format!("{report:?}");
        assert!(!text.contains("MfKQ9r8GKYq"), "a key is told: {text}");
        assert!(!text.contains('\x1b'), "{text}");
        match report {
            Report::Ended(fired) => return (reports, *fired),
            report => reports.push(report),
        }
    }
}

#[tokio::test]
async fn a_run_is_told_from_its_beginning_to_its_end_without_its_key() {
    let (url, seen, _server) = receiver(StatusCode::IM_A_TEAPOT).await;
    let (mut firing, mut request) = firing(&url);
    request.load.count = Some(20);
    firing.fire(request.clone(), None);
    let (reports, fired) = until_ended(&mut firing).await;
    assert!(
        matches!(&reports[0], Report::Begun { to, .. } if *to == url),
        "{reports:?}"
    );
    assert!(
        reports
            .iter()
            .any(|report| matches!(report, Report::Progress(progress) if progress.outcomes.answered() == 20))
    );
    assert_eq!((seen.load(Ordering::SeqCst), fired.ended.sent()), (20, 20));
    assert!(!fired.ended.passed() && fired.request == request, "{fired:?}");
    let Ended::Counted { summary, checks, .. } = fired.ended else {
        panic!()
    };
    assert!(summary.samples[0].text.contains("my key is"), "{summary:?}");
    assert_eq!(checks[0].expected, "2xx");
}

#[tokio::test]
async fn one_run_at_a_time_and_a_stopped_one_ends_with_what_was_sent() {
    let (url, seen, _server) = receiver(StatusCode::OK).await;
    let (mut firing, mut request) = firing(&url);
    request.load.duration = Some(Duration::from_hours(1));
    request.load.rate = Some(200.0);
    firing.fire(request.clone(), None);
    assert!(matches!(firing.next().await, Report::Begun { .. }));
    firing.fire(request, None);
    let (_, second) = until_ended(&mut firing).await;
    assert!(matches!(&second.ended, Ended::Refused(reason) if reason.contains("something is being fired")));
    while seen.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    firing.stop();
    let (_, fired) = until_ended(&mut firing).await;
    let Ended::Counted { summary, .. } = &fired.ended else {
        panic!("{fired:?}")
    };
    assert!(
        summary.stopped && summary.sent == seen.load(Ordering::SeqCst),
        "{summary:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_fired_is_refused_before_anything_is_sent() {
    let (url, seen, _server) = receiver(StatusCode::OK).await;
    let refused = async |edit: fn(&mut Request)| {
        let (mut firing, mut request) = firing(&url);
        edit(&mut request);
        firing.fire(request, None);
        let (reports, fired) = until_ended(&mut firing).await;
        assert_eq!(reports.len(), 0, "{reports:?}");
        match fired.ended {
            Ended::Refused(reason) => reason,
            ended => panic!("{ended:?}"),
        }
    };
    assert!(
        refused(|r| r.order.secret = Some(crate::act::fire::SecretSource::Variable("NOPE".into())))
            .await
            .contains("NOPE is not set")
    );
    assert!(
        refused(|r| r.order.template = "resend.email.snt".into())
            .await
            .contains("did you mean")
    );
    assert!(refused(|r| r.load.count = Some(0)).await.contains("nothing to fire"));
    assert!(refused(|r| r.trace = true).await.contains("neither NATS nor Postgres"));
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_target_elsewhere_must_be_confirmed_by_its_own_host() {
    let (mut firing, mut request) = firing("http://127.0.0.1:9/");
    request.order.to = Some("http://192.0.2.1/in".to_owned());
    for confirmed in [None, Some("192.0.2.2")] {
        firing.fire(request.clone(), confirmed);
        let report = firing.next().await;
        assert!(
            matches!(&report, Report::Unconfirmed { host, .. } if host == "192.0.2.1"),
            "{report:?}"
        );
        firing.start_canary(request.clone(), confirmed);
        assert!(matches!(firing.next().await, Report::Unconfirmed { .. }));
    }
    firing.fire(request, Some("192.0.2.1"));
    assert!(matches!(firing.next().await, Report::Begun { .. }));
}

#[tokio::test]
async fn a_read_only_profile_fires_nothing_and_a_protected_one_no_load() {
    let (url, seen, _server) = receiver(StatusCode::OK).await;
    let (firing, request) = firing(&url);
    let with = |edit: fn(&mut Profile)| {
        let mut profile = firing.shared.profile.clone();
        edit(&mut profile);
        Firing::new(
            firing.shared.library.clone(),
            profile,
            firing.shared.environment.clone(),
            firing.shared.clock.clone(),
        )
    };
    let mut read_only = with(|profile| profile.read_only = true);
    read_only.fire(request.clone(), Some("127.0.0.1"));
    let (_, fired) = until_ended(&mut read_only).await;
    assert!(
        matches!(&fired.ended, Ended::Refused(reason) if reason.contains("read-only")),
        "{fired:?}"
    );
    read_only.start_canary(request.clone(), None);
    assert!(matches!(read_only.next().await, Report::CanaryEnded(Some(reason)) if reason.contains("read-only")));

    let mut protected = with(|profile| profile.protected = true);
    let mut load = request.clone();
    load.load.count = Some(2);
    protected.fire(load, None);
    let (_, fired) = until_ended(&mut protected).await;
    assert!(
        matches!(&fired.ended, Ended::Refused(reason) if reason.contains("takes no load")),
        "{fired:?}"
    );
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    protected.fire(request, None);
    assert!(until_ended(&mut protected).await.1.ended.passed());
}

#[tokio::test]
async fn a_canary_flies_again_and_again_until_it_is_stopped() {
    let (url, seen, _server) = receiver(StatusCode::SERVICE_UNAVAILABLE).await;
    let (mut firing, mut request) = firing(&url);
    request.every = Some(Duration::from_millis(100));
    firing.start_canary(request, None);
    assert!(matches!(firing.next().await, Report::CanaryBegun { .. }));
    for _ in 0..2 {
        let report = firing.next().await;
        let Report::CanaryRan(outcome) = &report else {
            panic!("{report:?}")
        };
        assert!(report.is_news() && !outcome.reading.passed);
        assert!(
            outcome.reading.reason.as_ref().unwrap().contains("expected 2xx"),
            "{outcome:?}"
        );
        assert!(!format!("{outcome:?}").contains("MfKQ9r8GKYq"));
    }
    firing.stop_canary();
    assert!(matches!(firing.next().await, Report::CanaryEnded(None)));
    assert!(seen.load(Ordering::SeqCst) >= 2);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), firing.next())
            .await
            .is_err(),
        "nothing more is told"
    );
}
