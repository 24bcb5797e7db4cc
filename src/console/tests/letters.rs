//! The dead letters: what is asked for, what is made of the answers, what it looks like. The clerk
//! is one in memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::{App, Effect, Msg, Options, Still, draw, update};
use super::super::command::{Command, Mode};
use super::super::fixture;
use super::super::glyph::Charset;
use super::super::letters::{Deed, Office};
use super::super::screen::dead_letters::LIST;
use super::super::screen::{Badge, Hits};
use super::super::theme::Library;
use super::super::theme::colour::Depth;
use super::{SIZES, looks, paint, rows, snapshot_sizes, theme_of_roles};
use crate::act::journal::{Counts, How, Purpose};
use crate::act::lease::Claim;
use crate::act::letters::{Answer, Opened, Order, Query, Request, Scanned, Slot, Standing, Told};
use crate::act::permit::Write;
use crate::act::plan::{LeftOut, Plan, Planned, PlannedTarget};
use crate::act::replay::{Ending, Fates, Phase, Progress, Report, Steering};
use crate::base::text;
use crate::base::time::{Moment, Timestamp};
use crate::config::Profile;
use crate::model::letters::{Groups, LetterFilter, LetterRow, origin};
use crate::sample::{LetterForm, Stored};

/// A letter that died some seconds before the picture was taken.
fn letter(sequence: u64, seconds: u64, subject: &str, reason: &str, payload: &[u8]) -> Stored {
    let header = |name: &str, value: &str| (Arc::from(name), Arc::from(value));
    Stored {
        sequence,
        subject: format!("dlq.{subject}").into(),
        headers: vec![
            header("telnyx-signature-ed25519", "c2lnbmF0dXJl"),
            header("content-type", "application/json"),
            header("X-Webhook-Id", &format!("evt_{:05}", 7_300 + sequence * 13)),
            header("X-NATS-Original-Subject", subject),
            header("X-NATS-DLQ-Reason", reason),
            header("X-NATS-Num-Delivered", "3"),
            header("X-NATS-Stream", "webhooks"),
            header("X-NATS-Stream-Sequence", &(1_200_000 + sequence).to_string()),
            header("X-NATS-Consumer", "workers"),
        ],
        payload: Bytes::copy_from_slice(payload),
        at: Some(fixture::now().at - Duration::from_secs(seconds)),
    }
}

/// 37 letters of three causes.
fn letters() -> Vec<Stored> {
    let body =
        br#"{"data":{"event_type":"message.finalized","id":"0ccc7b54","payload":{"to":[{"status":"delivered"}]}}}"#;
    let mut all = vec![letter(
        1,
        18_000,
        "webhook.stripe.charge_failed",
        "invalid payload: missing `to`",
        body,
    )];
    for n in 2..=6 {
        let reason = format!("recipient rcp_{:05} not found", n * 17);
        all.push(letter(n, 9_000 - n * 900, "webhook.resend.bounced", &reason, body));
    }
    for n in 7..=37 {
        let reason = format!("timeout after {} ms on UPDATE recipients", 3_000 + n);
        all.push(letter(
            n,
            24 + (37 - n) * 3,
            "webhook.telnyx.sms_delivered",
            &reason,
            body,
        ));
    }
    all
}

/// Letters of somebody who attacks the screen.
fn hostile() -> Vec<Stored> {
    let line = vec![b'x'; 8 << 20];
    let deep = "[".repeat(100_000);
    let payloads: [&[u8]; 6] = [
        b"\x1b]0;owned\x07\x1b[2J{\"a\": \"\x1b[31m\"}",
        "{\"k\u{202e}ey\": \"\u{200b}zero\u{2066}width\"}".as_bytes(),
        b"\xff\xfe\x00\x1b[31m",
        &line,
        deep.as_bytes(),
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    ];
    let mut all = Vec::new();
    for (n, payload) in (1..).zip(payloads) {
        let subject = format!("webhook.tel\u{202e}nyx{n}.a\x1b[2Jb\u{200b}");
        all.push(letter(
            n,
            n,
            &subject,
            "bad \x1b[31mred\x07 \u{202e}txet\u{2028}x",
            payload,
        ));
    }
    all
}

