//! Tables: cursor, filter, order, and what is kept of them.

use super::*;

#[test]
fn the_cursor_goes_through_the_rows_and_stays_on_screen() {
    let mut desk = Desk::queues();
    desk.press("j j k");
    assert_eq!(desk.row().as_deref(), Some("tenant-000/reader-0001"));
    desk.press("G");
    assert_eq!(desk.row().as_deref(), Some("tenant-499/reader-0999"));
    assert!(desk.text.contains("reader-0999"));
    desk.press("g");
    assert!(desk.text.contains("reader-0000"));
}

#[test]
fn a_filter_holds_while_it_is_typed_and_esc_shows_all_again() {
    let mut desk = Desk::queues();
    desk.press("/");
    desk.types("READER-09");
    assert!(desk.text.contains("100 of 1000"), "{}", desk.text);
    desk.press("enter j");
    assert!(desk.row().unwrap().contains("reader-09"));
    desk.press("esc");
    assert_eq!(desk.app.ui().grid(LIST).filter, "");
    desk.press("/ x esc");
    assert_eq!(desk.app.ui().grid(LIST).filter, "");
    assert_eq!(desk.app.ui().screen(), Screen::Queues);
}

#[test]
fn a_click_on_a_heading_sorts_and_another_one_turns_it_round() {
    let mut desk = Desk::queues();
    let heading = |desk: &Desk| {
        let found = desk.hits.spots.iter().find(|(_, spot)| *spot == Spot::Heading(LIST, 2));
        found.unwrap().0
    };
    for down in [true, false] {
        let area = heading(&desk);
        desk.mouse(MouseEventKind::Down(MouseButton::Left), area.x + 1, area.y);
        let sort = desk.app.ui().grid(LIST).sort.clone().unwrap();
        assert_eq!((sort.column.as_str(), sort.down), ("pending", down));
    }
}

#[test]
fn a_click_selects_a_row_and_a_second_one_opens_it() {
    let mut desk = Desk::queues();
    let found = desk.hits.spots.iter().find(|(_, spot)| *spot == Spot::Row(LIST, 5));
    let area = found.unwrap().0;
    desk.mouse(MouseEventKind::Down(MouseButton::Left), area.x + 3, area.y);
    assert_eq!(desk.row().as_deref(), Some("tenant-002/reader-0005"));
    assert!(desk.app.ui().detail().is_none());
    desk.mouse(MouseEventKind::Down(MouseButton::Left), area.x + 3, area.y);
    assert_eq!(desk.app.ui().detail().unwrap().key, "tenant-002/reader-0005");
    desk.press("esc");
    assert!(desk.app.ui().detail().is_none());
    assert_eq!(desk.app.ui().focus(), Some(LIST));
}

#[test]
fn what_is_copied_is_what_is_focused() {
    let copied = |keys: &str| {
        let mut desk = Desk::rich();
        match desk.press(keys).pop() {
            Some(Effect::Copy(text)) => text,
            other => panic!("{keys}: {other:?}"),
        }
    };
    assert!(copied("y").contains("Falling behind"));
    assert!(copied("2 y").starts_with("queue: webhooks/workers\n"));
    assert!(copied("2 enter y").contains("ack wait"));
    assert!(copied("v j y").contains("stripe"));
}

#[test]
fn enter_on_an_event_goes_to_what_it_is_about() {
    let mut desk = Desk::rich();
    desk.press("7 j enter");
    assert_eq!(desk.app.ui().screen(), Screen::Workers);
    assert_eq!(desk.app.ui().grid(PanelId("workers.list")).row.as_deref(), Some("w-4"));
}

#[test]
fn sort_columns_and_what_was_typed_are_kept_for_the_next_run() {
    let mut desk = Desk::queues();
    desk.press("right right s c j space esc :");
    desk.types("theme light");
    desk.press("enter");
    let kept = desk.app.kept();
    assert_eq!(kept.theme.as_deref(), Some("light"));
    assert_eq!(kept.typed, ["theme light"]);
    let options = Options {
        kept,
        ..Options::default()
    };
    let still = super::super::super::app::Still {
        view: desk.app.view().clone(),
        histories: crate::model::Histories::default(),
    };
    let next = App::still(still, None, options);
    let (before, after) = (desk.app.ui().grid(LIST), next.ui().grid(LIST));
    assert_eq!((&after.sort, &after.columns), (&before.sort, &before.columns));
    assert!(after.sort.is_some() && after.columns.len() == 1);
}

#[test]
fn sources_are_asked_for_the_rows_on_screen_only() {
    let mut desk = Desk::queues();
    let asked = |desk: &Desk| match desk.app.interest(&desk.hits).queues {
        Scope::Rows(rows) => rows.len(),
        Scope::Profile => 0,
    };
    let visible = desk.hits.panel(LIST).unwrap().visible;
    assert_eq!(asked(&desk), visible);
    desk.press("enter");
    assert_eq!(asked(&desk), 1);
    assert!(desk.app.interest(&desk.hits).subjects.is_some());
    desk.press("1");
    assert_eq!(desk.app.interest(&desk.hits), Interest::default());
}
