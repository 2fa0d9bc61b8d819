//! Fields of collections with typed options: an option that a type does not have does not compile.

use engine::field::{
    self, autodate, date, editor, email, file, geo_point, json, number, password, relation, secret,
    select, text, url,
};

use super::Collection;
use crate::moment::DateTime;

/// One field of a collection, of any type. Made by its constructors and their builders.
///
/// ```
/// use pocketbase::{Collection, Field};
///
/// let users = Collection::auth("members");
/// let posts = Collection::base("posts")
///     .field(Field::text("title").required(true).min(3).max(120))
///     .field(Field::number("price").min(0.0).only_int(true))
///     .field(Field::relation("author", &users).cascade_delete(true))
///     .field(Field::file("pictures").max_select(5).mime_types(["image/png"]))
///     .field(Field::autodate("created").on_create(true));
/// let title = posts.field_by_name("title").unwrap();
/// assert_eq!((title.name(), title.type_name()), ("title", "text"));
/// ```
///
/// An option that a type does not have does not compile:
///
/// ```compile_fail,E0599
/// pocketbase::Field::number("price").pattern("^[0-9]+$");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Field(pub(crate) field::Field);

impl Field {
    /// Its name: a key of records.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }
    /// Its id, which stays when it is renamed; empty until the collection has it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }
    /// `text`, `number`, …
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.0.type_name()
    }
    /// True if only superusers see it.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.0.hidden
    }
    /// True if a non-zero value is required.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.0.required
    }
    /// All its options as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let text = engine::wire::to_string(&self.0, engine::wire::Audience::Db);
        serde_json::from_str(&text).unwrap_or_default()
    }
    /// The same field under another name; records keep their values.
    #[must_use]
    pub fn renamed(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.name);
        self
    }
    /// From the JSON of an exported collection.
    ///
    /// # Errors
    /// Unknown types and options of the wrong JSON type.
    pub fn from_json(json: &serde_json::Value) -> crate::Result<Self> {
        Ok(Self(field::Field::from_json(json)?))
    }
}

/// What fills a `values`-like option.
fn texts<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Vec<String> {
    items.into_iter().map(Into::into).collect()
}

