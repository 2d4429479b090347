//! Cli: every operation as a command, `bellwether NOUN VERB --argument value`, made from the
//! registry. It is a client: it needs a running server and an admin key.

use std::io::{IsTerminal, Read};

use bellwether_app::{Argument, Effect, Entry, Method, REGISTRY, arguments, from_text, is_share, plain_text};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use crate::failure::Failure;
use crate::spoken::{as_command, as_option};
use crate::{eprint_line, print_json, print_line, report, show};

/// One command per noun, with a subcommand per verb.
pub(crate) fn commands() -> Vec<Command> {
    let mut nouns: Vec<Command> = Vec::new();
    for entry in REGISTRY {
        let Some((noun, verb)) = entry.name.split_once('.') else { continue };
        let verb = verb_command(entry, verb);
        match nouns.iter().position(|n| n.get_name() == noun) {
            Some(i) => {
                let with = nouns.remove(i).subcommand(verb);
                nouns.insert(i, with);
            }
            None => nouns.push(
                Command::new(noun)
                    .about(about(noun))
                    .subcommand_required(true)
                    .arg_required_else_help(true)
                    .subcommand(verb),
            ),
        }
    }
    nouns
}

/// What can be done with a noun, in its verbs.
fn about(noun: &str) -> String {
    let of = |entry: &'static Entry| entry.name.split_once('.').filter(|(n, _)| *n == noun);
    let verbs: Vec<&str> = REGISTRY.iter().filter_map(of).map(|(_, verb)| verb).collect();
    format!("On a running server: {}", verbs.join(", "))
}

fn verb_command(entry: &'static Entry, verb: &'static str) -> Command {
    let mut command = Command::new(verb).about(entry.about).arg(server()).arg(key());
    command = command
        .arg(
            Arg::new("@body")
                .long("input")
                .value_name("JSON")
                .help("The whole input as JSON, or `-` for standard input"),
        )
        .arg(
            Arg::new("@json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print JSON also where people read; what is piped on is JSON always"),
        );
    if entry.effect != Effect::Reads {
        command = command.arg(
            Arg::new("@dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Check everything and change nothing"),
        );
    }
    let known = arguments(entry);
    let reason = known.iter().any(|argument| argument.name == "reason");
    for argument in known {
        // `--key` and `--server` are the connection; an operation's own argument of that name is `--KEY-id`.
        let mut help = argument.about.trim_end_matches('.').to_owned();
        if entry.text == Some(argument.name.as_str()) {
            help.push_str("; `-` reads them from standard input");
        }
        if argument.required {
            help.push_str(" (needed)");
        }
        let form = form(&argument);
        let mut arg = Arg::new(argument.name.clone())
            .long(long(&argument.name))
            .value_name(form)
            .help(help)
            .allow_negative_numbers(true);
        if argument.name == "why" && !reason {
            // It is what the argument's documentation calls it.
            arg = arg.alias("reason");
        }
        command = command.arg(arg);
    }
    command
}

/// `--server`.
pub(crate) fn server() -> Arg {
    Arg::new("@server")
        .long("server")
        .value_name("URL")
        .env("BELLWETHER_SERVER")
        .default_value("http://127.0.0.1:8080")
        .help("Where Bellwether listens")
}

/// `--key`.
pub(crate) fn key() -> Arg {
    Arg::new("@key")
        .long("key")
        .value_name("KEY")
        .env("BELLWETHER_KEY")
        .hide_env_values(true)
        .help("An admin key")
}

/// The server and the admin key that a command was given.
pub(crate) fn connection(matches: &ArgMatches) -> Result<(String, String), Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let hint = "set BELLWETHER_KEY, or use `--key`, with an admin key from Settings";
    let key = text("@key").map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Failure::new("no key was given", hint))?;
    if !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Failure::new("what was given as the key is none: it has spaces or other letters", hint));
    }
    let server = text("@server").unwrap_or_default();
    let address = match server.split_once("://") {
        None => format!("http://{server}"),
        Some(("http", _)) => server,
        Some(("https", _)) => {
            return Err(Failure::new(
                format!("`{server}` cannot be reached: the command line speaks plain HTTP alone"),
                "run it on the server's machine, or through a tunnel such as `ssh -L 8080:127.0.0.1:8080`",
            ));
        }
        Some(_) => {
            return Err(Failure::new(
                format!("`{server}` is no address of a server"),
                "write one such as `http://127.0.0.1:8080`",
            ));
        }
    };
    Ok((address, key))
}

