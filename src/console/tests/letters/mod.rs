//! The dead letters: what is asked for, what is made of the answers, what it looks like. The clerk
//! is one in memory.

mod browse;
mod form;
mod look;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{rows, theme_of_roles};
use crate::act::calls::{CallPlan, CallReport, Way};
use crate::act::fire::Library as FireLibrary;
use crate::act::journal::{Counts, How, Purpose};
use crate::act::lease::Claim;
use crate::act::letters::{Answer, Destination, Opened, Order, Query, Request, Scanned, Slot, Standing, Told, Wish};
use crate::act::permit::Write;
use crate::act::plan::{LeftOut, Plan, Planned, PlannedTarget};
use crate::act::replay::{Ending, Fates, Phase, Progress, Report, Steering};
use crate::base::text;
use crate::base::time::{Moment, Timestamp};
use crate::config::Profile;
use crate::console::app::{App, Edit, Effect, Msg, Options, Still, draw, update};
use crate::console::command::{Command, Mode};
use crate::console::fixture;
use crate::console::glyph::Charset;
use crate::console::layer::Layer;
use crate::console::letters::form::{Draft, Field, Focus, Form};
use crate::console::letters::{Deed, Office};
use crate::console::screen::dead_letters::LIST;
use crate::console::screen::{Badge, Hits};
use crate::console::theme::Library;
use crate::console::theme::colour::Depth;
use crate::model::letters::{Groups, LetterFilter, LetterRow, difference, origin, webhook_id};
use crate::sample::{FailedCall, LetterForm, Stored};

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
    calls: Vec<FailedCall>,
    /// What became of a letter in replays.
    replays: Vec<(Timestamp, String)>,
    /// What the messages in the source stream are.
    parked: LetterForm,
    standing: Standing,
    /// What an editor was opened with.
    editing: Option<(Edit, String)>,
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
            office: Some(Office::new(profile, &templates())),
            ..Options::default()
        };
        let mut desk = Self {
            app: App::still(Still { view, histories }, Some("webhooks".into()), options),
            area: Rect::new(0, 0, width, height),
            hits: Hits::default(),
            text: String::new(),
            letters,
            calls: Vec::new(),
            replays: Vec::new(),
            parked: LetterForm::Parked,
            standing: Standing::default(),
            editing: None,
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
            let request = match effect {
                Effect::Letters(request) => request,
                Effect::Edit { what, text } => {
                    self.editing = Some((what, text));
                    continue;
                }
                _ => continue,
            };
            let request = *request;
            self.requests.push(request.clone());
            if let Request::Ask(number, query) = request
                && !self.slow
            {
                for answer in self.answer(&query) {
                    let told = Msg::Told(self.now(), Told::Answer(number, answer));
                    effects.extend(update(&mut self.app, told, &self.hits));
                    self.draw();
                }
            }
        }
    }

    fn tell(&mut self, told: Told) {
        let now = self.now();
        self.send(Msg::Told(now, told));
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
                "up" => vec![KeyCode::Up],
                "down" => vec![KeyCode::Down],
                "left" => vec![KeyCode::Left],
                "right" => vec![KeyCode::Right],
                "pgdn" => vec![KeyCode::PageDown],
                "space" => vec![KeyCode::Char(' ')],
                text => text.trim_start_matches('\'').chars().map(KeyCode::Char).collect(),
            };
            for code in codes {
                // Long after whatever came up.
                self.press_code(code);
            }
        }
    }

    fn press_code(&mut self, code: KeyCode) {
        self.at += Duration::from_millis(400);
        let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
        self.send(Msg::Input(self.now(), event));
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
            Query::Search { form, filter, .. } if *form != LetterForm::Copy => vec![self.others(*form, filter)],
            Query::Groups { form, by, .. } if *form != LetterForm::Copy => vec![Answer::Groups {
                groups: Groups::new(*by).sorted(),
                left_out: 0,
                scan: whole(0),
            }],
            Query::Search { filter, .. } => {
                let rows: Vec<LetterRow> = self.found(filter).iter().map(|(letter, _)| row(letter)).collect();
                let scan = whole(rows.len());
                vec![Answer::Found { rows, scan }]
            }
            Query::Groups { by, filter, .. } => {
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
            Query::Letter(form, sequence) => {
                let letter = self.letters.iter().find(|letter| letter.sequence == *sequence);
                let opened = letter.map(|letter| Opened {
                    form: *form,
                    letter: letter.clone(),
                    origin: origin(&letter.headers),
                    replays: self.replays.clone(),
                });
                vec![Answer::Letter(opened.map(Box::new))]
            }
            Query::Kin(_, id) => {
                let same = |letter: &&Stored| webhook_id(&letter.headers) == Some(id);
                let rows: Vec<LetterRow> = self.letters.iter().rev().filter(same).map(row).collect();
                let scan = whole(rows.len());
                vec![Answer::Kin { rows, scan }]
            }
            Query::Standing(_) => vec![Answer::Standing(self.standing.clone())],
            Query::Plan(wish) => vec![self.plan(wish)],
            Query::PlanCalls(calls) => vec![Answer::CallsPlanned(Arc::new(CallPlan::of(
                Way::Function,
                calls.iter().cloned().collect(),
            )))],
            Query::Export { filter, file, .. } => vec![Answer::Exported {
                file: file.clone(),
                scan: whole(self.found(filter).len()),
            }],
        }
    }

    /// The plan of a wish, as the clerk would draw it.
    fn plan(&self, wish: &Wish) -> Answer {
        let found = self.found(&wish.filter);
        let mut plan = plan(&found, &wish.filter, wish.purpose, wish.rate);
        plan.canary = wish.canary.min(plan.count);
        plan.dlq_last_seq = self.letters.last().map_or(0, |letter| letter.sequence);
        match &wish.to {
            Destination::Own => {}
            Destination::Subject(subject) => {
                for target in &mut plan.targets {
                    target.subjects = [subject.clone()].into();
                }
            }
            Destination::Gateway(url) => (plan.targets, plan.to_url) = (Vec::new(), Some(url.clone())),
        }
        let only = found.first().filter(|_| found.len() == 1);
        let payload = only.map(|(letter, _)| letter.payload.clone());
        if let (Some(before), Some(after)) = (&payload, &wish.payload) {
            plan.diff = difference(before, after);
        }
        Answer::Planned {
            plan: Arc::new(plan),
            payload,
            standing: self.standing.clone(),
        }
    }

    fn others(&self, form: LetterForm, filter: &LetterFilter) -> Answer {
        if form == LetterForm::Row && self.calls.is_empty() {
            let reason = "failed calls: no right to read rule_webhook_calls → GRANT SELECT ON rule_webhook_calls";
            return Answer::Failed(reason.to_owned());
        }
        let rows: Vec<LetterRow> = if form == LetterForm::Row {
            self.calls.iter().map(LetterRow::of_call).collect()
        } else {
            let meant = self.letters[..3].iter().filter(|letter| filter.admit(letter).is_some());
            meant
                .map(|letter| LetterRow::new(letter, &origin(&letter.headers), self.parked))
                .collect()
        };
        let found = rows.len() as u64;
        let scan = Scanned {
            looked_at: found,
            span: found,
            found,
            done: true,
        };
        Answer::Found { rows, scan }
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
        match &self.form().draft {
            Draft::Letters(plan) => plan.letters.iter().map(|letter| letter.sequence).collect(),
            other => panic!("no plan: {other:?}\n{}", self.text),
        }
    }

    /// The form that is open.
    fn form(&self) -> &Form {
        match self.app.ui().layers().last() {
            Some(Layer::Replay(form)) => form,
            other => panic!("no form: {other:?}\n{}", self.text),
        }
    }

    /// The wish that was asked for last.
    fn wish(&self) -> Wish {
        let wish = self.requests.iter().rev().find_map(|request| match request {
            Request::Ask(_, Query::Plan(wish)) => Some((**wish).clone()),
            _ => None,
        });
        wish.unwrap_or_else(|| panic!("no plan was asked for: {:?}", self.requests))
    }

    fn run(&mut self) {
        self.press("R y");
    }
}

/// The templates in the binary.
fn templates() -> FireLibrary {
    FireLibrary::load(None)
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
