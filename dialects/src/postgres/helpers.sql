-- Helper functions of the PostgreSQL texts; version 4 (dialects::POSTGRES_HELPERS_VERSION).
-- They reproduce SQLite's value model where PostgreSQL has no native counterpart
-- (spec filter-language §3.3, §3.4, §5, §6.4). Every statement is safe to repeat.

-- A JSON value as minified text: the blanks after commas and colons outside of strings go. Not recursive, because
-- values nest deeper than calls may.
CREATE OR REPLACE FUNCTION pb_json(v jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT regexp_replace(v::text, '("(?:[^"\\]|\\.)*")|([,:]) ', '\1\2', 'g')
$$;

-- A double as a `jsonb` number that compares like it: integers of more than 53 bits with all their digits.
CREATE OR REPLACE FUNCTION pb_exact(f double precision) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN abs(f) < 9007199254740992 THEN to_jsonb(f)
    WHEN f >= -9223372036854775808 AND f < 9223372036854775808 THEN to_jsonb(f::bigint)
    WHEN abs(f) = 'Infinity' THEN to_jsonb(sign(f)::numeric * 1e400::numeric)
    ELSE to_jsonb(f) END
$$;

-- A JSON number as SQLite holds it: an integer of 64 bits or a double; 1e400 stands for infinity.
CREATE OR REPLACE FUNCTION pb_number(v jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  t text := v #>> '{}';
  real boolean := position('.' in t) > 0;
  n numeric := t::numeric;
  j jsonb;
BEGIN
  IF NOT real AND n BETWEEN -9223372036854775808 AND 9223372036854775807 THEN RETURN v; END IF;
  j := pb_exact(t::double precision);
  IF real AND position('.' in j::text) = 0 THEN RETURN (j::text || '.0')::jsonb; END IF;
  RETURN j;
EXCEPTION WHEN numeric_value_out_of_range THEN
  RETURN CASE WHEN abs(n) < 1 THEN '0.0'::jsonb ELSE to_jsonb(sign(n) * 1e400::numeric) END;
END $$;

-- 1 where a document may hold a number that is another one as SQLite holds it (0.10000000000000001 is 0.1), else 0: only
-- there may an equal number be missed by `@>`. No other helper is called, because indexes are made of it.
CREATE OR REPLACE FUNCTION pb_odd(v jsonb) RETURNS int LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text := v::text; p text; n numeric; e numeric; f double precision;
BEGIN
  -- Fifteen digits mean the same either way.
  IF t !~ '[0-9.]{15}' THEN RETURN 0; END IF;
  FOR p IN SELECT m[1] FROM regexp_matches(t, '"(?:[^"\\]|\\.)*"|(-?[0-9][0-9.]*)', 'g') AS m WHERE octet_length(m[1]) > 15 LOOP
    n := p::numeric;
    CONTINUE WHEN position('.' in p) = 0 AND n BETWEEN -9223372036854775808 AND 9223372036854775807;
    IF abs(n) > 1.7e308 OR (abs(n) < 1e-300 AND n <> 0) THEN RETURN 1; END IF;
    f := p::double precision;
    e := CASE WHEN abs(f) >= 9007199254740992 AND abs(f) < 9223372036854775808 THEN f::bigint::numeric ELSE f::text::numeric END;
    IF n <> e THEN RETURN 1; END IF;
  END LOOP;
  RETURN 0;
END $$;

-- Extraction result: strings stay, booleans are 1/0, containers their text, JSON null is NULL. Short numbers mean
-- the same as decimals and as doubles.
CREATE OR REPLACE FUNCTION pb_scalar(v jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(v)
    WHEN 'string' THEN v
    WHEN 'number' THEN CASE WHEN octet_length(v::text) < 16 THEN v ELSE pb_number(v) END
    WHEN 'boolean' THEN CASE WHEN v = 'true'::jsonb THEN '1'::jsonb ELSE '0'::jsonb END
    WHEN 'null' THEN NULL
    ELSE to_jsonb(pb_json(v)) END
$$;

-- An element of an array; PostgreSQL's `->` also answers for a lone scalar.
CREATE OR REPLACE FUNCTION pb_at(v jsonb, i int) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(v) = 'array' THEN v -> i END
$$;

-- A double as SQLite prints a REAL.
CREATE OR REPLACE FUNCTION pb_real_text(v double precision) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  t text;
  a double precision := abs(v);
  p int;
BEGIN
  IF v = 0 THEN RETURN '0.0'; END IF;
  IF v = 'Infinity' THEN RETURN 'Inf'; END IF;
  IF v = '-Infinity' THEN RETURN '-Inf'; END IF;
  t := v::text;
  IF a >= 1e-4 AND a < 1e17 THEN
    t := t::numeric::text;
    IF position('.' in t) = 0 THEN t := t || '.0'; END IF;
    RETURN t;
  END IF;
  p := position('e' in t);
  IF p = 0 THEN RETURN t; END IF;
  IF position('.' in t) = 0 THEN t := left(t, p - 1) || '.0' || substr(t, p); END IF;
  RETURN t;
END $$;

-- A stored number as text: integral values without a fraction.
CREATE OR REPLACE FUNCTION pb_number_text(v double precision) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN v = trunc(v) AND abs(v) < 9223372036854775807 THEN v::bigint::text ELSE pb_real_text(v) END
$$;

-- A scalar as text.
CREATE OR REPLACE FUNCTION pb_text(v jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text := v #>> '{}'; n numeric;
BEGIN
  IF jsonb_typeof(v) <> 'number' THEN RETURN t; END IF;
  n := t::numeric;
  IF position('.' in t) = 0 AND n BETWEEN -9223372036854775808 AND 9223372036854775807 THEN RETURN t; END IF;
  IF abs(n) >= 1.8e308::numeric THEN RETURN CASE WHEN n < 0 THEN '-Inf' ELSE 'Inf' END; END IF;
  RETURN pb_real_text(t::double precision);
END $$;

-- Text that fully reads as a decimal number, else NULL.
CREATE OR REPLACE FUNCTION pb_float(v text) RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF v ~ '^[ \t\n\v\f\r]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\n\v\f\r]*$' THEN
    RETURN btrim(v, E' \t\n\v\f\r')::double precision;
  END IF;
  RETURN NULL;
EXCEPTION WHEN numeric_value_out_of_range THEN
  RETURN CASE WHEN v ~ '[eE]-' THEN 0::double precision WHEN v ~ '^\s*-' THEN '-Infinity' ELSE 'Infinity' END;
END $$;

-- A scalar after conversion to a number, where it is text that reads as one.
CREATE OR REPLACE FUNCTION pb_numeric(v jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE t text; f double precision;
BEGIN
  IF jsonb_typeof(v) <> 'string' THEN RETURN v; END IF;
  t := btrim(v #>> '{}', E' \t\n\v\f\r');
  IF t ~ '^[+-]?[0-9]+$' AND t::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
    RETURN to_jsonb(t::bigint);
  END IF;
  f := pb_float(t);
  RETURN CASE WHEN f IS NULL THEN v ELSE pb_exact(f) END;
END $$;

-- Order of two scalars: numbers before text; NULL if either is.
CREATE OR REPLACE FUNCTION pb_cmp(a jsonb, b jsonb) RETURNS int LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  an boolean := jsonb_typeof(a) = 'number';
  bn boolean := jsonb_typeof(b) = 'number';
  at text; bt text;
BEGIN
  IF an AND bn THEN
    RETURN CASE WHEN a = b THEN 0 WHEN (a #>> '{}')::numeric < (b #>> '{}')::numeric THEN -1 ELSE 1 END;
  END IF;
  IF an THEN RETURN -1; END IF;
  IF bn THEN RETURN 1; END IF;
  at := a #>> '{}'; bt := b #>> '{}';
  RETURN CASE WHEN at COLLATE "C" = bt THEN 0 WHEN at COLLATE "C" < bt THEN -1 ELSE 1 END;
END $$;

CREATE OR REPLACE FUNCTION pb_rank(v jsonb) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN v IS NULL THEN NULL WHEN jsonb_typeof(v) = 'number' THEN 1 ELSE 2 END
$$;
CREATE OR REPLACE FUNCTION pb_sort_number(v jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(v) = 'number' THEN (v #>> '{}')::numeric END
$$;
CREATE OR REPLACE FUNCTION pb_sort_text(v jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(v) = 'string' THEN v #>> '{}' END
$$;

-- LIKE that answers false for a pattern ending in a lone escape, where PostgreSQL raises.
CREATE OR REPLACE FUNCTION pb_like(v text, pattern text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN length(substring(pattern from '\\*$')) % 2 = 1 THEN false ELSE v COLLATE "C" ILIKE pattern ESCAPE '\' END
$$;

-- Text as JSON; text that is not JSON counts as a JSON string. Other types convert.
CREATE OR REPLACE FUNCTION pb_parse(v text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  RETURN v::jsonb;
EXCEPTION WHEN others THEN
  RETURN to_jsonb(v);
END $$;
CREATE OR REPLACE FUNCTION pb_parse(v anyelement) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT to_jsonb(v)
$$;

-- A list column of any type as a JSON array; a scalar is its only element.
CREATE OR REPLACE FUNCTION pb_list(v text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE j jsonb;
BEGIN
  IF v ~ '^\s*\[' THEN
    j := pb_parse(v);
    IF jsonb_typeof(j) = 'array' THEN RETURN j; END IF;
  END IF;
  RETURN jsonb_build_array(v);
END $$;
CREATE OR REPLACE FUNCTION pb_list(v anyelement) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(to_jsonb(v)) = 'array' THEN to_jsonb(v) ELSE jsonb_build_array(v) END
$$;

-- A point as it is sent and stored: the longitude first, short numbers with an exponent.
CREATE OR REPLACE FUNCTION pb_degree(v jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN v = '0'::jsonb OR v >= '0.000001'::jsonb OR v <= '-0.000001'::jsonb THEN v::text
    ELSE regexp_replace((v #>> '{}')::double precision::text, 'e-0', 'e-') END
$$;
CREATE OR REPLACE FUNCTION pb_point(v jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(v -> 'lon') = 'number' AND jsonb_typeof(v -> 'lat') = 'number' AND v - 'lon' - 'lat' = '{}'::jsonb
    THEN '{"lon":' || pb_degree(v -> 'lon') || ',"lat":' || pb_degree(v -> 'lat') || '}' ELSE pb_text(pb_scalar(v)) END
$$;

-- Number of elements (spec §7): a list's size, 0 for NULL and '', 1 for any other scalar.
CREATE OR REPLACE FUNCTION pb_length(v text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN v IS NULL OR v = '' THEN 0 ELSE jsonb_array_length(pb_list(v)) END::bigint
$$;
CREATE OR REPLACE FUNCTION pb_length(v anyelement) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN v IS NULL OR to_jsonb(v) IN ('""'::jsonb, 'null'::jsonb) THEN 0 ELSE jsonb_array_length(pb_list(v)) END::bigint
$$;

-- Single text column → list column and back (schema changes).
CREATE OR REPLACE FUNCTION pb_to_list(v text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN COALESCE(v, '') = '' THEN '[]'::jsonb ELSE pb_list(v) END
$$;
CREATE OR REPLACE FUNCTION pb_last(v jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(v) = 'array' THEN COALESCE(v ->> -1, '') ELSE COALESCE(v #>> '{}', '') END
$$;

-- Kilometres; what rounding leaves outside of the domain of acos is its end (spec §3.3, upstream-0.40 §6.2).
CREATE OR REPLACE FUNCTION pb_geo_distance(lon_a double precision, lat_a double precision, lon_b double precision, lat_b double precision)
RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE c double precision;
BEGIN
  IF GREATEST(abs(lon_a), abs(lat_a), abs(lon_b), abs(lat_b)) >= 'Infinity' THEN RETURN NULL; END IF;
  -- What is next to nothing would be an error in a product.
  IF abs(lon_a) < 1e-150 THEN lon_a := 0; END IF;
  IF abs(lat_a) < 1e-150 THEN lat_a := 0; END IF;
  IF abs(lon_b) < 1e-150 THEN lon_b := 0; END IF;
  IF abs(lat_b) < 1e-150 THEN lat_b := 0; END IF;
  c := cos(radians(lat_a)) * cos(radians(lat_b)) * cos(radians(lon_b) - radians(lon_a)) + sin(radians(lat_a)) * sin(radians(lat_b));
  RETURN CASE WHEN lon_a = lon_b AND lat_a = lat_b THEN 0 ELSE 6371 * acos(LEAST(1, GREATEST(-1, c))) END;
END $$;

-- One operation on two numbers; NULL where a double cannot hold the result.
CREATE OR REPLACE FUNCTION pb_calc(op text, a double precision, b double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE r double precision;
BEGIN
  r := CASE op WHEN '+' THEN a + b WHEN '-' THEN a - b WHEN '*' THEN a * b WHEN '/' THEN a / NULLIF(b, 0) END;
  RETURN CASE WHEN abs(r) < 'Infinity' THEN r END;
EXCEPTION WHEN numeric_value_out_of_range THEN
  -- What is too small for a double is 0, what is too large is none.
  RETURN CASE WHEN (op = '*' AND LEAST(abs(a), abs(b)) < 1) OR (op = '/' AND abs(a) < abs(b)) THEN 0 END;
END $$;

-- Milliseconds of a Julian day count at the start of a proleptic Gregorian date.
CREATE OR REPLACE FUNCTION pb_jd(y int, m int, d int) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE a int; b int;
BEGIN
  IF m <= 2 THEN y := y - 1; m := m + 12; END IF;
  a := (y + 4800) / 100;
  b := 38 - a + a / 4;
  RETURN (36525::bigint * (y + 4716) / 100 + 306001 * (m + 1) / 10000 + d + b) * 86400000::bigint - 131716800000;
END $$;

-- Year, month, day of such a count.
CREATE OR REPLACE FUNCTION pb_ymd(jd bigint) RETURNS int[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE z int; era int; doe int; yoe int; doy int; mp int; m int;
BEGIN
  z := floor((jd + 43200000) / 86400000.0)::int - 1721120;
  era := floor(z / 146097.0)::int;
  doe := z - era * 146097;
  yoe := (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  doy := doe - (365 * yoe + yoe / 4 - yoe / 100);
  mp := (5 * doy + 2) / 153;
  m := CASE WHEN mp < 10 THEN mp + 3 ELSE mp - 9 END;
  RETURN ARRAY[yoe + era * 400 + CASE WHEN m <= 2 THEN 1 ELSE 0 END, m, doy - (153 * mp + 2) / 5 + 1];
END $$;

CREATE OR REPLACE FUNCTION pb_month_days(y int, m int) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN m IN (4, 6, 9, 11) THEN 30 WHEN m <> 2 THEN 31
    WHEN (y % 4 = 0 AND y % 100 <> 0) OR y % 400 = 0 THEN 29 ELSE 28 END
$$;

-- Milliseconds of HH:MM[:SS[.SSS]][ zone] (NULL if it does not parse); zones are subtracted.
CREATE OR REPLACE FUNCTION pb_clock(t text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE p text[]; ms bigint;
BEGIN
  p := regexp_match(t, '^(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?\s*(?:([+-])(\d\d):(\d\d)|[zZ])?\s*$');
  IF p IS NULL OR p[1]::int > 24 OR p[2]::int > 59 OR COALESCE(p[3]::int, 0) > 59 THEN RETURN NULL; END IF;
  ms := p[1]::bigint * 3600000 + p[2]::bigint * 60000
    + floor((COALESCE(p[3], '0')::numeric + COALESCE('0' || p[4], '0')::numeric)::double precision * 1000 + 0.5)::bigint;
  IF p[5] IS NOT NULL THEN
    IF p[6]::int > 14 OR p[7]::int > 59 THEN RETURN NULL; END IF;
    ms := ms - (p[6]::int * 60 + p[7]::int) * 60000 * CASE p[5] WHEN '-' THEN -1 ELSE 1 END;
  END IF;
  RETURN ms;
END $$;

-- SQLite's strftime over a time value and modifiers.
CREATE OR REPLACE FUNCTION pb_strftime(fmt text, tv text, VARIADIC mods text[] DEFAULT '{}') RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  jd bigint; raw double precision; p text[]; ymd int[]; ms bigint; part bigint;
  m text; r double precision; unit text; sgn int; y int; mo int; dd int; x int; n int;
  floor_days int := 0; subsec boolean := false; first boolean := true; dated boolean := false;
  outp text := ''; i int := 1; c text; h int; mi int; s double precision; wd int; yd int; w int; iso_y int;
BEGIN
  IF fmt IS NULL OR tv IS NULL THEN RETURN NULL; END IF;
  p := regexp_match(tv, '^(-?\d{4})-(\d\d)-(\d\d)(?:[ \t\n\v\f\rT]*)(.*)$');
  IF p IS NOT NULL THEN
    IF p[2]::int NOT BETWEEN 1 AND 12 OR p[3]::int NOT BETWEEN 1 AND 31 THEN RETURN NULL; END IF;
    jd := pb_jd(p[1]::int, p[2]::int, p[3]::int);
    floor_days := GREATEST(0, p[3]::int - pb_month_days(p[1]::int, p[2]::int));
    dated := p[4] !~ '[+-](?!00:00)\d\d:\d\d\s*$';
    IF p[4] <> '' THEN
      part := pb_clock(p[4]);
      IF part IS NULL THEN RETURN NULL; END IF;
      jd := jd + part;
    END IF;
  ELSIF tv ~ '^\d\d:\d\d' THEN
    part := pb_clock(tv);
    IF part IS NULL THEN RETURN NULL; END IF;
    jd := pb_jd(2000, 1, 1) + part;
  ELSE
    raw := pb_float(tv);
    IF raw IS NULL THEN RETURN NULL; END IF;
    IF raw >= 0 AND raw < 5373484.5 THEN jd := floor(raw * 86400000 + 0.5)::bigint; END IF;
  END IF;
  FOREACH m IN ARRAY mods LOOP
    IF m IS NULL THEN RETURN NULL; END IF;
    m := lower(m);
    IF m IN ('unixepoch', 'auto', 'julianday') THEN
      IF NOT first OR (raw IS NULL AND m <> 'auto') THEN RETURN NULL; END IF;
      IF m = 'unixepoch' OR (m = 'auto' AND raw IS NOT NULL AND jd IS NULL) THEN
        IF raw * 1000 NOT BETWEEN -210866760000000 AND 253402300799999 THEN RETURN NULL; END IF;
        jd := floor(raw * 1000 + 210866760000000 + 0.5)::bigint;
        raw := NULL;
      END IF;
      IF m = 'julianday' AND jd IS NULL THEN RETURN NULL; END IF;
      first := false;
      CONTINUE;
    END IF;
    first := false;
    IF m IN ('subsec', 'subsecond') THEN subsec := true; CONTINUE; END IF;
    IF jd IS NULL THEN RETURN NULL; END IF;
    raw := NULL;
    IF m IN ('utc', 'localtime') THEN CONTINUE; END IF;
    IF m = 'ceiling' THEN floor_days := 0; CONTINUE; END IF;
    IF m = 'floor' THEN jd := jd - floor_days * 86400000::bigint; floor_days := 0; dated := false; CONTINUE; END IF;
    -- A calendar date is computed only in SQLite's range, where it is not known; sums of days may leave that and come back.
    IF NOT dated AND (jd < 0 OR jd > 464269060799999) AND m ~ '(^start|^weekday|months? *$|years? *$|^[+-]\d{4}-)' THEN RETURN NULL; END IF;
    ymd := pb_ymd(jd);
    ms := ((jd + 43200000) % 86400000 + 86400000) % 86400000;
    IF m IN ('start of day', 'start of month', 'start of year') THEN
      jd := pb_jd(ymd[1], CASE WHEN m = 'start of year' THEN 1 ELSE ymd[2] END, CASE WHEN m = 'start of day' THEN ymd[3] ELSE 1 END);
      dated := true;
      CONTINUE;
    END IF;
    dated := false;
    IF m ~ '^weekday +' THEN
      r := pb_float(substr(m, 9));
      IF r IS NULL OR r < 0 OR r >= 7 OR r <> trunc(r) THEN RETURN NULL; END IF;
      x := ((jd + 129600000) / 86400000 % 7)::int;
      IF x > r THEN x := x - 7; END IF;
      jd := jd + (r::int - x) * 86400000::bigint;
      CONTINUE;
    END IF;
    p := regexp_match(m, '^([+-])(\d{4})-(\d\d)-(\d\d)(?: (\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?$');
    IF p IS NOT NULL THEN
      sgn := CASE p[1] WHEN '-' THEN -1 ELSE 1 END;
      IF p[3]::int > 11 OR p[4]::int > 30 THEN RETURN NULL; END IF;
      y := ymd[1] + sgn * p[2]::int;
      mo := ymd[2] + sgn * p[3]::int;
      x := CASE WHEN mo > 0 THEN (mo - 1) / 12 ELSE (mo - 12) / 12 END;
      y := y + x; mo := mo - x * 12;
      IF y < -4713 OR y > 9999 THEN RETURN NULL; END IF;
      floor_days := GREATEST(0, ymd[3] - pb_month_days(y, mo));
      jd := pb_jd(y, mo, ymd[3]) + ms + sgn * p[4]::int * 86400000::bigint;
      IF p[5] IS NOT NULL THEN
        part := pb_clock(p[5]);
        IF part IS NULL THEN RETURN NULL; END IF;
        jd := jd + sgn * part;
      END IF;
      CONTINUE;
    END IF;
    p := regexp_match(m, '^([+-]?)(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)$');
    IF p IS NOT NULL THEN
      part := pb_clock(p[2]);
      IF part IS NULL THEN RETURN NULL; END IF;
      jd := jd + CASE p[1] WHEN '-' THEN -part ELSE part END;
      floor_days := 0;
      CONTINUE;
    END IF;
    p := regexp_match(m, '^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?) *([a-z]+)$');
    IF p IS NULL THEN RETURN NULL; END IF;
    r := p[1]::double precision;
    unit := CASE WHEN right(p[2], 1) = 's' THEN left(p[2], -1) ELSE p[2] END;
    CASE unit
      WHEN 'second' THEN x := 1; IF abs(r) >= 4.6427e14 THEN RETURN NULL; END IF;
      WHEN 'minute' THEN x := 60; IF abs(r) >= 7.7379e12 THEN RETURN NULL; END IF;
      WHEN 'hour' THEN x := 3600; IF abs(r) >= 1.2897e11 THEN RETURN NULL; END IF;
      WHEN 'day' THEN x := 86400; IF abs(r) >= 5373485 THEN RETURN NULL; END IF;
      WHEN 'month' THEN x := 2592000; IF abs(r) >= 176546 THEN RETURN NULL; END IF;
      WHEN 'year' THEN x := 31536000; IF abs(r) >= 14713 THEN RETURN NULL; END IF;
      ELSE RETURN NULL;
    END CASE;
    n := CASE WHEN unit IN ('month', 'year') THEN trunc(r)::int ELSE 0 END;
    IF unit IN ('month', 'year') THEN
      y := ymd[1]; mo := ymd[2];
      IF unit = 'year' THEN y := y + n;
      ELSE
        mo := mo + n;
        dd := CASE WHEN mo > 0 THEN (mo - 1) / 12 ELSE (mo - 12) / 12 END;
        y := y + dd; mo := mo - dd * 12;
      END IF;
      IF y < -4713 OR y > 9999 THEN RETURN NULL; END IF;
      floor_days := GREATEST(0, ymd[3] - pb_month_days(y, mo));
      jd := pb_jd(y, mo, ymd[3]) + ms;
      r := r - n;
    ELSE
      floor_days := 0;
    END IF;
    jd := jd + trunc(r * 1000 * x + CASE WHEN r < 0 THEN -0.5 ELSE 0.5 END)::bigint;
  END LOOP;
  IF jd IS NULL OR jd < 0 OR jd > 464269060799999 THEN RETURN NULL; END IF;
  ymd := pb_ymd(jd);
  y := ymd[1]; mo := ymd[2]; dd := ymd[3];
  ms := (jd + 43200000) % 86400000;
  h := (ms / 3600000)::int; mi := (ms / 60000 % 60)::int; s := (ms % 60000) / 1000.0;
  wd := ((jd + 129600000) / 86400000 % 7)::int;
  yd := ((jd - pb_jd(y, 1, 1)) / 86400000)::int;
  WHILE i <= length(fmt) LOOP
    c := substr(fmt, i, 1);
    IF c <> '%' THEN outp := outp || c; i := i + 1; CONTINUE; END IF;
    c := substr(fmt, i + 1, 1);
    i := i + 2;
    CASE c
      WHEN 'd' THEN outp := outp || lpad(dd::text, 2, '0');
      WHEN 'e' THEN outp := outp || lpad(dd::text, 2, ' ');
      WHEN 'f' THEN outp := outp || to_char(LEAST(s, 59.999), 'FM00.000');
      WHEN 'F' THEN outp := outp || lpad(y::text, 4, '0') || '-' || lpad(mo::text, 2, '0') || '-' || lpad(dd::text, 2, '0');
      WHEN 'G', 'g', 'V' THEN
        -- The ISO week holds the Thursday of the same Monday-based week.
        part := jd + (3 - (wd + 6) % 7) * 86400000::bigint;
        iso_y := (pb_ymd(part))[1];
        w := ((part - pb_jd(iso_y, 1, 1)) / 86400000 / 7 + 1)::int;
        outp := outp || CASE c WHEN 'V' THEN lpad(w::text, 2, '0') WHEN 'G' THEN lpad(iso_y::text, 4, '0') ELSE lpad((iso_y % 100)::text, 2, '0') END;
      WHEN 'H' THEN outp := outp || lpad(h::text, 2, '0');
      WHEN 'k' THEN outp := outp || lpad(h::text, 2, ' ');
      WHEN 'I' THEN outp := outp || lpad(((h + 11) % 12 + 1)::text, 2, '0');
      WHEN 'l' THEN outp := outp || lpad(((h + 11) % 12 + 1)::text, 2, ' ');
      WHEN 'j' THEN outp := outp || lpad((yd + 1)::text, 3, '0');
      WHEN 'J' THEN outp := outp || pb_julian_text(jd);
      WHEN 'm' THEN outp := outp || lpad(mo::text, 2, '0');
      WHEN 'M' THEN outp := outp || lpad(mi::text, 2, '0');
      WHEN 'p' THEN outp := outp || CASE WHEN h >= 12 THEN 'PM' ELSE 'AM' END;
      WHEN 'P' THEN outp := outp || CASE WHEN h >= 12 THEN 'pm' ELSE 'am' END;
      WHEN 'R' THEN outp := outp || lpad(h::text, 2, '0') || ':' || lpad(mi::text, 2, '0');
      WHEN 's' THEN
        IF subsec THEN outp := outp || to_char((jd - 210866760000000) / 1000.0, 'FM999999999999990.000');
        ELSE outp := outp || ((jd / 1000) - 210866760000)::text; END IF;
      WHEN 'S' THEN outp := outp || lpad(floor(s)::int::text, 2, '0');
      WHEN 'T' THEN outp := outp || lpad(h::text, 2, '0') || ':' || lpad(mi::text, 2, '0') || ':' || lpad(floor(s)::int::text, 2, '0');
      WHEN 'u' THEN outp := outp || CASE wd WHEN 0 THEN '7' ELSE wd::text END;
      WHEN 'w' THEN outp := outp || wd::text;
      WHEN 'U' THEN outp := outp || lpad(((yd + 7 - wd) / 7)::text, 2, '0');
      WHEN 'W' THEN outp := outp || lpad(((yd + 7 - (wd + 6) % 7) / 7)::text, 2, '0');
      WHEN 'Y' THEN outp := outp || lpad(y::text, 4, '0');
      WHEN '%' THEN outp := outp || '%';
      ELSE RETURN NULL;
    END CASE;
  END LOOP;
  RETURN outp;
END $$;

-- A Julian day number with up to 16 significant digits.
CREATE OR REPLACE FUNCTION pb_julian_text(jd bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT regexp_replace(regexp_replace(round((jd / 86400000.0)::numeric, 9)::text, '(\.\d*?)0+$', '\1'), '\.$', '')
$$;

-- Full-text search; the meaning, the separators and the cased letters are those of filter-lang/src/prim/words.rs.

-- The words of a text, each between blanks.
CREATE OR REPLACE FUNCTION pb_words(v text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ' ' || regexp_replace(
    CASE WHEN octet_length(v) = length(v) THEN lower(v COLLATE "C")
    ELSE translate(lower(v COLLATE "C"),
      'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĲĴĶĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѶѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӁӃӅӇӉӋӍӐӒӔӖӘӚӜӞӠӢӤӦӨӪӬӮӰӲӴӶӸӺӼӾḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞḠḢḤḦḨḪḬḮḰḲḴḶḸḺḼḾṀṂṄṆṈṊṌṎṐṒṔṖṘṚṜṞṠṢṤṦṨṪṬṮṰṲṴṶṸṺṼṾẀẂẄẆẈẊẌẎẐẒẔẞẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸỺỼỾς',
      'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĳĵķĺļľŀłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷÿźżžάέήίόύώαβγδεζηθικλμνξοπρστυφχψωϊϋѐёђѓєѕіїјљњћќѝўџабвгдежзийклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѷѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӂӄӆӈӊӌӎӑӓӕӗәӛӝӟӡӣӥӧөӫӭӯӱӳӵӷӹӻӽӿḁḃḅḇḉḋḍḏḑḓḕḗḙḛḝḟḡḣḥḧḩḫḭḯḱḳḵḷḹḻḽḿṁṃṅṇṉṋṍṏṑṓṕṗṙṛṝṟṡṣṥṧṩṫṭṯṱṳṵṷṹṻṽṿẁẃẅẇẉẋẍẏẑẓẕßạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹỻỽỿσ') END,
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u037e\u0387\u055a-\u055f\u0589-\u058a\u05be\u05c0\u05c3\u05c6\u05f3-\u05f4\u060c-\u060d\u061b\u061f\u066a-\u066d\u06d4\u0964-\u0965\u0e4f\u0e5a-\u0e5b\u1361-\u1368\u2000-\u2064\u2066-\u206f\u20a0-\u20c0\u20d0-\u20f0\u2190-\u2426\u2440-\u244a\u2500-\u26ff\u2701-\u2775\u2794-\u2b4c\u2b50-\u2b59\u2e00-\u2e2e\u2e30-\u2e5d\u3000-\u3004\u3008-\u3020\u3030\u3036-\u3037\u303d-\u303f\u30a0\u30fb\ufe00-\ufe19\ufe30-\ufe52\ufe54-\ufe66\ufe68-\ufe6b\ufeff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffe6\uffe8-\uffee\ufff9-\ufffd\U0001f000-\U0001f02b\U0001f030-\U0001f093\U0001f0a0-\U0001f0ae\U0001f0b1-\U0001f0be\U0001f0c1-\U0001f0cf\U0001f0d1-\U0001f0df\U0001f300-\U0001f773\U0001f7e0-\U0001f7eb\U0001f900-\U0001f9ff\U0001fa70-\U0001faff]+',
    ' ', 'g') || ' '
$$;

-- Whether texts match a query: alternatives by lines, terms by tabs, each a sign and its words.
CREATE OR REPLACE FUNCTION pb_fts(query text, VARIADIC texts text[]) RETURNS int LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 2000 AS $$
DECLARE
  doc text := '';
  alternative text; term text; ok boolean;
BEGIN
  FOREACH term IN ARRAY texts LOOP doc := doc || COALESCE(pb_words(term), ''); END LOOP;
  FOREACH alternative IN ARRAY string_to_array(query, E'\n') LOOP
    ok := true;
    FOREACH term IN ARRAY string_to_array(alternative, E'\t') LOOP
      ok := (strpos(doc, substr(term, 2)) > 0) = (left(term, 1) = '+');
      EXIT WHEN NOT ok;
    END LOOP;
    IF ok THEN RETURN 1; END IF;
  END LOOP;
  RETURN 0;
END $$;

-- What the index holds: the words, long ones cut. A text with more of them than a tsvector takes is `*`, which every
-- look-up includes. The search path is fixed because PostgreSQL 17 builds indexes without one.
CREATE OR REPLACE FUNCTION pb_tsvector(v text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 SET search_path FROM CURRENT AS $$
DECLARE words text := btrim(pb_words(v), ' ');
BEGIN
  IF octet_length(words) > 1000000 THEN RETURN array_to_tsvector(ARRAY['*']); END IF;
  RETURN array_to_tsvector(string_to_array(regexp_replace(words, '([^ ]{64})[^ ]+', '\1', 'g'), ' '));
END $$;
