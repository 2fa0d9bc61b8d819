//! What this process uses, from `/proc`; nothing elsewhere.

use std::{fs, path::Path};

/// Clock ticks of `/proc/self/stat`: 100 a second on every Linux that we run on.
const TICKS: f64 = 100.0;

/// Memory, time and descriptors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) virtual_bytes: u64,
    pub(crate) open_fds: u64,
    pub(crate) threads: u64,
}

/// The numbers at this moment.
pub(crate) fn usage() -> Option<Usage> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let open_fds = fs::read_dir("/proc/self/fd").ok()?.count();
    parse(&stat, &status, u64::try_from(open_fds).ok()?)
}

#[allow(clippy::cast_precision_loss, reason = "numbers for people")]
fn parse(stat: &str, status: &str, open_fds: u64) -> Option<Usage> {
    // the name in parentheses may hold spaces
    let mut words = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let user: u64 = words.nth(11)?.parse().ok()?;
    let system: u64 = words.next()?.parse().ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_ascii_whitespace().next()?.parse().ok()
    };
    Some(Usage {
        cpu_seconds: (user + system) as f64 / TICKS,
        resident_bytes: field("VmRSS")? * 1024,
        virtual_bytes: field("VmSize")? * 1024,
        open_fds,
        threads: field("Threads")?,
    })
}

/// The size of a file, 0 when there is none.
pub(crate) fn file_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |stat| stat.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 9 0 5 1 1";
        let status = "Name:\ta\nVmSize:\t  20 kB\nVmRSS:\t  10 kB\nThreads:\t9\n";
        let usage = parse(stat, status, 3).expect("usage");
        assert_eq!((usage.resident_bytes, usage.virtual_bytes, usage.threads), (10240, 20480, 9));
        assert!((usage.cpu_seconds - 2.0).abs() < f64::EPSILON);
        assert!(parse("", "", 0).is_none());
        #[cfg(target_os = "linux")]
        assert!(super::usage().is_some_and(|usage| usage.resident_bytes > 0));
    }
}