struct Desk {
    app: App,
    area: Rect,
    hits: Hits,
    text: String,
    letters: Vec<Stored>,
    standing: Standing,
    /// Whether questions stay open: a clerk that is slow.
    slow: bool,
    /// What was asked and ordered, in order.
    requests: Vec<Request>,
    at: Duration,
}

impl Desk {
    fn with(profile: &Profile, letters: Vec<Stored>, width: u16, height: u16) -> Self {
        let (mut view, histories) = fixture::rich();
        view.flow.dead.value = Some(letters.len() as f64);
        let options = Options {
            badges: vec![Badge::Demo, Badge::ReadOnly],
            themes: ["dark", "light", "base"].map(Arc::from).to_vec(),
            office: Some(Office::new(profile)),
            ..Options::default()
        };
        let mut desk = Self {
            app: App::still(Still { view, histories }, Some("webhooks".into()), options),
            area: Rect::new(0, 0, width, height),
            hits: Hits::default(),
            text: String::new(),
            letters,
            standing: Standing::default(),
            slow: false,
            requests: Vec::new(),
            at: Duration::ZERO,
        };
        desk.draw();
        desk.press("5");
        desk
    }

    fn new() -> Self {
        Self::with(&profile(), letters(), 120, 40)
    }

    fn draw(&mut self) {
        let mut buffer = Buffer::empty(self.area);
        self.hits = draw(&self.app, &theme_of_roles(), self.area, &mut buffer).hits;
        self.text = rows(&buffer, |cell| cell.symbol().to_owned());
    }

    fn now(&self) -> Moment {
        let now = fixture::now();
        Moment {
            at: now.at + self.at,
            mono: now.mono + self.at,
        }
    }

    /// Sends a message, and the answers to what it makes the console ask.
    fn send(&mut self, msg: Msg) {
        let mut effects = update(&mut self.app, msg, &self.hits);
        self.draw();
        while let Some(effect) = (!effects.is_empty()).then(|| effects.remove(0)) {
            let Effect::Letters(request) = effect else { continue };
            let request = *request;
            self.requests.push(request.clone());
            if let Request::Ask(number, query) = request
                && !self.slow
            {
                for answer in self.answer(&query) {
                    effects.extend(update(
                        &mut self.app,
                        Msg::Told(Told::Answer(number, answer)),
                        &self.hits,
                    ));
                    self.draw();
                }
            }
        }
    }

    fn tell(&mut self, told: Told) {
        self.send(Msg::Told(told));
    }

    fn tick(&mut self) {
        let now = self.now();
        self.send(Msg::Tick(now));
    }

