//! Stand-ins until `json.rs`, `id.rs` and `time.rs` land; then this file goes away.

pub(crate) mod json {
    use serde_json::Value;
    pub(crate) fn write_str(out: &mut Vec<u8>, text: &str) {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        for c in quoted.chars() {
            match c {
                '<' => out.extend_from_slice(b"\\u003c"),
                '>' => out.extend_from_slice(b"\\u003e"),
                '&' => out.extend_from_slice(b"\\u0026"),
                '\u{2028}' => out.extend_from_slice(b"\\u2028"),
                '\u{2029}' => out.extend_from_slice(b"\\u2029"),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    pub(crate) fn write_f64(out: &mut Vec<u8>, n: f64) {
        let text = if n != 0.0 && (n.abs() < 1e-6 || n.abs() >= 1e21) {
            let text = format!("{n:e}");
            if text.contains("e-") { text } else { text.replace('e', "e+") }
        } else {
            format!("{n}")
        };
        out.extend_from_slice(text.as_bytes());
    }
    pub(crate) fn write_value(out: &mut Vec<u8>, v: &Value) {
        match v {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Value::Number(n) => write_f64(out, n.as_f64().unwrap_or(0.0)),
            Value::String(s) => write_str(out, s),
            Value::Array(a) => {
                out.push(b'[');
                for (i, v) in a.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_value(out, v);
                }
                out.push(b']');
            }
            Value::Object(m) => write_map(out, m),
        }
    }
    pub(crate) fn write_map(out: &mut Vec<u8>, map: &serde_json::Map<String, Value>) {
        let mut keys: Vec<_> = map.iter().collect();
        keys.sort_by(|a, b| a.0.cmp(b.0));
        out.push(b'{');
        for (i, (k, v)) in keys.into_iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_str(out, k);
            out.push(b':');
            write_value(out, v);
        }
        out.push(b'}');
    }
    pub(crate) fn write_raw(out: &mut Vec<u8>, text: &str) {
        let mut in_string = false;
        let mut escaped = false;
        for c in text.chars() {
            if in_string {
                match c {
                    '<' => out.extend_from_slice(b"\\u003c"),
                    '>' => out.extend_from_slice(b"\\u003e"),
                    '&' => out.extend_from_slice(b"\\u0026"),
                    c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
                if escaped {
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else if c == '"' {
                    in_string = false;
                }
            } else if !c.is_ascii_whitespace() {
                in_string = c == '"';
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    pub(crate) fn to_text(v: &Value) -> String {
        match v {
            Value::String(s) => s.clone(),
            Value::Bool(b) => b.to_string(),
            Value::Number(n) => format!("{}", n.as_f64().unwrap_or(0.0)),
            _ => String::new(),
        }
    }
    pub(crate) fn text_to_f64(s: &str) -> f64 {
        s.parse().unwrap_or(0.0)
    }
    pub(crate) fn to_f64(v: &Value) -> f64 {
        match v {
            Value::Number(n) => n.as_f64().unwrap_or(0.0),
            Value::Bool(b) => f64::from(u8::from(*b)),
            Value::String(s) => text_to_f64(s),
            _ => 0.0,
        }
    }
    pub(crate) fn text_to_bool(s: &str) -> bool {
        matches!(s, "1" | "t" | "T" | "TRUE" | "true" | "True")
    }
    pub(crate) fn to_bool(v: &Value) -> bool {
        match v {
            Value::Bool(b) => *b,
            Value::Number(n) => n.as_f64().unwrap_or(0.0) != 0.0,
            Value::String(s) => text_to_bool(s),
            _ => false,
        }
    }
    fn unique(items: Vec<String>) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for i in items {
            if !i.is_empty() && !out.contains(&i) {
                out.push(i);
            }
        }
        out
    }
    pub(crate) fn text_to_unique_strings(s: &str) -> Vec<String> {
        if s.contains('[')
            && let Ok(items) = serde_json::from_str::<Vec<String>>(s)
        {
            return unique(items);
        }
        unique(vec![s.to_owned()])
    }
    pub(crate) fn to_unique_strings(v: &Value) -> Vec<String> {
        match v {
            Value::String(s) => text_to_unique_strings(s),
            Value::Array(a) => unique(a.iter().map(to_text).collect()),
            other => unique(vec![to_text(other)]),
        }
    }
}
pub(crate) mod id {
    pub(crate) fn crc32(text: &str) -> u32 {
        let mut crc = !0u32;
        for b in text.as_bytes() {
            crc ^= u32::from(*b);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            }
        }
        !crc
    }
    pub(crate) fn random(n: usize) -> String {
        let mut bytes = vec![0u8; n];
        let _ = getrandom::fill(&mut bytes);
        bytes
            .into_iter()
            .map(|b| char::from(b"abcdefghijklmnopqrstuvwxyz012345"[usize::from(b & 31)]))
            .collect()
    }
    pub(crate) fn random_alnum(n: usize) -> String {
        random(n)
    }
    pub(crate) fn from_pattern(_: &str) -> Result<String, String> {
        Ok(random(15))
    }
}
pub(crate) mod time {
    pub(crate) fn normalise(text: &str) -> String {
        text.to_owned()
    }
    pub(crate) fn is_wire_format(text: &str) -> bool {
        text.len() == 24
    }
}
