//! Every form: determinism, sizes and themes, bad input.

use std::fs;

use super::{export, export_with, shipped, text};

const FORMS: &[&str] = &["cast", "cast3", "svg", "png", "csv", "json", "report"];

#[test]
fn two_processes_in_different_environments_write_the_same_bytes() {
    let elsewhere = [
        ("NO_COLOR", "1"),
        ("TERM", "dumb"),
        ("COLORTERM", ""),
        ("CLICOLOR_FORCE", "1"),
        ("TZ", "Asia/Tokyo"),
        ("LANG", "de_DE.UTF-8"),
        ("HOME", "/nonexistent"),
        ("HOOKWATCH_THEME", "light"),
        ("COLUMNS", "40"),
    ];
    let recording = shipped("poison");
    for form in FORMS {
        let here = export(&recording, &["--as", form]);
        let there = export_with(&elsewhere, &recording, &["--as", form]);
        assert!(there.status.success(), "{form}: {there:?}");
        assert!(here == there.stdout, "{form}: the environment changes the export");
        assert!(here.len() > 1_000, "{form}");
    }
    let anonymous = || export(&recording, &["--as", "mcap", "--anonymize"]);
    assert!(anonymous() == anonymous());
}

#[test]
fn another_theme_size_and_screen_are_drawn_anew() {
    let recording = shipped("steady");
    for form in ["cast", "svg", "png"] {
        let plain = export(&recording, &["--as", form]);
        for other in [["--theme", "light"], ["--size", "80x24"], ["--screen", "queues"]] {
            let changed = export(&recording, &[&["--as", form][..], &other].concat());
            assert!(plain != changed, "{form} {other:?}");
        }
    }
    let png = export(&recording, &["--as", "png", "--size", "80x24"]);
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), (800, 480), "10 by 20 pixels a cell");
}

#[test]
fn from_and_to_cut_a_series() {
    let recording = shipped("steady");
    let all = text(&recording, &["--as", "csv"]);
    let some = text(&recording, &["--as", "csv", "--from", "10s", "--to", "20s"]);
    let (head, rows) = some.split_once('\n').unwrap();
    assert_eq!(Some(head), all.lines().next());
    assert!(
        head.starts_with("time,received_per_s,"),
        "units stand in the names: {head}"
    );
    assert!((10..=11).contains(&rows.lines().count()), "{rows}");
    for row in rows.lines() {
        assert!(all.contains(row), "the same figures as in the whole: {row}");
    }
    let objects = text(&recording, &["--as", "json", "--from", "10s", "--to", "20s"]);
    assert_eq!(objects.lines().count(), rows.lines().count());
}

#[test]
fn a_report_tells_what_was_wrong_from_when_to_when() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("outage.md");
    export(
        &shipped("database-outage"),
        &["--as", "report", "--out", out.to_str().unwrap()],
    );
    let page = fs::read_to_string(&out).unwrap();
    for part in [
        "# Incident report: demo",
        "### database_down",
        "Postgres cannot be read",
        "| postgres/postgres | failing | ok |",
        "## Timeline",
        "over: Postgres cannot be read",
        "## Actions taken\n\nNone were recorded.",
        "Balanced: nothing lost, nothing doubled.",
        "![Backlog](<outage-backlog.svg>)",
    ] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    let chart = fs::read_to_string(folder.path().join("outage-backlog.svg")).unwrap();
    assert!(chart.starts_with("<svg ") && chart.contains(" d=\"M"), "{chart}");
    // Nothing of it is overwritten, not even a chart.
    fs::remove_file(&out).unwrap();
    let again = export_with(
        &[],
        &shipped("database-outage"),
        &["--as", "report", "--out", out.to_str().unwrap()],
    );
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert!(!out.exists());
}

#[test]
fn a_note_written_afterwards_is_a_marker_and_loses_its_names_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noted.mcap");
    fs::copy(shipped("steady"), &path).unwrap();
    let recording = hookwatch::record::Recording::open(&path).unwrap();
    let at = recording.info().start.at + std::time::Duration::from_secs(10);
    let text = "telnyx called".to_owned();
    hookwatch::record::write_notes(&path, &[hookwatch::record::Note { at, text }]).unwrap();
    for (arguments, note) in [(&[][..], "telnyx called"), (&["--anonymize"], "provider-")] {
        let cast = self::text(&path, &[&["--as", "cast"][..], arguments].concat());
        let markers: Vec<&str> = cast.lines().filter(|line| line.contains(", \"m\", ")).collect();
        assert!(markers.iter().any(|marker| marker.contains(note)), "{markers:?}");
        let report = self::text(&path, &[&["--as", "report"][..], arguments].concat());
        assert!(report.contains("| marker |") && report.contains(note), "{report}");
        assert_eq!(cast.contains("telnyx"), arguments.is_empty());
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_next_step() {
    let recording = shipped("steady");
    let existing = tempfile::NamedTempFile::new().unwrap();
    let path = existing.path().to_str().unwrap();
    for (arguments, reason) in [
        (&["--as", "cast", "--size", "5x5"][..], "like 120x40"),
        (&["--as", "cast", "--speed", "0"], "between 0.25 and 100"),
        (&["--as", "cast", "--speed", "fast"], "write it like 4"),
        (&["--as", "cast", "--speed", "NaN"], "between 0.25 and 100"),
        (&["--as", "csv", "--speed", "2"], "--speed has no meaning for --as csv"),
        (&["--as", "csv", "--at", "2s"], "--at has no meaning for --as csv"),
        (&["--as", "svg", "--from", "2s"], "--from has no meaning for --as svg"),
        (&["--as", "png", "--at", "400h"], "not within the recording"),
        (
            &["--as", "cast", "--from", "30s", "--to", "10s"],
            "nothing of the recording lies between",
        ),
        (&["--as", "cast", "--theme", "nope"], "nope"),
        (&["--as", "mcap"], "add --anonymize"),
        (&["--as", "png", "--out", path], "overwrite it with --force"),
        (&["--as", "csv", "--out", "/sys/x.csv"], "/sys/x.csv"),
        (&["--as", "gif"], "possible values"),
    ] {
        let output = export_with(&[], &recording, arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(reason), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(existing.as_file().metadata().unwrap().len(), 0, "left alone");
    export(&recording, &["--as", "csv", "--out", path, "--force"]);
    assert!(existing.as_file().metadata().unwrap().len() > 0);
}

#[test]
fn a_folder_of_two_sessions_becomes_one_cast_without_the_hours_between_them() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["steady", "poison"] {
        fs::copy(shipped(name), folder.path().join(name).with_extension("mcap")).unwrap();
    }
    let cast = text(folder.path(), &["--as", "cast", "--speed", "10"]);
    let times = cast.lines().skip(1).map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event[0].as_f64().unwrap()
    });
    let times: Vec<f64> = times.collect();
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1] >= pair[0] && pair[1] - pair[0] <= 5.0)
    );
    let report = text(folder.path(), &["--as", "report"]);
    assert!(report.contains("another session begins"), "{report}");
    let mcap = export_with(&[], folder.path(), &["--as", "mcap", "--anonymize"]);
    assert_eq!(mcap.status.code(), Some(2), "{mcap:?}");
}