macro_rules! field_types {
    ($(
        $(#[$doc:meta])*
        $builder:ident($kind:ty) = $make:ident, $required:ident {
            $($(#[$odoc:meta])* $option:ident($arg:ident: $ty:ty) $set:expr;)*
        }
    )*) => {
        impl Field {
            $(
                $(#[$doc])*
                pub fn $make(name: impl Into<String>) -> $builder {
                    $builder::new(name)
                }
            )*
        }
        $(
            $(#[$doc])*
            ///
            /// A builder: whatever takes a [`Field`] takes it.
            #[derive(Debug, Clone)]
            #[must_use]
            pub struct $builder(field::Field);

            impl $builder {
                /// A field of this name with the defaults of its type.
                pub fn new(name: impl Into<String>) -> Self {
                    Self(field::Field::new(&name.into(), <$kind>::default()))
                }
                field_types!(@common);
                field_types!(@$required);
                $(
                    $(#[$odoc])*
                    pub fn $option(mut self, $arg: $ty) -> Self {
                        if let Some(options) = self.0.options_mut::<$kind>() {
                            ($set)(options);
                        }
                        self
                    }
                )*
            }

            impl From<$builder> for Field {
                fn from(builder: $builder) -> Self {
                    Self(builder.0)
                }
            }
        )*
    };
    (@common) => {
        /// An id of one's own, to be the same field in every installation.
        pub fn id(mut self, id: impl Into<String>) -> Self {
            self.0.id = id.into();
            self
        }
        /// Only superusers see it.
        pub fn hidden(mut self, hidden: bool) -> Self {
            self.0.hidden = hidden;
            self
        }
        /// User interfaces show it in the place of the record.
        pub fn presentable(mut self, presentable: bool) -> Self {
            self.0.presentable = presentable;
            self
        }
    };
    (@requirable) => {
        /// A non-zero value is required.
        pub fn required(mut self, required: bool) -> Self {
            self.0.required = required;
            self
        }
        /// A hint for user interfaces.
        pub fn help(mut self, help: impl Into<String>) -> Self {
            self.0.help = help.into();
            self
        }
    };
    (@automatic) => {};
}

field_types! {
    /// A text.
    TextField(text::Text) = text, requirable {
        /// Least number of characters.
        min(n: i64) |o: &mut text::Text| o.min = n;
        /// Most characters; 0 for 5000.
        max(n: i64) |o: &mut text::Text| o.max = n;
        /// A regular expression that values must match.
        pattern(pattern: &str) |o: &mut text::Text| pattern.clone_into(&mut o.pattern);
        /// A regular expression that missing values are made from.
        autogenerate_pattern(pattern: &str) |o: &mut text::Text| pattern.clone_into(&mut o.autogenerate);
    }
    /// A number.
    NumberField(number::Number) = number, requirable {
        /// The least.
        min(n: f64) |o: &mut number::Number| o.min = Some(n);
        /// The greatest.
        max(n: f64) |o: &mut number::Number| o.max = Some(n);
        /// No fractions.
        only_int(only: bool) |o: &mut number::Number| o.only_int = only;
    }
    /// True or false.
    BoolField(field::bool::Bool) = bool, requirable {}
    /// A mail address.
    EmailField(email::Email) = email, requirable {
        /// Domains that are refused.
        except_domains(domains: impl IntoIterator<Item = &'static str>) |o: &mut email::Email| o.except_domains = texts(domains);
        /// The only domains that are accepted.
        only_domains(domains: impl IntoIterator<Item = &'static str>) |o: &mut email::Email| o.only_domains = texts(domains);
    }
    /// A URL.
    UrlField(url::Url) = url, requirable {
        /// Domains that are refused.
        except_domains(domains: impl IntoIterator<Item = &'static str>) |o: &mut url::Url| o.except_domains = texts(domains);
        /// The only domains that are accepted.
        only_domains(domains: impl IntoIterator<Item = &'static str>) |o: &mut url::Url| o.only_domains = texts(domains);
    }
    /// Formatted text (HTML).
    EditorField(editor::Editor) = editor, requirable {
        /// Most bytes; 0 for 5 MiB.
        max_size(bytes: i64) |o: &mut editor::Editor| o.max_size = bytes;
        /// Editors make URLs relative.
        convert_urls(convert: bool) |o: &mut editor::Editor| o.convert_urls = convert;
    }
    /// A moment.
    DateField(date::Date) = date, requirable {
        /// The earliest.
        min(time: DateTime) |o: &mut date::Date| o.min = date::DateText(time.to_string());
        /// The latest.
        max(time: DateTime) |o: &mut date::Date| o.max = date::DateText(time.to_string());
    }
    /// A moment that is set when a record is saved.
    AutodateField(autodate::Autodate) = autodate, automatic {
        /// When it is created.
        on_create(on: bool) |o: &mut autodate::Autodate| o.on_create = on;
        /// Whenever it is changed.
        on_update(on: bool) |o: &mut autodate::Autodate| o.on_update = on;
    }
    /// Any JSON value.
    JsonField(json::Json) = json, requirable {
        /// Most bytes; 0 for 1 MiB.
        max_size(bytes: i64) |o: &mut json::Json| o.max_size = bytes;
    }
    /// A place on earth.
    GeoPointField(geo_point::GeoPoint) = geo_point, requirable {}
    /// A text that is encrypted where it is stored; hidden unless something else is said. Needs a master key.
    SecretField(secret::Secret) = secret, requirable {
        /// Most bytes; 0 is 4096.
        max_size(n: i64) |o: &mut secret::Secret| o.max_size = n;
    }
    /// A password, stored as its hash.
    PasswordField(password::Password) = password, requirable {
        /// Least number of characters.
        min(n: i64) |o: &mut password::Password| o.min = n;
        /// Most characters; 0 for 71.
        max(n: i64) |o: &mut password::Password| o.max = n;
        /// A regular expression that passwords must match.
        pattern(pattern: &str) |o: &mut password::Password| pattern.clone_into(&mut o.pattern);
        /// Cost of bcrypt hashes; 0 for the default.
        cost(cost: i64) |o: &mut password::Password| o.cost = cost;
    }
    /// Files.
    FileField(file::File) = file, requirable {
        /// Most bytes of one file; 0 for 5 MiB.
        max_size(bytes: i64) |o: &mut file::File| o.max_size = bytes;
        /// Most files; more than 1 makes the value a list.
        max_select(n: i64) |o: &mut file::File| o.max_select = n;
        /// The only types that are accepted.
        mime_types(types: impl IntoIterator<Item = &'static str>) |o: &mut file::File| o.mime_types = texts(types);
        /// Sizes of thumbnails that may be asked for, such as `100x100`.
        thumbs(sizes: impl IntoIterator<Item = &'static str>) |o: &mut file::File| o.thumbs = texts(sizes);
        /// Downloads need a token and the view rule.
        protected(protected: bool) |o: &mut file::File| o.protected = protected;
    }
}

/// One or more of given values.
#[derive(Debug, Clone)]
#[must_use]
pub struct SelectField(field::Field);

/// Ids of records of a collection.
#[derive(Debug, Clone)]
#[must_use]
pub struct RelationField(field::Field);

impl Field {
    /// One or more of given values.
    pub fn select<S: Into<String>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = S>,
    ) -> SelectField {
        let options = select::Select { values: texts(values), max_select: 1 };
        SelectField(field::Field::new(&name.into(), options))
    }
    /// Ids of records of a collection, which must have been saved or have an id of its own.
    pub fn relation(name: impl Into<String>, to: &Collection) -> RelationField {
        let options = relation::Relation {
            collection_id: to.id(),
            max_select: 1,
            ..relation::Relation::default()
        };
        RelationField(field::Field::new(&name.into(), options))
    }
}

macro_rules! common {
    ($($builder:ident),*) => {$(
        impl $builder {
            field_types!(@common);
            field_types!(@requirable);
        }
        impl From<$builder> for Field {
            fn from(builder: $builder) -> Self {
                Self(builder.0)
            }
        }
    )*};
}
common!(SelectField, RelationField);

impl SelectField {
    /// Most values; more than 1 makes the value a list.
    pub fn max_select(mut self, n: i64) -> Self {
        if let Some(options) = self.0.options_mut::<select::Select>() {
            options.max_select = n;
        }
        self
    }
}

impl RelationField {
    /// Least number of records.
    pub fn min_select(mut self, n: i64) -> Self {
        if let Some(options) = self.0.options_mut::<relation::Relation>() {
            options.min_select = n;
        }
        self
    }
    /// Most records; more than 1 makes the value a list.
    pub fn max_select(mut self, n: i64) -> Self {
        if let Some(options) = self.0.options_mut::<relation::Relation>() {
            options.max_select = n;
        }
        self
    }
    /// Records are deleted with the last record that they refer to.
    pub fn cascade_delete(mut self, cascade: bool) -> Self {
        if let Some(options) = self.0.options_mut::<relation::Relation>() {
            options.cascade_delete = cascade;
        }
        self
    }
}