    fn press(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let codes: Vec<KeyCode> = match key {
                "enter" => vec![KeyCode::Enter],
                "esc" => vec![KeyCode::Esc],
                "tab" => vec![KeyCode::Tab],
                "space" => vec![KeyCode::Char(' ')],
                text => text.trim_start_matches('\'').chars().map(KeyCode::Char).collect(),
            };
            for code in codes {
                // Long after whatever came up.
                self.at += Duration::from_millis(400);
                let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
                self.send(Msg::Input(self.now(), event));
            }
        }
    }

    fn half_page(&mut self, key: char) {
        let event = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL));
        self.send(Msg::Input(self.now(), event));
    }

    fn found(&self, filter: &LetterFilter) -> Vec<(Stored, crate::sample::LetterOrigin)> {
        let meant = |letter: &Stored| Some((letter.clone(), filter.admit(letter)?));
        self.letters.iter().rev().filter_map(meant).collect()
    }

    fn answer(&self, query: &Query) -> Vec<Answer> {
        let row = |letter: &Stored| LetterRow::new(letter, &origin(&letter.headers), LetterForm::Copy);
        let whole = |found: usize| Scanned {
            looked_at: self.letters.len() as u64,
            span: self.letters.len() as u64,
            found: found as u64,
            done: true,
        };
        match query {
            Query::Page(page) => {
                let mut rows: Vec<LetterRow> = self.letters.iter().map(row).collect();
                if !page.upwards {
                    rows.reverse();
                }
                rows.retain(|row| match (page.from, page.upwards) {
                    (None, _) => true,
                    (Some(from), true) => row.sequence >= from,
                    (Some(from), false) => row.sequence <= from,
                });
                let more = rows.len() > usize::try_from(page.most).unwrap();
                rows.truncate(usize::try_from(page.most).unwrap());
                let total = self.letters.len() as u64;
                vec![Answer::Page { rows, more, total }]
            }
            Query::Search { filter, .. } => {
                let rows: Vec<LetterRow> = self.found(filter).iter().map(|(letter, _)| row(letter)).collect();
                let scan = whole(rows.len());
                vec![Answer::Found { rows, scan }]
            }
            Query::Others(form) => vec![self.others(*form)],
            Query::Groups { by, filter } => {
                let mut groups = Groups::new(*by);
                let found = self.found(filter);
                for (letter, origin) in &found {
                    groups.add(letter.sequence, origin, letter.at);
                }
                vec![Answer::Groups {
                    groups: groups.sorted(),
                    left_out: 0,
                    scan: whole(found.len()),
                }]
            }
            Query::Letter(sequence) => {
                let letter = self.letters.iter().find(|letter| letter.sequence == *sequence);
                let opened = letter.map(|letter| Opened {
                    letter: letter.clone(),
                    origin: origin(&letter.headers),
                    replays: Vec::new(),
                });
                vec![Answer::Letter(opened.map(Box::new))]
            }
            Query::Standing => vec![Answer::Standing(self.standing.clone())],
            Query::Plan(wish) => vec![Answer::Planned {
                plan: Arc::new(plan(&self.found(&wish.filter), &wish.filter, wish.purpose, wish.rate)),
                standing: self.standing.clone(),
            }],
            Query::Export { filter, file } => vec![Answer::Exported {
                file: file.clone(),
                scan: whole(self.found(filter).len()),
            }],
        }
    }

    fn others(&self, form: LetterForm) -> Answer {
        if form == LetterForm::Row {
            let reason = "failed calls: no right to read rule_webhook_calls → GRANT SELECT ON rule_webhook_calls";
            return Answer::Failed(reason.to_owned());
        }
        let rows: Vec<LetterRow> = self.letters[..3]
            .iter()
            .map(|letter| LetterRow::new(letter, &origin(&letter.headers), LetterForm::Parked))
            .collect();
        Answer::Page {
            rows,
            more: false,
            total: 3,
        }
    }

    fn orders(&self) -> Vec<&Order> {
        let mut orders = Vec::new();
        for request in &self.requests {
            if let Request::Perform(order) = request {
                orders.push(order);
            }
        }
        orders
    }

    /// The sequences of the plan that is asked about.
    fn planned(&self) -> Vec<u64> {
        match &self.app.ui().letters().deed {
            Deed::Planned(plan) => plan.letters.iter().map(|letter| letter.sequence).collect(),
            other => panic!("no plan: {other:?}\n{}", self.text),
        }
    }

    fn run(&mut self) {
        self.press("R y");
    }
}

fn profile() -> Profile {
    let mut profile = Profile::empty("demo");
    profile.pipeline.dlq = Some("webhooks_dlq".into());
    profile
}

fn plan(
    found: &[(Stored, crate::sample::LetterOrigin)],
    filter: &LetterFilter,
    purpose: Purpose,
    rate: Option<f64>,
) -> Plan {
    let names = |kept: bool| {
        let names = found.iter().flat_map(|(letter, _)| &letter.headers);
        let names = names.map(|(name, _)| name.clone());
        names.filter(|name| crate::act::plan::is_kept(name) == kept).collect()
    };
    let letters: Vec<Planned> = found
        .iter()
        .map(|(letter, origin)| Planned {
            sequence: letter.sequence,
            hash: "h".into(),
            subject: origin.subject.clone().unwrap(),
            stream: "webhooks".into(),
        })
        .collect();
    Plan {
        dlq: "webhooks_dlq".into(),
        dlq_created: Timestamp::UNIX_EPOCH,
        dlq_last_seq: 37,
        count: letters.len() as u64,
        bytes: found.iter().map(|(letter, _)| letter.size()).sum(),
        targets: vec![PlannedTarget {
            stream: "webhooks".into(),
            created: Timestamp::UNIX_EPOCH,
            letters: letters.len() as u64,
            subjects: letters.iter().map(|letter| letter.subject.clone()).collect(),
            headroom: None,
            window_s: 120.0,
        }],
        kept: names(true),
        stripped: names(false),
        left_out: LeftOut::default(),
        risks: Vec::new(),
        rate,
        canary: u64::from(purpose == Purpose::Replay),
        estimate_s: rate.map(|rate| letters.len() as f64 / rate),
        filter: filter.shown(),
        hash: "plan".into(),
        diff: Vec::new(),
        to_url: None,
        letters,
        how: How {
            purpose,
            rate,
            ..How::default()
        },
    }
}

