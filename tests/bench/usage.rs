//! What processes have used, as Linux tells it.

use std::fs;

/// CPU and memory of a process so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU, seconds.
    pub(crate) cpu: f64,
    /// The most memory that was resident, bytes.
    pub(crate) peak: f64,
}

impl Usage {
    /// Of a process that runs.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let fields = stat(pid)?.1;
        // From the state on, the third: the 14th and 15th count hundredths of seconds.
        let ticks = fields.iter().skip(11).take(2);
        let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(Self {
            cpu: ticks / 100.0,
            peak: kilobytes * 1024.0,
        })
    }
}

/// The process of this name that was started by this one, or by one that it started.
pub(crate) fn descendant(name: &str) -> Option<u32> {
    let processes: Vec<(u32, String, u32)> = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let (name, fields) = stat(pid)?;
            Some((pid, name, fields.get(1)?.parse().ok()?))
        })
        .collect();
    let mut family = vec![std::process::id()];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(processes.iter().filter(|(.., of)| *of == parent).map(|(pid, ..)| *pid));
        next += 1;
    }
    let found = processes
        .iter()
        .find(|(pid, known, _)| known == name && family.contains(pid));
    found.map(|(pid, ..)| *pid)
}

/// A process's name, and its fields from the third on.
fn stat(pid: u32) -> Option<(String, Vec<String>)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, fields) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    Some((name.to_owned(), fields.split(' ').map(str::to_owned).collect()))
}
