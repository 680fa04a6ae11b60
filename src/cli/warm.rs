//! `hotcell warm`: fills the cache of compiled guests, such as for an image.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::app;
use crate::cell::{self, CellPool};
use crate::cli::{Common, runtime, say, signals};
use crate::config::Settings;

/// Longest time that compiling may take. Chosen, not measured.
const TIME_MAX: Duration = Duration::from_secs(600);

pub(super) fn main(args: &Common) -> anyhow::Result<u8> {
    let config = Settings::collect(&args.flags())?.check()?;
    let executable = std::env::current_exe().context("this program has no path")?;
    let started = Instant::now();
    cell::warm(&config.cache, |name| say(&format!("{name}: compiled\n")))?;
    let warmed = async {
        let options = app::cells(&config, executable);
        let cells = CellPool::start(options).await.context("no cell started")?;
        let ready = app::guests_ready(&cells, TIME_MAX).await;
        cells.stop().await;
        ensure!(
            ready,
            "the guests were not compiled within {} s",
            TIME_MAX.as_secs()
        );
        Ok(())
    };
    match runtime()?.block_on(signals::unless_ended(warmed))? {
        Ok(warmed) => warmed?,
        Err(code) => return Ok(code),
    }
    let (cache, seconds) = (config.cache.display(), started.elapsed().as_secs_f32());
    say(&format!(
        "guests are compiled in {cache} ({seconds:.1} s)\n"
    ))?;
    Ok(0)
}
