//! Views: types, sources, and PostgreSQL's words.

use super::{Column, Table, Ty, View, for_postgres, read, tables};

fn catalog() -> Vec<Table> {
    let table = |name: &str, columns: &[(&str, Ty)], has_key| Table {
        name: name.into(),
        columns: columns
            .iter()
            .map(|(name, ty)| Column { name: (*name).into(), ty: *ty })
            .collect(),
        has_key,
    };
    let items = [
        ("id", Ty::Text),
        ("title", Ty::Text),
        ("num", Ty::Number),
        ("flag", Ty::Bool),
        ("js", Ty::Json),
        ("kind", Ty::Text),
        ("kinds", Ty::Json),
        ("date", Ty::Text),
        ("who", Ty::Text),
        ("camelCase", Ty::Text),
    ];
    let people = [("id", Ty::Text), ("firstName", Ty::Text), ("age", Ty::Number)];
    let seen = [("id", Ty::Text), ("what", Ty::Unknown)];
    vec![table("items", &items, true), table("people", &people, true), table("seen", &seen, false)]
}

fn shown(view: &View) -> String {
    let columns = view.columns.iter().map(|column| {
        let computed = if column.is_computed { "*" } else { "" };
        let source = column.source.as_ref().map(|(table, name)| format!("={table}.{name}"));
        format!("{}:{:?}{computed}{}", column.name, column.ty, source.unwrap_or_default())
    });
    columns.collect::<Vec<_>>().join(" ")
}

#[test]
fn columns_have_types_and_sources() {
    for (query, want) in [
        ("SELECT id, 'a' || id AS x FROM items", "id:Text=items.id x:Text*"),
        ("SELECT ROW_NUMBER() OVER() AS id, title FROM items", "id:Int* title:Text=items.title"),
        (
            "SELECT kind as id, COUNT(*) FILTER (WHERE num > 1) AS n FROM items GROUP BY kind",
            "id:Text=items.kind n:Int*",
        ),
        (
            "SELECT id, LAG(title) OVER(ORDER BY num) AS prev FROM items",
            "id:Text=items.id prev:Text*",
        ),
        ("SELECT id, NOT flag AS y FROM items", "id:Text=items.id y:Bool*"),
        ("SELECT id, title t FROM items UNION SELECT id, firstName FROM people", "id:Text t:Text"),
        (
            "SELECT id, num FROM items UNION ALL SELECT id, firstName FROM people",
            "id:Text num:Unknown",
        ),
        (
            "SELECT id, num FROM items INTERSECT SELECT id, num FROM items",
            "id:Text=items.id num:Number=items.num",
        ),
        (
            "WITH x AS (SELECT id, title, count(*) n FROM items) SELECT id, x.TITLE, n FROM x",
            "id:Text=items.id title:Text=items.title n:Int*",
        ),
        (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < 3) SELECT n as id FROM c",
            "id:Int*",
        ),
        (
            "SELECT q.id, q.w FROM (SELECT id, who AS w FROM items) AS q",
            "id:Text=items.id w:Text=items.who",
        ),
        (
            "SELECT id, (SELECT firstName FROM people p WHERE p.id = items.who) AS n FROM items",
            "id:Text=items.id n:Text*",
        ),
        (
            "SELECT id, num + 1 AS a, num/2.0 b, -num c, 1+1 d, num % 2 e FROM items",
            "id:Text=items.id a:Number* b:Real* c:Number* d:Int* e:Int*",
        ),
        (
            "SELECT id, num > 1 AS a, title IS NULL b, title LIKE 'o%' c, EXISTS (SELECT 1) d, num IN (1) e FROM items",
            "id:Text=items.id a:Bool* b:Bool* c:Bool* d:Bool* e:Bool*",
        ),
        (
            "SELECT id, CASE WHEN num THEN 'a' ELSE 'b' END a, iif(flag, 1, 2.5) b, IFNULL(num, '') c, coalesce(NULL, title) d FROM items",
            "id:Text=items.id a:Text* b:Number* c:Value* d:Text*",
        ),
        (
            "SELECT id, CAST (num AS INTEGER) a, cast(num as real) b, cast(num as text) c, cast(num as bool) d, cast(num as blob) e FROM items",
            "id:Text=items.id a:Int b:Real c:Text d:Bool e:Unknown",
        ),
        (
            "SELECT kind id, sum(num) a, avg(num) b, total(num) c, max(num) d, group_concat(title) e, sum(flag) f FROM items GROUP BY 1",
            "id:Text=items.kind a:Number* b:Real* c:Real* d:Number* e:Text* f:Number*",
        ),
        (
            "SELECT id, json_extract(js,'$.k') a, js->>'k' b, strftime('%Y', date) c, length(title) d FROM items",
            "id:Text=items.id a:Value* b:Value* c:Text* d:Int*",
        ),
        ("SELECT j.value id, j.key FROM items, json_each(kinds) j", "id:Value* key:Value*"),
        ("SELECT what, nope.x, \"text\" t FROM seen", "what:Unknown=seen.what x:Unknown* t:Text*"),
        ("SELECT x.a, b FROM nowhere x", "a:Unknown b:Unknown"),
        (
            "SELECT [[id]], {{items}}.[[title]] FROM {{items}}",
            "id:Text=items.id title:Text=items.title",
        ),
        ("VALUES ('a', 1)", "column1:Text* column2:Int*"),
    ] {
        let view = read(query, &catalog()).unwrap_or_else(|e| panic!("{query}: {e}"));
        assert_eq!(shown(&view), want, "{query}");
    }
}

