use hotcell::cell::*; use std::path::PathBuf;
fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let a: Vec<String> = std::env::args().collect();
    let cache = PathBuf::from("/tmp/hccache");
    match a[1].as_str() {
        "cell" => cell_main(CellArguments{cache, calls_max: 64}),
        "compile" => compile(&cache, &a[4]),
        _ => {
            let rt = tokio::runtime::Runtime::new()?;
            rt.block_on(async {
                let pool = CellPool::start(CellOptions{executable: std::env::current_exe()?, cache, calls_max: 64}).await?;
                let n: usize = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
                std::fs::create_dir_all("/tmp/hcws")?; std::fs::create_dir_all("/tmp/hctmp")?;
                let mut ts = vec![];
                let mut last = None;
                for _ in 0..n {
                let t = std::time::Instant::now();
                let order = Order { program: a[1].clone(), arguments: a[1..].iter().map(|s| s.clone().into_bytes()).collect(),
                  environment: vec![b"PATH=/bin".to_vec(), b"HOME=/workspace".to_vec()], cwd: "/workspace".into(), stdin: if n==1 {Stdin::Inherit} else {Stdin::Empty},
                  mounts: vec![Mount{guest:"/workspace".into(),host:"/tmp/hcws".into(),writable:true}, Mount{guest:"/tmp".into(),host:"/tmp/hctmp".into(),writable:true}], ..Default::default() };
                let mut limits = hotcell::limits::Limits::default();
                if let Ok(w) = std::env::var("WALL") { limits.wall_ms = w.parse()?; }
                let o = pool.run(hotcell::policy::Grant(limits), order, None).await?; last = Some(o); ts.push(t.elapsed()); }
                let o = last.unwrap();
                use std::io::Write;
                std::io::stdout().write_all(&o.stdout.head)?; std::io::stdout().write_all(&o.stdout.tail)?; std::io::stderr().write_all(&o.stderr.head)?;
                ts.sort();
                eprintln!("[exit {} {:?} {:?} changed {:?} state {:?}] min {:?} p50 {:?} p99 {:?}", o.exit_code, o.stopped_by, o.usage, o.changed, o.state.map(|s|s.len()), ts[0], ts[ts.len()/2], ts[ts.len()*99/100]);
                pool.stop().await; Ok(())
            })
        }
    }
}
