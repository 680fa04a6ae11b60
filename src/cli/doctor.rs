//! `hotcell doctor`: what is there and what is not, one line each.

use std::time::{Duration, Instant};

use crate::app;
use crate::cell::CellPool;
use crate::cli::{Common, runtime, say, signals};
use crate::config::{Settings, State, StateError, Tokens};

/// Longest wait for guests to be compiled. Chosen, not measured.
const TIME_MAX: Duration = Duration::from_secs(300);

pub(super) fn main(args: &Common) -> anyhow::Result<u8> {
    let config = Settings::collect(&args.flags())?.check()?;
    let mut report = Report::default();
    report.good("version", env!("CARGO_PKG_VERSION"));
    report.check("state", State::open(&config.state), |state| {
        let server = match state.lock() {
            Ok(_) => "no server runs on it",
            Err(StateError::InUse { .. }) => "a server runs on it",
            Err(_) => "its lock cannot be taken",
        };
        format!("{}, {server}", state.path().display())
    });
    report.check(
        "tokens",
        Tokens::open(&config.state).and_then(|tokens| tokens.list()),
        |list| match list.len() {
            0 => "none yet: the first `hotcell serve` makes one".to_owned(),
            count => format!("{count}"),
        },
    );
    report.check("policy", app::load_policy(&config), |policy| {
        format!("{}: {}", policy.name, policy.description)
    });
    let looked = runtime()?.block_on(signals::unless_ended(cells(&config, &mut report)))?;
    let looked = match looked {
        Ok(looked) => looked,
        Err(code) => return Ok(code),
    };
    if looked.is_err() {
        report.check("cells", looked, |()| String::new());
    }
    say(&report.text)?;
    Ok(u8::from(report.failed))
}

/// Starts cells, looks at their walls, and has one try to get out.
async fn cells(config: &crate::config::Config, report: &mut Report) -> anyhow::Result<()> {
    let executable = std::env::current_exe()?;
    let started = Instant::now();
    let options = app::cells(config, executable);
    let cells = CellPool::start(options).await?;
    let ready = app::guests_ready(&cells, TIME_MAX).await;
    let programs = cells.programs().len();
    let seconds = started.elapsed().as_secs_f32();
    let attacked = cells.attack().await;
    let walls = cells.walls().clone();
    cells.stop().await;
    anyhow::ensure!(
        ready,
        "the guests were not compiled within {} s",
        TIME_MAX.as_secs()
    );
    let text = format!("ready in {seconds:.2} s, {programs} programs in /bin");
    report.good("cells", &text);
    report.good("confinement", walls.level().name());
    for missing in &walls.missing {
        report.text += &format!("      {missing}\n");
    }
    report.check("self-attack", attacked, |attacked| {
        let (tried, absent) = (attacked.tried, attacked.absent);
        let mut text = format!("{tried} tried, 0 got through, {absent} not in this kernel");
        if !attacked.open.is_empty() {
            text += &format!("; not stopped at this level: {}", attacked.open.join("; "));
        }
        text
    });
    Ok(())
}

#[derive(Default)]
struct Report {
    text: String,
    failed: bool,
}

impl Report {
    fn good(&mut self, name: &str, text: &str) {
        self.text += &format!("ok    {name}: {text}\n");
    }

    fn check<T, E: Into<anyhow::Error>>(
        &mut self,
        name: &str,
        result: Result<T, E>,
        describe: impl Fn(&T) -> String,
    ) {
        match result {
            Ok(value) => self.good(name, &describe(&value)),
            Err(error) => {
                self.failed = true;
                self.text += &format!("FAIL  {name}: {:#}\n", error.into());
            }
        }
    }
}
