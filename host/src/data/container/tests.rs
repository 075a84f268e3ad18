use super::*;
use crate::data::{Lines, Reader};
use ::parquet::{
    data_type::{ByteArray, ByteArrayType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::{io::Write, sync::Arc};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(text, 1).unwrap()
}

/// The rows of a file of these bytes, and how the reading ended.
fn read(name: &str, bytes: &[u8]) -> (Vec<(u64, String)>, Counted, Result<()>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let contents = match open(File::open(&path).unwrap(), &path) {
        Ok(contents) => contents,
        Err(e) => return (Vec::new(), Counted::Lines, Err(e)),
    };
    let counted = contents.counted;
    let mut reader = Reader::new(contents, None);
    let mut rows = Vec::new();
    loop {
        match reader.next_lines() {
            Ok(Some(lines)) => {
                let text = |lines: &Lines, row| lines.text(row).to_owned();
                rows.extend(lines.rows.iter().map(|row| (row.line, text(&lines, row))));
            }
            Ok(None) => return (rows, counted, Ok(())),
            Err(e) => return (rows, counted, Err(e)),
        }
    }
}

fn rows(name: &str, bytes: &[u8]) -> (Vec<(u64, String)>, Counted) {
    let (rows, counted, end) = read(name, bytes);
    end.unwrap();
    (rows, counted)
}

fn numbered(texts: &[&str]) -> Vec<(u64, String)> {
    (1..).zip(texts).map(|(n, t)| (n, (*t).to_owned())).collect()
}

#[test]
fn what_a_file_is_decides_and_not_its_name() {
    let text = b"{\"a\": 1}\n{\"a\": 2}\n";
    let expected = numbered(&["{\"a\": 1}", "{\"a\": 2}"]);
    for (name, bytes, counted) in [
        ("a.jsonl", text.to_vec(), Counted::Lines),
        ("a.jsonl.gz", text.to_vec(), Counted::Lines),
        ("a.jsonl", gzip(text), Counted::Decompressed),
        ("a.jsonl.zst", zstd(text), Counted::Decompressed),
        // Several members, several frames, and one that breaks within a line.
        ("a", [gzip(&text[..4]), gzip(&text[4..])].concat(), Counted::Decompressed),
        ("a", [zstd(&text[..4]), zstd(&text[4..])].concat(), Counted::Decompressed),
        ("a.json", b"\xEF\xBB\xBF [{\"a\": 1},\n {\"a\": 2}]\n".to_vec(), Counted::Elements),
        ("a.json", gzip(b"[{\"a\": 1}, {\"a\": 2}]"), Counted::Elements),
    ] {
        assert_eq!(rows(name, &bytes), (expected.clone(), counted), "{name}");
    }
}

#[test]
fn what_is_cut_short_or_damaged_is_a_data_error_after_what_is_whole() {
    let text: Vec<u8> =
        (0..40_000).flat_map(|i| format!("{{\"n\": {i}}}\n").into_bytes()).collect();
    for (bytes, what) in [
        (gzip(&text), "the gzip stream ends too early"),
        (zstd(&text), "the zstd stream ends too early"),
    ] {
        let (found, _, end) = read("a", &bytes[..bytes.len() / 2]);
        let e = end.unwrap_err();
        assert_eq!((e.kind, e.message.as_str()), (crate::Kind::Data, what));
        assert!(e.hint.is_some() && e.place.as_ref().unwrap().line.is_some());
        assert!(found.len() > 256, "{}", found.len());
        let mut torn = bytes.clone();
        let middle = torn.len() / 2;
        torn[middle..middle + 64].fill(0xAA);
        let (_, _, end) = read("a", &torn);
        // gzip has a checksum always, zstd if its writer wanted one.
        match end {
            Err(e) => assert_eq!(e.kind, crate::Kind::Data, "{what}"),
            Ok(()) => assert!(what.contains("zstd"), "{what}"),
        }
    }
}

#[test]
fn arrays_that_do_not_end_or_go_on() {
    for (text, rows, what) in [
        ("[{}, {\"a\": [1", 1, "the JSON array does not end"),
        ("[{}]\n[{}]\n", 1, "something follows the JSON array"),
        ("[", 0, "the JSON array does not end"),
    ] {
        let (found, _, end) = read("a.json", text.as_bytes());
        let e = end.unwrap_err();
        assert_eq!((e.kind, e.message.as_str()), (crate::Kind::Data, what));
        assert!(found.len() >= rows, "{text}");
    }
    assert_eq!(rows("a.json", b"[]").0, []);
    // A string may hold anything.
    let text = r#"[{"a": "],}\\\"[,", "b":
        [1, {"c": 2}]}, 7]"#;
    let expected = numbered(&[r#"{"a": "],}\\\"[,", "b":         [1, {"c": 2}]}"#, "7"]);
    assert_eq!(rows("a.json", text.as_bytes()).0, expected);
}

#[test]
fn containers_that_are_not_read_are_named() {
    for (bytes, what) in [
        (&b"PK\x03\x04rest"[..], "a zip archive"),
        (b"BZh91AY", "bzip2"),
        (b"\xFD7zXZ\x00..", "xz"),
        (b"ARROW1\0\0", "Arrow"),
    ] {
        let e = read("a.jsonl", bytes).2.unwrap_err();
        assert!(e.kind == crate::Kind::Data && e.message.contains(what), "{e}");
        assert!(e.hint.is_some());
    }
    let e = read("a.parquet", b"version https://git-lfs").2.unwrap_err();
    assert!(e.message.contains("does not begin with `PAR1`"), "{e}");
}

/// Written by the column interface, from the format's own description of lists and structs.
fn parquet() -> Vec<u8> {
    let schema = "message schema {
        OPTIONAL BYTE_ARRAY text (UTF8);
        OPTIONAL INT64 n;
        OPTIONAL GROUP messages (LIST) { REPEATED GROUP list { OPTIONAL GROUP element {
            OPTIONAL BYTE_ARRAY role (UTF8); OPTIONAL BYTE_ARRAY content (UTF8); } } }
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties =
        WriterProperties::builder().set_compression(::parquet::basic::Compression::SNAPPY).build();
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts = |texts: &[&str]| texts.iter().map(|t| ByteArray::from(*t)).collect::<Vec<_>>();
    let mut strings = |values: &[&str], def: &[i16], rep: Option<&[i16]>| {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts(values), Some(def), rep).unwrap();
        column.close().unwrap();
    };
    strings(&["é\"", "b"], &[1, 0, 1], None);
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[7, -8], Some(&[1, 1, 0]), None).unwrap();
    column.close().unwrap();
    let mut strings = |values: &[&str], def: &[i16], rep: Option<&[i16]>| {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts(values), Some(def), rep).unwrap();
        column.close().unwrap();
    };
    // Row 1: two messages; row 2: one without content; row 3: none.
    strings(&["user", "assistant", "user"], &[4, 4, 4, 0], Some(&[0, 1, 0, 0]));
    strings(&["q", "a"], &[4, 4, 3, 0], Some(&[0, 1, 0, 0]));
    group.close().unwrap();
    writer.close().unwrap();
    out
}

