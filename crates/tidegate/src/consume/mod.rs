//! `tidegate consume`: prints the changes that arrive in a topic.

pub(crate) mod event;
mod render;
mod style;
pub(crate) mod subscription;

pub(crate) use render::{clean, lines};
pub(crate) use style::{Role, Style};

use std::borrow::Cow;
use std::io::Write;

use clap::{Args, ValueEnum};
use rdkafka::Message;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::failure::Failure;
use crate::server::wait_for_signal;
use event::Event;
use subscription::{Source, Subscription, error_text, wait_for_topic};

/// Bytes of a message that is not Canal-JSON which are shown.
const SHOWN_BYTES: usize = 200;

/// What follows this in a notice may change without being news.
const DETAILS: &str = " ... (";

/// How messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line per row: operation, table, key, changed columns.
    Pretty,
    /// The value as it is, one per line.
    Json,
}

/// Flags of `consume`.
#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    /// Brokers, separated by commas.
    #[arg(long, default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    brokers: String,
    /// Topic of the changefeed.
    #[arg(long, default_value = "tidb-test")]
    topic: String,
    /// Consumer group; members of the same group share the partitions.
    #[arg(long, default_value = "tidegate-consume")]
    group: String,
    /// Start a group without committed offsets at the oldest message instead of the next new one.
    #[arg(long)]
    from_beginning: bool,
    /// How to print messages.
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    /// Also print watermarks in the pretty format.
    #[arg(long)]
    watermarks: bool,
    /// Stop after so many printed messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
}

/// Tells people about the state of things on standard error, each thing once in a row.
#[derive(Default)]
struct Notices {
    /// What was told last, without its details.
    last: String,
}

impl Notices {
    /// Tells something.
    fn tell(&mut self, text: &str) {
        let what = text.split(DETAILS).next().unwrap_or_default();
        if what != self.last {
            eprintln!("{text}");
            what.clone_into(&mut self.last);
        }
    }

    /// Lets the same thing be told again.
    fn forget(&mut self) {
        self.last.clear();
    }
}

/// Whether to go on after a message.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The message was printed.
    Printed,
    /// There was nothing to print.
    Skipped,
    /// The reader of standard output is gone.
    ReaderGone,
}

/// Runs until a signal comes, or `--max` messages were printed.
pub(crate) async fn run(args: ConsumeArgs) -> Result<(), Failure> {
    let stop = wait_for_signal();
    tokio::pin!(stop);
    let mut notices = Notices::default();
    let mut source = Source {
        brokers: args.brokers.clone(),
        topic: args.topic.clone(),
        group: args.group.clone(),
        from_beginning: args.from_beginning,
    };
    let was_missing = tokio::select! {
        biased;
        () = &mut stop => return Ok(()),
        was_missing = wait_for_topic(&source, |text| notices.tell(&text)) => was_missing?,
    };
    // Whatever a topic holds that was not there when we came is new.
    source.from_beginning |= was_missing;
    let subscription = Subscription::open(&source)?;
    let outcome = tokio::select! {
        biased;
        () = &mut stop => Ok(()),
        outcome = print_all(&args, &subscription, &mut notices) => outcome,
    };
    if !subscription.close().await {
        notices.tell("the last offsets could not be committed: some messages will be seen again");
    }
    outcome
}

/// Prints messages until `--max` is reached or standard output is closed.
async fn print_all(
    args: &ConsumeArgs,
    subscription: &Subscription,
    notices: &mut Notices,
) -> Result<(), Failure> {
    let style = Style::of_stdout();
    let mut assigned = subscription.assigned();
    let mut printed = 0;
    loop {
        let message = tokio::select! {
            changed = assigned.changed() => {
                changed?;
                tell_partitions(args, assigned.borrow_and_update().as_deref(), notices);
                continue;
            }
            message = subscription.next() => message,
        };
        let message = match message {
            Ok(message) => message,
            Err(error @ KafkaError::MessageConsumptionFatal(_)) => return Err(error.into()),
            Err(error) => {
                tell_error(args, &error, notices);
                continue;
            }
        };
        notices.forget();
        let next = print(args, style, message.payload(), message.partition(), message.offset())?;
        subscription.done(&message);
        match next {
            Next::Printed => printed += 1,
            Next::Skipped => {}
            Next::ReaderGone => return Ok(()),
        }
        if args.max.is_some_and(|max| printed >= max) {
            return Ok(());
        }
    }
}

/// Tells which partitions are read.
fn tell_partitions(args: &ConsumeArgs, partitions: Option<&[i32]>, notices: &mut Notices) {
    let Some(partitions) = partitions else { return };
    let numbers: Vec<_> = partitions.iter().map(i32::to_string).collect();
    let numbers = if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") };
    notices.tell(&format!("reading {} as group {}, partitions {numbers}", args.topic, args.group));
}

/// Tells about an error that passes by itself.
fn tell_error(args: &ConsumeArgs, error: &KafkaError, notices: &mut Notices) {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            notices.tell(&format!("waiting for topic {} on {} ...", args.topic, args.brokers));
        }
        Some(RDKafkaErrorCode::AllBrokersDown) => {
            notices.tell(&format!("waiting for Kafka at {} ... ({})", args.brokers, error_text(error)));
        }
        _ => tracing::debug!(%error, "consumer"),
    }
}

/// Prints one message.
fn print(
    args: &ConsumeArgs,
    style: Style,
    value: Option<&[u8]>,
    partition: i32,
    offset: i64,
) -> Result<Next, Failure> {
    let value = value.unwrap_or_default();
    // What is no event at all is shown as it is.
    let value = &*change_format::decompress(value).unwrap_or(Cow::Borrowed(value));
    let mut out = Vec::new();
    match (args.format, Event::parse(value)) {
        (Format::Json, _) => {
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        (Format::Pretty, Ok(Event::Watermark(_))) if !args.watermarks => return Ok(Next::Skipped),
        (Format::Pretty, Ok(event)) => {
            for line in lines(&event, style) {
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
            }
        }
        (Format::Pretty, Err(reason)) => {
            let start = String::from_utf8_lossy(value.get(..SHOWN_BYTES).unwrap_or(value));
            eprintln!("partition {partition} offset {offset}: {reason}: {}", clean(&start));
            return Ok(Next::Printed);
        }
    }
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(&out).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Next::Printed),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Next::ReaderGone),
        Err(error) => Err(error.into()),
    }
}
