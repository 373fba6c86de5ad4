// SPDX-License-Identifier: Apache-2.0
// Columns, batches, key bytes and key groups: values survive every move, key bytes sort as values.
#include "worker/types/column.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>

#include "worker/types/key_group.h"
#include "worker/types/table.h"

namespace sj::worker::types {
namespace {

Column Strings(const std::vector<std::string>& values) {
  Column column(DataType::Of(TypeKind::kString));
  for (const std::string& v : values) {
    column.AppendString(v);
  }
  return column;
}

std::string KeyOf(const Column& column, size_t row) {
  std::string out;
  AppendKeyBytes(column, row, &out);
  return out;
}

Column ReadBack(const Column& column) {
  Column out(column.type());
  std::string bytes;
  for (size_t row = 0; row < column.size(); ++row) {
    AppendKeyBytes(column, row, &bytes);
  }
  std::string_view rest = bytes;
  for (size_t row = 0; row < column.size(); ++row) {
    EXPECT_TRUE(ReadKeyBytes(&rest, &out));
  }
  EXPECT_TRUE(rest.empty());
  return out;
}

TEST(ArenaTest, KeepsAddressesAndLargeStrings) {
  Arena arena(1024);
  std::vector<StringRef> refs;
  std::vector<std::string> want;
  for (size_t i = 0; i < 300; ++i) {
    want.push_back(std::string(i * 17 % 5000, static_cast<char>('a' + i % 26)));
    refs.push_back(arena.Copy(want.back()));
  }
  for (size_t i = 0; i < refs.size(); ++i) {
    EXPECT_EQ(refs[i].view(), want[i]);
  }
}

TEST(ColumnTest, NullsAppearLate) {
  Column column(DataType::Of(TypeKind::kBigint));
  column.AppendInt64(7);
  EXPECT_TRUE(column.valid.empty());
  column.AppendNull();
  column.AppendInt64(9);
  ASSERT_EQ(column.size(), 3u);
  EXPECT_FALSE(column.IsNull(0));
  EXPECT_TRUE(column.IsNull(1));
  EXPECT_FALSE(column.IsNull(2));
  EXPECT_EQ(column.ints[1], 0);
  column.SetNull(0);
  EXPECT_EQ(column.ints[0], 0);
  EXPECT_TRUE(column.IsNull(0));
}

TEST(ColumnTest, ACopyWritesItsOwnArena) {
  Column a = Strings({"one"});
  Column b = a;
  a.AppendString("two");
  b.AppendString("three");
  EXPECT_NE(&a.arena(), &b.arena());
  EXPECT_EQ(b.strings[0].view(), "one");
  EXPECT_EQ(b.strings[1].view(), "three");
  Column c = std::move(a);
  c.AppendString("four");
  EXPECT_EQ(c.strings[1].view(), "two");
}

TEST(ColumnTest, GatheredStringsOutliveTheirSource) {
  Column gathered;
  {
    Column source = Strings({"zero", "one", std::string(100, 'x')});
    source.AppendNull();
    gathered = source.Gather({2, 3, 0, 0});
  }
  ASSERT_EQ(gathered.size(), 4u);
  EXPECT_EQ(gathered.strings[0].view(), std::string(100, 'x'));
  EXPECT_TRUE(gathered.IsNull(1));
  EXPECT_EQ(gathered.strings[3].view(), "zero");
}

DataType ArrayOfStrings() {
  DataType type = DataType::Of(TypeKind::kArray);
  type.children.push_back(DataType::Of(TypeKind::kString));
  return type;
}

Column SomeArrays() {
  Column column(ArrayOfStrings());
  column.children[0].AppendString("a");
  column.children[0].AppendString("b");
  column.offsets.push_back(2);
  column.AppendNull();
  column.offsets.push_back(2);
  column.valid.push_back(1);
  column.children[0].AppendNull();
  column.offsets.push_back(3);
  column.valid.push_back(1);
  return column;
}

TEST(ColumnTest, NestedGatherAppendAndKeyBytes) {
  Column column = SomeArrays();
  ASSERT_EQ(column.size(), 4u);
  Column gathered = column.Gather({3, 0});
  ASSERT_EQ(gathered.size(), 2u);
  EXPECT_TRUE(gathered.children[0].IsNull(0));
  EXPECT_EQ(gathered.children[0].strings[2].view(), "b");
  Column appended(column.type());
  for (size_t row = 0; row < column.size(); ++row) {
    appended.AppendFrom(column, row);
  }
  Column read = ReadBack(column);
  for (size_t row = 0; row < column.size(); ++row) {
    EXPECT_EQ(KeyOf(appended, row), KeyOf(column, row));
    EXPECT_EQ(KeyOf(read, row), KeyOf(column, row));
    EXPECT_EQ(appended.IsNull(row), column.IsNull(row));
  }
}

TEST(KeyBytesTest, OrderOfIntegersAndRoundTrip) {
  std::mt19937_64 random(1);
  Column column(DataType::Of(TypeKind::kBigint));
  for (int64_t v : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}, INT64_MAX}) {
    column.AppendInt64(v);
  }
  for (int i = 0; i < 200; ++i) {
    column.AppendInt64(static_cast<int64_t>(random()) >> (random() % 60));
  }
  Column read = ReadBack(column);
  for (size_t a = 0; a < column.size(); ++a) {
    EXPECT_EQ(read.ints[a], column.ints[a]);
    for (size_t b = 0; b < column.size(); ++b) {
      EXPECT_EQ(KeyOf(column, a) < KeyOf(column, b), column.ints[a] < column.ints[b]);
    }
  }
}

