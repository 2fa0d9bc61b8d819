//! Values on their way to PostgreSQL: by the type the statement wants.

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::Value;

/// A bound value.
#[derive(Debug)]
pub(super) struct Bound<'v>(pub(super) &'v Value);

type Encoded = Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Bound<'_> {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Text(text) => encode_text(text, ty, out),
            Value::Int(n) => match *ty {
                Type::BOOL => (*n != 0).to_sql(ty, out),
                Type::FLOAT8 => (*n as f64).to_sql(ty, out),
                Type::FLOAT4 => (*n as f32).to_sql(ty, out),
                Type::INT8 => n.to_sql(ty, out),
                Type::INT4 => i32::try_from(*n)?.to_sql(ty, out),
                Type::INT2 => i16::try_from(*n)?.to_sql(ty, out),
                _ => encode_text(&n.to_string(), ty, out),
            },
            Value::Real(n) => match *ty {
                Type::BOOL => (*n != 0.0).to_sql(ty, out),
                Type::FLOAT8 => n.to_sql(ty, out),
                Type::FLOAT4 => (*n as f32).to_sql(ty, out),
                Type::INT8 => (*n as i64).to_sql(ty, out),
                Type::INT4 => (*n as i32).to_sql(ty, out),
                Type::INT2 => (*n as i16).to_sql(ty, out),
                _ => encode_text(&primitives::json::format_g(*n), ty, out),
            },
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn encode_text(text: &str, ty: &Type, out: &mut BytesMut) -> Encoded {
    if text.contains('\0') {
        return Err("text must not contain NUL characters".into());
    }
    match *ty {
        Type::JSONB => {
            out.put_u8(1);
            out.extend_from_slice(text.as_bytes());
        }
        Type::FLOAT8 => return text.trim().parse::<f64>()?.to_sql(ty, out),
        Type::INT8 => return text.trim().parse::<i64>()?.to_sql(ty, out),
        Type::INT4 => return text.trim().parse::<i32>()?.to_sql(ty, out),
        Type::BOOL => return matches!(text, "1" | "t" | "true").to_sql(ty, out),
        _ => out.extend_from_slice(text.as_bytes()),
    }
    Ok(IsNull::No)
}
