//! Joins the figures of a batch's parts by the reduction in their names, as Tinker's clients join
//! the chunks of a batch: `clip_fraction:mean`, `loss:sum`.

use tinsmith_plugin_api::Metrics;

/// The figures of one part, and how many sequences it has.
pub type Part = (Metrics, usize);

/// Joins them. A figure that some part lacks, or whose reduction is unknown, is left out.
pub fn join(parts: &[Part]) -> Metrics {
    let Some((first, _)) = parts.first() else { return Metrics::new() };
    let mut joined = Metrics::new();
    for name in first.keys() {
        let values: Option<Vec<(f64, f64)>> = parts
            .iter()
            .map(|(metrics, weight)| Some((*metrics.get(name)?, *weight as f64)))
            .collect();
        let (Some(values), Some((_, reduction))) = (values, name.rsplit_once(':')) else {
            continue;
        };
        if let Some(value) = reduce(reduction, &values) {
            joined.insert(name.clone(), value);
        }
    }
    joined
}

fn reduce(reduction: &str, values: &[(f64, f64)]) -> Option<f64> {
    let plain = values.iter().map(|(value, _)| *value);
    let mean = || {
        let weights: f64 = values.iter().map(|(_, weight)| weight).sum();
        values.iter().map(|(value, weight)| value * weight).sum::<f64>() / weights
    };
    let max = || plain.clone().fold(f64::NEG_INFINITY, f64::max);
    match reduction {
        "sum" => Some(plain.sum()),
        "mean" => Some(mean()),
        "min" => Some(plain.fold(f64::INFINITY, f64::min)),
        "max" => Some(max()),
        "slack" => Some(max() - mean()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that was verified against Tinker's SDK (three sequences, then one).
    #[test]
    fn parts_join_as_tinkers_client_joins_chunks() {
        let metrics = |values: [f64; 5]| -> Metrics {
            let names = ["a:sum", "b:mean", "c:min", "d:max", "e:slack"];
            names.into_iter().map(String::from).zip(values).collect()
        };
        let joined = join(&[(metrics([1.0; 5]), 3), (metrics([2.0, 5.0, 0.0, 7.0, 3.0]), 1)]);
        assert_eq!(joined, metrics([3.0, 2.0, 0.0, 7.0, 1.5]));
    }

    #[test]
    fn a_figure_that_a_part_lacks_is_left_out() {
        let one = Metrics::from([("a:sum".into(), 1.0), ("b:sum".into(), 1.0)]);
        let other = Metrics::from([("a:sum".into(), 2.0)]);
        assert_eq!(join(&[(one, 1), (other, 1)]), Metrics::from([("a:sum".into(), 3.0)]));
    }
}
