use super::*;
use crate::data::Source;
use tinsmith_plugin_api::{ColumnData, Examples};

fn source(dataset: u32, record: u64) -> Source {
    Source { dataset, line: record + 1, record }
}

/// Examples of so many tokens, which count up from 0; all but the first are trained.
fn rendered(lengths: &[usize], column: Option<&str>) -> Examples {
    let mut out = Examples::default();
    for &length in lengths {
        let tokens: Vec<i32> = (0..length as i32).collect();
        out.span(&tokens[..1], 0.0).span(&tokens[1..], 1.0);
        if let Some(name) = column {
            out.column(name, &vec![length as f32; length]);
        }
        out.finish();
    }
    out
}

fn add(writer: &mut Writer, from: &Examples, group: u64, at: Source) {
    for i in 0..from.len() {
        writer.add(from, i, from.range(i).len(), group, at).unwrap();
    }
}

fn folder() -> (tempfile::TempDir, Place) {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Folder(dir.path().join("examples"));
    (dir, place)
}

#[test]
fn units_are_read_in_any_order_and_as_often_as_wanted() {
    let (_dir, place) = folder();
    let mut writer = Writer::new(place).unwrap();
    add(&mut writer, &rendered(&[2], None), 0, source(0, 0));
    add(&mut writer, &rendered(&[4, 3], Some("advantages")), 1, source(0, 1));
    add(&mut writer, &rendered(&[5], None), 2, source(1, 0));
    let (train, eval, _) = writer.finish().unwrap().part(|_, _| false).unwrap();
    assert_eq!((train.units(), eval.units()), (3, 0));
    let set = train.read(&[1, 2, 1]).unwrap();
    assert_eq!(set.offsets, [0, 4, 7, 12, 16, 19]);
    assert_eq!(set.tokens[..7], [0, 1, 2, 3, 0, 1, 2]);
    assert_eq!(set.weights[..7], [0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    assert_eq!(set.source[2], source(1, 0));
    let groups = &set.groups;
    assert!(groups[0] == groups[1] && groups[3] == groups[4], "{groups:?}");
    assert!(groups[0] != groups[2] && groups[3] != groups[0] && groups[3] != groups[2]);
    // Where an example has no such column, it is zero.
    let ColumnData::F32(values) = &set.columns[0].data else { panic!("f32") };
    assert_eq!(values[3..13], [4.0, 3.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0]);
    let ColumnData::F32(values) = &train.read(&[0]).unwrap().columns[0].data else { panic!("f32") };
    assert_eq!(values, &[0.0, 0.0]);
    assert!(train.columns().given.contains(&(0, "advantages".into())));
    assert!(train.read(&[3]).is_err());
}

#[test]
fn figures_are_those_of_each_side() {
    let (_dir, place) = folder();
    for place in [place, Place::Nowhere] {
        let mut writer = Writer::new(place).unwrap();
        for record in 0..10 {
            add(&mut writer, &rendered(&[2 + record as usize], None), record, source(0, record));
        }
        let written = writer.finish().unwrap();
        let (train, eval, _) = written.part(|_, record| record % 3 == 0).unwrap();
        // By hand: records 0, 3, 6 and 9 are held out, and a token fewer is read than there is.
        assert_eq!(
            (eval.facts().figures.examples, eval.facts().figures.tokens),
            (4, 1 + 4 + 7 + 10)
        );
        assert_eq!(
            (train.facts().figures.examples, train.facts().figures.trained_tokens),
            (6, 2 + 3 + 5 + 6 + 8 + 9)
        );
        assert_eq!(train.facts().parts, [Part { dataset: 0, first: 0, units: 6, examples: 6 }]);
        let figures = Figures { examples: 1, tokens: 5, trained_tokens: 5 };
        assert_eq!(train.figures_of(2).unwrap(), figures);
        assert_eq!(train.longer_than(8).unwrap(), Some((0, 8, 9)));
        assert_eq!(train.longer_than(10).unwrap(), None);
    }
}

#[test]
fn some_are_read_by_the_examples_that_fit() {
    let (_dir, place) = folder();
    let mut writer = Writer::new(place).unwrap();
    for (record, lengths) in [&[2, 2][..], &[2], &[2, 2, 2], &[2]].iter().enumerate() {
        add(&mut writer, &rendered(lengths, None), record as u64, source(0, record as u64));
    }
    let (train, ..) = writer.finish().unwrap().part(|_, _| false).unwrap();
    let mut taken = Vec::new();
    let mut next = 0;
    while next < train.units() {
        let (set, after) = train.read_some(next, 3).unwrap();
        taken.push(set.len());
        next = after;
    }
    assert_eq!(taken, [3, 3, 1]);
    // One that is larger than asked for comes alone.
    assert_eq!(train.read_some(2, 1).unwrap().0.len(), 3);
}

#[test]
fn damage_is_told_and_never_trained() {
    let (dir, place) = folder();
    let mut writer = Writer::new(place).unwrap();
    add(&mut writer, &rendered(&[9], None), 0, source(0, 0));
    let (train, ..) = writer.finish().unwrap().part(|_, _| false).unwrap();
    let path = dir.path().join("examples/tokens");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    let e = train.read(&[0]).unwrap_err();
    assert!(e.message.contains("damaged at unit 0"), "{e}");
}
