//! JSON text cut into its members and elements, each as it stands.
//!
//! Only the structure is looked at: what is balanced here can still be malformed, which is for whoever reads it to say.
//! A piece never reaches beyond its own brackets and quotes, whatever a server has sent.

/// The members of an object: keys decoded, values as they stand. `None` when it is no object.
pub(super) fn members(text: &[u8]) -> Option<Vec<(String, &[u8])>> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect(b'{')?;
    let mut found = Vec::new();
    if cursor.peek()? == b'}' {
        cursor.at += 1;
        return cursor.ends().then_some(found);
    }
    loop {
        let key = cursor.value().filter(|key| key.first() == Some(&b'"'))?;
        cursor.expect(b':')?;
        found.push((serde_json::from_slice(key).ok()?, cursor.value()?));
        match cursor.take()? {
            b',' => {}
            b'}' => return cursor.ends().then_some(found),
            _ => return None,
        }
    }
}

/// The elements of an array. `None` when it is no array.
pub(super) fn elements(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect(b'[')?;
    let mut found = Vec::new();
    if cursor.peek()? == b']' {
        cursor.at += 1;
        return cursor.ends().then_some(found);
    }
    loop {
        found.push(cursor.value()?);
        match cursor.take()? {
            b',' => {}
            b']' => return cursor.ends().then_some(found),
            _ => return None,
        }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let spaces = self.text[self.at..].iter().take_while(|byte| is_space(**byte)).count();
        self.at += spaces;
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.take()? == wanted).then_some(())
    }

    fn ends(&mut self) -> bool {
        self.peek().is_none()
    }

    /// The value that begins here.
    fn value(&mut self) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string()?,
            b'{' | b'[' => self.nested()?,
            b'}' | b']' | b',' | b':' => return None,
            _ => {
                let ends =
                    |byte: &u8| is_space(*byte) || matches!(byte, b'}' | b']' | b',' | b':' | b'"' | b'{' | b'[');
                self.at += self.text[self.at..].iter().take_while(|byte| !ends(byte)).count();
            }
        }
        Some(&self.text[start..self.at])
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.text.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                _ => self.at += 1,
            }
        }
    }

    /// What is in brackets, however deep.
    fn nested(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            match self.text.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' => open.push(b'}'),
                b'[' => open.push(b']'),
                close @ (b'}' | b']') => {
                    if open.pop() != Some(*close) {
                        return None;
                    }
                    if open.is_empty() {
                        self.at += 1;
                        return Some(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn pieces_are_the_text_that_came() {
        let text = br#" { "a" : 1e400 , "b\"":[0.10, {"x":"}]"}],"c":"\\", "d":{} } "#;
        let found = members(text).unwrap();
        let shown: Vec<(&str, &str)> =
            found.iter().map(|(key, value)| (key.as_str(), std::str::from_utf8(value).unwrap())).collect();
        let expected = [("a", "1e400"), ("b\"", r#"[0.10, {"x":"}]"}]"#), ("c", r#""\\""#), ("d", "{}")];
        assert_eq!(shown, expected);
        assert_eq!(elements(found[1].1).unwrap(), [b"0.10".as_slice(), br#"{"x":"}]"}"#]);
        assert_eq!(members(b"{}"), Some(Vec::new()));
        assert_eq!(elements(b" [ ] "), Some(Vec::new()));
    }

    #[test]
    fn what_is_not_balanced_is_nothing() {
        for text in
            ["", "{", "[", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{1:2}", "{\"a\":[}]}", "{\"a\":\"\\\"}", "{} {}"]
        {
            assert_eq!(members(text.as_bytes()), None, "{text}");
        }
        for text in ["", "[1,]", "[,1]", "[1 2]", "{}", "[1]x", "[\"a\\"] {
            assert_eq!(elements(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_cut_or_refused_without_harm(text in ".{0,40}|[\\[\\]{}\",:0a\\\\ ]{0,24}") {
            let _ = (members(text.as_bytes()), elements(text.as_bytes()));
        }

        #[test]
        fn keys_and_values_are_those_of_a_parser(keys in proptest::collection::btree_map(".{0,6}", ".{0,6}", 0..6)) {
            let object: serde_json::Map<String, Value> = keys.iter().map(|(key, text)| (key.clone(), Value::from(text.clone()))).collect();
            let text = serde_json::to_vec(&object).unwrap();
            let found = members(&text).unwrap();
            prop_assert_eq!(found.len(), object.len());
            for (key, value) in found {
                prop_assert_eq!(&serde_json::from_slice::<Value>(value).unwrap(), &object[&key]);
            }
        }
    }
}
