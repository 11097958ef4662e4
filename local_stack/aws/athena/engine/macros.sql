-- Athena's (Trino's) semantics where DuckDB's differ. Each is covered by a case in
-- tests/local_stack/aws/athena. A failure is a cast that cannot succeed (see typed.failure).

CREATE MACRO athena_fail(code, message) AS
    CAST('ATHENA:' || code || ':' || message AS INTEGER);

-- Whole numbers: a quotient is cut towards zero; a zero divisor is an error, not NULL.
CREATE MACRO athena_divide(a, b) AS
    CASE WHEN b = 0 AND a IS NOT NULL THEN athena_fail('DIVISION_BY_ZERO', 'Division by zero') ELSE a // b END;
CREATE MACRO athena_modulo(a, b) AS
    CASE WHEN b = 0 AND a IS NOT NULL THEN athena_fail('DIVISION_BY_ZERO', 'Division by zero') ELSE a % b END;

-- Hugeint by hugeint, rounded half away from zero.
CREATE MACRO athena_round_divide(a, b) AS
    CASE WHEN b = 0 AND a IS NOT NULL THEN athena_fail('DIVISION_BY_ZERO', 'Division by zero')
         ELSE ((abs(a) * 2 + abs(b)) // (abs(b) * 2)) * sign(a) * sign(b) END;

-- A NaN differs from everything, itself included.
CREATE MACRO athena_double_differs(a, b) AS
    a <> b OR (isnan(a) AND isnan(b));

-- Half away from zero, as Java's Math.round on the absolute value; whole from 2^53 on in any case.
CREATE MACRO athena_round(x, factor) AS
    CASE WHEN isnan(x) OR isinf(x) THEN x
         WHEN abs(x) * factor >= 9007199254740992
         THEN athena_fail('NOT_SUPPORTED', 'round of a number this large is not supported by the emulated Athena')
         WHEN x < 0 THEN -(round(-x * factor) / factor)
         ELSE round(x * factor) / factor END;

CREATE MACRO athena_double_to_whole(x, type_name) AS
    CASE WHEN isnan(x) OR isinf(x)
         THEN athena_fail('INVALID_CAST_ARGUMENT', 'Unable to cast ' || athena_double_text(x) || ' to ' || type_name)
         ELSE round(x) END;

-- Java's Double.toString of the shortest digits: 0.1, 1.0E10, 1.0E-5, NaN, Infinity.
CREATE MACRO athena_double_text(x) AS
    CASE WHEN isnan(x) THEN 'NaN'
         WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END
         WHEN x <> 0 AND abs(x) < 1e-300
         THEN CAST(athena_fail('NOT_SUPPORTED', 'a number this small as varchar is not supported by the emulated Athena') AS VARCHAR)
         WHEN x = 0 OR (abs(x) >= 0.001 AND abs(x) < 10000000) THEN CAST(x AS VARCHAR)
         ELSE athena_scientific(CAST(x AS VARCHAR)) END;
-- DuckDB writes 1e-05, 1.5e+16 or 12345678.9: to one digit, a point, the others, E, the exponent.
CREATE MACRO athena_scientific(written) AS
    CASE WHEN contains(written, 'e')
         THEN split_part(written, 'e', 1) || CASE WHEN contains(split_part(written, 'e', 1), '.') THEN '' ELSE '.0' END
              || 'E' || CAST(CAST(split_part(written, 'e', 2) AS INTEGER) AS VARCHAR)
         WHEN starts_with(written, '-') THEN '-' || athena_plain_to_scientific(substr(written, 2))
         ELSE athena_plain_to_scientific(written) END;
CREATE MACRO athena_plain_to_scientific(written) AS
    written[1] || '.' || CASE WHEN rtrim(replace(written[2:], '.', ''), '0') = '' THEN '0'
                              ELSE rtrim(replace(written[2:], '.', ''), '0') END
    || 'E' || CAST(strpos(written, '.') - 2 AS VARCHAR);

-- Strings.
CREATE MACRO athena_upper(s) AS
    replace(upper(replace(s, 'ß', chr(1114111))), chr(1114111), 'ß');
CREATE MACRO athena_substr(s, first, amount) AS
    CASE WHEN first IS NULL OR amount IS NULL THEN NULL
         WHEN first = 0 OR amount <= 0 OR abs(first) > length(s) THEN substr(s, 1, 0)
         WHEN first > 0 THEN substr(s, first, least(amount, length(s)))
         ELSE substr(s, length(s) + first + 1, least(amount, length(s))) END;
CREATE MACRO athena_split_part(s, delimiter, place) AS
    CASE WHEN place <= 0 THEN CAST(athena_fail('INVALID_FUNCTION_ARGUMENT', 'Index must be greater than zero') AS VARCHAR)
         WHEN delimiter = '' THEN CAST(athena_fail('NOT_SUPPORTED', 'split_part by an empty string is not supported by the emulated Athena') AS VARCHAR)
         ELSE string_split(s, delimiter)[place] END;

-- Arrays and maps count from 1; what is not there is an error.
CREATE MACRO athena_array_get(a, place) AS
    CASE WHEN place = 0 AND a IS NOT NULL THEN a[athena_fail('INVALID_FUNCTION_ARGUMENT', 'SQL array indices start at 1')]
         WHEN place < 0 AND a IS NOT NULL THEN a[athena_fail('INVALID_FUNCTION_ARGUMENT', 'Array subscript is negative: ' || place)]
         WHEN place > len(a) THEN a[athena_fail('INVALID_FUNCTION_ARGUMENT',
              'Array subscript must be less than or equal to array length: ' || place || ' > ' || len(a))]
         ELSE a[place] END;
CREATE MACRO athena_element_at(a, place) AS
    CASE WHEN place = 0 AND a IS NOT NULL THEN a[athena_fail('INVALID_FUNCTION_ARGUMENT', 'SQL array indices start at 1')]
         WHEN abs(place) > len(a) THEN NULL
         ELSE a[place] END;
CREATE MACRO athena_map_get(m, k) AS
    CASE WHEN m IS NULL OR k IS NULL THEN NULL
         WHEN NOT map_contains(m, k) THEN m[CAST(athena_fail('INVALID_FUNCTION_ARGUMENT', 'Key not present in map: ' || k) AS VARCHAR)]
         ELSE m[k] END;