TEST(KeyBytesTest, OrderOfWides) {
  std::mt19937_64 random(2);
  Column column(DataType::Decimal(38, 0));
  for (int i = 0; i < 150; ++i) {
    auto wide = (static_cast<unsigned __int128>(random()) << 64) | random();
    column.AppendInt128(static_cast<Int128>(wide) >> (random() % 120));
  }
  Column read = ReadBack(column);
  for (size_t a = 0; a < column.size(); ++a) {
    EXPECT_TRUE(read.wides[a] == column.wides[a]);
    for (size_t b = 0; b < column.size(); ++b) {
      EXPECT_EQ(KeyOf(column, a) < KeyOf(column, b), column.wides[a] < column.wides[b]);
    }
  }
}

TEST(KeyBytesTest, OrderOfDoublesZeroAndNan) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  Column column(DataType::Of(TypeKind::kDouble));
  for (double v : {-kInf, -1e300, -1.5, -1e-300, 0.0, 1e-300, 1.5, 1e300, kInf}) {
    column.AppendDouble(v);
  }
  column.AppendDouble(std::numeric_limits<double>::quiet_NaN());
  for (size_t row = 1; row < column.size(); ++row) {
    EXPECT_LT(KeyOf(column, row - 1), KeyOf(column, row)) << row;
  }
  column.AppendDouble(-0.0);
  EXPECT_EQ(KeyOf(column, 10), KeyOf(column, 4));
  column.AppendDouble(-std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(KeyOf(column, 11), KeyOf(column, 9));
  EXPECT_EQ(ReadBack(column).doubles[2], -1.5);
}

TEST(KeyBytesTest, OrderOfStringsWithZeroBytes) {
  std::mt19937_64 random(3);
  std::vector<std::string> values = {"",  std::string(1, '\0'),  std::string(2, '\0'),
                                     "a", std::string("a\0", 2), std::string("a\0b", 3),
                                     "ab"};
  for (int i = 0; i < 200; ++i) {
    std::string v;
    for (uint64_t n = random() % 6; n > 0; --n) {
      v.push_back("\0\1a\xff"[random() % 4]);
    }
    values.push_back(v);
  }
  Column column = Strings(values);
  column.AppendNull();
  Column read = ReadBack(column);
  for (size_t a = 0; a < values.size(); ++a) {
    EXPECT_EQ(read.strings[a].view(), values[a]);
    EXPECT_LT(KeyOf(column, values.size()), KeyOf(column, a));
    for (size_t b = 0; b < values.size(); ++b) {
      EXPECT_EQ(KeyOf(column, a) < KeyOf(column, b), values[a] < values[b]);
    }
  }
}

