-- Functions that view queries and expressions of indexes get for SQLite's (sql-text/src/view). Every statement is safe to
-- repeat.

-- A value taken out of JSON: truth values are 1 and 0, JSON's null is none.
CREATE OR REPLACE FUNCTION pb_plain(v jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(v) WHEN 'boolean' THEN CASE WHEN v = 'true'::jsonb THEN '1'::jsonb ELSE '0'::jsonb END
    WHEN 'null' THEN NULL ELSE v END
$$;

-- A value as one out of JSON.
CREATE OR REPLACE FUNCTION pb_value(v anyelement) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_jsonb(v)
$$;

-- A text as a number, as far as it begins like one.
CREATE OR REPLACE FUNCTION pb_to_real(v text) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT COALESCE(pb_float(substring(v from '^[ \t\n\v\f\r]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)')), 0)
$$;

-- The same for integers, cut to 64 bits.
CREATE OR REPLACE FUNCTION pb_to_int(v text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT GREATEST(-9223372036854775808, LEAST(9223372036854775807,
    COALESCE(substring(v from '^[ \t\n\v\f\r]*([+-]?[0-9]+)')::numeric, 0)))::bigint
$$;

-- A value out of JSON as a number.
CREATE OR REPLACE FUNCTION pb_real(v jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(v) WHEN 'number' THEN pb_float(v #>> '{}') WHEN 'boolean' THEN (v = 'true'::jsonb)::int
    WHEN 'null' THEN NULL ELSE pb_to_real(v #>> '{}') END
$$;

-- Division: by zero it is none, integers give an integer.
CREATE OR REPLACE FUNCTION pb_div(a double precision, b double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN b = 0 THEN NULL WHEN a = trunc(a) AND b = trunc(b) THEN trunc(a / b) ELSE a / b END
$$;

-- The remainder of integers.
CREATE OR REPLACE FUNCTION pb_mod(a double precision, b double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN trunc(b) = 0 THEN NULL ELSE mod(trunc(a)::numeric, trunc(b)::numeric)::double precision END
$$;

-- Half is away from zero.
CREATE OR REPLACE FUNCTION pb_round(v double precision, digits int DEFAULT 0) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN abs(v) >= 4503599627370496 THEN v ELSE round(v::numeric, GREATEST(0, LEAST(30, digits)))::double precision END
$$;

CREATE OR REPLACE FUNCTION pb_hex(v text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT COALESCE(upper(encode(convert_to(v, 'UTF8'), 'hex')), '')
$$;

-- The present time in UTC, as SQLite's functions read it.
CREATE OR REPLACE FUNCTION pb_now() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')
$$;

-- Seconds since 1970 as days of the Julian calendar.
CREATE OR REPLACE FUNCTION pb_julian(seconds text) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (seconds::numeric * 1000 + 210866760000000)::double precision / 86400000
$$;

-- The number of elements; 0 for what is no list.
CREATE OR REPLACE FUNCTION pb_json_length(v jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN v IS NULL THEN NULL WHEN jsonb_typeof(v) = 'array' THEN jsonb_array_length(v) ELSE 0 END::bigint
$$;

-- The elements of a list or an object; of anything else itself.
CREATE OR REPLACE FUNCTION pb_json_each(v jsonb) RETURNS TABLE (key jsonb, value jsonb, type text, atom jsonb, id bigint, parent bigint, fullkey text, path text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT e.key, pb_plain(e.item),
    CASE jsonb_typeof(e.item) WHEN 'string' THEN 'text' WHEN 'boolean' THEN e.item::text
      WHEN 'number' THEN CASE WHEN e.item::text ~ '[.eE]' THEN 'real' ELSE 'integer' END ELSE jsonb_typeof(e.item) END,
    CASE WHEN jsonb_typeof(e.item) NOT IN ('array', 'object') THEN pb_plain(e.item) END,
    e.n, NULL::bigint, '$' || e.step, '$'
  FROM (
    SELECT to_jsonb(n - 1) AS key, item, n, '[' || (n - 1) || ']' AS step
      FROM jsonb_array_elements(CASE WHEN jsonb_typeof(v) = 'array' THEN v ELSE '[]' END) WITH ORDINALITY AS a(item, n)
    UNION ALL SELECT to_jsonb(k), item, n, '.' || k
      FROM jsonb_each(CASE WHEN jsonb_typeof(v) = 'object' THEN v ELSE '{}' END) WITH ORDINALITY AS o(k, item, n)
    UNION ALL SELECT NULL, v, 0, '' WHERE jsonb_typeof(v) NOT IN ('array', 'object')
  ) e
$$;