#[test]
fn what_cannot_be_read() {
    let long = format!("SELECT {}1 AS id", "1+".repeat(5000));
    for (query, want) in [
        ("SELECT * FROM items", "wildcard columns (*) are not supported"),
        ("SELECT id FROM items UNION SELECT p.* FROM people p", "wildcard columns (*)"),
        ("SELECT id FROM items; SELECT 1", "multiple statements"),
        ("DELETE FROM items", "only SELECT statements"),
        ("SELECT id, FROM items WHERE", "sql parser error"),
        ("SELECT 'a", "Unterminated string literal"),
        (&long, "the query is too long"),
    ] {
        let error = read(query, &catalog()).unwrap_err();
        assert!(error.starts_with(want), "{query}: {error}");
        assert_eq!(for_postgres(query, &catalog(), &|_| true), None);
    }
    let deep = format!("SELECT {}1{} AS id", "(".repeat(500), ")".repeat(500));
    assert!(read(&deep, &catalog()).is_err());
    let chain = format!("SELECT {}1 AS id", "1+".repeat(990));
    assert!(for_postgres(&chain, &catalog(), &|_| true).is_some());
}

#[test]
fn tables_wherever_they_stand() {
    for (query, want) in [
        ("SELECT id FROM a JOIN b ON a.x = b.x, c", &["a", "b", "c"][..]),
        (
            "WITH q AS (SELECT * FROM a) SELECT id FROM q WHERE x IN (SELECT y FROM `b`)",
            &["a", "b"],
        ),
        (
            "SELECT id, (SELECT 1 FROM b) FROM (SELECT id FROM a) UNION SELECT id FROM c",
            &["a", "b", "c"],
        ),
    ] {
        assert_eq!(tables(query).unwrap(), want, "{query}");
    }
    assert_eq!(tables("SELECT <"), None);
}

