/*!
How the figures of several requests become those of one.

A figure is named `name:reduction`, with exactly one colon. Those of the first request count; one that
another lacks, or whose reduction nobody knows, is left out.

| reduction | of values `v`, and `w` outputs in each request |
|---|---|
| `sum`, `min`, `max` | as they say |
| `mean` | Σ w·v / Σ w |
| `slack` | max − mean |
| `hash2` | Σ v, as integers modulo 2⁶⁴ |
| `unique` | the first, and the others as `name:unique_1`, `name:unique_2`, … |
*/

use tinsmith_plugin_api::Metrics;

/// Combines the figures of requests, each with its number of outputs.
#[must_use]
pub fn combine(parts: &[(usize, Metrics)]) -> Metrics {
    let mut all = Metrics::new();
    let Some((_, first)) = parts.first() else { return all };
    for name in first.keys() {
        let values: Option<Vec<(f64, f64)>> =
            parts.iter().map(|(w, m)| Some((*w as f64, *m.get(name)?))).collect();
        let Some(values) = values else { continue };
        let Some((_, reduction)) = name.split_once(':').filter(|(_, r)| !r.contains(':')) else {
            continue;
        };
        let only = || values.iter().map(|(_, v)| *v);
        let max = || only().fold(f64::NEG_INFINITY, f64::max);
        let mean = || {
            let weight: f64 = values.iter().map(|(w, _)| w).sum();
            values.iter().map(|(w, v)| w * v).sum::<f64>() / weight
        };
        let value = match reduction {
            "sum" => only().sum(),
            "mean" => mean(),
            "min" => only().fold(f64::INFINITY, f64::min),
            "max" => max(),
            "slack" => max() - mean(),
            "hash2" => only().fold(0_i64, |sum, v| sum.wrapping_add(v as i64)) as f64,
            "unique" => {
                for (i, value) in only().enumerate().skip(1) {
                    all.insert(format!("{name}_{i}"), value);
                }
                values[0].1
            }
            _ => continue,
        };
        // Without an output there is no mean.
        if !value.is_nan() || only().any(f64::is_nan) {
            all.insert(name.clone(), value);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(entries: &[(&str, f64)]) -> Metrics {
        entries.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect()
    }

    /// What the official SDK 0.38.0 makes of these two.
    #[test]
    fn figures_combine_as_the_official_client_combines_them() {
        let names = ["a:sum", "b:mean", "c:min", "d:max", "e:slack", "f:hash2", "g:unique"];
        let part = |values: [f64; 7]| metrics(&names.into_iter().zip(values).collect::<Vec<_>>());
        let parts = [
            (3, part([1.0, 1.0, 1.0, 1.0, 1.0, -1.0, 5.0])),
            (1, part([2.0, 5.0, 0.0, 7.0, 3.0, 2.0, 6.0])),
        ];
        let expected = metrics(&[
            ("a:sum", 3.0),
            ("b:mean", 2.0),
            ("c:min", 0.0),
            ("d:max", 7.0),
            ("e:slack", 1.5),
            ("f:hash2", 1.0),
            ("g:unique", 5.0),
            ("g:unique_1", 6.0),
        ]);
        assert_eq!(combine(&parts), expected);
    }

    #[test]
    fn what_cannot_be_combined_is_left_out() {
        let one = metrics(&[
            ("x", 1.0),
            ("a:b:sum", 1.0),
            ("a:odd", 1.0),
            ("only:sum", 1.0),
            ("a:sum", 1.0),
        ]);
        let two = metrics(&[
            ("x", 1.0),
            ("a:b:sum", 1.0),
            ("a:odd", 1.0),
            ("a:sum", 1.0),
            ("new:sum", 9.0),
        ]);
        assert_eq!(combine(&[(1, one.clone()), (1, two)]), metrics(&[("a:sum", 2.0)]));
        assert_eq!(combine(&[(0, metrics(&[("a:mean", 3.0)]))]), Metrics::new());
        assert_eq!(combine(&[]), Metrics::new());
    }
}