fn progress(phase: Phase, landed: u64, processed: u64) -> Progress {
    Progress {
        replay: "r".into(),
        phase,
        counts: Counts {
            selected: 31,
            landed,
            waiting: 31 - landed,
            ..Counts::default()
        },
        fates: Fates {
            processed,
            ..Fates::default()
        },
        elapsed: Duration::from_millis(2_400),
        ..Progress::default()
    }
}

fn report() -> Report {
    let done = progress(Phase::Ended, 31, 31);
    Report {
        replay: "r".into(),
        dlq: "webhooks_dlq".into(),
        ending: Ending::Done,
        why: None,
        counts: Counts {
            deleted: 31,
            ..done.counts
        },
        fates: done.fates,
        came_back: 0,
        verified: true,
        in_doubt: Vec::new(),
        refused: Vec::new(),
        published: 31,
        elapsed_s: 12.0,
        publishing_s: 1.0,
    }
}

#[test]
fn the_newest_page_and_the_groups_are_there_when_the_screen_is() {
    let desk = Desk::new();
    let letters = desk.app.ui().letters();
    assert_eq!(letters.list.rows.len(), 37);
    assert_eq!(letters.list.rows[0].sequence, 37);
    let groups: Vec<(u64, &str)> = letters
        .groups
        .rows
        .iter()
        .map(|group| (group.count, &*group.key))
        .collect();
    assert_eq!(groups[0], (31, "timeout after ‹n› ms on UPDATE recipients"));
    assert_eq!(groups.len(), 3);
    assert!(
        desk.text.contains("37 letters") && desk.text.contains("still dying"),
        "{}",
        desk.text
    );
    assert!(desk.orders().is_empty());
}

#[test]
fn a_question_of_yesterday_is_not_answered() {
    let mut desk = Desk::new();
    desk.slow = true;
    desk.press("o");
    desk.press("o");
    let asked: Vec<u64> = desk
        .requests
        .iter()
        .filter_map(|request| match request {
            Request::Ask(number, Query::Page(_)) => Some(*number),
            _ => None,
        })
        .collect();
    let [.., old, new] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    let (old, new) = (*old, *new);
    let page = |rows: Vec<LetterRow>| Answer::Page {
        rows,
        more: false,
        total: 0,
    };
    desk.tell(Told::Answer(old, page(Vec::new())));
    assert!(desk.app.ui().letters().list.is_loading());
    assert_eq!(desk.app.ui().letters().list.rows.len(), 37);
    desk.tell(Told::Answer(new, page(Vec::new())));
    assert!(desk.app.ui().letters().list.rows.is_empty());
}

#[test]
fn a_million_letters_are_read_page_by_page_and_memory_stays_bounded() {
    let many: Vec<Stored> = (1..=6_000)
        .map(|n| letter(n, 1, "webhook.telnyx.sent", "gone", b"{}"))
        .collect();
    let mut desk = Desk::with(&profile(), many, 120, 40);
    let first = |desk: &Desk| desk.app.ui().letters().list.rows[0].sequence;
    let last = |desk: &Desk| desk.app.ui().letters().list.rows.last().unwrap().sequence;
    let row = |desk: &Desk| desk.app.ui().grid(LIST).row.clone().unwrap();
    assert_eq!((first(&desk), last(&desk)), (6_000, 6_000 - 255));
    let half = desk.hits.panel(LIST).unwrap().visible as u64 / 2;
    let steps = 5_000 / half;
    for step in 1..=steps {
        desk.half_page('d');
        assert_eq!(row(&desk), (6_000 - step * half).to_string());
        assert!(desk.app.ui().letters().list.rows.len() <= 4_096);
    }
    assert!(first(&desk) < 6_000, "what was scrolled past is let go");
    for step in 1..=steps {
        desk.half_page('u');
        assert_eq!(row(&desk), (6_000 - (steps - step) * half).to_string());
    }
    assert_eq!(first(&desk), 6_000);
    desk.press("G");
    assert_eq!((row(&desk), last(&desk)), ("1".to_owned(), 1));
    desk.press("k k g");
    assert_eq!(first(&desk), 6_000);
    desk.press("o");
    assert_eq!(first(&desk), 1);
}

