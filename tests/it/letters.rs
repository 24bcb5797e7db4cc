//! Letters read from real streams: nothing is consumed, nothing is left out, and no letter, however
//! odd, keeps the others from being read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use hookwatch::base::time::{SharedClock, SystemClock};
use hookwatch::config::NatsLink;
use hookwatch::observe::letters::{Direction, LetterError, Mailbox, Reading};
use hookwatch::sample::Stored;

use crate::support::{nats, servers, unique};
use crate::terminal::Terminal;

pub(crate) fn link(url: &str) -> NatsLink {
    NatsLink::to(vec![url.to_owned()])
}

struct Dlq {
    name: String,
    context: jetstream::Context,
    link: NatsLink,
    clock: SharedClock,
}

impl Dlq {
    async fn new(change: impl FnOnce(&mut stream::Config)) -> Self {
        let name = unique("letters");
        let context = jetstream::new(nats().await);
        let mut config = stream::Config {
            name: name.clone(),
            subjects: vec![format!("{name}.>")],
            storage: stream::StorageType::Memory,
            ..stream::Config::default()
        };
        change(&mut config);
        context.create_stream(config).await.unwrap();
        Self {
            name,
            context,
            link: link(&servers().await.nats_url().unwrap()),
            clock: SystemClock::shared(),
        }
    }

    async fn fill(&self, count: u64) {
        // The client lets no more than some thousand wait for their acks.
        for first in (0..count).step_by(1_000) {
            let mut acks = Vec::new();
            for n in first..count.min(first + 1_000) {
                let subject = format!("{}.{}", self.name, if n % 3 == 0 { "third" } else { "other" });
                let ack = self.context.publish(subject, format!("letter {n}").into());
                acks.push(ack.await.unwrap());
            }
            for ack in acks {
                ack.await.unwrap();
            }
        }
    }

    async fn mailbox(&self) -> Mailbox {
        Mailbox::open(&self.link, &self.name, &self.clock).await.unwrap()
    }

    async fn delete(&self, sequences: impl IntoIterator<Item = u64>) {
        let stream = self.context.get_stream(&self.name).await.unwrap();
        for sequence in sequences {
            stream.delete_message(sequence).await.unwrap();
        }
    }
}

async fn all(mailbox: &Mailbox, reading: &Reading) -> Vec<Stored> {
    let mut scan = mailbox.scan(reading).await.unwrap();
    let mut found = Vec::new();
    while let Some(batch) = scan.next().await.unwrap() {
        assert!(batch.looked_at <= batch.span);
        found.extend(batch.messages);
    }
    found
}

fn sequences(found: &[Stored]) -> Vec<u64> {
    found.iter().map(|stored| stored.sequence).collect()
}

#[tokio::test]
async fn every_letter_is_read_once_in_order_with_and_without_direct_gets() {
    for allow_direct in [true, false] {
        let dlq = Dlq::new(|config| config.allow_direct = allow_direct).await;
        dlq.fill(3_000).await;
        let mailbox = dlq.mailbox().await;
        for exact in [true, false] {
            for direction in [Direction::Newest, Direction::Oldest] {
                let reading = Reading {
                    direction,
                    exact,
                    ..Reading::default()
                };
                let found = all(&mailbox, &reading).await;
                let mut expected: Vec<u64> = (1..=3_000).collect();
                if direction == Direction::Newest {
                    expected.reverse();
                }
                assert_eq!(sequences(&found), expected, "{allow_direct} {reading:?}");
                assert_eq!(
                    found.iter().find(|stored| stored.sequence == 7).unwrap().payload,
                    "letter 6"
                );
            }
        }
        let state = mailbox.state().await.unwrap();
        assert_eq!(
            (state.state.messages, state.state.consumer_count),
            (3_000, 0),
            "reading consumes nothing"
        );
    }
}

#[tokio::test]
async fn holes_cost_no_letter_and_a_page_is_full_all_the_same() {
    let dlq = Dlq::new(|config| config.allow_direct = true).await;
    dlq.fill(2_000).await;
    let kept: BTreeSet<u64> = (1..=2_000).filter(|n| n % 400 == 17 || *n > 1_990).collect();
    dlq.delete((1..=2_000).filter(|n| !kept.contains(n))).await;
    let mailbox = dlq.mailbox().await;
    assert_eq!(
        sequences(
            &all(
                &mailbox,
                &Reading {
                    direction: Direction::Oldest,
                    ..Reading::default()
                }
            )
            .await
        ),
        kept.iter().copied().collect::<Vec<_>>()
    );
    let newest: Vec<u64> = kept.iter().rev().copied().take(12).collect();
    assert_eq!(
        sequences(&mailbox.page(None, Direction::Newest, 12).await.unwrap()),
        newest
    );
    assert_eq!(
        sequences(&mailbox.page(Some(1_000), Direction::Newest, 2).await.unwrap()),
        [817, 417]
    );
    assert_eq!(
        sequences(&mailbox.page(Some(1_000), Direction::Oldest, 2).await.unwrap()),
        [1_217, 1_617]
    );
    assert_eq!(mailbox.get(17).await.unwrap().unwrap().payload, "letter 16");
    assert_eq!(mailbox.get(18).await.unwrap(), None, "the next one is not meant");
    assert_eq!(mailbox.get(9_999).await.unwrap(), None);
}

