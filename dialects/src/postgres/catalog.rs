//! PostgreSQL's introspection queries, and its statements over the system tables. They look at `current_schema()` only.

use super::names::stored;
use crate::{
    idiom::{Catalog, System},
    quote::json_list,
    sql::{Sql, Value},
};

pub(super) const CATALOG: Catalog = Catalog {
    tables: "SELECT c.relname::text AS name, CASE WHEN c.relkind IN ('v','m') THEN 'view' ELSE 'table' END AS type \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = current_schema() AND c.relkind IN ('r','p','v','m') ORDER BY 1",
    index_names: "SELECT indexname::text AS name FROM pg_catalog.pg_indexes WHERE schemaname = current_schema()",
    full_text: "SELECT indexname::text AS name FROM pg_catalog.pg_indexes WHERE schemaname = current_schema() \
             AND indexname LIKE '\\_fts\\_%' AND indexdef LIKE '%pb_tsvector(%'",
    has_table: "SELECT c.relname::text AS name, CASE WHEN c.relkind IN ('v','m') THEN 'view' ELSE 'table' END AS type \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relkind IN ('r','p','v','m') \
         AND lower(c.relname::text) = lower($1::text) LIMIT 1",
    columns: r#"SELECT a.attname::text AS name, upper(format_type(a.atttypid, a.atttypmod)) AS type, a.attnotnull::int AS "notnull",
 pg_get_expr(d.adbin, d.adrelid) AS "default",
 COALESCE((SELECT (a.attnum = ANY(i.indkey))::int FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), 0) AS pk
 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE n.nspname = current_schema() AND lower(c.relname::text) = lower($1::text)
 AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> '_rowid_' ORDER BY a.attnum"#,
    indexes: "SELECT indexname::text AS name, indexdef AS sql FROM pg_catalog.pg_indexes \
         WHERE schemaname = current_schema() AND lower(tablename::text) = lower($1::text) \
         AND indexname NOT LIKE '%\\_pkey' ORDER BY 1",
    has_index: r#"SELECT indexname::text AS name, tablename::text AS "table" FROM pg_catalog.pg_indexes
 WHERE schemaname = current_schema() AND lower(indexname::text) = lower($1::text) LIMIT 1"#,
    sizes: "SELECT c.relname::text, pg_table_size(c.oid)::bigint, pg_indexes_size(c.oid)::bigint \
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
            WHERE c.relkind IN ('r', 'p') AND n.nspname = current_schema()",
    version: "SELECT current_setting('server_version')",
    index_columns: r#"SELECT trim(BOTH '"' FROM regexp_replace(pg_get_indexdef(c.oid, k.n::int, true), '^lower\(\(?("?[^")]+"?)\)?(::text)?\)$', '\1')) AS "column"
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
 JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
 CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k(n)
 WHERE s.nspname = current_schema() AND c.relname::text = $1::text ORDER BY k.n"#,
};

pub(super) const SYSTEM: System = System {
    collections: r#"SELECT "id","system","type","name","fields","indexes","listRule","viewRule","createRule","updateRule","deleteRule","options","created","updated" FROM "_collections" ORDER BY _rowid_"#,
    params_value: r#"SELECT CASE jsonb_typeof("value") WHEN 'string' THEN "value" #>> '{}' ELSE "value"::text END FROM "_params" WHERE "id" = $1"#,
    save_params_plain: r#"INSERT INTO "_params" ("id","value","created","updated") VALUES ($1, $2::jsonb, $3::text, $3::text) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
    hold_params: r#"INSERT INTO "_params" ("id","value","created","updated") VALUES ($1, '{}'::jsonb, $2::text, $2::text) ON CONFLICT ("id") DO UPDATE SET "updated" = excluded."updated""#,
    save_params_text: r#"INSERT INTO "_params" ("id","value","created","updated") VALUES ($1, to_jsonb($2::text), $3::text, $3::text) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
    migrations: r#"SELECT "file" FROM "_migrations" ORDER BY "applied", "file" COLLATE "C""#,
};

/// What a PostgreSQL view `c` has beside its query (privileges, an owner, a comment), as statements for a view of the
/// name that the expression `name` gives; after a first one.
fn belongings_of(name: &str) -> String {
    let to = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END \
              || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END";
    format!(
        "COALESCE((SELECT string_agg(';GRANT ' || a.privilege_type || ' ON ' || {name} || ' TO ' || {to}, '') \
         FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner), '') \
         || COALESCE((SELECT string_agg(';GRANT ' || a.privilege_type || ' (' || quote_ident(t.attname::text) || ') ON ' \
         || {name} || ' TO ' || {to}, '') FROM pg_catalog.pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) a \
         WHERE t.attrelid = c.oid AND NOT t.attisdropped), '') \
         || COALESCE(';COMMENT ON VIEW ' || {name} || ' IS ' || quote_literal(obj_description(c.oid, 'pg_class')), '') \
         || CASE WHEN pg_get_userbyid(c.relowner) = current_user THEN '' \
         ELSE ';ALTER VIEW ' || {name} || ' OWNER TO ' || quote_ident(pg_get_userbyid(c.relowner)) END"
    )
}

