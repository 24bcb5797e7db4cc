//! Where the panels stand, from 60×14 up. What matters most keeps its room longest: flow and
//! verdict first, then the chart, the ledger's answer, workers and providers, events.

use ratatui::layout::Rect;

use super::Panel;

/// From this many columns on three panels stand beside each other.
const WIDE: u16 = 110;

/// From this size on there is room for queues and database.
const LARGE: (u16, u16) = (150, 48);

/// Places every panel that has room. A panel one row high draws itself as a line.
pub(super) fn arrange(area: Rect) -> Vec<(Panel, Rect)> {
    let mut places = Vec::new();
    let mut rest = area;
    let top = |rest: &mut Rect, rows: u16| cut_top(rest, rows);
    let tall = area.height >= 32;

    let flow = top(
        &mut rest,
        if area.height >= LARGE.1 {
            7
        } else if tall {
            6
        } else {
            5
        },
    );
    places.push((Panel::Flow, flow));

    // From the bottom up: what is left belongs to chart and verdict.
    let mut below: Vec<(Panel, Rect)> = Vec::new();
    if area.width < 72 || area.height < 18 {
        for panel in [Panel::Ledger, Panel::Providers, Panel::Workers, Panel::Chart] {
            below.push((panel, cut_bottom(&mut rest, 1)));
        }
        places.push((Panel::Verdict, rest));
    } else if area.width >= WIDE {
        if area.width >= LARGE.0 && area.height >= LARGE.1 {
            let row = cut_bottom(&mut rest, (area.height / 5).min(14));
            let [events, queues, database] = split(row, [40, 34, 26]);
            below.extend([
                (Panel::Database, database),
                (Panel::Queues, queues),
                (Panel::Events, events),
            ]);
        } else {
            let rows = if tall {
                7
            } else if area.height >= 26 {
                5
            } else {
                1
            };
            below.push((Panel::Events, cut_bottom(&mut rest, rows)));
        }
        let row = cut_bottom(
            &mut rest,
            if area.height >= LARGE.1 {
                16
            } else if tall {
                9
            } else {
                8
            },
        );
        let side = side_width(area.width);
        let (tables, ledger) = cut_right(row, side);
        let [providers, workers] = split(tables, if area.width < LARGE.0 { [52, 48] } else { [39, 61] });
        below.extend([
            (Panel::Ledger, ledger),
            (Panel::Workers, workers),
            (Panel::Providers, providers),
        ]);
        middle(&mut places, rest, side);
    } else {
        if tall {
            let row = cut_bottom(&mut rest, 9);
            let [ledger, events] = split(row, [50, 50]);
            below.extend([(Panel::Events, events), (Panel::Ledger, ledger)]);
        } else {
            below.push((Panel::Events, cut_bottom(&mut rest, 1)));
            below.push((Panel::Ledger, cut_bottom(&mut rest, 1)));
        }
        let row = cut_bottom(&mut rest, if area.height >= 21 { 7 } else { 6 });
        let [providers, workers] = split(row, [50, 50]);
        below.extend([(Panel::Workers, workers), (Panel::Providers, providers)]);
        middle(&mut places, rest, side_width(area.width));
    }
    places.extend(below.into_iter().rev());
    places.retain(|(_, place)| !place.is_empty());
    places
}

fn middle(places: &mut Vec<(Panel, Rect)>, rest: Rect, side: u16) {
    let (chart, verdict) = cut_right(rest, side);
    places.extend([(Panel::Chart, chart), (Panel::Verdict, verdict)]);
}

/// The width of the right-hand column: sentences want about 40 columns, not more than 64.
fn side_width(width: u16) -> u16 {
    if width < WIDE {
        width * 9 / 20
    } else {
        (width * 9 / 25).clamp(40, 64)
    }
}

fn cut_top(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let cut = Rect { height: rows, ..*rest };
    *rest = Rect {
        y: rest.y + rows,
        height: rest.height - rows,
        ..*rest
    };
    cut
}

fn cut_bottom(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let cut = Rect {
        y: rest.bottom() - rows,
        height: rows,
        ..*rest
    };
    rest.height -= rows;
    cut
}

fn cut_right(row: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(row.width);
    let left = Rect {
        width: row.width - columns,
        ..row
    };
    (
        left,
        Rect {
            x: left.right(),
            width: columns,
            ..row
        },
    )
}

/// Divides a row by shares of 100.
fn split<const N: usize>(row: Rect, shares: [u16; N]) -> [Rect; N] {
    let mut done = 0;
    shares.map(|share| {
        let from = u32::from(row.width) * u32::from(done) / 100;
        done += share;
        let to = if done == 100 {
            u32::from(row.width)
        } else {
            u32::from(row.width) * u32::from(done) / 100
        };
        let offset = |columns: u32| u16::try_from(columns).unwrap_or(row.width);
        Rect {
            x: row.x + offset(from),
            width: offset(to - from),
            ..row
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_never_overlap_and_always_stand_inside() {
        for width in 60..=240 {
            for height in 10..=90 {
                let area = Rect::new(0, 1, width, height);
                let places = arrange(area);
                let mut covered = 0;
                for (i, (panel, place)) in places.iter().enumerate() {
                    assert_eq!(place.intersection(area), *place, "{panel:?} at {width}×{height}");
                    covered += place.area();
                    for (other, place_of_other) in &places[i + 1..] {
                        assert!(
                            !place.intersects(*place_of_other),
                            "{panel:?} and {other:?} at {width}×{height}"
                        );
                    }
                }
                assert_eq!(covered, area.area(), "{width}×{height}");
            }
        }
    }

    #[test]
    fn nothing_essential_is_missing_at_80_by_24() {
        let panels: Vec<Panel> = arrange(Rect::new(0, 1, 80, 22))
            .into_iter()
            .map(|(panel, _)| panel)
            .collect();
        for panel in [
            Panel::Flow,
            Panel::Chart,
            Panel::Verdict,
            Panel::Providers,
            Panel::Workers,
            Panel::Ledger,
            Panel::Events,
        ] {
            assert!(panels.contains(&panel), "{panel:?}");
        }
    }

    #[test]
    fn flow_and_verdict_keep_their_room_when_alerts_take_some() {
        for rows in 9..14 {
            let places = arrange(Rect::new(0, 3, 60, rows));
            let height = |wanted: Panel| {
                places
                    .iter()
                    .find(|(panel, _)| *panel == wanted)
                    .map_or(0, |(_, place)| place.height)
            };
            assert_eq!(height(Panel::Flow), 5, "{rows}");
        }
    }
}