/// What the value of an argument looks like.
fn form(argument: &Argument) -> String {
    let mut forms = words(&argument.schema);
    let other = match () {
        () if takes(argument, "boolean") => "true|false",
        () if is_time(argument) => "TIME",
        () if is_share(&argument.schema) => "N%|POINTS",
        () if takes(argument, "integer") || takes(argument, "number") => "N",
        () if !forms.is_empty() => return forms.join("|"),
        () if takes(argument, "string") => "TEXT",
        () => match items(argument) {
            Some("integer" | "number") => "N|JSON",
            Some("string") => "TEXT|JSON",
            _ => "JSON",
        },
    };
    forms.insert(0, other);
    forms.join("|")
}

/// The words that a schema allows.
fn words(schema: &Value) -> Vec<&str> {
    let own = schema["enum"].as_array().into_iter().flatten().chain([&schema["const"]]);
    let forms = ["oneOf", "anyOf"].into_iter().filter_map(|of| schema[of].as_array()).flatten();
    own.filter_map(Value::as_str).chain(forms.flat_map(words)).collect()
}

fn takes(argument: &Argument, kind: &str) -> bool {
    fn among(schema: &Value, kind: &str) -> bool {
        match &schema["type"] {
            Value::String(one) => one == kind,
            Value::Array(several) => several.iter().any(|one| one == kind),
            _ => schema["anyOf"].as_array().is_some_and(|of| of.iter().any(|one| among(one, kind))),
        }
    }
    among(&argument.schema, kind)
}

/// What an argument is a list of, where it is one, and can be nothing else.
fn items(argument: &Argument) -> Option<&str> {
    let kinds = match &argument.schema["type"] {
        Value::String(one) => vec![one.as_str()],
        several => several.as_array()?.iter().filter_map(Value::as_str).collect(),
    };
    let list = kinds.contains(&"array") && kinds.iter().all(|kind| matches!(*kind, "array" | "null"));
    argument.schema["items"]["type"].as_str().filter(|_| list)
}

/// A list of the one value that was written, where a list was asked for and what was written is no JSON of anything else.
fn list_of_one(argument: &Argument, text: &str) -> Option<String> {
    let read = serde_json::from_str(text);
    match (items(argument)?, read) {
        ("integer" | "number", Ok(value @ Value::Number(_))) => Some(Value::from(vec![value]).to_string()),
        // What begins as JSON was meant as such, also where it is mistyped; and several are not one.
        ("string", _) if text.is_empty() || text == "null" || text.starts_with(['[', '{', '"']) => None,
        ("string", _) if text.contains(|c: char| c == ',' || c.is_whitespace()) => None,
        ("string", _) => Some(Value::from(vec![text]).to_string()),
        _ => None,
    }
}

/// Whether an argument is a point in time: no other number is whole and may be negative.
fn is_time(argument: &Argument) -> bool {
    fn whole(schema: &Value) -> bool {
        (schema["format"] == "int64" && schema.get("minimum").is_none())
            || schema["anyOf"].as_array().is_some_and(|of| of.iter().any(whole))
    }
    whole(&argument.schema)
}

/// The option of an argument: dashes for underscores, and no clash with the connection's own.
pub(crate) fn long(name: &str) -> String {
    let dashed = name.replace('_', "-");
    if matches!(dashed.as_str(), "key" | "server" | "input" | "json" | "dry-run") {
        format!("{dashed}-id")
    } else {
        dashed
    }
}

