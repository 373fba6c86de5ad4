// SPDX-License-Identifier: Apache-2.0
// Rows as Flink prints them.
#include "worker/connect/print/print_sink.h"

#include <gtest/gtest.h>

namespace sj::worker::connect::print {
namespace {

using types::DataType;
using types::TypeKind;

TEST(PrintSinkTest, ValuesAreSpeltAsFlinkDoes) {
  types::Schema schema{.fields = {{"i", DataType::Of(TypeKind::kInt)},
                                  {"s", DataType::Of(TypeKind::kString)},
                                  {"t", DataType::Timestamp(3)},
                                  {"z", DataType::Of(TypeKind::kTimestampLtz)},
                                  {"d", DataType::Decimal(10, 2)},
                                  {"f", DataType::Of(TypeKind::kDouble)},
                                  {"b", DataType::Of(TypeKind::kBytes)}}};
  types::Batch batch = types::Batch::ForSchema(schema);
  batch.rows = 2;
  batch.kinds = {types::RowKind::kInsert, types::RowKind::kUpdateBefore};
  for (int64_t millis : {int64_t{0}, int64_t{1500}}) {
    batch.columns[0].AppendInt64(7);
    batch.columns[2].AppendInt64(millis);
    batch.columns[3].AppendInt64(millis);
    batch.columns[4].AppendInt64(-50);
    batch.columns[5].AppendDouble(1);
    batch.columns[6].AppendString("\xff\x01");
  }
  batch.columns[1].AppendString("a, b");
  batch.columns[1].AppendNull();
  std::string out;
  AppendRow(batch, 0, &out);
  EXPECT_EQ(out, "+I[7, a, b, 1970-01-01T00:00, 1970-01-01T00:00:00Z, -0.50, 1.0, [-1, 1]]");
  out.clear();
  AppendRow(batch, 1, &out);
  EXPECT_EQ(out,
            "-U[7, null, 1970-01-01T00:00:01.500, 1970-01-01T00:00:01.500Z, -0.50, 1.0,"
            " [-1, 1]]");
}

}  // namespace
}  // namespace sj::worker::connect::print
