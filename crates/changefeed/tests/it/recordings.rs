//! Recorded streams of a real cluster through the whole pipeline, compared with what TiCDC sent. The recordings are not
//! part of the repository: their folder is named by `TIDEGATE_GOLDEN` (default `../shared/golden` beside the
//! repository); without it the tests say so and pass.

use ::golden::Recording;
use changefeed::replay::Order;

use crate::golden;

/// All recordings; none, said plainly, if there are none.
fn recordings() -> Vec<Recording> {
    let root = ::golden::root();
    let Some(folders) = ::golden::folders(&root) else {
        eprintln!("NOT CHECKED: no recordings at {} (set TIDEGATE_GOLDEN)", root.display());
        return Vec::new();
    };
    folders.iter().map(|folder| Recording::load(folder).expect("a readable recording")).collect()
}

/// Replays variants of all recordings and fails on any difference.
async fn check_all(order: Order, wanted: impl Fn(&str) -> bool) {
    let mut failures = Vec::new();
    for recording in &recordings() {
        let tape = golden::tape(recording);
        let variants: Vec<_> =
            recording.variants().into_iter().filter(|variant| wanted(&variant.name)).collect();
        for variant in &variants {
            let name = format!("{} {}", recording.name, variant.name);
            match golden::check(recording, tape.clone(), variant, order).await {
                Ok(checked) => {
                    let comparison = checked.comparison;
                    eprintln!(
                        "{name}: {} messages alike, {} watermarks",
                        comparison.alike, checked.watermarks
                    );
                    comparison.notes.iter().for_each(|note| eprintln!("  {note}"));
                    failures.extend(
                        comparison.differences.iter().map(|difference| format!("{name}: {difference}")),
                    );
                }
                Err(error) => failures.push(format!("{name}: {error}")),
            }
        }
    }
    assert!(failures.is_empty(), "{} differences\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_turns_recorded_streams_into_the_recorded_messages() {
    check_all(Order::Tape, |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_do_not_depend_on_which_table_is_ahead() {
    for seed in [1, 2, 3] {
        eprintln!("seed {seed}");
        check_all(Order::Random(seed), |variant| matches!(variant, "canal-json" | "canal-json-extension"))
            .await;
    }
}

/// The commit ts of a row or DDL, or the ts of a watermark.
fn ts_of(value: &str, name: &str) -> Option<u64> {
    let message: serde_json::Value = serde_json::from_str(value).expect("json");
    message["_tidb"][name].as_u64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changefeed_with_a_target_sends_what_is_up_to_it_and_a_last_watermark() {
    let recordings = recordings();
    let Some(recording) = recordings.iter().find(|recording| recording.name == "07_transactions") else {
        return;
    };
    let variant =
        recording.variants().into_iter().find(|v| v.name == "canal-json-extension").expect("variant");
    let recorded = recording.messages(&variant.name).expect("messages");
    let mut commits: Vec<u64> = recorded.iter().filter_map(|m| ts_of(&m.value, "commitTs")).collect();
    commits.sort_unstable();
    let target_ts = commits[commits.len() / 2];
    let replayed =
        golden::run(recording, golden::tape(recording), &variant, Order::Tape, target_ts).await.expect("run");
    assert!(replayed.error.is_none());
    assert_eq!(replayed.checkpoint_ts, target_ts);
    let values: Vec<&str> =
        replayed.messages.iter().map(|message| std::str::from_utf8(&message.value).expect("text")).collect();
    let sent: Vec<u64> = values.iter().filter_map(|value| ts_of(value, "commitTs")).collect();
    assert_eq!(sent.len(), commits.iter().filter(|ts| **ts <= target_ts).count());
    assert!(sent.iter().all(|ts| *ts <= target_ts));
    assert_eq!(values.last().and_then(|value| ts_of(value, "watermarkTs")), Some(target_ts));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_table_that_lost_its_key_the_others_go_on_and_one_that_got_a_key_joins() {
    let recordings = recordings();
    let Some(recording) = recordings.iter().find(|recording| recording.name == "09_ineligible") else {
        return;
    };
    let mut variant =
        recording.variants().into_iter().find(|v| v.name == "canal-json-extension").expect("variant");
    variant.replica_config["filter"] = serde_json::json!({"rules": ["*.*", "!golden_inel.nopk"]});
    let checked = golden::check(recording, golden::tape(recording), &variant, Order::Tape)
        .await
        .expect("it does not stop");
    assert!(checked.comparison.differences.is_empty(), "{:#?}", checked.comparison.differences);
    let notes = checked.comparison.notes.join("\n");
    assert!(notes.contains("1 messages of golden_inel.never, which got a key"), "{notes}");
}

/// The recording whose rows have checksums, with the changefeed that is taken; `None` without recordings.
fn with_checksums(level: &str) -> Option<(Recording, ::golden::Variant)> {
    let recording = recordings().into_iter().find(|recording| recording.name == "11_row_checksum")?;
    let mut variant =
        recording.variants().into_iter().find(|v| v.name == "canal-json-extension").expect("variant");
    variant.replica_config["integrity"] =
        serde_json::json!({"integrity_check_level": "correctness", "corruption_handle_level": level});
    Some((recording, variant))
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_row_checksums_verify() {
    let Some((recording, variant)) = with_checksums("error") else { return };
    let checked =
        golden::check(&recording, golden::tape(&recording), &variant, Order::Tape).await.expect("run");
    assert!(checked.comparison.differences.is_empty(), "{:#?}", checked.comparison.differences);
    assert!(checked.comparison.alike > 10, "{} messages", checked.comparison.alike);
}

/// Flips a bit in the checksum of each row that has one: the rows themselves stay readable. How many there were.
fn flip_a_bit(recording: &mut Recording) -> usize {
    use tikv_proto::cdcpb::event::Event as Content;
    let row_with_checksum = [tidb_codec::row::VERSION_2, 1 << 1];
    let mut flipped = 0;
    for event in recording.frames.iter_mut().flat_map(|frame| &mut frame.events) {
        let Some(Content::Entries(entries)) = &mut event.event else { continue };
        for row in &mut entries.entries {
            if row.value.starts_with(&row_with_checksum) {
                let mut value = row.value.to_vec();
                *value.last_mut().expect("not empty") ^= 1;
                row.value = value.into();
                flipped += 1;
            }
        }
    }
    flipped
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_recorded_row_is_found() {
    let Some((mut recording, variant)) = with_checksums("error") else { return };
    assert!(flip_a_bit(&mut recording) > 10, "rows with checksums");
    let run = |variant: ::golden::Variant| {
        let (recording, tape) = (&recording, golden::tape(&recording));
        async move { golden::run(recording, tape, &variant, Order::Tape, 0).await.expect("run") }
    };
    let replayed = run(variant).await;
    let error = replayed.error.expect("the changefeed stops");
    assert_eq!(error.code, "CDC:ErrCorruptedDataMutation");
    assert!(error.is_fast_fail());
    for part in ["handle ", "commit-ts ", "row checksum mismatch: stored"] {
        assert!(error.message.contains(part), "{part} is not in {error}");
    }
    let (_, variant) = with_checksums("warn").expect("the same recording");
    let replayed = run(variant).await;
    assert!(replayed.error.is_none(), "{:?}", replayed.error);
    assert!(replayed.corrupted_rows >= 1);
}