#[test]
fn what_is_typed_is_looked_for_everywhere_and_esc_stops_looking() {
    let mut desk = Desk::new();
    desk.press("/ 'rcp_00034");
    assert_eq!(desk.app.ui().letters().list.rows.len(), 1);
    assert_eq!(
        desk.app.ui().letters().groups.rows.len(),
        1,
        "the groups are of the same letters"
    );
    desk.press("enter esc");
    assert_eq!(desk.app.ui().letters().list.rows.len(), 37);

    desk.slow = true;
    desk.press("/ 'status enter");
    let Some(Request::Ask(number, Query::Search { .. })) = desk
        .requests
        .iter()
        .rfind(|request| matches!(request, Request::Ask(_, Query::Search { .. })))
        .cloned()
    else {
        panic!("{:?}", desk.requests);
    };
    let scan = Scanned {
        looked_at: 120_000,
        span: 1_000_000,
        found: 0,
        done: false,
    };
    desk.tell(Told::Answer(number, Answer::Found { rows: Vec::new(), scan }));
    assert!(desk.text.contains("looked at 120,000 of 1,000,000"), "{}", desk.text);
    desk.press("esc");
    assert_eq!(desk.requests.last(), Some(&Request::Drop(Slot::List)));
    assert!(!desk.app.ui().letters().list.is_searching());
}

#[test]
fn a_filter_that_cannot_be_read_says_so_and_changes_nothing() {
    let mut desk = Desk::new();
    desk.press("/ 'since=yesterday enter");
    assert!(desk.text.contains("since=yesterday: write it like 2h"), "{}", desk.text);
    assert!(!desk.app.ui().letters().list.is_loading());
    desk.press("esc");
    assert!(!desk.text.contains("yesterday"), "{}", desk.text);
    assert_eq!(desk.app.ui().letters().list.rows.len(), 37);
}

#[test]
fn a_group_narrows_the_list_and_esc_widens_it() {
    let mut desk = Desk::new();
    desk.press("tab tab");
    while desk.app.ui().focus() != Some(super::super::screen::dead_letters::GROUPS) {
        desk.press("tab");
    }
    desk.press("j enter");
    assert_eq!(desk.app.ui().letters().list.rows.len(), 5);
    assert_eq!(desk.app.ui().focus(), Some(LIST));
    assert!(desk.text.contains("recipient ‹id› not found"), "{}", desk.text);
    desk.press("esc");
    assert_eq!(desk.app.ui().letters().list.rows.len(), 37);
    desk.press("b");
    assert!(desk.text.contains("Providers"), "{}", desk.text);
    assert_eq!(desk.app.ui().letters().groups.rows.len(), 3);
}

#[test]
fn rows_move_under_nobodys_hands() {
    let mut desk = Desk::new();
    desk.press("j j");
    let before = desk.app.ui().grid(LIST).row.clone();
    desk.letters.push(letter(38, 1, "webhook.telnyx.sent", "new", b"{}"));
    let asked = desk.requests.len();
    desk.at += Duration::from_secs(9);
    desk.tick();
    assert_eq!(desk.app.ui().letters().list.rows.len(), 37);
    assert_eq!(desk.requests.len(), asked, "{:?}", desk.requests.last());
    desk.press("r");
    assert_eq!(desk.app.ui().letters().list.rows.len(), 38);
    let _ = before;
}

