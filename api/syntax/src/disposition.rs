//! The `Content-Disposition` of a part of a form: its name and the name of its file.
//!
//! What cannot be read has no name, and the part is left out: so does the reference.

use crate::media::Media;

/// What a part says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// Of the field; never empty.
    pub name: String,
    /// Of the file, if it is one.
    pub file_name: Option<String>,
}

impl Disposition {
    /// Reads a header's value; `None` unless it is `form-data` with a name.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let media = Media::parse(value).filter(|m| m.kind.eq_ignore_ascii_case(b"form-data"))?;
        let text = |name: &[u8]| {
            let text = String::from_utf8_lossy(media.get(name)?).into_owned();
            (!text.is_empty()).then_some(text)
        };
        Some(Self { name: text(b"name")?, file_name: text(b"filename") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (value, want) in [
            (r#"form-data; name="a""#, Some(("a", None))),
            (r#"form-data;name=a;filename=b.txt"#, Some(("a", Some("b.txt")))),
            (r#"FORM-Data ; NAME="a" ; FileName="b c.txt";"#, Some(("a", Some("b c.txt")))),
            (r#"form-data; name="a"; filename="x\"y;z.txt""#, Some(("a", Some("x\"y;z.txt")))),
            (r#"form-data; name="a"; filename="C:\x\y.txt""#, Some(("a", Some(r"C:\x\y.txt")))),
            (r#"form-data; name="a"; filename="C:\\x""#, Some(("a", Some(r"C:\x")))),
            ("form-data; name=a; filename=b; filename*=UTF-8''%e2%82%ac", Some(("a", Some("€")))),
            ("form-data; name=a; filename=b; filename*=latin1''%e2", Some(("a", Some("b")))),
            ("form-data; name=a; filename=b; filename*=utf-8''%zz", Some(("a", Some("b")))),
            ("form-data; name*=utf-8'en'a", Some(("a", None))),
            (r#"form-data; name="é"; filename="""#, Some(("é", None))),
            (r#"form-data; name="a"; name="a""#, Some(("a", None))),
            (r#"form-data; name="a"; name="b""#, None),
            (r#"attachment; name="a""#, None),
            ("form-data", None),
            ("", None),
            (r#"form-data; name="""#, None),
            (r#"form-data; name="a"#, None),
            ("form-data; name=a b", None),
            ("form-data; name", None),
            ("form-data; filename=b", None),
        ] {
            let want = want.map(|(name, file): (&str, Option<&str>)| Disposition {
                name: name.to_owned(),
                file_name: file.map(str::to_owned),
            });
            assert_eq!(Disposition::parse(value.as_bytes()), want, "{value}");
        }
    }
}
