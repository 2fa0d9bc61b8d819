//! Numbers and bools in query strings, and the parameters that every list has.

use http_syntax::query::Query;

use crate::error::{ApiError, Result};

/// Reads an integer parameter; missing or empty is `None`.
///
/// # Errors
/// 400 when it is not an integer.
pub fn integer(value: Option<&str>) -> Result<Option<i64>> {
    match value {
        None | Some("") => Ok(None),
        Some(text) => {
            text.strip_prefix('+').unwrap_or(text).parse().map(Some).map_err(|_| {
                ApiError::bad_request("").with_detail("invalid integer query parameter")
            })
        }
    }
}

/// Reads a bool the way Go's `strconv.ParseBool` does; missing or empty is false.
///
/// # Errors
/// 400 when it is not a bool.
pub fn boolean(value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("" | "0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(_) => Err(ApiError::bad_request("").with_detail("invalid bool query parameter")),
    }
}

/// The paging parameters of every list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// 1 or more.
    pub page: i64,
    /// 1 to 1000.
    pub per_page: i64,
    /// No totals wanted.
    pub skip_total: bool,
}

impl Paging {
    /// Reads `page`, `perPage` and `skipTotal`.
    ///
    /// # Errors
    /// 400 when one of them cannot be read.
    pub fn read(query: Query<'_>) -> Result<Self> {
        let page = integer(query.get("page").as_deref())?.unwrap_or(1);
        let per_page = integer(query.get("perPage").as_deref())?.unwrap_or(30);
        Ok(Self {
            page: if page <= 0 { 1 } else { page },
            per_page: if per_page <= 0 { 30 } else { per_page.min(1000) },
            skip_total: boolean(query.get("skipTotal").as_deref())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paging() {
        for (raw, want) in [
            ("", Some((1, 30, false))),
            ("page=-1&perPage=0&skipTotal=T", Some((1, 30, true))),
            ("page=2&perPage=5000", Some((2, 1000, false))),
            ("page=a", None),
            ("skipTotal=yes", None),
        ] {
            let got =
                Paging::read(Query::new(raw)).ok().map(|p| (p.page, p.per_page, p.skip_total));
            assert_eq!(got, want, "{raw}");
        }
    }
}