#[test]
fn nothing_is_planned_before_it_is_unlocked_and_a_read_only_profile_never_is() {
    let mut desk = Desk::new();
    desk.press("R");
    assert!(desk.text.contains("Unlock changes on demo"), "{}", desk.text);
    desk.press("esc");
    let planned = |desk: &Desk| {
        let plans = desk
            .requests
            .iter()
            .filter(|request| matches!(request, Request::Ask(_, Query::Plan(_))));
        plans.count()
    };
    assert_eq!(planned(&desk), 0);
    desk.press("R y");
    assert_eq!(planned(&desk), 1);
    assert!(desk.text.contains(" WRITE "), "{}", desk.text);
    desk.press("esc");
    desk.at += Duration::from_mins(16);
    desk.press("R");
    assert_eq!(planned(&desk), 1, "it is locked again");

    let read_only = Profile {
        read_only: true,
        ..profile()
    };
    let mut desk = Desk::with(&read_only, letters(), 120, 40);
    for key in ["R", "A", "W"] {
        desk.press(key);
        assert!(desk.text.contains("demo is read-only"), "{}", desk.text);
    }
    assert_eq!(planned(&desk), 0);
}

#[test]
fn one_letter_takes_a_y_and_more_take_their_count() {
    let mut desk = Desk::new();
    desk.run();
    assert_eq!(desk.planned(), [37]);
    desk.press("enter");
    assert!(desk.orders().is_empty(), "enter cancels");
    assert!(matches!(desk.app.ui().letters().deed, Deed::None));
    desk.press("R y");
    let [Order::Replay { plan, said }] = desk.orders()[..] else {
        panic!("{:?}", desk.orders());
    };
    assert_eq!((plan.count, said.count, &said.profile), (1, 1, &None));
    assert!(matches!(said.write, Write::Until(_)));

    let mut desk = Desk::new();
    desk.press("space space space R y");
    assert_eq!(desk.planned(), [37, 36, 35]);
    desk.press("y enter");
    assert!(desk.orders().is_empty());
    assert!(desk.app.ui().layers().is_empty(), "a wrong count cancels");
    desk.press("R '3 enter enter");
    assert_eq!(desk.orders().len(), 1);
}