#[test]
fn in_words_of_postgres() {
    for (query, want) in [
        // names
        (
            "SELECT id, camelcase AS myName, title 't x' FROM ITEMS",
            r#"SELECT "id", "camelCase" AS "myName", "title" AS "t x" FROM "items""#,
        ),
        (
            "SELECT i.id, P.firstname FROM items I, people p WHERE p.id = i.[who]",
            r#"SELECT "I"."id", "p"."firstName" FROM "items" "I", "people" "p" WHERE "p"."id" = "I"."who""#,
        ),
        (
            "SELECT id FROM items WHERE kind = \"a\" AND \"title\" != ''",
            r#"SELECT "id" FROM "items" WHERE "kind" = 'a' AND "title" <> ''"#,
        ),
        (
            "SELECT id, n FROM (SELECT id, num AS n FROM items)",
            r#"SELECT "id", "n" FROM (SELECT "id", "num" AS "n" FROM "items") AS "_q1""#,
        ),
        (
            "SELECT id, date AS day FROM items WHERE day > '2' ORDER BY day, lower(day)",
            r#"SELECT "id", "date" AS "day" FROM "items" WHERE "date" > '2' ORDER BY "day" NULLS FIRST, lower("date") NULLS FIRST"#,
        ),
        ("SELECT `x`.`a`, b FROM `nowhere` x", r#"SELECT "x"."a", b FROM "nowhere" "x""#),
        // truth and numbers
        (
            "SELECT id, NOT flag AS a, num > 1 AS flag FROM items",
            r#"SELECT "id", CAST(NOT "flag" AS INT) AS "a", "num" > 1 AS "flag" FROM "items""#,
        ),
        (
            "SELECT id FROM items WHERE flag = 1 AND num OR NOT title AND flag IN (0, 1) AND js->>'$.a'",
            r#"SELECT "id" FROM "items" WHERE "flag" = true AND ("num" <> 0) OR NOT (pb_to_real("title") <> 0) AND "flag" IN (false, true) AND (pb_real(pb_plain("js" #> '{a}')) <> 0)"#,
        ),
        (
            "SELECT id, title || num || flag || 1 AS x FROM items",
            r#"SELECT "id", "title" || pb_number_text(CAST("num" AS DOUBLE PRECISION)) || CAST(CAST("flag" AS INT) AS TEXT) || '1' AS "x" FROM "items""#,
        ),
        (
            "SELECT id, num % 2 AS m, num / 2 AS h, avg(num) / count(*) AS q FROM items GROUP BY id",
            r#"SELECT "id", pb_mod(CAST("num" AS DOUBLE PRECISION), CAST(2 AS DOUBLE PRECISION)) AS "m", pb_div(CAST("num" AS DOUBLE PRECISION), CAST(2 AS DOUBLE PRECISION)) AS "h", avg(CAST("num" AS DOUBLE PRECISION)) / nullif(count(*), 0) AS "q" FROM "items" GROUP BY "id""#,
        ),
        (
            "SELECT id FROM items WHERE title = 5 AND num = '5' AND num != 'x' AND title IS 'a'",
            r#"SELECT "id" FROM "items" WHERE "title" = '5' AND "num" = '5' AND pb_number_text(CAST("num" AS DOUBLE PRECISION)) <> 'x' AND "title" IS NOT DISTINCT FROM 'a'"#,
        ),
        (
            "SELECT id, CAST(num AS INTEGER) a, CAST(title AS REAL) b, CAST(flag AS TEXT) c FROM items",
            r#"SELECT "id", CAST(trunc("num") AS BIGINT) AS "a", pb_to_real("title") AS "b", CAST(CAST("flag" AS INT) AS TEXT) AS "c" FROM "items""#,
        ),
        // functions
        (
            "SELECT id, IFNULL(title,'x') a, iif(num, 'y', 'n') b, coalesce(num, 'none') c FROM items",
            r#"SELECT "id", coalesce("title", 'x') AS "a", CASE WHEN ("num" <> 0) THEN 'y' ELSE 'n' END AS "b", coalesce(pb_value("num"), pb_value(CAST('none' AS TEXT))) AS "c" FROM "items""#,
        ),
        (
            "SELECT id, json_extract(js,'$.a[0]') a, json_array_length(kinds) b, json_extract(title, '$.x') c FROM items",
            r#"SELECT "id", pb_plain("js" #> '{a,0}') AS "a", pb_json_length("kinds") AS "b", pb_plain(pb_parse("title") #> '{x}') AS "c" FROM "items""#,
        ),
        (
            "SELECT id FROM items WHERE json_extract(js,'$.k') = 'x' OR js->>'$.k' > 3 OR who = js->>'$.k'",
            r#"SELECT "id" FROM "items" WHERE pb_plain("js" #> '{k}') = pb_value(CAST('x' AS TEXT)) OR pb_plain("js" #> '{k}') > pb_value(3) OR "who" = pb_text(pb_plain("js" #> '{k}'))"#,
        ),
        (
            "SELECT id, strftime('%Y', date) a, date('now', '-7 days') b, unixepoch() c, date(x::timestamp) d FROM items",
            r#"SELECT "id", pb_strftime('%Y', "date") AS "a", pb_strftime('%Y-%m-%d', pb_now(), '-7 days') AS "b", CAST(pb_strftime('%s', pb_now()) AS BIGINT) AS "c", date(x::TIMESTAMP) AS "d" FROM "items""#,
        ),
        (
            "SELECT kind id, GROUP_CONCAT(title) a, group_concat(DISTINCT num) b, total(num) FILTER (WHERE flag) c, sum(flag) d FROM items GROUP BY kind",
            r#"SELECT "kind" AS "id", string_agg("title", ',') AS "a", string_agg(DISTINCT pb_number_text(CAST("num" AS DOUBLE PRECISION)), ',') AS "b", coalesce(sum(CAST("num" AS DOUBLE PRECISION)) FILTER (WHERE "flag"), 0.0) AS "c", CAST(sum(CAST("flag" AS INT)) AS BIGINT) AS "d" FROM "items" GROUP BY "kind""#,
        ),
        (
            "SELECT id, ROUND(num,1) r, max(num, 2) m, instr(title,'o') i, hex(title) h FROM items",
            r#"SELECT "id", pb_round(CAST("num" AS DOUBLE PRECISION), 1) AS "r", CASE WHEN NOT ("num" IS NULL OR 2 IS NULL) THEN greatest("num", 2) END AS "m", strpos("title", 'o') AS "i", pb_hex("title") AS "h" FROM "items""#,
        ),
        (
            "SELECT id FROM items WHERE title LIKE 'o%' OR title LIKE 'a!_' ESCAPE '!' OR title = 'X' COLLATE NOCASE ORDER BY title COLLATE NOCASE DESC",
            r#"SELECT "id" FROM "items" WHERE "title" ILIKE 'o%' ESCAPE '' OR "title" ILIKE 'a!_' ESCAPE '!' OR lower("title") = lower('X') ORDER BY lower("title") DESC NULLS LAST"#,
        ),
        (
            "SELECT id, LAG(num) OVER (PARTITION BY kind ORDER BY num) p FROM items",
            r#"SELECT "id", LAG("num") OVER (PARTITION BY "kind" ORDER BY "num" NULLS FIRST) AS "p" FROM "items""#,
        ),
        // tables
        (
            "SELECT i.id || j.value AS id FROM items i JOIN json_each(i.kinds) AS j JOIN people",
            r#"SELECT "i"."id" || pb_text("j"."value") AS "id" FROM "items" "i" CROSS JOIN pb_json_each("i"."kinds") AS "j" CROSS JOIN "people""#,
        ),
        (
            "SELECT i.id FROM items i LEFT JOIN people p USING (ID) LIMIT 1, 2",
            r#"SELECT "i"."id" FROM "items" "i" LEFT JOIN "people" "p" USING("id") LIMIT 2 OFFSET 1"#,
        ),
        ("SELECT id FROM items LIMIT -1", r#"SELECT "id" FROM "items""#),
        (
            "WITH X(a) AS (SELECT id FROM items) SELECT x.A AS id FROM x",
            r#"WITH "X" ("a") AS (SELECT "id" FROM "items") SELECT "X"."a" AS "id" FROM "X""#,
        ),
        // columns beside aggregates
        (
            "SELECT id, title t, max(num) AS mx FROM items",
            r#"SELECT (array_agg("id" ORDER BY "num" DESC NULLS LAST))[1] AS "id", (array_agg("title" ORDER BY "num" DESC NULLS LAST))[1] AS "t", max("num") AS "mx" FROM "items""#,
        ),
        (
            "SELECT kind id, min(num) m, title || 'x' AS t FROM items GROUP BY kind HAVING title != '' ORDER BY num",
            r#"SELECT "kind" AS "id", min("num") AS "m", (array_agg("title" ORDER BY "num" ASC NULLS LAST))[1] || 'x' AS "t" FROM "items" GROUP BY "kind" HAVING (array_agg("title" ORDER BY "num" ASC NULLS LAST))[1] <> '' ORDER BY (array_agg("num" ORDER BY "num" ASC NULLS LAST))[1] NULLS FIRST"#,
        ),
        (
            "SELECT items.id, title, p.firstName, count(*) n FROM items JOIN people p GROUP BY items.id",
            r#"SELECT "items"."id", "title", (array_agg("p"."firstName"))[1] AS "firstName", count(*) AS "n" FROM "items" CROSS JOIN "people" "p" GROUP BY "items"."id""#,
        ),
        (
            "SELECT id, what, count(*) n FROM seen GROUP BY seen.id",
            r#"SELECT "id", (array_agg("what"))[1] AS "what", count(*) AS "n" FROM "seen" GROUP BY "seen"."id""#,
        ),
        // nothing to change
        (
            r#"SELECT "id", "js" ->> 'a' AS "x", ("date")::TIMESTAMP AS "d" FROM "items" ORDER BY "id" NULLS FIRST"#,
            "=",
        ),
        (r#"SELECT string_agg("title", ',') AS "id" FROM "items""#, "="),
    ] {
        let got = for_postgres(query, &catalog(), &|name| name == "flag");
        assert_eq!(got.as_deref().unwrap_or("="), want, "{query}");
    }
}
