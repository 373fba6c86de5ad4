// SPDX-License-Identifier: Apache-2.0
// String functions. Positions and lengths count characters (code points) of UTF-8. Results that
// are parts of an argument are views into it, so SUBSTRING and TRIM copy nothing.
#include <memory>

#include "api/base/hash.h"
#include "worker/exec/eval/like.h"
#include "worker/exec/eval/md5.h"
#include "worker/exec/eval/node.h"
#include "worker/exec/eval/text_form.h"

namespace sj::worker::exec::eval {
namespace {

using plan::Function;
using types::Physical;
using types::StringRef;

constexpr size_t kResultBytesMax = 16u << 20;  // of one value; REPLACE and CONCAT can grow

StringRef Ref(std::string_view v) {
  return {v.data(), static_cast<uint32_t>(v.size())};
}

size_t CountChars(std::string_view text) {
  size_t n = 0;
  for (char c : text) {
    n += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  }
  return n;
}

// text -> a part of text.
template <typename Op>
KernelSpec Part(Op op) {
  return {[op](const Call& call) {
    Lane<StringRef> in = Strings(call.args[0]);
    call.out->ShareOwners(call.args[0].column());
    for (size_t row = 0; row < call.rows; ++row) {
      call.out->strings[row] = Ref(op(in[row].view()));
    }
    return base::OkStatus();
  }};
}

// text -> new text, appended to a scratch string.
template <typename Op>
KernelSpec NewText(Op op) {
  return {[op](const Call& call) {
    Lane<StringRef> in = Strings(call.args[0]);
    std::string text;
    for (size_t row = 0; row < call.rows; ++row) {
      if (!call.out->IsNull(row)) {
        text.clear();
        op(in[row].view(), &text);
        call.out->strings[row] = call.out->arena().Copy(text);
      }
    }
    return base::OkStatus();
  }};
}

std::string_view TrimOf(std::string_view text, bool left, bool right) {
  while (left && !text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (right && !text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

// Letters beyond ASCII of the blocks with two cases next to each other; the C library's tables
// depend on the locale, and results may not.
uint32_t SwapCase(uint32_t c, bool upper) {
  bool latin1 = (c >= 0xe0 && c <= 0xfe && c != 0xf7) || (c >= 0xc0 && c <= 0xde && c != 0xd7);
  bool greek = (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2);
  bool cyrillic = c >= 0x410 && c <= 0x44f;
  if (latin1 || greek || cyrillic) {
    uint32_t base = latin1 ? 0xc0 : greek ? 0x391 : 0x410;
    bool is_upper = c - base < 32;
    return is_upper == upper ? c : upper ? c - 32 : c + 32;
  }
  if (c >= 0x400 && c <= 0x45f) {
    bool is_upper = c < 0x410;
    return is_upper == upper ? c : upper ? c - 80 : c + 80;
  }
  bool pairs_even = (c >= 0x100 && c <= 0x12f) || (c >= 0x14a && c <= 0x177) ||
                    (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) ||
                    (c >= 0x4d0 && c <= 0x52f) || (c >= 0x1e00 && c <= 0x1e95);
  bool pairs_odd = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
  if (pairs_even) {
    return upper ? c & ~1u : c | 1u;
  }
  if (pairs_odd) {
    return upper ? ((c - 1) | 1u) : ((c + 1) & ~1u);
  }
  return c;
}

void AppendCase(std::string_view text, bool upper, std::string* out) {
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      bool letter = upper ? (byte >= 'a' && byte <= 'z') : (byte >= 'A' && byte <= 'Z');
      out->push_back(static_cast<char>(letter ? byte ^ 0x20 : byte));
      continue;
    }
    bool two = byte >= 0xc2 && byte < 0xe0 && i + 1 < text.size();
    bool three = byte == 0xe1 && i + 2 < text.size();  // Latin Extended Additional
    if (!two && !three) {
      out->push_back(text[i]);
      continue;
    }
    auto next = static_cast<unsigned char>(text[i + 1]) & 0x3fu;
    if (two) {
      uint32_t c = SwapCase((byte & 0x1fu) << 6 | next, upper);
      out->push_back(static_cast<char>(0xc0 | c >> 6));
      out->push_back(static_cast<char>(0x80 | (c & 0x3f)));
      i += 1;
      continue;
    }
    auto last = static_cast<unsigned char>(text[i + 2]) & 0x3fu;
    uint32_t c = SwapCase(0x1000u | next << 6 | last, upper);
    out->push_back(static_cast<char>(0xe0 | c >> 12));
    out->push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3f)));
    i += 2;
  }
}

// SUBSTRING(text, start[, length]) as Flink does it: from 1; a negative start counts from the end,
// and one before the beginning gives ''; 0 is 1; a negative length is NULL.
base::Status RunSubstring(const Call& call) {
  Lane<StringRef> in = Strings(call.args[0]);
  Lane<int64_t> starts = Ints(call.args[1]);
  call.out->ShareOwners(call.args[0].column());
  for (size_t row = 0; row < call.rows; ++row) {
    std::string_view text = in[row].view();
    int64_t length = call.args.size() > 2 ? Ints(call.args[2])[row] : INT64_MAX;
    if (length < 0) {
      call.out->SetNull(row);
      continue;
    }
    int64_t start = starts[row] > 0 ? starts[row] - 1 : starts[row];
    if (start < 0) {
      int64_t chars = static_cast<int64_t>(CountChars(text));
      start = -start > chars ? INT64_MAX : chars + start;
    }
    std::string_view before = FirstChars(text, static_cast<size_t>(start));
    text.remove_prefix(before.size());
    call.out->strings[row] = Ref(FirstChars(text, static_cast<size_t>(length)));
  }
  return base::OkStatus();
}

