// SPDX-License-Identifier: Apache-2.0
// The grammar by round trip: what is printed parses to what prints the same. Features that are not
// planned yet are part of it.
#include "worker/sql/parser.h"

#include <gtest/gtest.h>

#include "worker/sql/error.h"

namespace sj::worker::sql {
namespace {

std::string Expr(std::string_view text) {
  base::Result<ExpressionPtr> expr = ParseExpression(text);
  return expr.ok() ? ToSql(**expr) : expr.status().message();
}

std::string Text(std::string_view text) {
  base::Result<Script> script = Parse(text);
  return script.ok() ? ToSql(*script) : script.status().message();
}

TEST(Parser, Precedence) {
  EXPECT_EQ(Expr("a OR b AND NOT c = 1 + 2 * -3"),
            "(`a` OR (`b` AND (NOT (`c` = (1 + (2 * (- 3)))))))");
  EXPECT_EQ(Expr("a - b - c"), "((`a` - `b`) - `c`)");
  EXPECT_EQ(Expr("a BETWEEN 1 AND 2 AND b"), "((`a` BETWEEN 1 AND 2) AND `b`)");
  EXPECT_EQ(Expr("a IS NOT NULL AND b NOT IN (1, 2)"),
            "((`a` IS NOT NULL) AND (`b` NOT IN (1, 2)))");
  EXPECT_EQ(Expr("a || b LIKE 'x' ESCAPE '!'"), "((`a` || `b`) LIKE 'x' ESCAPE '!')");
  EXPECT_EQ(Expr("NOT a IS TRUE"), "(NOT (`a` IS TRUE))");
}

TEST(Parser, ExpressionsPrintAsTheyParse) {
  for (std::string_view text :
       {"CASE WHEN a THEN 1 ELSE 2 END",
        "CASE x WHEN 1 THEN 'a' WHEN 2 THEN 'b' END",
        "CAST(a AS DECIMAL(10, 2))",
        "TRY_CAST(a AS TIMESTAMP(3))",
        "EXTRACT(DAY FROM t)",
        "TRIM(BOTH 'x' FROM s)",
        "TRIM(s)",
        "FLOOR(t TO HOUR)",
        "POSITION('a' IN b)",
        "SUBSTRING(s FROM 1 FOR 2)",
        "COUNT(*) FILTER (WHERE a > 1)",
        "COUNT(DISTINCT a)",
        "INTERVAL '1:30' MINUTE TO SECOND",
        "INTERVAL -'10' DAYS",
        "DATE '2026-01-01'",
        "TIMESTAMP '2026-01-01 00:00:00'",
        "a.b.c",
        "m['k'][1]",
        "ARRAY[1, 2]",
        "MAP['a', 1]",
        "ROW(1, 'x')",
        "(1, 2)",
        "EXISTS (SELECT 1 FROM t)",
        "a IN (SELECT b FROM t)",
        "(SELECT MAX(a) FROM t)",
        "a IS DISTINCT FROM b",
        "x NOT SIMILAR TO 'y'",
        "ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC, c)",
        "SUM(a) OVER (ORDER BY t ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)",
        "'it''s'",
        "`a``b`",
        "final",
        "LEFT(s, 2)",
        "day + minute + `value`"}) {
    const std::string once = Expr(text);
    EXPECT_EQ(Expr(once), once) << text;
    EXPECT_TRUE(ParseExpression(text).ok()) << once;
  }
}

TEST(Parser, StatementsPrintAsTheyParse) {
  for (
      std::string_view text :
      {"CREATE TABLE t (a INT NOT NULL, b AS a + 1, c STRING METADATA FROM 'x' VIRTUAL, d ROW<e "
       "INT, f ARRAY<STRING>>, m MAP<STRING, BIGINT>, PRIMARY KEY (a) NOT ENFORCED, WATERMARK FOR "
       "ts AS ts - INTERVAL '5' SECOND) COMMENT 'c' PARTITIONED BY (a) WITH ('k' = 'v', 'l' = '')",
       "CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, t TIMESTAMP(3) WITH LOCAL TIME ZONE)",
       "CREATE TEMPORARY VIEW IF NOT EXISTS v (a, b) AS SELECT 1, 2 FROM t",
       "INSERT INTO t (a, b) SELECT x, y FROM u WHERE x > 1 GROUP BY x, y HAVING COUNT(*) > 2",
       "INSERT INTO t SELECT DISTINCT a.* FROM a, b AS c JOIN d ON c.x = d.x LEFT JOIN e USING (y)",
       "INSERT INTO t SELECT * FROM TABLE(TUMBLE(TABLE u, DESCRIPTOR(ts), INTERVAL '1' HOUR)) AS w",
       "INSERT INTO t SELECT * FROM HOP(DATA => TABLE u, TIMECOL => DESCRIPTOR(ts), SLIDE => "
       "INTERVAL '1' MINUTE, SIZE => INTERVAL '5' MINUTE)",
       "INSERT INTO t SELECT a FROM b UNION ALL SELECT c FROM d EXCEPT (SELECT e FROM f) ORDER BY "
       "a "
       "DESC LIMIT 10 OFFSET 2",
       "INSERT INTO t WITH q (a) AS (SELECT 1 FROM r) SELECT * FROM q CROSS JOIN UNNEST(z) AS k "
       "(v)",
       "INSERT INTO t SELECT * FROM a LEFT JOIN b FOR SYSTEM_TIME AS OF a.p AS b ON a.x = b.x",
       "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
       "INSERT INTO t SELECT a FROM b GROUP BY GROUPING SETS ((a), (b))",
       "INSERT INTO t SELECT a FROM b QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1",
       "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT * FROM b; INSERT INTO c SELECT * FROM d; "
       "END; RESET 'k'; SET 'x' = 'y'",
       "BEGIN STATEMENT SET; INSERT INTO a SELECT * FROM b; END"}) {
    ASSERT_TRUE(Parse(text).ok()) << Text(text);
    const std::string once = Text(text);
    EXPECT_EQ(Text(once), once) << text;
  }
}

TEST(Parser, SaysWhereAndWhat) {
  EXPECT_EQ(Text("SELEKT 1"),
            "1:1: unknown statement \"SELEKT\". A job is made of CREATE TABLE, CREATE VIEW, INSERT "
            "INTO, EXECUTE STATEMENT SET and SET.");
  EXPECT_EQ(Text("INSERT INTO t\nSELECT a FORM b"),
            "2:15: expected \";\" or the end of the statement, found \"b\"");
  EXPECT_EQ(Text("CREATE TABLE t (select INT)"),
            "1:17: expected a column name, found reserved word SELECT. As a name write it in back "
            "quotes: `select`.");
  EXPECT_EQ(Text("CREATE TABLE t (a INT, PRIMARY KEY (a))"),
            "1:24: PRIMARY KEY without NOT ENFORCED. Rows are not checked against a key; write "
            "PRIMARY KEY (...) NOT ENFORCED.");
  EXPECT_EQ(Text("CREATE TABLE a WITH ('x' = 'y') LIKE b"),
            "1:33: CREATE TABLE ... LIKE is not supported. Write the columns and options out.");
  EXPECT_EQ(Text("INSERT INTO t SELECT * FROM a /*+ OPTIONS('x'='y') */"),
            "1:31: hints are not supported yet. Remove /*+ ... */.");
}

// Many siblings are not deep.
TEST(Parser, DepthCountsLevelsOnly) {
  std::string text = "INSERT INTO t SELECT ";
  for (int i = 0; i < 1000; ++i) {
    text += "SUM(a) OVER (ORDER BY b), (SELECT 1 FROM c), ";
  }
  EXPECT_TRUE(Parse(text + "1 FROM t").ok());
}

TEST(DidYouMean, FindsTheNearest) {
  EXPECT_EQ(DidYouMean("amonut", {"id", "amount", "count"}), "Did you mean \"amount\"?");
  EXPECT_EQ(DidYouMean("zzz", {"id", "amount"}), "");
  EXPECT_EQ(DidYouMean("USER_ID", {"user_id"}), "Did you mean \"user_id\"?");
}

}  // namespace
}  // namespace sj::worker::sql
