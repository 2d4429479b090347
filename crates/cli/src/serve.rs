//! Cli: `bellwether serve`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether_app::{App, Rates, Settings};
use bellwether_model::{Millis, Span};
use bellwether_server::{Bell, Clock, Limits, Proxies};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::failure::Failure;
use crate::{eprint_line, print_line};

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
            Arg::new("backups")
                .long("backups")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Where backups are made; in the data directory unless given"),
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
            Arg::new("events-per-unit")
                .long("events-per-unit")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("Events a second of one user or device by /2/httpapi, on average; 0 for any; 30 unless given"),
        )
        .arg(
            Arg::new("events-per-environment")
                .long("events-per-environment")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("Events a second of one environment, on average, which its keys divide; 0 for any, which is so unless given"),
        )
        .arg(
            Arg::new("bot-events")
                .long("bot-events")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("Events in one minute that no user or device has who is not a program; 0 for any; 600 unless given"),
        )
        .arg(
            Arg::new("proxy")
                .long("proxy")
                .value_name("ADDRESS")
                .action(ArgAction::Append)
                .help("A proxy in front of the server, or a network of them such as 10.0.0.0/8: requests come from whom its X-Forwarded-For says; may be given again"),
        )
        .arg(
            Arg::new("new-personal-key")
                .long("new-personal-key")
                .action(ArgAction::SetTrue)
                .help("Makes a new key for personal values where `personal.key` was lost; who was hashed before is then nobody who comes again, and is found by their hash only"),
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
    /// Where backups are made; in `data` unless given.
    pub(crate) backups: Option<PathBuf>,
    pub(crate) listener: TcpListener,
    pub(crate) clock: Clock,
    /// After how long new events become a part; the store's own choice unless given.
    pub(crate) seal_age: Option<Span>,
    /// How many events are taken of whom.
    pub(crate) rates: Rates,
    /// What stands before the server.
    pub(crate) proxies: Proxies,
    /// Whether a new key is made for personal values where the one of before is lost.
    pub(crate) new_personal_key: bool,
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
        listener: bind(&text("listen"))?,
        data: matches.get_one::<PathBuf>("data").cloned().unwrap_or_default(),
        backups: matches.get_one::<PathBuf>("backups").cloned(),
        clock: if manual {
            Clock::manual(start.map_or_else(|| Clock::wall().now(), Millis))
        } else {
            Clock::wall()
        },
        seal_age: None,
        rates: rates(matches),
        proxies: proxies(matches)?,
        new_personal_key: matches.get_flag("new-personal-key"),
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

fn proxies(matches: &ArgMatches) -> Result<Proxies, Failure> {
    let given = matches.get_many::<String>("proxy").into_iter().flatten().map(String::as_str);
    Proxies::at(given).map_err(|wrong| {
        Failure::new(
            format!("`--proxy {wrong}` is no address and no network"),
            "write such as `--proxy 127.0.0.1` or `--proxy 10.0.0.0/8`",
        )
    })
}

fn rates(matches: &ArgMatches) -> Rates {
    let usual = Rates::default();
    let given = |name: &str| matches.get_one::<u32>(name).copied();
    let unit = given("events-per-unit");
    Rates {
        environment: given("events-per-environment").unwrap_or(usual.environment),
        unit: unit.unwrap_or(usual.unit),
        // Batches may bring as much more as with Amplitude, and who asks for no limit has none here either.
        unit_batch: unit.map_or(usual.unit_batch, |unit| unit.saturating_mul(usual.unit_batch / usual.unit)),
        bot: given("bot-events").unwrap_or(usual.bot),
    }
}

/// Takes the address before anything else is done.
pub(crate) fn bind(listen: &str) -> Result<TcpListener, Failure> {
    let taken = TcpListener::bind(listen).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    taken.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => Failure::new(
            format!("something listens on `{listen}` already"),
            "stop it, or choose another address, such as `--listen 127.0.0.1:8081` (port 0 takes any that is free)",
        ),
        std::io::ErrorKind::InvalidInput => Failure::new(
            format!("`--listen {listen}` is no address"),
            "write an address and a port, such as `--listen 127.0.0.1:8081`",
        ),
        _ => Failure::new(
            format!("cannot listen on `{listen}`: {e}"),
            "choose another address with `--listen`",
        ),
    })
}

/// Makes a data directory that its owner alone can read. One that is there stays as it is, and is spoken
/// of if others can read it: there are password hashes in it, and what people did.
pub(crate) fn make_private(data: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    if let Some(above) = data.parent() {
        std::fs::create_dir_all(above)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(data) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            if !data.is_dir() {
                return Err(std::io::Error::other("it is a file"));
            }
        }
        made => return made,
    }
    let mode = std::fs::metadata(data)?.permissions().mode();
    if mode & 0o077 != 0 && data.join("ledger.sqlite").is_file() {
        let place = data.display();
        eprint_line(&format!(
            "note: others on this machine can look into `{place}`; to end that: chmod 700 {place}"
        ));
    }
    Ok(())
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
    let Options { data, backups, listener, clock, seal_age, rates, proxies, new_personal_key } = options;
    let limits = Limits { proxies, ..Limits::default() };
    let listener = tokio::net::TcpListener::from_std(listener)
        .map_err(|e| Failure::new(format!("cannot listen: {e}"), "report this as a bug"))?;
    let local = listener.local_addr().map_err(|e| Failure::new(format!("no address: {e}"), "try again"))?;
    if clock.is_manual() && !local.ip().is_loopback() {
        return Err(Failure::new(
            format!("a manual clock is not served on `{local}`"),
            "listen on 127.0.0.1: whoever moves the clock can move experiments",
        ));
    }
    make_private(&data).map_err(|e| {
        Failure::new(
            format!("`{}` cannot be used: {e}", data.display()),
            "choose another directory with `--data`",
        )
    })?;
    let bell = Bell::new();
    let ringing = bell.clone();
    let now = clock.now();
    let opened = tokio::task::spawn_blocking(move || {
        let mut settings = Settings::new(&data, Box::new(move || ringing.ring()));
        settings.backups = backups.unwrap_or(settings.backups);
        settings.store.seal_age = seal_age.unwrap_or(settings.store.seal_age);
        settings.rates = rates;
        settings.new_personal_key = new_personal_key;
        App::open(settings, now)
    });
    let (app, recovery) = opened.await.map_err(|e| Failure::new(e.to_string(), "report this as a bug"))??;
    if recovery.torn > 0 || recovery.replayed > 0 {
        tracing::info!(?recovery, "events were recovered");
    }
    let address = format!("http://{local}");
    let setup = app.offer_setup(now)?.map(|token| format!("{address}/setup?token={token}"));
    // Before anybody is told that it listens: whoever hears that may tell it to stop at once.
    let stop = stopped(enough)?;
    ready(&Ready { address, setup });
    bellwether_server::serve(limits, Arc::new(app), bell, clock, listener, stop)
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
