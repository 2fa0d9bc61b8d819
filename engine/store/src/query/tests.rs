//! What built statements look like.

use super::*;

fn text(value: &str) -> Given {
    Value::Text(value.into()).into()
}
fn int(n: i64) -> Given {
    Value::Int(n).into()
}

#[test]
fn raw_texts() {
    let params = vec![("id".to_owned(), int(1)), ("t".to_owned(), text("x"))];
    for (given, want, n_params) in [
        ("a = {:id}", "a = ?1", 1),
        ("{:t} {:id} {:t}", "?1 ?2 ?3", 3),
        ("[[u.name]] = {{users}}", r#""u"."name" = "users""#, 0),
        ("'{:id}' \"{:id}\" `[[x]]`", "'{:id}' \"{:id}\" `[[x]]`", 0),
        ("1 -- {:id}\n{:id}", "1 -- {:id}\n?1", 1),
        ("/* [[a]] */ a[1] - b / c", "/* [[a]] */ a[1] - b / c", 0),
        ("{:missing}", "{:missing}", 0),
        ("'it''s {:id}' {:id}", "'it''s {:id}' ?1", 1),
    ] {
        let sql = raw(Dialect::SQLITE, given, &params);
        assert_eq!((sql.text.as_str(), sql.params.len()), (want, n_params), "{given}");
    }
    assert_eq!(raw(Dialect::POSTGRES, "{:id}", &params).text, "$1");
}

#[test]
fn queries() {
    let query = Select {
        columns: vec!["u.id".into(), "count(*) AS n".into(), "u.name title".into()],
        distinct: true,
        from: vec!["users u".into()],
        joins: vec![(
            "LEFT JOIN".into(),
            "profiles AS p".into(),
            Some(Expr::Raw("p.user = u.id".into(), Params::new())),
        )],
        filter: Some(Expr::Join(
            Joined::And,
            vec![
                Expr::Hash(vec![
                    ("status".into(), Hashed::One(text("a"))),
                    ("gone".into(), Hashed::One(Value::Null.into())),
                    ("kind".into(), Hashed::Any(vec![int(1), int(2)])),
                ]),
                Expr::Empty,
                Expr::Between("age".into(), int(1), int(9), true),
            ],
        )),
        group_by: vec!["u.id".into()],
        having: Some(Expr::Raw("count(*) > {:n}".into(), vec![("n".into(), int(3))])),
        order_by: vec!["u.created desc".into(), "random()".into()],
        offset: Some(5),
        ..Select::default()
    };
    let sql = select(Dialect::SQLITE, &query);
    assert_eq!(
        sql.text,
        r#"SELECT DISTINCT "u"."id", count(*) AS n, "u"."name" AS "title" FROM "users" AS "u" LEFT JOIN "profiles" AS "p" ON p.user = u.id WHERE (("status" = ?1) AND ("gone" IS NULL) AND ("kind" IN (?2, ?3))) AND ("age" NOT BETWEEN ?4 AND ?5) GROUP BY "u"."id" HAVING count(*) > ?6 ORDER BY "u"."created" DESC, random() LIMIT -1 OFFSET 5"#
    );
    assert_eq!(sql.params.len(), 6);
    assert!(!select(Dialect::POSTGRES, &query).text.contains("LIMIT"));
}

#[test]
fn conditions() {
    let like = |negated, any| {
        Expr::Like(Like {
            column: "title".into(),
            texts: vec!["50%".into(), "b".into()],
            open: (true, false),
            negated,
            any,
            escapes: None,
        })
    };
    for (expr, want) in [
        (like(false, false), r#""title" LIKE ?1 ESCAPE '\' AND "title" LIKE ?2 ESCAPE '\'"#),
        (like(true, true), r#""title" NOT LIKE ?1 ESCAPE '\' OR "title" NOT LIKE ?2 ESCAPE '\'"#),
        (Expr::In("a".into(), vec![], false), "0=1"),
        (Expr::In("a".into(), vec![], true), "1=1"),
        (Expr::Not(Box::new(Expr::In("a".into(), vec![int(1)], true))), r#"NOT ("a" NOT IN (?1))"#),
        (
            Expr::Exists(Box::new(Expr::Raw("SELECT 1".into(), Params::new())), true),
            "NOT EXISTS (SELECT 1)",
        ),
        (Expr::Join(Joined::Or, vec![]), "1=1"),
    ] {
        let mut writer = Writer::new(Dialect::SQLITE);
        writer.expr(&expr);
        assert_eq!(writer.text, want);
    }
    let mut writer = Writer::new(Dialect::SQLITE);
    writer.expr(&like(false, false));
    assert_eq!(writer.params[0], Value::Text("%50\\%".into()));
}

#[test]
fn writing() {
    let columns = [("id".to_owned(), text("a")), ("n".to_owned(), int(1))];
    for (sql, want) in [
        (
            insert(Dialect::SQLITE, "t", &columns, &[]),
            r#"INSERT INTO "t" ("id", "n") VALUES (?1, ?2)"#,
        ),
        (
            insert(Dialect::POSTGRES, "t", &columns, &["id".into()]),
            r#"INSERT INTO "t" ("id", "n") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "n" = excluded."n""#,
        ),
        (
            update(
                Dialect::SQLITE,
                "t",
                &columns[1..],
                &Expr::Raw("id = {:i}".into(), vec![("i".into(), text("a"))]),
            ),
            r#"UPDATE "t" SET "n" = ?1 WHERE id = ?2"#,
        ),
        (delete(Dialect::SQLITE, "t", &Expr::Empty), r#"DELETE FROM "t""#),
    ] {
        assert_eq!(sql.text, want);
    }
}

#[test]
fn what_only_reads() {
    for (text, want) in [
        (" select 1", true),
        ("WITH x AS (SELECT 1) SELECT * FROM x", true),
        ("WITH x AS (SELECT 1) DELETE FROM y", false),
        ("INSERT INTO x DEFAULT VALUES RETURNING id", false),
        ("PRAGMA user_version", true),
    ] {
        assert_eq!(reads(text), want, "{text}");
    }
}

/// As the reference prints them.
#[test]
fn shown() {
    let like = |escapes: &[(&str, &str)]| {
        let escapes = escapes.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let texts = vec!["a%".into()];
        let (negated, any) = (false, false);
        let column = "t".into();
        Expr::Like(Like { column, texts, open: (true, true), negated, any, escapes: Some(escapes) })
    };
    let plain = |text: &str| Expr::Raw(text.into(), Params::new());
    for (expr, want) in [
        (
            Expr::Hash(vec![
                ("n".into(), Hashed::One(Value::Null.into())),
                ("a".into(), Hashed::One(text("x"))),
                ("l".into(), Hashed::Any(vec![int(1), text("2")])),
                ("e".into(), Hashed::Any(vec![])),
            ]),
            "`a`={:p0} AND 0=1 AND `l` IN ({:p1}, {:p2}) AND `n` IS NULL",
        ),
        (Expr::In("s".into(), vec![int(1)], true), "`s`<>{:p0}"),
        (Expr::In("s".into(), vec![], true), ""),
        (Expr::Join(Joined::Or, vec![plain("a = 1"), Expr::Empty]), "a = 1"),
        (Expr::Join(Joined::And, vec![plain("1"), plain("2")]), "(1) AND (2)"),
        (like(&[]), "`t` LIKE {:p0}"),
        (Expr::Exists(Box::new(plain("x")), true), "NOT EXISTS (x)"),
    ] {
        assert_eq!(shown::condition(&expr, Params::new()).text, want);
    }
    assert_eq!(shown::condition(&like(&[("%", "%%")]), Params::new()).params[0].1, text("%a%%%"));
    let hash = Expr::Hash(vec![("on".into(), Hashed::One(Given::Bool(true)))]);
    assert_eq!(shown::condition(&hash, Params::new()).params[0].1, Given::Bool(true));
    let around = Select {
        columns: vec!["a".into()],
        from: vec!["t".into()],
        around: ("WITH x AS (SELECT 1)".into(), "FOR UPDATE".into()),
        option: "ALL".into(),
        joins: vec![("CROSS JOIN".into(), "x".into(), None)],
        unions: vec![(Other::Written("SELECT {:n}".into(), vec![("n".into(), int(1))]), true)],
        ..Select::default()
    };
    assert_eq!(
        shown::select(&around).text,
        "WITH x AS (SELECT 1) SELECT ALL `a` FROM `t` CROSS JOIN `x` UNION ALL SELECT {:n} FOR UPDATE"
    );
    assert_eq!(
        select(Dialect::SQLITE, &around).text,
        r#"WITH x AS (SELECT 1) SELECT ALL "a" FROM "t" CROSS JOIN "x" UNION ALL SELECT ?1 FOR UPDATE"#
    );
    let query = Select {
        columns: vec!["p.id".into(), "p.title as name".into(), "count(o.id) as total".into()],
        distinct: true,
        from: vec!["products p".into()],
        joins: vec![("LEFT JOIN".into(), "raw_orders o".into(), Some(plain("o.product = p.id")))],
        group_by: vec!["p.id".into()],
        order_by: vec!["total DESC".into(), "id desc".into()],
        limit: Some(3),
        offset: Some(2),
        ..Select::default()
    };
    assert_eq!(
        shown::select(&query).text,
        "SELECT DISTINCT `p`.`id`, `p`.`title` AS `name`, count(o.id) AS `total` FROM `products` `p` LEFT JOIN `raw_orders` `o` ON o.product = p.id GROUP BY `p`.`id` ORDER BY `total` DESC, `id` desc LIMIT 3 OFFSET 2"
    );
}
