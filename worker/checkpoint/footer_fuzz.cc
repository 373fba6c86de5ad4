// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes as the end of an object, as a footer and as commit metadata. A footer that
// is accepted must come back the same from its own encoding.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/base/check.h"
#include "worker/checkpoint/footer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sj::worker::checkpoint::DecodeFooter;
  using sj::worker::checkpoint::EncodeFooter;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)sj::worker::checkpoint::ParseCommitMetadata(bytes);
  size_t wanted = 0;
  sj::base::Result<std::string_view> found = sj::worker::checkpoint::FindFooter(bytes, &wanted);
  for (std::string_view json : {bytes, found.ok() ? *found : std::string_view()}) {
    sj::base::Result<sj::worker::checkpoint::Footer> footer = DecodeFooter(json);
    if (footer.ok()) {
      std::string again = EncodeFooter(*footer);
      sj::base::Result<sj::worker::checkpoint::Footer> back = DecodeFooter(again);
      SJ_CHECK(back.ok() && EncodeFooter(*back) == again);
    }
  }
  return 0;
}
