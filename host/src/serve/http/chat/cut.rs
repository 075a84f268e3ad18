//! Ends a text before the first of some texts, also while it comes piece by piece.

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
        if let Some(at) = self.stop.iter().filter_map(|stop| self.pending.find(stop)).min() {
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

#[cfg(test)]
mod tests {
    use super::Cut;
    use proptest::prelude::*;

    proptest! {
        /// However the text comes, it ends where it would if it came at once.
        #[test]
        fn pieces_end_where_the_whole_does(
            text in "[abä]{0,12}", stop in prop::collection::vec("[abä]{0,3}", 0..3), size in 1_usize..5
        ) {
            let ends = stop.iter().filter(|s| !s.is_empty()).filter_map(|s| text.find(s.as_str()));
            let expected = &text[..ends.min().unwrap_or(text.len())];
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
