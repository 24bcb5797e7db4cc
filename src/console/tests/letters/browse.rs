//! Letters read: pages, search, groups, one letter.

use super::*;

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
    while desk.app.ui().focus() != Some(crate::console::screen::dead_letters::GROUPS) {
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
fn letters_are_written_to_a_file_without_being_unlocked() {
    let mut desk = Desk::new();
    desk.press("space space e");
    let Some(Request::Ask(_, Query::Export { filter, file, .. })) = desk.requests.last() else {
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
fn parked_messages_are_filtered_opened_and_replayed_where_they_lie() {
    let mut desk = Desk::new();
    desk.press("space f");
    let list = &desk.app.ui().letters().list;
    assert!(
        list.rows.iter().all(|row| row.form == LetterForm::Parked),
        "{:?}",
        list.rows
    );
    assert!(desk.text.contains("3 parked"), "{}", desk.text);
    assert!(desk.app.ui().grid(LIST).marks.is_empty(), "a mark is of one form");
    desk.press("j enter");
    assert!(desk.text.contains("Letter source 2"), "{}", desk.text);
    let asked = |request: &Request| matches!(request, Request::Ask(_, Query::Letter(LetterForm::Parked, 2)));
    assert!(desk.requests.iter().any(asked), "{:?}", desk.requests);
    desk.press("esc / 'rcp_00034 enter");
    assert!(desk.text.contains("1 parked found"), "{}", desk.text);
    desk.press("R y");
    assert_eq!((desk.wish().form, desk.planned()), (LetterForm::Parked, vec![2]));
    desk.press("y");
    assert_eq!(desk.orders().len(), 1);
}

#[test]
fn what_may_have_been_acked_is_shown_and_not_offered() {
    let mut desk = Desk::new();
    desk.parked = LetterForm::Orphaned;
    desk.press("f");
    assert!(desk.text.contains("3 parked or orphaned"), "{}", desk.text);
    desk.press("R");
    assert!(
        desk.text.contains("Nobody can say which of these were acked"),
        "{}",
        desk.text
    );
    desk.press("A");
    assert!(desk.text.contains("not put aside"), "{}", desk.text);
    let plans = |request: &&Request| matches!(request, Request::Ask(_, Query::Plan(_)));
    assert_eq!(desk.requests.iter().filter(plans).count(), 0);
    desk.press("f");
    assert!(
        desk.text.contains("no right to read rule_webhook_calls"),
        "{}",
        desk.text
    );
    desk.press("f");
    assert_eq!(desk.app.ui().letters().list.rows.len(), 37);
}

/// A webhook that died, was replayed, and died again.
pub(super) fn died_twice() -> Desk {
    let mut letters = letters();
    let mut again = letter(
        38,
        3,
        "webhook.telnyx.sms_delivered",
        "timeout after 4000 ms on UPDATE recipients",
        b"{}",
    );
    let id = letters[35].headers[2].clone();
    again.headers[2] = id;
    letters.push(again);
    let mut desk = Desk::with(&profile(), letters, 120, 40);
    let at = fixture::now().at - Duration::from_secs(9);
    desk.replays = vec![(at, "published as letter 36, and died again · ann@ops".to_owned())];
    desk
}

#[test]
fn a_webhook_that_died_more_than_once_shows_its_history() {
    let mut desk = died_twice();
    desk.press("enter");
    for wanted in [
        "2 times",
        "died, letter 36 · timeout",
        "replayed, published as letter",
        "died, this letter · timeout",
    ] {
        assert!(desk.text.contains(wanted), "{wanted}\n{}", desk.text);
    }
    let places = ["died, letter 36", "replayed, ", "died, this letter"].map(|line| desk.text.find(line).unwrap());
    assert!(places.is_sorted(), "oldest first: {}", desk.text);
    desk.press("esc j enter");
    assert!(desk.text.contains("once, as far as this stream knows"), "{}", desk.text);
    let mut desk = Desk::new();
    desk.slow = true;
    desk.press("enter");
    let asked = |desk: &Desk| {
        desk.requests
            .iter()
            .any(|request| matches!(request, Request::Ask(_, Query::Kin(..))))
    };
    assert!(!asked(&desk), "not before the letter is there");
}
