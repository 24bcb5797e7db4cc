//! What is sent is what was asked for: templates, variants, mixes, batches, signatures.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_sent_is_received_is_reported() {
    let receiver = Receiver::ok().await;
    let summary = fire(Plan {
        limit: count(20_000),
        concurrency: lanes(32),
        ..plan(&receiver.url, "generic")
    })
    .await;
    assert_eq!(receiver.count(), 20_000);
    assert_eq!(
        (
            summary.sent,
            summary.answered,
            summary.accepted,
            summary.latency_s.count
        ),
        (20_000, 20_000, 20_000, 20_000)
    );
    assert_eq!(
        (summary.due, summary.unsent, summary.failed, summary.unfinished),
        (20_000, 0, 0, 0)
    );
    assert_eq!(summary.statuses, BTreeMap::from([(200, 20_000)]));
    assert!(!summary.stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn http2_carries_the_same_counts() {
    let receiver = Receiver::ok().await;
    let summary = fire(Plan {
        limit: count(3_000),
        concurrency: lanes(150),
        version: HttpVersion::Http2,
        ..plan(&format!("{}/hooks?a=b", receiver.url), "resend.email.sent")
    })
    .await;
    assert_eq!(
        (summary.sent, summary.accepted, receiver.count()),
        (3_000, 3_000, 3_000)
    );
    assert!(receiver.seen()[0].url.ends_with("/hooks?a=b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_template_reaches_a_receiver_that_verifies_it() {
    for template in Library::load(None).templates() {
        let (signer, verifier) = keys(template);
        let receiver = Receiver::ok().await;
        let mix = Mix::single(template.clone(), Some(signer)).unwrap();
        let summary = fire(Plan {
            limit: count(3),
            ..Plan::new(format!("{}/hooks?tenant=7", receiver.url), mix, 5)
        })
        .await;
        assert_eq!(summary.accepted, 3, "{template}: {summary:?}");
        let seen = receiver.seen();
        for seen in &seen {
            assert_eq!(verify(&verifier, seen), Ok(()), "{template}: {seen:?}");
            assert_eq!(seen.headers["content-type"], **template.content_type());
        }
        // GitHub's id stands in a header; the bodies of two pings of one second may be equal.
        let distinct: BTreeSet<_> = seen
            .iter()
            .map(|seen| format!("{:?} {:?}", seen.headers, seen.body))
            .collect();
        assert_eq!(distinct.len(), 3, "{template} repeats itself");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_variant_is_what_it_says() {
    let template = template("resend.email.sent");
    let (signer, verifier) = keys(&template);
    // A gateway in small: size, signature, JSON, in this order.
    let receiver = Receiver::start(move |seen| {
        let status = match verify(&verifier, &seen) {
            Err(rejection) => (StatusCode::UNAUTHORIZED, rejection.to_string()),
            Ok(()) if serde_json::from_slice::<serde_json::Value>(&seen.body).is_err() => {
                (StatusCode::BAD_REQUEST, "no JSON".to_owned())
            }
            Ok(()) => (StatusCode::OK, String::new()),
        };
        async move { status }
    })
    .await;
    for (variant, status, text) in [
        (Variant::Valid, 200, ""),
        (Variant::WrongSignature, 401, "does not match"),
        (Variant::TamperedBody, 401, "does not match"),
        (Variant::StaleTimestamp, 401, "3600 s old"),
        (Variant::MissingHeader, 401, "is missing"),
        (Variant::MalformedJson, 400, "no JSON"),
        (Variant::Oversized, 413, "length limit"),
    ] {
        let entry = Entry {
            template: template.clone(),
            weight: 1.0,
            signer: Some(signer.clone()),
            path: None,
        };
        let mix = Mix::new(vec![entry], &[(variant, 1.0)], None).unwrap();
        let summary = fire(Plan {
            limit: count(20),
            oversize: (1 << 20) + 1,
            ..Plan::new(&receiver.url, mix, 1)
        })
        .await;
        assert_eq!(
            summary.statuses,
            BTreeMap::from([(status, 20)]),
            "{variant}: {summary:?}"
        );
        assert_eq!(summary.parts[0].variant, variant.name());
        let sample = summary
            .samples
            .first()
            .map(|sample| sample.text.as_str())
            .unwrap_or_default();
        assert!(sample.contains(text), "{variant}: {sample}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mix_is_counted_by_template_variant_and_poison_and_reaches_each_path() {
    let receiver = Receiver::ok().await;
    let at = |name, weight, path: &str| Entry {
        weight,
        path: Some(path.to_owned()),
        ..entry(name)
    };
    let mix = Mix::new(
        vec![
            at("telnyx.message.sent", 2.0, "/webhooks/telnyx"),
            at("resend.email.sent", 1.0, "/webhooks/resend"),
        ],
        &[(Variant::WrongSignature, 0.2)],
        Some(Poison {
            share: 0.25,
            causes: vec!["timeout".into()],
        }),
    )
    .unwrap();
    let summary = fire(Plan {
        limit: count(900),
        concurrency: lanes(4),
        ..Plan::new(&receiver.url, mix, 3)
    })
    .await;
    // The parts are what the receiver saw.
    let mut expected: BTreeMap<(bool, bool), u64> = BTreeMap::new();
    for seen in receiver.seen() {
        let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        let is_telnyx = seen.url.ends_with("/webhooks/telnyx");
        assert_eq!(is_telnyx, body["data"]["event_type"] == "message.sent");
        let is_poisoned = body["hookwatch"]["poison"] == "timeout";
        *expected.entry((is_telnyx, is_poisoned)).or_default() += 1;
    }
    let mut counted: BTreeMap<(bool, bool), u64> = BTreeMap::new();
    for part in &summary.parts {
        assert!(part.variant == "valid" || part.poison.is_none());
        let key = (part.template == "telnyx.message.sent", part.poison.is_some());
        *counted.entry(key).or_default() += part.outcomes.accepted();
    }
    assert_eq!(counted, expected);
    assert_eq!(summary.parts.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_seed_repeats_a_run_whatever_its_concurrency() {
    let ids = async |seed, concurrency| {
        let receiver = Receiver::ok().await;
        fire(Plan {
            limit: count(300),
            concurrency: lanes(concurrency),
            seed,
            ..plan(&receiver.url, "resend.email.bounced")
        })
        .await;
        let ids: BTreeSet<_> = receiver
            .seen()
            .iter()
            .map(|seen| seen.headers["svix-id"].to_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 300);
        ids
    };
    let first = ids(4, 1).await;
    assert_eq!(first, ids(4, 7).await);
    assert!(first.is_disjoint(&ids(5, 7).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rate_and_mix_can_be_changed_while_a_run_goes_on() {
    let receiver = Receiver::ok().await;
    let mix = |name| Arc::new(Mix::new(vec![entry(name)], &[], None).unwrap());
    let (steer, steering) = watch::channel(Steering {
        shape: Shape::Steady(Rate::PAUSED),
        mix: mix("generic"),
    });
    let (progress, mut watched) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(
        Plan {
            limit: Limit::default(),
            shape: Shape::Steady(Rate::PAUSED),
            concurrency: lanes(4),
            steering: Some(steering),
            ..plan(&receiver.url, "generic")
        },
        SystemClock::shared(),
        progress,
        stop.clone(),
    ));
    // Paused: the first shot of a schedule is due at its beginning, no other.
    watched
        .wait_for(|progress| progress.elapsed > Duration::from_millis(300))
        .await
        .unwrap();
    assert!(receiver.count() <= 1);
    steer.send_replace(Steering {
        shape: steady(5_000.0),
        mix: mix("github.ping"),
    });
    watched
        .wait_for(|progress| progress.outcomes.answered() > 500)
        .await
        .unwrap();
    steer.send_replace(Steering {
        shape: Shape::Unpaced,
        mix: mix("github.push"),
    });
    let of =
        |name: &'static str| move |seen: &Seen| seen.headers.get("x-github-event").is_some_and(|event| event == name);
    watched
        .wait_for(|progress| progress.outcomes.answered() > 4_000)
        .await
        .unwrap();
    steer.send_replace(Steering {
        shape: Shape::Steady(Rate::PAUSED),
        mix: mix("github.push"),
    });
    // It comes to rest: two reports running without a shot between them, and everything answered.
    let mut fired = 0;
    let rest = async {
        loop {
            watched.changed().await.unwrap();
            let outcomes = &watched.borrow_and_update().outcomes;
            if outcomes.fired == fired && outcomes.unfinished() == 0 {
                break;
            }
            fired = outcomes.fired;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), rest)
        .await
        .expect("the run pauses");
    let at_rest = receiver.count();
    stop.cancel();
    let summary = running.await.unwrap().unwrap();
    assert_eq!((summary.sent, summary.accepted), (at_rest, at_rest));
    assert!(receiver.seen().iter().any(of("ping")));
    assert!(summary.parts.iter().any(|part| part.template == "github.push"));
}

#[tokio::test]
async fn a_batch_is_an_array_of_webhooks_under_one_signature() {
    let template = template("standard-webhooks");
    let (signer, verifier) = keys(&template);
    let receiver = Receiver::ok().await;
    let mix = Mix::single(template, Some(signer)).unwrap();
    let summary = fire(Plan {
        limit: count(3),
        batch: Some(lanes(5)),
        ..Plan::new(&receiver.url, mix, 1)
    })
    .await;
    assert_eq!(summary.accepted, 3);
    let mut contacts = BTreeSet::new();
    for seen in receiver.seen() {
        assert_eq!(verify(&verifier, &seen), Ok(()));
        let events: Vec<serde_json::Value> = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(events.len(), 5);
        contacts.extend(
            events
                .iter()
                .map(|event| event["data"]["id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(contacts.len(), 15);
}

#[tokio::test]
async fn a_replay_has_the_id_of_the_first_webhook_and_a_signature_of_its_own() {
    let receiver = Receiver::ok().await;
    let entry = entry("resend.email.sent");
    let mix = Mix::new(vec![entry], &[(Variant::ReplayedId, 1.0)], None).unwrap();
    let summary = fire(Plan {
        limit: count(3),
        ..Plan::new(&receiver.url, mix, 5)
    })
    .await;
    let variants: Vec<_> = summary
        .parts
        .iter()
        .map(|part| (part.variant, part.outcomes.fired))
        .collect();
    assert_eq!(variants, [("valid", 1), ("replayed-id", 2)]);
    let verifier = keys(&template("resend.email.sent")).1;
    let seen = receiver.seen();
    let ids: BTreeSet<_> = seen
        .iter()
        .map(|seen| seen.headers["svix-id"].clone().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1);
    for seen in &seen {
        let header = |name: &str| seen.headers.get(name)?.to_str().ok();
        let now = SystemClock::start().now().at;
        assert_eq!(
            verifier.verify(&header, &seen.body, &seen.url, now, Duration::from_mins(1)),
            Ok(())
        );
    }
}

#[tokio::test]
async fn whoever_wants_to_hear_of_every_request_hears_its_id_status_and_answer() {
    let receiver = Receiver::start(|_| async { (StatusCode::OK, "{\"sequence\":7}") }).await;
    let (reports, mut heard) = tokio::sync::mpsc::unbounded_channel();
    fire(Plan {
        limit: count(2),
        reports: Some(reports),
        ..plan(&receiver.url, "resend.email.sent")
    })
    .await;
    let mut ids = BTreeSet::new();
    while let Some(exchange) = heard.recv().await {
        assert_eq!(
            (exchange.status, exchange.body.as_str()),
            (Some(200), "{\"sequence\":7}")
        );
        assert!(exchange.sent.is_some() && exchange.took.is_some());
        ids.insert(exchange.id);
    }
    let seen: BTreeSet<_> = receiver
        .seen()
        .iter()
        .map(|s| s.headers["svix-id"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, seen);
}
