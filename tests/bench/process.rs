//! What a process has used so far, for benches.

use std::fs::read_to_string;

type Error = Box<dyn std::error::Error>;

/// CPU seconds of a process so far, to a hundredth.
pub(crate) fn cpu(pid: u32) -> Result<f64, Error> {
    // Fields 1 and 2 are the number and the name; the 14th and 15th count hundredths of seconds.
    let stat = read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("a name in parentheses")?;
    let ticks: Vec<f64> = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// Bytes of memory that a process holds.
pub(crate) fn resident(pid: u32) -> Result<f64, Error> {
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("VmRSS")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("VmRSS")?.parse()?;
    Ok(kilobytes * 1024.0)
}
