#include "frontends/tensorflow/text_format.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "frontends/common/limits.h"
#include "frontends/common/protobuf.h"

namespace lapis::tensorflow_frontend {
namespace {

enum class Kind : uint8_t { Text, Int, Float, Double, Bool, Type, Message };

struct Message;
struct Field {
  std::string_view name;
  uint32_t number;
  Kind kind;
  const Message* message = nullptr;
};
struct Message {
  std::vector<Field> fields;
  const Field* find(std::string_view name) const {
    const auto it = std::ranges::find(fields, name, &Field::name);
    return it == fields.end() ? nullptr : &*it;
  }
};

// The schema, from the inside out.
struct Schema {
  Message dim{{{"size", 1, Kind::Int}}};
  Message shape{{{"dim", 2, Kind::Message, &dim}, {"unknown_rank", 3, Kind::Bool}}};
  Message tensor{{{"dtype", 1, Kind::Type},
                  {"tensor_shape", 2, Kind::Message, &shape},
                  {"tensor_content", 4, Kind::Text},
                  {"float_val", 5, Kind::Float},
                  {"double_val", 6, Kind::Double},
                  {"int_val", 7, Kind::Int},
                  {"string_val", 8, Kind::Text},
                  {"int64_val", 10, Kind::Int},
                  {"bool_val", 11, Kind::Bool},
                  {"half_val", 13, Kind::Int},
                  {"uint32_val", 16, Kind::Int},
                  {"uint64_val", 17, Kind::Int}}};
  Message function_name{{{"name", 1, Kind::Text}}};
  Message list{{{"s", 2, Kind::Text},
                {"i", 3, Kind::Int},
                {"f", 4, Kind::Float},
                {"b", 5, Kind::Bool},
                {"type", 6, Kind::Type},
                {"shape", 7, Kind::Message, &shape},
                {"func", 9, Kind::Message, &function_name}}};
  Message value{{{"list", 1, Kind::Message, &list},
                 {"s", 2, Kind::Text},
                 {"i", 3, Kind::Int},
                 {"f", 4, Kind::Float},
                 {"b", 5, Kind::Bool},
                 {"type", 6, Kind::Type},
                 {"shape", 7, Kind::Message, &shape},
                 {"tensor", 8, Kind::Message, &tensor},
                 {"func", 10, Kind::Message, &function_name}}};
  Message attribute{{{"key", 1, Kind::Text}, {"value", 2, Kind::Message, &value}}};
  Message node{{{"name", 1, Kind::Text},
                {"op", 2, Kind::Text},
                {"input", 3, Kind::Text},
                {"attr", 5, Kind::Message, &attribute}}};
  Message argument{{{"name", 1, Kind::Text}}};
  Message signature{{{"name", 1, Kind::Text},
                     {"input_arg", 2, Kind::Message, &argument},
                     {"output_arg", 3, Kind::Message, &argument}}};
  Message returned{{{"key", 1, Kind::Text}, {"value", 2, Kind::Text}}};
  Message function{{{"signature", 1, Kind::Message, &signature},
                    {"node_def", 3, Kind::Message, &node},
                    {"ret", 4, Kind::Message, &returned}}};
  Message library{{{"function", 1, Kind::Message, &function}}};
  Message graph{{{"node", 1, Kind::Message, &node}, {"library", 2, Kind::Message, &library}}};
};

const Message& graph_schema() {
  static const Schema schema;
  return schema.graph;
}

// By number.
constexpr std::string_view kTypes[] = {
    "DT_INVALID",   "DT_FLOAT",  "DT_DOUBLE",     "DT_INT32", "DT_UINT8",    "DT_INT16",   "DT_INT8",     "DT_STRING",
    "DT_COMPLEX64", "DT_INT64",  "DT_BOOL",       "DT_QINT8", "DT_QUINT8",   "DT_QINT32",  "DT_BFLOAT16", "DT_QINT16",
    "DT_QUINT16",   "DT_UINT16", "DT_COMPLEX128", "DT_HALF",  "DT_RESOURCE", "DT_VARIANT", "DT_UINT32",   "DT_UINT64"};

template <class T> void append_fixed(std::string& to, T bits) {
  for (size_t i = 0; i < sizeof bits; ++i) to += static_cast<char>(bits >> (8 * i));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::string> graph() {
    std::string out;
    LAPIS_CHECK(message(graph_schema(), '\0', out, 0));
    return out;
  }

 private:
  Diagnostic wrong(const std::string& what) const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(at_), '\n');
    return error(ErrorKind::Input, "line " + std::to_string(line) + ": " + what);
  }

