//! Moving in the past: keys, times, the strip, the list of marks.

use super::*;

#[test]
fn keys_move_in_the_past_and_never_beyond_its_ends() {
    let mut desk = Desk::recording();
    for (code, modifiers, position) in [
        (KeyCode::Right, KeyModifiers::NONE, 605),
        (KeyCode::Left, KeyModifiers::NONE, 595),
        (KeyCode::Left, KeyModifiers::CONTROL, 540),
        (KeyCode::Char('L'), KeyModifiers::SHIFT, 660),
        (KeyCode::Char('0'), KeyModifiers::NONE, 0),
        (KeyCode::Char('3'), KeyModifiers::ALT, 360),
        (KeyCode::Char('9'), KeyModifiers::ALT, 1_080),
        (KeyCode::Char(']'), KeyModifiers::NONE, 900),
        (KeyCode::Char('['), KeyModifiers::NONE, 300),
        (KeyCode::Char('}'), KeyModifiers::NONE, 620),
        (KeyCode::Char('{'), KeyModifiers::NONE, 500),
    ] {
        assert_eq!(desk.key(code, modifiers), to(position), "{code:?}");
    }
    desk.stand(player(reel(false), 1_190));
    assert_eq!(desk.types("L"), to(1_200));
    assert_eq!(desk.types("}"), [], "there is none");
    assert!(desk.text.contains("No alert after this moment"), "{}", desk.text);
    assert_eq!(desk.types("3"), [], "digits are screens here, too");
    assert_eq!(desk.app.ui().screen(), super::super::super::screen::Screen::Workers);
}

#[test]
fn a_sheet_with_choices_keeps_its_keys_over_the_past() {
    let (mut app, area) = (picture(false, 600), Rect::new(0, 0, 120, 40));
    for key in ['2', 'c', 'j', ' '] {
        let event = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
        let hits = draw(&app, &theme_of_roles(), area, &mut Buffer::empty(area)).hits;
        assert_eq!(update(&mut app, Msg::Input(fixture::now(), event), &hits), [], "{key}");
    }
    let grid = app.ui().grid(PanelId("queues.list"));
    assert_eq!(grid.columns.len(), 1, "space chose a column: {grid:?}");
}

#[test]
fn keys_play_pause_step_and_change_the_speed() {
    let mut desk = Desk::recording();
    for (key, control) in [
        (" ", Control::Toggle),
        ("p", Control::Toggle),
        (".", Control::Step { forward: true }),
        (",", Control::Step { forward: false }),
        ("<", Control::Slower),
        (">", Control::Faster),
        ("I", Control::Ramp),
        ("o", Control::Loop),
    ] {
        assert_eq!(desk.types(key), play(control), "{key}");
    }
}

#[test]
fn a_time_is_gone_to_by_its_name_and_one_that_is_not_there_is_refused() {
    let mut desk = Desk::recording();
    assert_eq!(desk.types("t14:03:42\n"), to(620));
    assert_eq!(desk.types(":goto 50%\n"), to(600));
    assert_eq!(desk.types(":goto -10s\n"), to(590));
    assert_eq!(desk.types(":goto 20:00\n"), []);
    assert!(desk.text.contains("it goes from 13:53:22 to 14:13:22"), "{}", desk.text);
}

#[test]
fn a_click_and_a_drag_on_the_strip_go_there() {
    let mut desk = Desk::recording();
    let strip = desk.drawn.hits.strip.unwrap();
    let left = MouseButton::Left;
    assert_eq!(desk.mouse(MouseEventKind::Down(left), strip.left(), strip.top()), to(0));
    let last = strip.right() - 1;
    assert_eq!(desk.mouse(MouseEventKind::Drag(left), last, 3), to(1_200));
    desk.mouse(MouseEventKind::Up(left), last, 3);
    assert_eq!(desk.mouse(MouseEventKind::Drag(left), strip.left(), 3), [], "let go");
    assert_eq!(
        desk.mouse(MouseEventKind::ScrollDown, strip.left(), strip.top()),
        to(605)
    );
    let words = strip.bottom();
    assert_eq!(desk.mouse(MouseEventKind::Down(left), 2, words), play(Control::Toggle));
}

#[test]
fn a_mark_of_the_list_is_gone_to() {
    let mut desk = Desk::recording();
    desk.types("'");
    assert!(
        desk.text.contains("deploy v2") && desk.text.contains("no_workers"),
        "{}",
        desk.text
    );
    assert!(!desk.text.contains('\u{1b}'));
    assert_eq!(desk.types("kk"), []);
    assert_eq!(desk.types("\n"), to(300), "the cursor began at what was passed last");
    assert!(!desk.text.contains("Markers and alerts"));
}

#[test]
fn a_live_session_steps_back_and_returns_with_one_key() {
    let mut live = Desk::live();
    assert_eq!(live.types("R"), play(Control::Back(Back::By(seconds(5)))));
    assert_eq!(live.types(","), play(Control::Back(Back::By(seconds(1)))));
    assert_eq!(live.types("{"), play(Control::Back(Back::To(MarkKind::Alert))));
    assert_eq!(live.types("["), play(Control::Back(Back::To(MarkKind::Marker))));
    let typed = Control::Back(Back::Typed("-2m".to_owned()));
    assert_eq!(live.types(":goto -2m\n"), play(typed));
    for key in ["}", "]", "."] {
        assert_eq!(live.types(key), []);
        assert!(live.text.contains("This is now"), "{key}: {}", live.text);
    }
    assert_eq!(live.types("<"), []);
    assert!(live.text.contains("R steps back into them"), "{}", live.text);
    let mut rewound = Desk::rewound();
    assert_eq!(rewound.types("R"), play(Control::Live));
    assert_eq!(rewound.key(KeyCode::Esc, KeyModifiers::NONE), play(Control::Live));
}

#[test]
fn what_moves_in_the_past_is_told_there_only() {
    let desk = Desk::recording();
    for hint in ["space play", "left/right 5 s", "</> speed", "{/} alert"] {
        assert!(desk.text.contains(hint), "{hint}: {}", desk.text);
    }
    assert!(!desk.text.contains("R rewind") && !desk.text.contains("r record"));
    let mut live = Desk::live();
    assert!(
        live.text.contains("p pause") && live.text.contains("r record"),
        "{}",
        live.text
    );
    live.area = Rect::new(0, 0, 200, 60);
    live.draw();
    assert!(live.text.contains("R rewind"), "{}", live.text);
    assert!(!live.text.contains("5 s   "), "{}", live.text);
    assert!(Desk::rewound().text.contains("R live"));
}