#[tokio::test]
async fn only_wanted_subjects_and_sequences_are_read() {
    let dlq = Dlq::new(|config| config.allow_direct = true).await;
    dlq.fill(300).await;
    let reading = Reading {
        subject: Some(format!("{}.third", dlq.name).into()),
        direction: Direction::Oldest,
        from: 10,
        to: 30,
        ..Reading::default()
    };
    assert_eq!(
        sequences(&all(&dlq.mailbox().await, &reading).await),
        [10, 13, 16, 19, 22, 25, 28]
    );
}

#[tokio::test]
async fn letters_of_every_retention_are_read_and_stay() {
    for retention in [
        stream::RetentionPolicy::Limits,
        stream::RetentionPolicy::WorkQueue,
        stream::RetentionPolicy::Interest,
    ] {
        let dlq = Dlq::new(|config| config.retention = retention).await;
        let of_dlq = dlq.context.get_stream(&dlq.name).await.unwrap();
        // Without a consumer that is interested, nothing is kept.
        let config = jetstream::consumer::pull::Config {
            durable_name: Some("workers".to_owned()),
            ..Default::default()
        };
        of_dlq.create_consumer(config).await.unwrap();
        dlq.fill(50).await;
        let mailbox = dlq.mailbox().await;
        assert_eq!(all(&mailbox, &Reading::default()).await.len(), 50, "{retention:?}");
        let state = mailbox.state().await.unwrap().state;
        assert_eq!((state.messages, state.consumer_count), (50, 1), "{retention:?}");
    }
}

#[tokio::test]
async fn letters_deleted_meanwhile_are_left_out_and_nothing_else() {
    let dlq = Dlq::new(|config| config.allow_direct = true).await;
    dlq.fill(20_000).await;
    let mailbox = dlq.mailbox().await;
    let mut scan = mailbox.scan(&Reading::default()).await.unwrap();
    let first = scan.next().await.unwrap().unwrap();
    assert_eq!(first.messages[0].sequence, 20_000);
    dlq.delete(1..=100).await;
    let mut rest = Vec::new();
    while let Some(batch) = scan.next().await.unwrap() {
        rest.extend(batch.messages);
    }
    let found = first.messages.len() + rest.len();
    let kept = rest.iter().filter(|stored| stored.sequence > 100).count() + first.messages.len();
    assert_eq!(kept, 19_900, "{found}");
}

#[tokio::test]
async fn an_empty_and_an_emptied_stream_have_no_letters() {
    let dlq = Dlq::new(|_| {}).await;
    let mailbox = dlq.mailbox().await;
    assert_eq!(all(&mailbox, &Reading::default()).await, []);
    dlq.fill(5).await;
    dlq.delete(1..=5).await;
    assert_eq!(all(&mailbox, &Reading::default()).await, []);
    assert_eq!(mailbox.page(None, Direction::Oldest, 3).await.unwrap(), []);
}

