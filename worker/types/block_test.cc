// SPDX-License-Identifier: Apache-2.0
// Blocks: random batches survive; every damaged block is refused and none crashes.
#include "worker/types/block.h"

#include <gtest/gtest.h>

#include <random>

#include "api/base/hash.h"

namespace sj::worker::types {
namespace {

Schema TestSchema() {
  DataType map = DataType::Of(TypeKind::kMap);
  map.children = {DataType::Of(TypeKind::kString), DataType::Of(TypeKind::kBigint)};
  DataType row = DataType::Of(TypeKind::kRow);
  row.children = {DataType::Of(TypeKind::kBoolean), map};
  row.field_names = {"a", "b"};
  Schema schema;
  schema.fields = {{"flag", DataType::Of(TypeKind::kBoolean)},
                   {"n", DataType::Of(TypeKind::kBigint)},
                   {"d", DataType::Decimal(38, 4)},
                   {"x", DataType::Of(TypeKind::kDouble)},
                   {"s", DataType::Of(TypeKind::kString)},
                   {"r", row}};
  return schema;
}

void AppendRandom(std::mt19937_64* random, Column* column) {
  if ((*random)() % 7 == 0) {
    column->AppendNull();
    return;
  }
  switch (column->physical()) {
    case Physical::kBool:
      column->AppendBool((*random)() % 2 == 0);
      return;
    case Physical::kInt64:
      column->AppendInt64(static_cast<int64_t>((*random)()));
      return;
    case Physical::kInt128:
      column->AppendInt128(-static_cast<Int128>((*random)()) * 1000);
      return;
    case Physical::kDouble:
      column->AppendDouble(static_cast<double>((*random)()) / 3);
      return;
    case Physical::kString:
      column->AppendString(std::string((*random)() % 40, 'q'));
      return;
    case Physical::kNested:
      break;
  }
  size_t elements = column->type().kind == TypeKind::kRow ? 1 : (*random)() % 4;
  for (size_t i = 0; i < elements; ++i) {
    for (Column& child : column->children) {
      AppendRandom(random, &child);
    }
  }
  if (column->type().kind != TypeKind::kRow) {
    column->offsets.push_back(column->offsets.back() + static_cast<uint32_t>(elements));
  }
  if (!column->valid.empty()) {
    column->valid.push_back(1);
  }
}

Batch RandomBatch(uint64_t seed, size_t rows) {
  std::mt19937_64 random(seed);
  Batch batch = Batch::ForSchema(TestSchema());
  batch.rows = rows;
  for (size_t i = 0; i < rows; ++i) {
    for (Column& column : batch.columns) {
      AppendRandom(&random, &column);
    }
    if (seed % 2 == 0) {
      batch.kinds.push_back(static_cast<RowKind>(random() % 4));
    }
  }
  return batch;
}

std::string RowBytes(const Batch& batch) {
  std::string out;
  for (size_t row = 0; row < batch.rows; ++row) {
    out += ToString(batch.kind(row));
    for (const Column& column : batch.columns) {
      AppendKeyBytes(column, row, &out);
    }
  }
  return out;
}

std::string Encode(const Batch& batch) {
  std::string out;
  EXPECT_TRUE(EncodeBlock(batch, {}, &out).ok());
  return out;
}

// Makes the checksum fit again, so that damage reaches the reader behind it.
void Reseal(std::string* block) {
  std::string_view view = *block;
  uint64_t sum =
      base::Hash64(view.substr(14)) ^ (base::Hash64(view.substr(0, 6)) * 0x9e3779b97f4a7c15ull);
  std::memcpy(block->data() + 6, &sum, sizeof(sum));
}

TEST(BlockTest, RoundTrips) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Batch batch = RandomBatch(seed, seed * 7 % 100);
    base::Result<Batch> decoded = DecodeBlock(Encode(batch), TestSchema());
    ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
    EXPECT_EQ(decoded->rows, batch.rows);
    EXPECT_EQ(RowBytes(*decoded), RowBytes(batch));
  }
}

TEST(BlockTest, CompressesAndKeepsStringsAlive) {
  Schema schema;
  schema.fields = {{"s", DataType::Of(TypeKind::kString)}};
  Batch batch = Batch::ForSchema(schema);
  batch.rows = 1000;
  for (int i = 0; i < 1000; ++i) {
    batch.columns[0].AppendString("the same text again");
  }
  base::Result<Batch> decoded = Batch();
  {
    std::string block = Encode(batch);
    EXPECT_LT(block.size(), 2000u);
    decoded = DecodeBlock(block, schema);
    std::fill(block.begin(), block.end(), '!');
  }
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->columns[0].strings[999].view(), "the same text again");
}

TEST(BlockTest, EveryFlippedBitIsRefused) {
  std::string block = Encode(RandomBatch(2, 20));
  for (size_t i = 0; i < block.size() * 8; i += 3) {
    std::string bad = block;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
    base::Result<Batch> decoded = DecodeBlock(bad, TestSchema());
    ASSERT_FALSE(decoded.ok()) << i;
    EXPECT_EQ(decoded.status().kind(), base::ErrorKind::kCorrupt);
  }
}

TEST(BlockTest, EveryCutIsRefused) {
  std::string block = Encode(RandomBatch(3, 20));
  for (size_t n = 0; n < block.size(); ++n) {
    EXPECT_FALSE(DecodeBlock(std::string_view(block).substr(0, n), TestSchema()).ok());
  }
}

TEST(BlockTest, ForgedBlocksNeverCrash) {
  std::mt19937_64 random(5);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string block = Encode(RandomBatch(random() % 8, 1 + random() % 10));
    for (uint64_t n = 1 + random() % 4; n > 0; --n) {
      block[random() % block.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) {
      block.resize(14 + random() % (block.size() - 14));
    }
    Reseal(&block);
    base::Result<Batch> decoded = DecodeBlock(block, TestSchema());
    if (decoded.ok()) {
      ++accepted;
      EXPECT_FALSE(RowBytes(*decoded).empty() && decoded->rows > 0);
    }
  }
  EXPECT_GT(accepted, 0) << "value bytes may change; structure may not";
}

TEST(BlockTest, AnotherSchemaIsRefused) {
  std::string block = Encode(RandomBatch(4, 5));
  Schema schema = TestSchema();
  schema.fields.pop_back();
  EXPECT_FALSE(DecodeBlock(block, schema).ok());
  schema = TestSchema();
  std::swap(schema.fields[0], schema.fields[1]);
  EXPECT_FALSE(DecodeBlock(block, schema).ok());
  EXPECT_EQ(DecodeBlock(block, TestSchema(), {.bytes_max = 10, .rows_max = 10}).status().kind(),
            base::ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace sj::worker::types
