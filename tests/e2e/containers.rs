//! Datasets in every container through the real binary: the same rows are the same examples, and
//! what is wrong is told by a place that the reader of the error can find.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use flate2::{Compression, write::GzEncoder};
use parquet::{
    data_type::{ByteArray, ByteArrayType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{io::Write, path::Path, process::Stdio, sync::Arc};
use tinsmith_test_support::{cli::Sandbox, tiny_model::tiny_llama, tiny_run};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

/// A table of prompts and completions; an empty completion is null.
fn parquet(rows: &[(String, String)]) -> Vec<u8> {
    let schema = "message schema {
        OPTIONAL BYTE_ARRAY prompt (UTF8);
        OPTIONAL BYTE_ARRAY completion (UTF8);
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::ZSTD(Default::default()))
        .build();
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for side in [0, 1] {
        let texts = rows.iter().map(|(p, c)| if side == 0 { p } else { c });
        let levels: Vec<i16> = texts.clone().map(|t| i16::from(!t.is_empty())).collect();
        let values: Vec<ByteArray> =
            texts.filter(|t| !t.is_empty()).map(|t| ByteArray::from(t.as_str())).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    out
}

fn pairs(n: usize) -> Vec<(String, String)> {
    (0..n).map(|i| (format!("say number {i}"), format!("number {} it is", i * 7 % 10))).collect()
}

fn jsonl(rows: &[(String, String)]) -> String {
    rows.iter().map(|(p, c)| format!("{}\n", json!({"prompt": p, "completion": c}))).collect()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    tiny_llama(&sandbox.path().join("base"), 1).unwrap();
    sandbox
}

fn run(sandbox: &Sandbox, command: &[&str], file: &str, more: &[&str]) -> String {
    let flags = ["--tokenizer", "base", "--renderer", "chatml"];
    sandbox.show(&[command, &[file], &flags, more].concat())
}

#[test]
fn the_same_rows_are_the_same_examples() {
    let sandbox = sandbox();
    let rows = pairs(300);
    let text = jsonl(&rows);
    let array = format!("[\n{}\n]\n", text.trim_end().replace('\n', ",\n"));
    sandbox.write("plain.jsonl", &text);
    let render = |file: &str| run(&sandbox, &["render"], file, &["--format", "json"]);
    let plain = render("plain.jsonl");
    assert!(plain.starts_with("exit 0\n") && plain.lines().count() > 300, "{}", &plain[..200]);
    let half = text.len() / 2;
    for (file, bytes) in [
        ("a.jsonl.gz", gzip(&text)),
        ("two.jsonl.gz", [gzip(&text[..half]), gzip(&text[half..])].concat()),
        ("a.jsonl.zst", zstd(&text)),
        ("a.json", array.clone().into_bytes()),
        ("a.json.gz", gzip(&array)),
        ("a.parquet", parquet(&rows)),
        // The bytes decide, not the name.
        ("b.jsonl", gzip(&text)),
    ] {
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        sandbox.write(file, bytes);
        assert_eq!(render(file), plain, "{file}");
        let args = [file, "--tokenizer", "base", "--format", "json"];
        let output = sandbox.run(&[&["data", "stats"], &args[..]].concat());
        let stats: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(stats["files"][0]["sha256"], sha256.as_str(), "{file}: of the file's bytes");
    }
}

/// Files of Arrow's own writer (tests/fixtures/data/make_parquet.py): every compression that is read,
/// both versions of pages, lists of structs, nulls, several row groups.
#[test]
fn tables_of_another_writer_are_read() {
    let sandbox = sandbox();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/data");
    let fixture = |name: &str| std::fs::read(fixtures.join(name)).unwrap();
    sandbox.write("rows.jsonl", fixture("chats.parquet.jsonl"));
    let render = |file: &str| run(&sandbox, &["render"], file, &["--format", "json"]);
    let plain = render("rows.jsonl");
    assert!(plain.starts_with("exit 0\n") && plain.lines().count() >= 5, "{plain}");
    for kind in ["none", "snappy", "gzip", "lz4", "zstd", "v2"] {
        sandbox.write("a.parquet", fixture(&format!("chats.{kind}.parquet")));
        assert_eq!(render("a.parquet"), plain, "{kind}");
    }
    // What is staged are the rows.
    let upload = ["upload", "a.parquet", "--tokenizer", "base", "--output", "out"];
    assert!(sandbox.show(&upload).starts_with("exit 0\n"));
    let staged = std::fs::read_dir(sandbox.path().join("out/datasets")).unwrap().next().unwrap();
    let staged = std::fs::read_to_string(staged.unwrap().path().join("data-000.jsonl")).unwrap();
    let values = |text: &str| -> Vec<Value> {
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    assert_eq!(values(&staged), values(&sandbox.read("rows.jsonl")));
    sandbox.write("a.parquet", fixture("chats.brotli.parquet"));
    let shown = render("a.parquet");
    assert!(shown.starts_with("exit 3\n") && shown.contains("brotli"), "{shown}");
    assert!(shown.contains("hint: write it without compression, or with snappy"), "{shown}");
}

/// Held-out prompts are read a second time, and an upload stages lines.
#[test]
fn runs_and_uploads_read_containers() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tinsmith"));
    let more = "training: {batch_size: 4}\ndata: {eval: {count: 4}}\n\
                eval: {samples: 4, max_tokens: 4}\n";
    tiny_run::write(&sandbox, 0, more);
    let rows = pairs(20);
    sandbox.write("chats.jsonl", jsonl(&rows));
    let plain = sandbox.show(&["train", "run.yaml"]);
    assert!(plain.starts_with("exit 0\n"), "{plain}");
    let adapter = tiny_run::adapter(&sandbox);
    for (file, bytes) in [
        ("a.jsonl.gz", gzip(&jsonl(&rows))),
        ("a.jsonl.zst", zstd(&jsonl(&rows))),
        ("a.parquet", parquet(&rows)),
    ] {
        sandbox.write(file, bytes);
        let set = format!("datasets[0].path={file}");
        let shown = sandbox.show(&["train", "run.yaml", "--set", &set]);
        assert!(shown.starts_with("exit 0\n"), "{file}: {shown}");
        assert!(shown.contains("16 examples, 4 held out"), "{file}: {shown}");
        assert_eq!(tiny_run::adapter(&sandbox), adapter, "{file}: the same run");
        let upload = ["upload", file, "--tokenizer", "base", "--output", "out"];
        let shown = sandbox.show(&upload);
        let sha256 = format!("{:x}", Sha256::digest(jsonl(&rows)));
        assert!(shown.contains(&format!("ds-{}", &sha256[..12])), "{file}: {shown}");
    }
}

#[test]
fn places_are_those_of_the_decompressed_text() {
    let sandbox = sandbox();
    let good = jsonl(&pairs(1));
    let text = format!("{good}\n{{\"prompt\": \"é\", \"completion\": 3}}\n{good}");
    for (file, bytes) in [("a.jsonl.gz", gzip(&text)), ("a.jsonl.zst", zstd(&text))] {
        sandbox.write(file, bytes);
        let shown = run(&sandbox, &["data", "check"], file, &[]);
        assert!(shown.starts_with("exit 3\n"), "{shown}");
        let told = format!("{file}:3:31: `completion`: must be a string or a list of messages");
        assert!(shown.contains(&told), "{shown}");
        assert!(shown.contains("; the line is that of the decompressed text"), "{shown}");
    }
}

#[test]
fn rows_and_elements_are_told_by_their_number() {
    let sandbox = sandbox();
    let mut rows = pairs(3);
    rows[1].1.clear();
    sandbox.write("a.parquet", parquet(&rows));
    let shown = run(&sandbox, &["data", "check"], "a.parquet", &[]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains("a.parquet:2: `completion`: is missing"), "{shown}");
    assert!(shown.contains("; the number is that of the row, from 1"), "{shown}");
    // A file that is one array is read as such: one error for the one element that is wrong.
    sandbox.write("a.json", "[\n  {\"prompt\": \"p\",\n   \"completion\": \"c\"},\n  7\n]\n");
    let shown = run(&sandbox, &["data", "check"], "a.json", &[]);
    assert!(shown.starts_with("exit 3\n") && shown.contains("1 of 2 rows are bad"), "{shown}");
    assert!(shown.contains("a.json:2: a record must be a JSON object, found a number"), "{shown}");
    assert!(shown.contains("; the number is that of the array's element, from 1"), "{shown}");
}

#[test]
fn files_that_are_cut_short_are_data_errors() {
    let sandbox = sandbox();
    let rows = pairs(3000);
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    for (file, bytes, told) in [
        ("a.jsonl.gz", cut(gzip(&jsonl(&rows))), "the gzip stream ends too early"),
        ("a.jsonl.zst", cut(zstd(&jsonl(&rows))), "the zstd stream ends too early"),
        ("a.parquet", cut(parquet(&rows)), "not a Parquet file: "),
        ("a.json", b"[{\"prompt\": \"p\"".to_vec(), "the JSON array does not end"),
        ("b.json", b"[{}]\n[{}]\n".to_vec(), "something follows the JSON array"),
        ("a.zip", b"PK\x03\x04....".to_vec(), "the file is a zip archive"),
        ("b.parquet", b"version https://git-lfs".to_vec(), "it does not begin with `PAR1`"),
    ] {
        sandbox.write(file, bytes);
        let shown = run(&sandbox, &["data", "check"], file, &[]);
        assert!(shown.starts_with("exit 3\n"), "{file}: {shown}");
        let place = format!("error: {file}:");
        assert!(shown.contains(&place) && shown.contains(told), "{file}: {shown}");
        assert!(shown.contains("\nhint: "), "{file}: {shown}");
        assert!(!shown.contains("internal error"), "{file}: {shown}");
    }
}

/// Plain text may come by a pipe, which can be read once.
#[test]
fn pipes_are_read_where_once_is_enough() {
    let sandbox = sandbox();
    let check = |bytes: &[u8]| {
        let args = ["data", "check", "/dev/stdin", "--tokenizer", "base"];
        let mut command = sandbox.command(&args);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let text = jsonl(&pairs(3));
    let (code, told) = check(text.as_bytes());
    assert!(code == Some(0) && told.contains("3 rows are good"), "{told}");
    let array = format!("[{}]", text.trim_end().replace('\n', ","));
    let (code, told) = check(array.as_bytes());
    assert!(code == Some(0) && told.contains("3 rows are good"), "{told}");
    let (code, told) = check(&gzip(&text));
    assert!(code == Some(3) && told.contains("cannot be read from a pipe"), "{told}");
}

/// 64 MiB in one line: refused by its size, and never in memory as a whole.
#[test]
fn a_bomb_is_a_line_that_is_too_long() {
    let sandbox = sandbox();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..64 {
        encoder.write_all(&vec![b'a'; 1 << 20]).unwrap();
    }
    encoder.write_all(format!("\n{}", jsonl(&pairs(1))).as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    assert!(bytes.len() < 1 << 20);
    sandbox.write("a.jsonl.gz", bytes);
    let shown = run(&sandbox, &["render"], "a.jsonl.gz", &["--format", "json"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(shown.contains("a.jsonl.gz:1:1: the line is longer than 16 MiB"), "{shown}");
    assert!(shown.contains("{\"record\":1,"), "the row behind it comes: {shown}");
}
