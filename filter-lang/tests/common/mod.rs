//! In-memory tables for tests: the fixture of the specification and the scratch collection of its §14.4.
#![allow(dead_code, clippy::unwrap_used, reason = "test support; each test uses its part")]

use std::{collections::BTreeMap, sync::Arc};

use filter_lang::{
    Row,
    judge::Tables,
    schema::{Class, Collection, CollectionKind, Field, Schema},
    value::{Affinity, Value},
};
use serde_json::Value as Json;

pub(crate) type Record = BTreeMap<String, Value>;

/// Collections with their rows.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) tables: Vec<(Arc<Collection>, Vec<Record>)>,
}

impl Memory {
    pub(crate) fn rows_of(&self, name: &str) -> &[Record] {
        &self.tables.iter().find(|(collection, _)| collection.name == name).unwrap().1
    }
}

impl Schema for Memory {
    fn collection(&self, name_or_id: &str) -> Option<Arc<Collection>> {
        self.tables
            .iter()
            .map(|(collection, _)| collection)
            .find(|it| it.id == name_or_id || it.name.eq_ignore_ascii_case(name_or_id))
            .cloned()
    }
}

impl Tables for Memory {
    fn rows(&self, collection_id: &str) -> Vec<&dyn Row> {
        let found = self.tables.iter().find(|(collection, _)| collection.id == collection_id);
        found.map_or_else(Vec::new, |(_, rows)| rows.iter().map(|row| row as &dyn Row).collect())
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Real(number.as_f64().unwrap()),
        },
        Json::String(text) => Value::from(text.as_str()),
        other => panic!("unexpected {other}"),
    }
}

fn field(json: &Json) -> Field {
    let class = match json["class"].as_str().unwrap() {
        "Text" => Class::Text,
        "Number" => Class::Number,
        "Bool" => Class::Bool,
        "Json" => Class::Json,
        "GeoPoint" => Class::GeoPoint,
        "Select" => Class::Select,
        "File" => Class::File,
        "Relation" => Class::Relation,
        other => panic!("class {other}"),
    };
    let mut field = Field::new(json["name"].as_str().unwrap(), class);
    field.hidden = json["hidden"] == true;
    field.multiple = json["multiple"] == true;
    field.target = json["target"].as_str().map(str::to_owned);
    field.affinity(match json["affinity"].as_str().unwrap() {
        "Text" => Affinity::Text,
        "Num" => Affinity::Num,
        _ => Affinity::None,
    })
}

/// The fixture of spec filter-language §14.
pub(crate) fn fixture() -> Memory {
    let json: Json = serde_json::from_str(include_str!("../cases/fixture.json")).unwrap();
    let list = |json: &Json| json.as_array().unwrap().clone();
    let tables = list(&json).into_iter().map(|json| {
        let fields: Vec<Field> = list(&json["fields"]).iter().map(field).collect();
        let rows = list(&json["rows"]).into_iter().map(|row| {
            fields
                .iter()
                .zip(list(&row))
                .map(|(field, json)| (field.name.clone(), value(&json)))
                .collect()
        });
        let rows = rows.collect();
        let mut collection = Collection::new(json["name"].as_str().unwrap())
            .id(json["id"].as_str().unwrap())
            .kind(match json["kind"].as_str().unwrap() {
                "Auth" => CollectionKind::Auth,
                "View" => CollectionKind::View,
                _ => CollectionKind::Base,
            })
            .with_all(fields);
        collection.list_rule = json["listRule"].as_str().map(str::to_owned);
        for name in list(&json["unique"]) {
            collection = collection.unique(name.as_str().unwrap());
        }
        (Arc::new(collection), rows)
    });
    Memory { tables: tables.collect() }
}

pub(crate) fn plain_field(name: &str, class: Class, affinity: Affinity) -> Field {
    Field::new(name, class).affinity(affinity)
}

/// The scratch collection `z` of spec filter-language §14.4.
pub(crate) fn scratch() -> Memory {
    use Affinity::{Num, Text};
    let fields = vec![
        plain_field("id", Class::Text, Text),
        plain_field("t", Class::Text, Text),
        plain_field("n", Class::Number, Num),
        plain_field("j", Class::Json, Num),
        plain_field("sm", Class::Select, Num).several(),
    ];
    let rows: [(&str, &str, f64, &str, &str); 10] = [
        ("1", "1", 1.0, "1", r#"["a"]"#),
        ("2", "1.0", 1.5, "1", r#"["a","b"]"#),
        ("3", "", 0.0, "", "[]"),
        ("4", "true", -10.0, "true", "[]"),
        ("5", "null", 10.0, r#""""#, "[]"),
        (
            "6",
            r"ÄÖ a_b 100% c\d",
            100.0,
            r#"{"a":"x","b":[],"c":null,"d":false,"e":0,"f":"","5":"five"}"#,
            "[]",
        ),
        ("7", "Hello", 2.0, r#"[1,"a",null,{"k":"v"}]"#, "[]"),
        ("8", "hello", 3.0, r#""hello""#, "[]"),
        ("9", "2", 2.0, "[1,2]", "[]"),
        ("a", "10", 1e21, "1", "[]"),
    ];
    let number = |number: f64| match number.fract() == 0.0 && number.abs() < 9e18 {
        #[allow(clippy::cast_possible_truncation)]
        true => Value::Int(number as i64),
        false => Value::Real(number),
    };
    let json = |text: &str| match text {
        "" => Value::Null,
        "1" => Value::Int(1),
        text => Value::from(text),
    };
    let record = |(id, t, n, j, sm): (&str, &str, f64, &str, &str)| -> Record {
        let values = [Value::from(id), Value::from(t), number(n), json(j), Value::from(sm)];
        fields.iter().map(|field| field.name.clone()).zip(values).collect()
    };
    let rows = rows.into_iter().map(record).collect();
    let collection = Collection::new("z").id("scratch00000000").list_rule("").with_all(fields);
    Memory { tables: vec![(Arc::new(collection), rows)] }
}
