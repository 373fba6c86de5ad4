// SPDX-License-Identifier: Apache-2.0
// WatchStream: the frames of one watch, one JSON document per line, turned into events and into the
// one reason why the watch ended. Knows no transport, so broken frames are easy to test.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "operator/kube/client.h"

namespace sj::op::kube {

// The query of a watch request, with the leading '?'.
std::string WatchQuery(const WatchOptions& options);

// Owned by the thread that reads the stream.
class WatchStream {
 public:
  // References outlive the stream.
  WatchStream(const Resource& resource, bool initial_events,
              const std::function<bool(WatchEvent)>& on_event);

  // False: stop reading; the reason is in Result().
  bool OnLine(std::string_view line);
  // The request was answered with an error instead of a stream.
  base::Result<WatchEnd> OnRefused(int code, std::string_view body);

  // True once OnLine has returned false.
  bool ended() const { return end_.has_value(); }
  // Why it ended; kClosed when nothing but the end of the stream ended it.
  base::Result<WatchEnd> Result() const;

 private:
  base::Result<WatchEnd> Refusal(int code, std::string_view message) const;

  const Resource& resource_;
  const std::function<bool(WatchEvent)>& on_event_;
  bool initial_events_;  // true until the initial events have ended
  std::optional<base::Result<WatchEnd>> end_;
};

}  // namespace sj::op::kube