#[test]
fn a_protected_profile_wants_its_name_besides() {
    let protected = Profile {
        protected: true,
        ..profile()
    };
    let mut desk = Desk::with(&protected, letters(), 120, 40);
    desk.press("R 'demo enter enter");
    assert_eq!(desk.planned(), [37]);
    desk.press("'1 enter");
    assert!(desk.orders().is_empty());
    desk.press("R");
    desk.press("'1");
    desk.press("space 'demo enter enter");
    let [Order::Replay { said, .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!(said.profile.as_deref(), Some("demo"));
}

#[test]
fn the_selection_is_frozen_while_a_question_is_open() {
    let mut desk = Desk::new();
    desk.press("a R y");
    assert_eq!(desk.planned().len(), 37);
    desk.letters.push(letter(38, 1, "webhook.telnyx.sent", "new", b"{}"));
    desk.at += Duration::from_secs(10);
    desk.tick();
    desk.press("'37 enter enter");
    let [Order::Replay { plan, .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!(plan.letters.len(), 37);
    assert!(plan.letters.iter().all(|letter| letter.sequence != 38));
}

#[test]
fn all_of_a_group_is_replayed_without_marking_each() {
    let mut desk = Desk::new();
    while desk.app.ui().focus() != Some(super::super::screen::dead_letters::GROUPS) {
        desk.press("tab");
    }
    desk.press("j R y");
    assert_eq!(desk.planned(), [6, 5, 4, 3, 2]);
}

#[test]
fn a_replay_is_seen_steered_and_reported() {
    let mut desk = Desk::new();
    desk.press("a R y");
    desk.press("'37 enter enter");
    desk.tell(Told::Progress(Box::new(progress(Phase::Canary, 1, 0))));
    assert!(desk.text.contains("canary"), "{}", desk.text);
    desk.press("P");
    assert_eq!(desk.requests.last(), Some(&Request::Steer(Steering::Pause)));
    desk.tell(Told::Progress(Box::new(progress(Phase::Paused, 1, 0))));
    desk.press("P");
    assert_eq!(desk.requests.last(), Some(&Request::Steer(Steering::Run)));
    desk.press("R");
    assert!(desk.text.contains("A replay runs"), "one at a time: {}", desk.text);
    desk.press("X y");
    assert_eq!(desk.requests.last(), Some(&Request::Steer(Steering::Cancel)));
    desk.letters.truncate(6);
    desk.tell(Told::Ended(Ok(Box::new(report()))));
    assert!(
        desk.text.contains("done") && desk.text.contains("processed"),
        "{}",
        desk.text
    );
    assert_eq!(desk.app.ui().letters().list.rows.len(), 6, "the list is read again");
    desk.press("esc");
    assert!(matches!(desk.app.ui().letters().deed, Deed::None));
}

#[test]
fn whoever_leaves_while_a_replay_runs_is_asked() {
    let mut desk = Desk::new();
    desk.press("a R y");
    desk.press("'37 enter enter");
    let quits = |desk: &mut Desk, key| {
        let event = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
        desk.at += Duration::from_millis(400);
        let now = desk.now();
        let effects = update(&mut desk.app, Msg::Input(now, event), &desk.hits);
        desk.draw();
        effects.contains(&Effect::Quit)
    };
    assert!(!quits(&mut desk, 'q'));
    assert!(desk.text.contains("Leave while a replay runs"), "{}", desk.text);
    assert!(quits(&mut desk, 'y'));
    desk.tell(Told::Ended(Ok(Box::new(report()))));
    assert!(quits(&mut desk, 'q'));
}

#[test]
fn somebody_elses_replay_is_shown_and_ours_waits() {
    let mut desk = Desk::new();
    desk.standing.claim = Some(Box::new(Claim {
        holder: "maria@ops".into(),
        session: "s".into(),
        replay: "r".into(),
        dlq: "webhooks_dlq".into(),
        dlq_created: Timestamp::UNIX_EPOCH,
        epoch: 1,
        since: fixture::now().at,
        lasts_ms: 15_000,
        released: false,
        ended: false,
        progress: Counts {
            selected: 310,
            landed: 120,
            ..Counts::default()
        },
    }));
    desk.press("R y");
    assert!(
        desk.text
            .contains("maria@ops is replaying since 14:03:22: 120 of 310 published"),
        "{}",
        desk.text
    );
    assert!(desk.orders().is_empty());
    desk.press("u");
    desk.press("'maria@ops enter enter");
    let [Order::Resume { take_over, .. }] = desk.orders()[..] else {
        panic!("{}", desk.text);
    };
    assert_eq!(take_over.as_deref(), Some("maria@ops"));
}

#[test]
fn an_unfinished_replay_is_offered_first() {
    let mut desk = Desk::new();
    desk.standing.unfinished = Some((12, 31));
    desk.press("r");
    assert!(desk.text.contains("12 of 31 published"), "{}", desk.text);
    desk.press("R y");
    assert!(desk.text.contains("a replay was left unfinished"), "{}", desk.text);
    desk.press("u y");
    assert!(matches!(desk.orders()[..], [Order::Resume { take_over: None, .. }]));
}

#[test]
fn letters_are_written_to_a_file_without_being_unlocked() {
    let mut desk = Desk::new();
    desk.press("space space e");
    let Some(Request::Ask(_, Query::Export { filter, file })) = desk.requests.last() else {
        panic!("{:?}", desk.requests.last());
    };
    assert_eq!(filter.ids, Some([36, 37].into()));
    assert!(
        file.starts_with("letters-20260731T1403") && file.ends_with(".jsonl"),
        "{file}"
    );
    assert!(desk.text.contains("2 letters written to letters-"), "{}", desk.text);
}

#[test]
fn a_letter_is_opened_with_what_is_known_of_it() {
    let mut desk = Desk::new();
    desk.press("j enter");
    for wanted in [
        "Letter 36",
        "timeout after 3036 ms on UPDATE",
        "30 of the same cause",
        "\"event_type\": \"message.finalized\"",
        "webhooks #1200036",
        "tree",
    ] {
        assert!(desk.text.contains(wanted), "{wanted}\n{}", desk.text);
    }
    desk.press("d");
    assert!(desk.text.contains("{\"data\":{\"event_type\""), "{}", desk.text);
    desk.press("d");
    assert!(desk.text.contains("00000000  7b 22 64"), "{}", desk.text);
    desk.press("esc j enter");
    assert!(desk.text.contains("Letter 35"), "{}", desk.text);
    desk.letters.clear();
    desk.press("esc j enter");
    assert!(desk.text.contains("not there any more"), "{}", desk.text);
}

#[test]
fn no_stranger_steers_the_letters_and_every_size_draws() {
    let ascii = Library::embedded()
        .unwrap()
        .theme("mono", Depth::None, Charset::Ascii)
        .unwrap();
    for row in 0..6 {
        for keys in ["", "enter", "enter d", "enter d d", "R y"] {
            let mut desk = Desk::with(&profile(), hostile(), 120, 40);
            for _ in 0..row {
                desk.press("j");
            }
            if !keys.is_empty() {
                desk.press(keys);
            }
            for (width, height) in [(60, 16), (97, 31), (200, 60)] {
                for cell in paint(&desk.app, &theme_of_roles(), width, height).content() {
                    assert_eq!(text::safe(cell.symbol()), cell.symbol(), "{row} {keys}");
                }
            }
            let plain = paint(&desk.app, &ascii, 120, 40);
            assert!(
                plain.content().iter().all(|cell| cell.symbol().is_ascii()),
                "{row} {keys}"
            );
        }
    }
}

#[test]
fn nothing_is_done_to_letters_while_the_past_is_on_screen() {
    for command in [
        Command::Replay,
        Command::Archive,
        Command::Unlock,
        Command::ResumeReplay,
    ] {
        assert!(command.fits(Mode::Live), "{}", command.id());
        assert!(
            !command.fits(Mode::Recording) && !command.fits(Mode::Rewind),
            "{}",
            command.id()
        );
    }
}

#[test]
fn other_forms_are_shown_and_not_offered() {
    let mut desk = Desk::new();
    desk.press("space f");
    let list = &desk.app.ui().letters().list;
    assert!(
        list.rows.iter().all(|row| row.form == LetterForm::Parked),
        "{:?}",
        list.rows
    );
    assert!(desk.text.contains("3 parked · shown only"), "{}", desk.text);
    let asked = desk.requests.len();
    desk.press("R");
    desk.press("enter");
    desk.press("a R");
    assert_eq!(desk.requests.len(), asked, "{:?}", desk.requests.last());
    desk.press("f");
    assert!(
        desk.text.contains("no right to read rule_webhook_calls"),
        "{}",
        desk.text
    );
    desk.press("f");
    assert_eq!(desk.app.ui().letters().list.rows.len(), 37);
}

/// What there is to see, by name: the keys that lead there.
const PLACES: [(&str, &str); 8] = [
    ("list", "j j"),
    ("marked", "space j space"),
    ("filtered", "/ 'timeout enter"),
    ("narrowed", "tab j enter"),
    ("detail", "j j enter"),
    ("plan", "a R y"),
    ("unlock", "R"),
    ("parked", "f"),
];

#[test]
fn every_place_of_the_letters_at_three_sizes() {
    for (name, keys) in PLACES {
        let mut desk = Desk::new();
        desk.press(keys);
        snapshot_sizes(&format!("letters_{name}"), &desk.app, &SIZES[..3]);
    }
}

#[test]
fn a_replay_at_three_sizes() {
    let mut desk = Desk::new();
    desk.press("a R y");
    desk.press("'37 enter enter");
    desk.tell(Told::Progress(Box::new(progress(Phase::Sending, 13, 11))));
    // The flash of the lock is gone.
    desk.at += Duration::from_secs(10);
    desk.tick();
    snapshot_sizes("letters_running", &desk.app, &SIZES[..3]);
    desk.letters.truncate(6);
    desk.tell(Told::Ended(Ok(Box::new(report()))));
    desk.at += Duration::from_secs(10);
    desk.tick();
    snapshot_sizes("letters_report", &desk.app, &SIZES[..3]);
}

#[test]
fn the_letters_in_dark_light_and_without_colours() {
    for (name, keys) in [("list", "j j"), ("detail", "enter"), ("plan", "a R y")] {
        let mut desk = Desk::new();
        desk.press(keys);
        for (look, theme, depth, charset) in [
            ("dark", "dark", Depth::True, Charset::Unicode),
            ("light", "light", Depth::True, Charset::Unicode),
            ("ascii_mono", "mono", Depth::None, Charset::Ascii),
        ] {
            insta::assert_snapshot!(
                format!("look_letters_{name}_{look}"),
                looks(&desk.app, theme, depth, charset, 120, 40)
            );
        }
    }
}
