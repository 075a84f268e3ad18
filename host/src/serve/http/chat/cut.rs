//! Ends a text before the first of some texts, also while it comes piece by piece. The first is the one that
//! is complete first, as it is for whoever samples: what would have come behind it does not count.

/// What of a text may be shown.
#[derive(Debug)]
pub struct Cut {
    stop: Vec<String>,
    /// What may yet turn out to begin one of them.
    pending: String,
    over: bool,
}

impl Cut {
    /// Ends before any of these.
    pub fn new(mut stop: Vec<String>) -> Self {
        stop.retain(|text| !text.is_empty());
        Self { stop, pending: String::new(), over: false }
    }

    /// What may be shown now that this has come.
    pub fn push(&mut self, text: &str) -> String {
        if self.over {
            return String::new();
        }
        self.pending += text;
        if let Some(at) = first(&self.pending, &self.stop) {
            self.over = true;
            self.pending.truncate(at);
            return std::mem::take(&mut self.pending);
        }
        // The longest end that begins one of them is held back.
        let held = self.pending.char_indices().map(|(at, _)| at).find(|at| {
            let end = &self.pending[*at..];
            self.stop.iter().any(|stop| stop.starts_with(end))
        });
        let rest = self.pending.split_off(held.unwrap_or(self.pending.len()));
        std::mem::replace(&mut self.pending, rest)
    }

    /// What was held back, once nothing comes any more.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.pending)
    }
}

/// Where the one begins that is complete first; of those that end together, the longest.
fn first(text: &str, stop: &[String]) -> Option<usize> {
    let found = stop.iter().filter_map(|stop| Some((text.find(stop)?, stop.len())));
    found.min_by_key(|(at, len)| (at + len, *at)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::Cut;
    use proptest::prelude::*;

    #[test]
    fn what_is_complete_first_ends_the_text() {
        for pieces in [&["b", "ä", "ä"][..], &["bää"], &["bä", "ä"]] {
            let mut cut = Cut::new(vec!["ä".into(), "bää".into()]);
            let shown: String = pieces.iter().map(|piece| cut.push(piece)).collect();
            assert_eq!(shown + &cut.finish(), "b", "{pieces:?}");
        }
    }

    proptest! {
        /// However the text comes, it ends where it would if it came at once.
        #[test]
        fn pieces_end_where_the_whole_does(
            text in "[abä]{0,12}", stop in prop::collection::vec("[abä]{0,3}", 0..3), size in 1_usize..5
        ) {
            // The shortest beginning that ends in one of them, without the longest of those it ends in.
            let whole = |end: &usize| text.is_char_boundary(*end);
            let stops = |end: usize| {
                let ends = stop.iter().filter(|s| !s.is_empty() && text[..end].ends_with(s.as_str()));
                ends.map(|s| end - s.len()).min()
            };
            let end = (0..=text.len()).filter(whole).find_map(stops);
            let expected = &text[..end.unwrap_or(text.len())];
            let mut cut = Cut::new(stop.clone());
            let chars: Vec<char> = text.chars().collect();
            let mut shown = String::new();
            for piece in chars.chunks(size) {
                shown += &cut.push(&piece.iter().collect::<String>());
            }
            shown += &cut.finish();
            prop_assert_eq!(shown, expected);
        }
    }
}