/// Calls one operation and prints its answer: for people on a terminal, as JSON everywhere else.
pub(crate) fn run(noun: &str, matches: &ArgMatches) -> Result<(), Failure> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(()) };
    let name = format!("{noun}.{verb}");
    let entry = bellwether_app::find(&name)
        .ok_or_else(|| Failure::new(format!("there is no operation `{name}`"), "see `bellwether help`"))?;
    let body = match matches.get_one::<String>("@body").map(String::as_str) {
        None => None,
        Some("-") => {
            let text = std::io::read_to_string(std::io::stdin()).map_err(|e| {
                Failure::new(format!("standard input cannot be read: {e}"), "send JSON, in UTF-8")
            })?;
            Some(parse(&text)?)
        }
        Some(text) => Some(parse(text)?),
    };
    let mut texts: Vec<(String, String)> = arguments(entry)
        .into_iter()
        .filter_map(|a| matches.get_one::<String>(&a.name).map(|v| (a.name.clone(), v.clone())))
        .collect();
    for (name, text) in &mut texts {
        if entry.text == Some(name.as_str()) && text == "-" {
            *text = standard_input()?;
        }
    }
    for (name, text) in &mut texts {
        let argument = arguments(entry).into_iter().find(|argument| argument.name == *name);
        if let Some(list) = argument.and_then(|argument| list_of_one(&argument, text)) {
            *text = list;
        }
    }
    for argument in arguments(entry).iter().filter(|argument| takes(argument, "boolean")) {
        let given = texts.iter().find(|(name, _)| *name == argument.name).map(|(_, text)| text.as_str());
        if let Some(other) = given.filter(|text| !matches!(*text, "true" | "false")) {
            let option = long(&argument.name);
            return Err(Failure::new(
                format!("`--{option}` is `true` or `false`, and not `{other}`"),
                format!("write `--{option} true` or `--{option} false`"),
            ));
        }
    }
    let input = from_text(entry, &texts, body).map_err(|e| {
        // The documentation of a field is what the API has to say about a value that will not do.
        let known = arguments(entry);
        let hint = match known.iter().find(|argument| argument.about == e.hint) {
            Some(argument) => {
                format!(
                    "`--{} {}`: {}",
                    long(&argument.name),
                    form(argument),
                    argument.about.trim_end_matches('.')
                )
            }
            None => as_option(&as_command(&e.hint, entry), entry),
        };
        Failure::new(as_option(&as_command(&e.message, entry), entry), hint)
    })?;
    let missing: Vec<String> = arguments(entry)
        .iter()
        .filter(|argument| argument.required && input.get(&argument.name).is_none())
        .map(|argument| format!("`--{}`", long(&argument.name)))
        .collect();
    if !missing.is_empty() {
        let are = if missing.len() == 1 { "is" } else { "are" };
        return Err(Failure::new(
            format!("{} {are} missing", missing.join(", ")),
            format!("see `bellwether {noun} {verb} --help`"),
        ));
    }
    let client = Client::new(matches)?;
    let dry_run = entry.effect != Effect::Reads && matches.get_flag("@dry-run");
    let answer = client.call(entry, input.clone(), dry_run)?;
    let people = std::io::stdout().is_terminal() && !matches.get_flag("@json");
    if !people {
        if dry_run {
            // What is piped on is the answer alone.
            eprint_line(show::NOTHING);
        }
        print_json(&answer);
        return Ok(());
    }
    match shown(entry, &input, &answer, dry_run) {
        Some(text) => print_line(&text),
        None => print_json(&answer),
    }
    Ok(())
}

/// An answer for people: what a change did and what is now so, or what was asked for.
fn shown(entry: &Entry, input: &Value, answer: &Value, dry_run: bool) -> Option<String> {
    let width = show::width();
    match entry.effect {
        Effect::Reads if entry.name == "experiment.results" => Some(report::report(answer)),
        Effect::Reads => show::table(entry, answer, width).or_else(|| show::one(entry, answer, width, false)),
        _ => {
            let done = show::done(entry, input, answer, dry_run);
            Some(match show::one(entry, answer, width, true) {
                Some(now) => format!("{done}\n\n{now}"),
                None => done,
            })
        }
    }
}

/// A long text from standard input, or the line where it is none.
fn standard_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|e| {
        Failure::new(format!("standard input cannot be read: {e}"), "send UTF-8, such as from a file")
    })?;
    plain_text(&bytes).map_err(|e| Failure::new(e.message, e.hint))
}