#[test]
fn parquet_rows_are_json_and_nulls_are_left_out() {
    let expected = numbered(&[
        r#"{"text":"é\"","n":7,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#,
        r#"{"n":-8,"messages":[{"role":"user"}]}"#,
        r#"{"text":"b"}"#,
    ]);
    assert_eq!(rows("a.bin", &parquet()), (expected, Counted::Rows));
}

#[test]
fn damaged_parquet_is_a_data_error_and_no_panic() {
    let whole = parquet();
    for cut in [4, 8, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let e = read("a.parquet", &whole[..cut]).2.unwrap_err();
        assert_eq!(e.kind, crate::Kind::Data, "{cut}: {e}");
        assert!(e.hint.is_some());
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/data");
    let fixture = |name: &str| std::fs::read(fixtures.join(name)).unwrap();
    for (whole, step) in
        [(whole, 1), (fixture("chats.snappy.parquet"), 7), (fixture("chats.v2.parquet"), 3)]
    {
        for at in (4..whole.len()).step_by(step) {
            let mut torn = whole.clone();
            torn[at] ^= if at % 2 == 0 { 0x55 } else { 0x80 };
            // Some bytes are statistics, which nobody reads.
            if let Err(e) = read("a.parquet", &torn).2 {
                assert_eq!(e.kind, crate::Kind::Data, "{at}: {e}");
            }
        }
    }
}

proptest! {
    /// Any bytes behind any head end in rows or in an error, and a container says what plain text
    /// says.
    #[test]
    fn any_bytes_are_survived(head in 0_usize..5, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let head: &[u8] = [b"", GZIP, ZSTD, b"[", b"{\"a\": ["][head];
        let _ = read("a", &[head, &bytes].concat());
    }

    #[test]
    fn any_text_is_the_same_within_a_container(
        text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'{'), any::<u8>()], 0..300),
    ) {
        // What begins like a container is one.
        let text = [b"{}\n", text.as_slice()].concat();
        let plain = rows("a", &text).0;
        prop_assert_eq!(&rows("a", &gzip(&text)).0, &plain);
        prop_assert_eq!(&rows("a", &zstd(&text)).0, &plain);
    }

    /// Reference: serde_json's reading of the whole array.
    #[test]
    fn any_array_gives_its_elements(
        items in prop::collection::vec(("\\PC{0,12}", any::<i32>(), any::<bool>()), 1..12),
        pretty: bool,
    ) {
        let values: Vec<serde_json::Value> = items
            .into_iter()
            .map(|(text, n, deep)| match deep {
                true => serde_json::json!({"a": [text, {"b": n}], "c": []}),
                false => serde_json::json!({"a": text}),
            })
            .collect();
        let array = serde_json::Value::from(values.clone());
        let text = if pretty { format!("{array:#}") } else { array.to_string() };
        let found: Vec<serde_json::Value> = rows("a.json", text.as_bytes())
            .0
            .iter()
            .map(|(_, line)| serde_json::from_str(line).unwrap())
            .collect();
        prop_assert_eq!(found, values);
    }
}
