//! What is played, on a recording that ships with the program.

use std::path::Path;
use std::time::Duration;

use super::deck::{Deck, Recorded};
use super::job::{Done, Jobs};
use crate::base::time::{Moment, Timestamp};
use crate::console::app::{App, Options};
use crate::console::player::Control;
use crate::record::Recording;
use crate::session::{Speed, settings_of};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn moment(mono: Duration) -> Moment {
    Moment {
        at: Timestamp::UNIX_EPOCH + mono,
        mono,
    }
}

struct Desk {
    app: App,
    deck: Deck,
    jobs: Jobs,
    now: Duration,
}

impl Desk {
    fn new(at: Duration, looping: bool) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/database-outage.mcap");
        let recording = Recording::open(&path).unwrap();
        let settings = settings_of(recording.info()).unwrap();
        let mut app = App::recorded(&settings, Options::default(), moment(Duration::ZERO));
        let mut jobs = Jobs::new();
        let recorded = Recorded::new(recording, None).unwrap().from(at, Speed::Normal, looping);
        let deck = Deck::recorded(recorded, &mut app, &mut jobs);
        Self {
            app,
            deck,
            jobs,
            now: Duration::ZERO,
        }
    }

    /// Takes in what comes of everything that is done away from the screen.
    async fn settle(&mut self) {
        while self.jobs.running() > 0 {
            match self.jobs.next().await {
                Done::Sought(number, past) => self.deck.sought(number, past, self.now, &mut self.app, &mut self.jobs),
                Done::Read(number, loaded) => self.deck.read(number, loaded, &mut self.app, &mut self.jobs),
                done => panic!("{done:?}"),
            }
        }
    }

    fn control(&mut self, control: Control) {
        let now = moment(self.now);
        self.deck.control(control, now, &mut self.app, None, &mut self.jobs);
    }

    /// Time passes.
    fn pass(&mut self, by: Duration) -> bool {
        self.now += by;
        self.deck.advance(self.now, &mut self.app, &mut self.jobs)
    }

    fn position(&self) -> Duration {
        self.app.player().unwrap().position
    }

    /// How far the figures on screen are from the recording's beginning.
    fn shown(&self) -> Duration {
        self.app.player().unwrap().reel.position(self.app.view().now.at)
    }
}

#[tokio::test]
async fn it_begins_where_it_is_told_to_and_plays_at_once() {
    let mut desk = Desk::new(seconds(20), false);
    assert!(desk.app.player().unwrap().seeking && desk.position() == seconds(20));
    assert!(!desk.pass(seconds(5)), "time waits for the figures");
    desk.settle().await;
    assert!(desk.shown().abs_diff(seconds(20)) <= seconds(1), "{:?}", desk.shown());
    assert!(desk.pass(seconds(3)));
    assert_eq!(desk.position(), seconds(23));
    assert!(desk.shown().abs_diff(seconds(23)) <= seconds(1), "{:?}", desk.shown());
}

#[tokio::test]
async fn at_the_very_beginning_the_first_reading_is_shown() {
    let mut desk = Desk::new(Duration::ZERO, false);
    desk.settle().await;
    assert!(!desk.app.view().sources.is_empty() || desk.shown() < seconds(1));
    assert!(desk.position() < seconds(2));
}

#[tokio::test]
async fn of_several_places_asked_for_at_once_the_last_one_counts() {
    let mut desk = Desk::new(Duration::ZERO, false);
    for to in [10, 30, 15] {
        desk.control(Control::To(seconds(to)));
        assert_eq!(desk.position(), seconds(to), "it shows where it will be");
    }
    desk.settle().await;
    assert_eq!(desk.position(), seconds(15));
    assert!(!desk.app.player().unwrap().seeking);
    assert!(desk.shown().abs_diff(seconds(15)) <= seconds(1), "{:?}", desk.shown());
}

#[tokio::test]
async fn it_pauses_steps_and_plays_again_from_the_beginning_once_it_is_over() {
    let mut desk = Desk::new(seconds(10), false);
    desk.settle().await;
    desk.control(Control::Toggle);
    assert!(desk.deck.wake().is_none() && !desk.pass(seconds(5)));
    let before = desk.shown();
    desk.control(Control::Step { forward: true });
    let stepped = desk.shown();
    assert!(
        stepped > before && stepped <= before + seconds(2),
        "{before:?} {stepped:?}"
    );
    desk.control(Control::Step { forward: false });
    desk.settle().await;
    assert!(desk.shown() < stepped);
    desk.control(Control::Toggle);
    for _ in 0..4 {
        desk.pass(seconds(15));
        desk.settle().await;
    }
    let player = desk.app.player().unwrap();
    assert!(!player.playing && player.position == player.reel.length);
    desk.control(Control::Toggle);
    desk.settle().await;
    assert!(desk.app.player().unwrap().playing && desk.position() < seconds(2));
}

#[tokio::test]
async fn it_waits_for_what_is_read_away_from_the_screen_and_goes_on_from_there() {
    let mut desk = Desk::new(Duration::ZERO, false);
    desk.settle().await;
    // Nothing that is read comes in meanwhile, and the screen is drawn all the same.
    for _ in 0..20 {
        assert!(desk.pass(seconds(10)));
    }
    let waits = desk.position();
    let player = desk.app.player().unwrap();
    assert!(player.playing && waits < player.reel.length, "{waits:?}");
    assert_eq!(desk.jobs.running(), 1, "one read at a time");
    desk.settle().await;
    assert_eq!(desk.position(), waits);
    desk.pass(seconds(3));
    assert_eq!(desk.position(), waits + seconds(3));
}

#[tokio::test]
async fn it_goes_faster_and_slower_and_over_again() {
    let mut desk = Desk::new(Duration::ZERO, true);
    desk.settle().await;
    for _ in 0..9 {
        desk.control(Control::Faster);
    }
    assert_eq!(desk.app.player().unwrap().speed, "16×");
    desk.pass(seconds(1));
    desk.settle().await;
    let far = desk.position();
    assert!(far >= seconds(16), "{far:?}");
    desk.pass(seconds(2));
    desk.settle().await;
    assert!(desk.position() < far, "it began anew");
    for _ in 0..9 {
        desk.control(Control::Slower);
    }
    assert_eq!(desk.app.player().unwrap().speed, "½×");
    desk.control(Control::Ramp);
    desk.control(Control::Loop);
    let player = desk.app.player().unwrap();
    assert!(player.ramp && !player.looping);
}

#[tokio::test]
async fn a_marker_stands_in_the_reel_even_without_a_file_to_keep_it_in() {
    let mut desk = Desk::new(Duration::ZERO, false);
    desk.settle().await;
    desk.control(Control::Note(Some(seconds(12)), "here \u{1b}[2J".to_owned()));
    let markers = &desk.app.player().unwrap().reel.markers;
    assert_eq!((markers.len(), markers[0].at), (1, seconds(12)));
    assert!(!markers[0].text.contains('\u{1b}'));
}

#[tokio::test]
async fn without_a_live_session_nothing_is_stepped_back_into() {
    let mut desk = Desk::new(Duration::ZERO, false);
    desk.settle().await;
    let place = desk.position();
    desk.control(Control::Back(crate::console::player::Back::By(seconds(5))));
    assert_eq!(desk.position(), place);
}