base::Status RunConcat(const Call& call) {
  std::string text;
  for (size_t row = 0; row < call.rows; ++row) {
    if (call.out->IsNull(row)) {
      continue;
    }
    text.clear();
    for (const Value& arg : call.args) {
      text.append(Strings(arg)[row].view());
    }
    if (text.size() > kResultBytesMax) {
      return base::InvalidArgument("evaluate CONCAT: the result is larger than 16 MiB");
    }
    call.out->strings[row] = call.out->arena().Copy(text);
  }
  return base::OkStatus();
}

base::Status RunReplace(const Call& call) {
  std::string text;
  for (size_t row = 0; row < call.rows; ++row) {
    if (call.out->IsNull(row)) {
      continue;
    }
    std::string_view rest = Strings(call.args[0])[row].view();
    std::string_view what = Strings(call.args[1])[row].view();
    std::string_view with = Strings(call.args[2])[row].view();
    text.clear();
    while (!what.empty()) {
      size_t at = rest.find(what);
      if (at == std::string_view::npos) {
        break;
      }
      text.append(rest.substr(0, at)).append(with);
      rest.remove_prefix(at + what.size());
      if (text.size() > kResultBytesMax) {
        return base::InvalidArgument("evaluate REPLACE: the result is larger than 16 MiB");
      }
    }
    text.append(rest);
    call.out->strings[row] = call.out->arena().Copy(text);
  }
  return base::OkStatus();
}

// POSITION(needle IN text): from 1 in characters, 0 when absent.
base::Status RunPosition(const Call& call) {
  for (size_t row = 0; row < call.rows; ++row) {
    std::string_view needle = Strings(call.args[0])[row].view();
    std::string_view text = Strings(call.args[1])[row].view();
    size_t at = text.find(needle);
    call.out->ints[row] =
        at == std::string_view::npos ? 0 : static_cast<int64_t>(CountChars(text.substr(0, at))) + 1;
  }
  return base::OkStatus();
}

base::Status RunCharLength(const Call& call) {
  Lane<StringRef> in = Strings(call.args[0]);
  for (size_t row = 0; row < call.rows; ++row) {
    call.out->ints[row] = static_cast<int64_t>(CountChars(in[row].view()));
  }
  return base::OkStatus();
}

base::Result<KernelSpec> Like(const NodeList& args) {
  for (size_t i = 1; i < args.size(); ++i) {
    if (LiteralOf(*args[i]) == nullptr) {
      return NoSuchCall("LIKE with a pattern that is not a literal", args);
    }
  }
  std::string_view escape = args.size() > 2 ? LiteralText(*args[2]) : std::string_view();
  SJ_ASSIGN_OR_RETURN(LikePattern compiled, LikePattern::Compile(LiteralText(*args[1]), escape));
  // Shared by the copies of the kernel.
  auto pattern = std::make_shared<const LikePattern>(std::move(compiled));
  return KernelSpec{[pattern](const Call& call) {
    Lane<StringRef> in = Strings(call.args[0]);
    for (size_t row = 0; row < call.rows; ++row) {
      call.out->bools[row] = pattern->Match(in[row].view()) ? 1 : 0;
    }
    return base::OkStatus();
  }};
}

struct Arity {
  size_t least, most;
  size_t strings;  // leading arguments that are STRING; the rest are integers
};

Arity ArityOf(Function function) {
  switch (function) {
    case Function::kLike:
      return {2, 3, 3};
    case Function::kConcat:
      return {1, 1000, 1000};
    case Function::kSubstring:
      return {2, 3, 1};
    case Function::kReplace:
      return {3, 3, 3};
    case Function::kPosition:
      return {2, 2, 2};
    default:
      return {1, 1, 1};
  }
}

}  // namespace

base::Result<KernelSpec> MakeText(Function function, const NodeList& args) {
  Arity arity = ArityOf(function);
  bool fits = args.size() >= arity.least && args.size() <= arity.most;
  for (size_t i = 0; fits && i < args.size(); ++i) {
    Physical want = i < arity.strings ? Physical::kString : Physical::kInt64;
    fits = args[i]->type().physical() == want;
  }
  if (!fits) {
    return NoSuchCall("string function", args);
  }
  switch (function) {
    case Function::kLike:
      return Like(args);
    case Function::kConcat:
      return KernelSpec{RunConcat, true};
    case Function::kUpper:
      return NewText([](std::string_view v, std::string* out) { AppendCase(v, true, out); });
    case Function::kLower:
      return NewText([](std::string_view v, std::string* out) { AppendCase(v, false, out); });
    case Function::kTrim:
      return Part([](std::string_view v) { return TrimOf(v, true, true); });
    case Function::kLtrim:
      return Part([](std::string_view v) { return TrimOf(v, true, false); });
    case Function::kRtrim:
      return Part([](std::string_view v) { return TrimOf(v, false, true); });
    case Function::kCharLength:
      return KernelSpec{RunCharLength};
    case Function::kSubstring:
      return KernelSpec{RunSubstring};
    case Function::kReplace:
      return KernelSpec{RunReplace, true};
    case Function::kPosition:
      return KernelSpec{RunPosition};
    case Function::kMd5:
      return NewText([](std::string_view v, std::string* out) { *out = Md5Hex(v); });
    case Function::kSha256:
      return NewText([](std::string_view v, std::string* out) { *out = base::Sha256Hex(v); });
    default:
      return NoSuchCall("string function", args);
  }
}

}  // namespace sj::worker::exec::eval