fn parse(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|e| Failure::new(format!("the input is not JSON: {e}"), "send an object"))
}

/// The bytes of an answer that are read: a page of events may be one that is as large as an event can be.
const MOST_BYTES: u64 = 64 << 20;

/// A client of the HTTP API.
pub(crate) struct Client {
    agent: ureq::Agent,
    server: String,
    key: String,
}

impl Client {
    fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let (server, key) = connection(matches)?;
        Ok(Self::at(&server, &key))
    }

    /// A client of a server.
    pub(crate) fn at(server: &str, key: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { agent: config.into(), server: server.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    /// Calls an operation.
    pub(crate) fn call(&self, entry: &Entry, input: Value, dry_run: bool) -> Result<Value, Failure> {
        let Value::Object(mut fields) = input else {
            return Err(Failure::new("the input is not an object", "send an object"));
        };
        let mut path = String::new();
        for step in entry.path.split('/').skip(1) {
            path.push('/');
            match step.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                None => path.push_str(step),
                Some(name) => {
                    let value = fields.remove(name).ok_or_else(|| {
                        Failure::new(
                            format!("`--{}` is missing", long(name)),
                            format!("`bellwether {}` needs it", entry.name.replace('.', " ")),
                        )
                    })?;
                    let value = text_of(&value);
                    if value.is_empty() {
                        return Err(Failure::new(
                            format!("`--{}` is empty", long(name)),
                            format!("`bellwether {}` needs it", entry.name.replace('.', " ")),
                        ));
                    }
                    path.push_str(&escaped(&value));
                }
            }
        }
        let mut query: Vec<String> = if dry_run { vec!["dry_run=true".to_owned()] } else { Vec::new() };
        let text =
            entry.text.map(|field| fields.remove(field).map(|text| text_of(&text)).unwrap_or_default());
        let in_query = matches!(entry.method, Method::Get | Method::Delete) || text.is_some();
        if in_query {
            query.extend(fields.iter().map(|(k, v)| format!("{}={}", escaped(k), escaped(&text_of(v)))));
        }
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{mark}{}", self.server, query.join("&"));
        let key = format!("Bearer {}", self.key);
        let with_body = |request: ureq::RequestBuilder<ureq::typestate::WithBody>| {
            let request = request.header("authorization", &key);
            match &text {
                Some(text) => request.header("content-type", "text/plain; charset=utf-8").send(text),
                None => request.send_json(&fields),
            }
        };
        let response = match entry.method {
            Method::Get => self.agent.get(&url).header("authorization", &key).call(),
            Method::Delete => self.agent.delete(&url).header("authorization", &key).call(),
            Method::Post => with_body(self.agent.post(&url)),
            Method::Put => with_body(self.agent.put(&url)),
            Method::Patch => with_body(self.agent.patch(&url)),
        };
        let mut response = response.map_err(|e| match &e {
            ureq::Error::Io(io)
                if matches!(
                    io.kind(),
                    std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset
                ) =>
            {
                Failure::new(
                    format!("`{}` did not take all of the input", self.server),
                    "send less: is it larger than it should be?",
                )
            }
            _ => Failure::new(
                format!("`{}` does not answer: {e}", self.server),
                "start it with `bellwether serve`, or name it with `--server`",
            ),
        })?;
        let status = response.status();
        let body: Value = response.body_mut().with_config().limit(MOST_BYTES).read_json().map_err(|e| {
            Failure::new(
                format!("`{}` answered `{status}` with what is not JSON: {e}", self.server),
                "is it Bellwether?",
            )
        })?;
        if status.is_success() {
            return Ok(body);
        }
        let text = |field: &str| {
            let said = body[field].as_str().unwrap_or_default();
            as_option(&as_command(said, entry), entry)
        };
        match text("message") {
            nothing if nothing.is_empty() => Err(Failure::new(
                format!("`{}` answered `{status}` and no reason", self.server),
                "is it Bellwether?",
            )),
            message => Err(Failure::new(message, text("hint"))),
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Percent-encoding of everything but unreserved characters.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