/// `name`, `sql` of the PostgreSQL views that read one of these tables and views, directly or through others, in creation
/// order: they keep what they read from being dropped or changed. The statements also bring back what the views have
/// beside their queries.
pub(super) fn readers(relations: &[&str]) -> Sql {
    let belongings = belongings_of("quote_ident(c.relname::text)");
    let text = format!(
        "WITH RECURSIVE r(oid) AS ( \
           SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
           WHERE n.nspname = current_schema() \
           AND c.relname::text = ANY(ARRAY(SELECT jsonb_array_elements_text(($1::text)::jsonb))) \
           UNION SELECT w.ev_class FROM r JOIN pg_catalog.pg_depend d ON d.refobjid = r.oid \
           AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.classid = 'pg_catalog.pg_rewrite'::regclass \
           JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid) \
         SELECT c.relname::text AS name, 'CREATE VIEW ' || quote_ident(c.relname::text) \
         || COALESCE(' WITH (' || array_to_string(c.reloptions, ', ') || ')', '') \
         || ' AS ' || rtrim(pg_get_viewdef(c.oid), ';') || {belongings} AS sql \
         FROM r JOIN pg_catalog.pg_class c ON c.oid = r.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relkind = 'v' \
         AND c.relname::text <> ALL(ARRAY(SELECT jsonb_array_elements_text(($1::text)::jsonb))) ORDER BY c.oid"
    );
    let names: Vec<_> = relations.iter().map(|name| stored(name)).collect();
    Sql { text, params: vec![Value::Text(json_list(&names).into())] }
}

/// `sql`: what a PostgreSQL view has beside its query, as statements for a view of another name; the first one is empty.
pub(super) fn belongings(view: &str, of: &str) -> Sql {
    let text = format!(
        "SELECT {} AS sql FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = current_schema() AND c.relkind = 'v' AND c.relname::text = $1::text",
        belongings_of("quote_ident($2::text)")
    );
    let name = |name| Value::Text(stored(name).into());
    Sql { text, params: vec![name(view), name(of)] }
}

/// `table`, `sql`: what would give PostgreSQL's tables the row-level security they have.
pub const ROW_SECURITY: &str = "SELECT c.relname::text AS \"table\", s.text AS sql \
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 CROSS JOIN LATERAL ( \
   SELECT format('CREATE POLICY %I ON %I AS %s FOR %s TO %s%s%s', p.policyname, p.tablename, p.permissive, p.cmd, \
     (SELECT string_agg(CASE r WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ') FROM unnest(p.roles) r), \
     ' USING (' || p.qual || ')', ' WITH CHECK (' || p.with_check || ')') \
   FROM pg_catalog.pg_policies p WHERE p.schemaname = n.nspname AND p.tablename = c.relname \
   UNION ALL SELECT format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', c.relname) WHERE c.relrowsecurity \
   UNION ALL SELECT format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', c.relname) WHERE c.relforcerowsecurity \
 ) AS s(text) WHERE n.nspname = current_schema() AND c.relkind IN ('r','p') ORDER BY c.oid";

/// True if any table of ours has row-level security.
pub const HAS_ROW_SECURITY: &str = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 WHERE n.nspname = current_schema() AND c.relkind IN ('r','p') AND c.relrowsecurity) AS used";

/// 1 if a PostgreSQL table has row-level security.
#[must_use]
pub fn row_security(table: &str) -> Sql {
    Sql {
        text: "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = current_schema() AND c.relname::text = $1::text AND c.relrowsecurity"
            .to_owned(),
        params: vec![Value::Text(stored(table).into())],
    }
}

/// `table`, `condition`, `kind` of each reading policy of the tables that may hide rows from the role that asks; an empty
/// condition where there is none.
pub const HIDING_POLICIES: &str = "SELECT c.relname::text AS \"table\", COALESCE(p.qual, '') AS condition, \
 COALESCE(p.permissive, 'PERMISSIVE') AS kind \
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 LEFT JOIN pg_catalog.pg_policies p ON p.schemaname = n.nspname AND p.tablename = c.relname AND p.cmd IN ('ALL','SELECT') \
 AND EXISTS (SELECT 1 FROM unnest(p.roles) r WHERE r = 'public' OR pg_has_role(current_user, r, 'MEMBER')) \
 WHERE n.nspname = current_schema() AND c.relkind IN ('r','p') AND row_security_active(c.oid) ORDER BY 1";

/// `tables` whose row-level security does not act on the role that asks, because it owns them; whether the role is
/// `exempt` from all of it.
pub const IDLE_ROW_SECURITY: &str = "SELECT COALESCE(string_agg(c.relname::text, ', ' ORDER BY c.relname), '') AS tables, \
 (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user) AS exempt \
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 WHERE n.nspname = current_schema() AND c.relkind IN ('r','p') AND c.relrowsecurity AND NOT c.relforcerowsecurity \
 AND pg_has_role(current_user, c.relowner, 'USAGE')";

/// `bytes` of the whole database on the server.
pub const DATABASE_SIZE: &str = "SELECT pg_database_size(current_database()) AS bytes";
