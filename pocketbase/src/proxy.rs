//! Record proxies: structs of one's own around a [`Record`], whose fields are methods with types.
//!
//! Must not know how records are stored: a proxy is a view on the record that it holds.

use crate::{
    app::{App, Model},
    error::{Error, Result},
    moment::DateTime,
    record::Record,
};

/// What a field is read as and set from; see [`record_proxy!`](crate::record_proxy!). Implement it for types of your
/// own.
///
/// ```
/// use pocketbase::{FieldValue, Record};
///
/// enum Status { Draft, Live }
///
/// impl FieldValue for Status {
///     fn read(record: &Record, field: &str) -> Self {
///         if record.get_str(field) == "live" { Self::Live } else { Self::Draft }
///     }
///     fn write(self, record: &Record, field: &str) {
///         record.set(field, match self { Self::Draft => "draft", Self::Live => "live" });
///     }
/// }
/// ```
pub trait FieldValue {
    /// Reads a field; its zero value where it holds something else.
    fn read(record: &Record, field: &str) -> Self;
    /// Sets a field.
    fn write(self, record: &Record, field: &str);
}

macro_rules! field_values {
    ($($ty:ty = $get:ident),* $(,)?) => {$(
        impl FieldValue for $ty {
            fn read(record: &Record, field: &str) -> Self {
                record.$get(field)
            }
            fn write(self, record: &Record, field: &str) {
                record.set(field, self);
            }
        }
    )*};
}
field_values!(
    String = get_str,
    bool = get_bool,
    i64 = get_int,
    f64 = get_float,
    Vec<String> = get_string_slice,
);

impl FieldValue for serde_json::Value {
    fn read(record: &Record, field: &str) -> Self {
        record.get_value(field).unwrap_or_default()
    }
    fn write(self, record: &Record, field: &str) {
        record.set(field, self);
    }
}
/// A date field that may be empty.
impl FieldValue for Option<DateTime> {
    fn read(record: &Record, field: &str) -> Self {
        record.get_date_time(field)
    }
    fn write(self, record: &Record, field: &str) {
        record.set(field, self.map(|time| time.to_string()).unwrap_or_default());
    }
}
/// A text or a relation that may be empty.
impl FieldValue for Option<String> {
    fn read(record: &Record, field: &str) -> Self {
        Some(record.get_str(field)).filter(|text| !text.is_empty())
    }
    fn write(self, record: &Record, field: &str) {
        record.set(field, self.unwrap_or_default());
    }
}

/// A struct around a record of one collection; made by [`record_proxy!`](crate::record_proxy!).
pub trait RecordProxy: Sized {
    /// The collection.
    const COLLECTION: &'static str;
    /// The record.
    fn record(&self) -> &Record;
    #[doc(hidden)]
    fn around(record: Record) -> Self;

    /// A new record of the collection.
    ///
    /// # Errors
    /// When there is no such collection.
    fn new(app: &App) -> impl Future<Output = Result<Self>> + Send {
        async { Ok(Self::around(Record::new(&app.find_collection(Self::COLLECTION).await?))) }
    }
    /// The struct around a record that was found.
    ///
    /// # Errors
    /// When it is of another collection.
    fn of(record: Record) -> Result<Self> {
        let name = record.collection_name();
        if name == Self::COLLECTION {
            return Ok(Self::around(record));
        }
        Err(Error::other(format!("a record of {name:?} is none of {:?}", Self::COLLECTION)))
    }
}

/// Proxies are saved and deleted as their records.
impl<P: RecordProxy + Send + Sync> Model for P {
    async fn save(&self, app: &App, validate: bool) -> Result<()> {
        self.record().save(app, validate).await
    }
    async fn validate(&self, app: &App) -> Result<()> {
        self.record().validate(app).await
    }
    async fn delete(&self, app: &App) -> Result<()> {
        self.record().delete(app).await
    }
}

/// Declares a struct around [`Record`] whose fields are methods: `getter: Type`, `getter / setter: Type`, each with
/// `= "field"` behind it if the field has another name. The struct derefs to the record, is saved as it and becomes it
/// with `into()`; [`RecordProxy`] has `new` and `of`, [`FieldValue`] the types.
///
/// ```
/// use pocketbase::{prelude::*, record_proxy, testing::TestApp};
///
/// record_proxy! {
///     /// An article.
///     pub struct Article of "articles" {
///         /// What it is called.
///         title / set_title: String,
///         /// How often it was read.
///         n_views: i64 = "views",
///     }
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// # app.save(&Collection::base("articles").field(Field::text("title")).field(Field::number("views"))).await?;
/// let article = Article::new(app).await?;
/// article.set_title("Hello").set("views+", 2);
/// app.save(&article).await?;
///
/// let article = Article::of(app.find_record_by_id("articles", article.id()).await?)?;
/// assert_eq!((article.title().as_str(), article.n_views()), ("Hello", 2));
///
/// let users = app.find_collection("users").await?;
/// assert!(Article::of(Record::new(&users)).is_err());
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! record_proxy {
    ($(#[$doc:meta])* $vis:vis struct $name:ident of $collection:literal {
        $($(#[$about:meta])* $get:ident $(/ $set:ident)? : $ty:ty $(= $field:literal)?),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        $vis struct $name($crate::Record);

        impl $crate::RecordProxy for $name {
            const COLLECTION: &'static str = $collection;
            fn record(&self) -> &$crate::Record {
                &self.0
            }
            fn around(record: $crate::Record) -> Self {
                Self(record)
            }
        }

        impl ::core::ops::Deref for $name {
            type Target = $crate::Record;
            fn deref(&self) -> &$crate::Record {
                &self.0
            }
        }

        impl ::core::convert::From<$name> for $crate::Record {
            fn from(proxy: $name) -> Self {
                proxy.0
            }
        }

        #[allow(dead_code, clippy::must_use_candidate, reason = "as the record's own methods")]
        impl $name {
            $(
                $(#[$about])*
                $vis fn $get(&self) -> $ty {
                    $crate::FieldValue::read(&self.0, $crate::record_proxy!(@field $get $($field)?))
                }
                $crate::record_proxy! { @set $vis ($crate::record_proxy!(@field $get $($field)?)) $ty, $($set)? }
            )*
        }
    };
    (@field $get:ident) => { stringify!($get) };
    (@field $get:ident $field:literal) => { $field };
    (@set $vis:vis ($field:expr) $ty:ty,) => {};
    (@set $vis:vis ($field:expr) $ty:ty, $set:ident) => {
        /// Sets it.
        $vis fn $set(&self, value: impl ::core::convert::Into<$ty>) -> &Self {
            $crate::FieldValue::write(value.into(), &self.0, $field);
            self
        }
    };
}
