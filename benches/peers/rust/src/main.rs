//! Times the peers written in Rust, one peer and size a process, and prints a JSON object a line:
//! `{"figure": ..., "cpu_ns": ..., "wall_ns": ...}` or `{"figure": ..., "bytes": ...}`.
//!
//! Processor time is that of all threads. Every proof that is timed is also checked.

mod aggregated;
mod plus;
mod tree;

use std::fs;
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = arguments.get(1).and_then(|text| text.parse::<usize>().ok());
    match (arguments.first().map(String::as_str), size) {
        (Some("bulletproofs"), Some(size)) => aggregated::measure(size),
        (Some("tari_bulletproofs_plus"), Some(size)) => plus::measure(size),
        (Some("dapol"), Some(size)) => tree::measure(size),
        _ => {
            eprintln!("usage: assay-bench-peers bulletproofs|tari_bulletproofs_plus|dapol SIZE");
            std::process::exit(2);
        }
    }
}

/// Runs `work` once uncounted unless `repeats` is 1, then prints the medians of its times, divided
/// by the `units` that one run handles; returns what the last run returned.
fn time<T>(figure: &str, repeats: usize, units: usize, mut work: impl FnMut(usize) -> T) -> T {
    if repeats > 1 {
        work(0);
    }
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    let mut last = None;
    for run in 0..repeats {
        let (cpu_start, start) = (processor_ns(), Instant::now());
        last = Some(work(run));
        wall.push(start.elapsed().as_nanos() as f64 / units as f64);
        cpu.push((processor_ns() - cpu_start) as f64 / units as f64);
    }
    let (cpu, wall) = (median(cpu), median(wall));
    println!(r#"{{"figure": "{figure}", "cpu_ns": {cpu:.0}, "wall_ns": {wall:.0}}}"#);
    last.expect("at least one run")
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2.0
}

/// Processor time of this process so far.
fn processor_ns() -> i128 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one timespec, which `now` is.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    assert_eq!(status, 0, "clock_gettime");
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// Prints the largest resident size of this process so far.
fn print_peak(figure: &str) {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let kibibytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .expect("VmHWM");
    println!(r#"{{"figure": "{figure}", "bytes": {}}}"#, kibibytes * 1024);
}

/// Test inputs from a fixed seed (splitmix64): not secret, only spread.
struct Inputs(u64);

impl Inputs {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// 64 bytes, for a scalar of full width.
    fn wide(&mut self) -> [u8; 64] {
        let mut bytes = [0; 64];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.word().to_le_bytes());
        }
        bytes
    }
}