  void skip_blanks() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else if (std::isspace(static_cast<unsigned char>(text_[at_])))
        ++at_;
      else
        return;
    }
  }

  bool take(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  char peek() {
    skip_blanks();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  std::string_view word() {
    skip_blanks();
    const size_t begin = at_;
    const auto belongs = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-' || c == '+';
    };
    while (at_ < text_.size() && belongs(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // `end`: the closing bracket, or '\0' at the top. Without a schema everything is skipped.
  Status message(const Message& schema, char end, std::string& out, int depth) {
    if (depth > frontend::kMaxDepth) return wrong("messages lie within each other too deep");
    while (true) {
      if (end != '\0' && take(end)) return ok();
      if (peek() == '\0')
        return end == '\0' && at_ == text_.size() ? ok() : Status(wrong("the file ends within a message"));
      const std::string_view name = word();
      if (name.empty()) return wrong(std::string("a name is expected, not '") + text_[at_] + "'");
      const Field* field = schema.find(name);
      const bool colon = take(':');
      LAPIS_CHECK(colon && take('[') ? values(field, out, depth) : value(field, out, depth));
      if (!take(',')) take(';');
    }
  }

  Status values(const Field* field, std::string& out, int depth) {
    if (take(']')) return ok();
    do LAPIS_CHECK(value(field, out, depth));
    while (take(','));
    return take(']') ? ok() : Status(wrong("']' is expected"));
  }

  Status value(const Field* field, std::string& out, int depth) {
    static const Message kUnknown;
    const char next = peek();
    if (next == '{' || next == '<') {
      ++at_;
      std::string inner;
      const bool known = field && field->kind == Kind::Message;
      LAPIS_CHECK(message(known ? *field->message : kUnknown, next == '{' ? '}' : '>', inner, depth + 1));
      if (known) append_bytes(*field, inner, out);
      return ok();
    }
    if (next == '"' || next == '\'') {
      LAPIS_TRY(const std::string text, strings());
      if (field && field->kind == Kind::Text) append_bytes(*field, text, out);
      return ok();
    }
    const std::string_view text = word();
    if (text.empty()) return wrong("a value is expected");
    return field ? scalar(*field, text, out) : ok();
  }

  static void append_bytes(const Field& field, const std::string& bytes, std::string& out) {
    frontend::append_varint(out, field.number << 3 | 2);
    frontend::append_varint(out, bytes.size());
    out += bytes;
  }

  Status scalar(const Field& field, std::string_view text, std::string& out) const {
    const auto bad = [&] {
      return wrong("'" + std::string(text) + "' is no value of '" + std::string(field.name) + "'");
    };
    if (field.kind == Kind::Float || field.kind == Kind::Double) {
      const auto value = real(text);
      if (!value) return bad();
      frontend::append_varint(out, field.number << 3 | (field.kind == Kind::Float ? 5 : 1));
      if (field.kind == Kind::Float)
        append_fixed(out, std::bit_cast<uint32_t>(static_cast<float>(*value)));
      else
        append_fixed(out, std::bit_cast<uint64_t>(*value));
      return ok();
    }
    const auto value = field.kind == Kind::Bool ? truth(text) : field.kind == Kind::Type ? type(text) : integer(text);
    if (!value) return bad();
    frontend::append_varint(out, field.number << 3);
    frontend::append_varint(out, *value);
    return ok();
  }

  static std::optional<double> real(std::string_view text) {
    if (!text.empty() && (text.back() == 'f' || text.back() == 'F') && text != "inf" && text != "-inf")
      text.remove_suffix(1);
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = end == text.data() + text.size();
    if (failed == std::errc::result_out_of_range && whole) return 0;
    return failed == std::errc() && whole ? std::optional(value) : std::nullopt;
  }

  static std::optional<uint64_t> integer(std::string_view text) {
    int64_t value = 0;
    uint64_t large = 0;
    const char* last = text.data() + text.size();
    if (const auto [end, failed] = std::from_chars(text.data(), last, value); failed == std::errc() && end == last)
      return static_cast<uint64_t>(value);
    const auto [end, failed] = std::from_chars(text.data(), last, large);
    return failed == std::errc() && end == last ? std::optional(large) : std::nullopt;
  }

  static std::optional<uint64_t> truth(std::string_view text) {
    if (text == "true" || text == "1") return 1;
    return text == "false" || text == "0" ? std::optional<uint64_t>(0) : std::nullopt;
  }

  static std::optional<uint64_t> type(std::string_view text) {
    constexpr std::string_view kReference = "_REF";
    constexpr uint64_t kReferences = 100;
    if (text.ends_with(kReference)) {
      const auto of = type(text.substr(0, text.size() - kReference.size()));
      return of ? std::optional(*of + kReferences) : std::nullopt;
    }
    const auto* found = std::ranges::find(kTypes, text);
    return found == std::end(kTypes) ? integer(text) : static_cast<uint64_t>(found - kTypes);
  }

  // One string, or several behind each other, which are one.
  Result<std::string> strings() {
    std::string all;
    while (peek() == '"' || peek() == '\'') {
      const char quote = text_[at_++];
      while (at_ < text_.size() && text_[at_] != quote) {
        if (text_[at_] != '\\')
          all += text_[at_++];
        else if (!escape(all))
          return wrong("an escape that cannot be");
      }
      if (at_ == text_.size()) return wrong("the file ends within a string");
      ++at_;
    }
    return all;
  }

  bool escape(std::string& to) {
    constexpr std::string_view kLetters = "abfnrtv\\'\"?", kMeanings = "\a\b\f\n\r\t\v\\'\"?";
    if (++at_ == text_.size()) return false;
    if (const size_t letter = kLetters.find(text_[at_]); letter != std::string_view::npos) {
      to += kMeanings[letter];
      ++at_;
      return true;
    }
    const bool hex = text_[at_] == 'x' || text_[at_] == 'X';
    at_ += hex;
    unsigned code = 0;
    const std::string_view digits = text_.substr(at_, hex ? 2 : 3);
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 8);
    at_ += static_cast<size_t>(end - digits.data());
    to += static_cast<char>(code);
    return failed == std::errc() && end != digits.data();
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<std::string> graph_from_text(std::string_view text) { return Parser(text).graph(); }

}  // namespace lapis::tensorflow_frontend
