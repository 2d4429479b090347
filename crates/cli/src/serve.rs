//! Cli: `bellwether serve`.

use std::path::PathBuf;
use std::sync::Arc;

use bellwether_app::{App, Settings};
use bellwether_model::{Millis, Span};
use bellwether_server::{Bell, Clock};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::failure::Failure;
use crate::print_line;

pub(crate) fn command() -> Command {
    Command::new("serve")
        .about("Starts the server")
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value("bellwether-data")
                .help("Where everything is kept; made if it is not there"),
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:8080")
                .help("Where to listen; port 0 takes any that is free"),
        )
        .arg(
            Arg::new("clock")
                .long("clock")
                .value_parser(["wall", "manual"])
                .default_value("wall")
                .help("`manual` stands still until an admin advances it; only on a loopback address"),
        )
        .arg(
            Arg::new("clock-start")
                .long("clock-start")
                .value_name("MS")
                .value_parser(value_parser!(i64))
                .help("Where a manual clock starts, in milliseconds since 1970; now unless given"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print one line of JSON when ready, for programs"),
        )
}

/// How a server is started.
pub(crate) struct Options {
    pub(crate) data: PathBuf,
    pub(crate) listen: String,
    pub(crate) clock: Clock,
    /// After how long new events become a part; the store's own choice unless given.
    pub(crate) seal_age: Option<Span>,
}

/// A server that listens.
pub(crate) struct Ready {
    /// Such as `http://127.0.0.1:8080`.
    pub(crate) address: String,
    /// The one-time link that makes the first account, until somebody has one.
    pub(crate) setup: Option<String>,
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let manual = text("clock") == "manual";
    let start = matches.get_one::<i64>("clock-start").copied();
    if start.is_some() && !manual {
        return Err(Failure::new("`--clock-start` is for a manual clock", "add `--clock manual`"));
    }
    let options = Options {
        data: matches.get_one::<PathBuf>("data").cloned().unwrap_or_default(),
        listen: text("listen"),
        clock: if manual {
            Clock::manual(start.map_or_else(|| Clock::wall().now(), Millis))
        } else {
            Clock::wall()
        },
        seal_age: None,
    };
    let json = matches.get_flag("json");
    serve(options, std::future::pending(), move |ready| {
        if json {
            print_line(&serde_json::json!({"address": ready.address, "setup": ready.setup}).to_string());
        } else {
            print_line(&format!("bellwether listens on {}", ready.address));
            if let Some(setup) = &ready.setup {
                print_line(&format!("make the first account (this link works once): {setup}"));
            }
        }
    })
}

/// Serves until the process is told to stop, or `enough` is done. `ready` is called once the address
/// answers.
pub(crate) fn serve(
    options: Options,
    enough: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(&Ready),
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("no threads can be started: {e}"), "free some memory"))?;
    runtime.block_on(listen(options, enough, ready))
}

async fn listen(
    options: Options,
    enough: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(&Ready),
) -> Result<(), Failure> {
    let Options { data, listen, clock, seal_age } = options;
    let listener = tokio::net::TcpListener::bind(&listen).await.map_err(|e| {
        Failure::new(format!("cannot listen on `{listen}`: {e}"), "choose another address with `--listen`")
    })?;
    let local = listener.local_addr().map_err(|e| Failure::new(format!("no address: {e}"), "try again"))?;
    if clock.is_manual() && !local.ip().is_loopback() {
        return Err(Failure::new(
            format!("a manual clock is not served on `{local}`"),
            "listen on 127.0.0.1: whoever moves the clock can move experiments",
        ));
    }
    let bell = Bell::new();
    let ringing = bell.clone();
    let now = clock.now();
    let opened = tokio::task::spawn_blocking(move || {
        let mut settings = Settings::new(&data, Box::new(move || ringing.ring()));
        settings.store.seal_age = seal_age.unwrap_or(settings.store.seal_age);
        App::open(settings, now)
    });
    let (app, recovery) = opened.await.map_err(|e| Failure::new(e.to_string(), "report this as a bug"))??;
    if recovery.torn > 0 || recovery.replayed > 0 {
        tracing::info!(?recovery, "events were recovered");
    }
    let address = format!("http://{local}");
    let setup = app.offer_setup(now)?.map(|token| format!("{address}/setup?token={token}"));
    ready(&Ready { address, setup });
    let stop = stopped(enough)?;
    bellwether_server::serve(Arc::new(app), bell, clock, listener, stop)
        .await
        .map_err(|e| Failure::new(format!("the server failed: {e}"), "start it again"))
}

/// Done when the process is asked to stop, or `enough` is done.
fn stopped(
    enough: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |e| Failure::new(format!("signals cannot be heard: {e}"), "report this as a bug");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = enough => {}
        }
    })
}