TEST(KeyBytesTest, CutBytesAreRefused) {
  Column column = SomeArrays();
  Column text = Strings({std::string("a\0b", 3)});
  for (const Column* c : {&column, &text}) {
    std::string bytes = KeyOf(*c, 0);
    for (size_t n = 0; n < bytes.size(); ++n) {
      std::string_view cut = std::string_view(bytes).substr(0, n);
      Column out(c->type());
      EXPECT_FALSE(ReadKeyBytes(&cut, &out)) << n;
    }
  }
}

TEST(KeyGroupTest, PartsCoverAndInvert) {
  for (int count = 1; count <= 40; ++count) {
    for (int owners = 1; owners <= 45; ++owners) {
      int next = 0;
      int smallest = count;
      int largest = 0;
      for (int i = 0; i < owners; ++i) {
        KeyGroupRange part = PartOf(count, owners, i);
        ASSERT_EQ(part.begin, next);
        next = part.end;
        smallest = std::min(smallest, part.size());
        largest = std::max(largest, part.size());
        for (int unit = part.begin; unit < part.end; ++unit) {
          ASSERT_EQ(OwnerOf(unit, count, owners), i);
        }
      }
      ASSERT_EQ(next, count);
      ASSERT_LE(largest - smallest, 1);
    }
  }
}

TEST(KeyGroupTest, ShardsAndStability) {
  for (int group = 0; group < 128; ++group) {
    int shard = ShardOf(group, 16, 128);
    EXPECT_TRUE(ShardRange(shard, 16, 128).Contains(group));
  }
  std::set<int> seen;
  for (int i = 0; i < 4000; ++i) {
    seen.insert(KeyGroupOf("user-" + std::to_string(i), 128));
  }
  EXPECT_EQ(seen.size(), 128u);
  EXPECT_EQ(*seen.begin(), 0);
  EXPECT_EQ(*seen.rbegin(), 127);
  // Stored state depends on these.
  EXPECT_EQ(KeyGroupOf("", 128), KeyGroupOfHash(0x2d06800538d394c2ull, 128));
  EXPECT_EQ(KeyGroupOf("user-1", 128), 62);
  EXPECT_EQ(KeyGroupOf("user-2", 128), 16);
}

TEST(DataTypeTest, PrintsAsFlink) {
  EXPECT_EQ(DataType::Decimal(10, 2).ToString(), "DECIMAL(10, 2)");
  EXPECT_EQ(DataType::Timestamp(3).ToString(), "TIMESTAMP(3)");
  DataType text = DataType::Of(TypeKind::kString);
  text.nullable = false;
  EXPECT_EQ(text.ToString(), "STRING NOT NULL");
  EXPECT_EQ(ArrayOfStrings().ToString(), "ARRAY<STRING>");
  EXPECT_TRUE(text.SameAs(DataType::Of(TypeKind::kString)));
  EXPECT_FALSE(DataType::Decimal(10, 2).SameAs(DataType::Decimal(10, 3)));
  EXPECT_EQ(DataType::Decimal(18, 2).physical(), Physical::kInt64);
  EXPECT_EQ(DataType::Decimal(19, 2).physical(), Physical::kInt128);
}

TEST(TableSpecTest, FindsOptions) {
  TableSpec table;
  table.options.push_back({.key = "topic", .value = "t", .key_pos = {}, .value_pos = {}});
  EXPECT_EQ(table.Option("topic"), "t");
  EXPECT_EQ(table.Option("Topic"), std::nullopt);
}

}  // namespace
}  // namespace sj::worker::types