#[tokio::test]
async fn headers_are_kept_with_their_repeats_case_order_and_blanks() {
    let dlq = Dlq::new(|config| config.allow_direct = true).await;
    let client = nats().await;
    let mut headers = HeaderMap::new();
    headers.append("X-Twice", "a");
    headers.append("x-twice", "other case");
    headers.append("X-Twice", "b");
    headers.insert("Nats-Msg-Id", "id-1");
    let ack = dlq
        .context
        .publish_with_headers(format!("{}.x", dlq.name), headers, "{}".into());
    ack.await.unwrap().await.unwrap();
    drop(client);
    let mailbox = dlq.mailbox().await;
    for exact in [true, false] {
        let reading = Reading {
            exact,
            ..Reading::default()
        };
        let mut found = all(&mailbox, &reading).await.remove(0).headers;
        found.sort();
        let expected: Vec<(Arc<str>, Arc<str>)> = [
            ("Nats-Msg-Id", "id-1"),
            ("X-Twice", "a"),
            ("X-Twice", "b"),
            ("x-twice", "other case"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec();
        assert_eq!(found, expected, "exact: {exact}");
    }
}

/// Publishes what no client would: headers as they are given.
async fn publish_raw(dlq: &Dlq, headers: &[u8], body: &str) {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    let address = dlq.link.servers[0].trim_start_matches("nats://").to_owned();
    let mut socket = BufReader::new(tokio::net::TcpStream::connect(address).await.unwrap());
    let head = [b"NATS/1.0\r\n", headers, b"\r\n"].concat();
    let (subject, length) = (format!("{}.odd", dlq.name), head.len() + body.len());
    let mut bytes = b"CONNECT {\"verbose\":false,\"headers\":true}\r\n".to_vec();
    bytes.extend(format!("HPUB {subject} {} {length}\r\n", head.len()).bytes());
    bytes.extend(head);
    bytes.extend(body.bytes());
    bytes.extend(b"\r\nPING\r\n");
    socket.write_all(&bytes).await.unwrap();
    let mut line = String::new();
    while !line.contains("PONG") {
        line.clear();
        assert_ne!(socket.read_line(&mut line).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn chosen_letters_are_exact_to_the_byte_however_they_are_got() {
    for allow_direct in [true, false] {
        let dlq = Dlq::new(|config| config.allow_direct = allow_direct).await;
        dlq.fill(600).await;
        publish_raw(&dlq, b"X-Blank:   padded  \r\nX-Tight:v\r\n", "odd").await;
        dlq.delete([3]).await;
        let mailbox = dlq.mailbox().await;
        let wanted: Vec<u64> = [601, 9_999, 3].into_iter().chain(1..=600).collect();
        let found = mailbox.these(&wanted).await.unwrap();
        let blanks = [("X-Blank", "  padded  "), ("X-Tight", "v")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(found[0].as_ref().unwrap().headers, blanks, "direct: {allow_direct}");
        assert_eq!((&found[1], &found[2]), (&None, &None));
        let rest: Vec<u64> = found[3..].iter().flatten().map(|stored| stored.sequence).collect();
        assert_eq!(rest, (1..=600).filter(|n| *n != 3).collect::<Vec<_>>());
        assert_eq!(mailbox.these(&[]).await.unwrap(), []);
    }
}

/// The client ends its connection at a header that is no UTF-8: such a letter must not hide others.
#[tokio::test]
async fn a_letter_whose_headers_break_the_client_is_read_over_the_api() {
    let dlq = Dlq::new(|config| config.allow_direct = true).await;
    dlq.fill(100).await;
    publish_raw(&dlq, b"X-Odd: \xff\xfe\r\n", "odd").await;
    dlq.fill(100).await;
    let found = all(&dlq.mailbox().await, &Reading::default()).await;
    assert_eq!(found.len(), 201);
    let odd = found.iter().find(|stored| stored.sequence == 101).unwrap();
    assert_eq!((odd.payload.as_ref(), &*odd.headers[0].0), (&b"odd"[..], "X-Odd"));
}

#[tokio::test]
async fn large_letters_are_read_a_few_at_a_time() {
    let dlq = Dlq::new(|config| config.allow_direct = true).await;
    let body = "x".repeat(900_000);
    for n in 0..120 {
        let subject = format!("{}.{n}", dlq.name);
        dlq.context
            .publish(subject, body.clone().into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let mailbox = dlq.mailbox().await;
    let mut scan = mailbox.scan(&Reading::default()).await.unwrap();
    let mut found = 0;
    while let Some(batch) = scan.next().await.unwrap() {
        let bytes: usize = batch.messages.iter().map(|stored| stored.payload.len()).sum();
        assert!(bytes <= 64 << 20, "{bytes}");
        found += batch.messages.len();
    }
    assert_eq!(found, 120);
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_named() {
    let dlq = Dlq::new(|_| {}).await;
    let error = Mailbox::open(&dlq.link, "nowhere", &dlq.clock).await.unwrap_err();
    assert_eq!(error, LetterError::NoStream("nowhere".to_owned()));
    let error = Mailbox::open(&dlq.link, "a.b", &dlq.clock).await.unwrap_err();
    assert!(matches!(error, LetterError::BadName(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_many_letters_at_a_terminal_is_told_how_far_it_is_and_sees_only_groups_in_the_end() {
    let dlq = Dlq::new(|_| {}).await;
    dlq.fill(60_000).await;
    let url = servers().await.nats_url().unwrap();
    let name = dlq.name.clone();
    let watching = tokio::task::spawn_blocking(move || {
        let args = ["dlq", "groups", "--nats", &url, "--dlq", &name];
        let terminal = Terminal::start(&args, &[], 100, 10);
        terminal.see("% of 60,000 sequences looked at");
        let last = terminal.wait("the groups", Duration::from_mins(1), |screen| {
            screen.contains("60,000  ") && !screen.contains("looked at")
        });
        assert_eq!(terminal.end(Duration::from_secs(10)), 0, "{last}");
    });
    watching.await.unwrap();
}
